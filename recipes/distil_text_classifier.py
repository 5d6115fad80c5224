r"""Distils your own BERT on your own text into a student that serves.

The teacher is an `hf://` handle, a folder in Hugging Face's or Keras' format,
or a KerasHub preset; the text is a CSV, TSV or JSONL file. The student learns
from the teacher alone, so text without labels helps as much as text with
them. It is exported as SavedModel and LiteRT, reloaded in new processes and
scored there.

A fine-tuned teacher, and a student of half of its layers, evenly spaced:

    python recipes/distil_text_classifier.py --teacher hf://user/model \
        --train train.csv --test test.csv --text tweet --label sentiment

A teacher to be fine-tuned first, pairs of texts, a thin student, and a
control that learns the labels alone:

    python recipes/distil_text_classifier.py --teacher bert_base_en_uncased \
        --train train.tsv --dev dev.tsv --text question --second-text answer \
        --student tiny_bert_4l_312d --control

Several labels a text (`a|b` in CSV), and text without labels:

    python recipes/distil_text_classifier.py --teacher ./my_teacher \
        --train train.jsonl --task multilabel --unlabelled more.txt

Run the same command again to go on after an interruption, within an epoch too.
"""

import dataclasses
import functools
import pathlib
import typing

import students
import teachers
import text_exports
import text_training
from progress_line import say
from run_folder import (
    begin,
    callbacks,
    command_line,
    identity,
    precision,
    run_folder,
    train,
)
from run_report import conclude, finished, save_model, show


@dataclasses.dataclass(frozen=True)
class Config:
    """Distils your own BERT on your own text into a student that serves."""

    teacher: str
    """An hf:// handle, a folder (Hugging Face or Keras), a KerasHub preset."""
    train: pathlib.Path
    """Labelled text: .csv, .tsv or .jsonl."""
    dev: pathlib.Path | None = None
    """By default a tenth of --train, near-duplicates on one side."""
    test: pathlib.Path | None = None
    """Decides nothing. Without it, the scores are those on dev."""
    unlabelled: pathlib.Path | None = None
    """More text for the student, without labels; may be .txt."""
    text: str = "text"
    """Column of the text."""
    second_text: str | None = None
    """Column of the second text, for pairs."""
    label: str = "label"
    """Column of the labels."""
    task: typing.Literal["classification", "multilabel", "regression"] = (
        "classification"
    )
    """One class a text, any number of classes, or a score."""
    student: str = "half"
    """Half the teacher's layers, or a number of them; or a name of
    tf_distill.models.ARCHITECTURES, such as tiny_bert_4l_312d."""
    control: bool = False
    """Also train the same student on the labels alone, as many steps."""
    fine_tune_teacher: bool | None = None
    """By default only if the checkpoint has no head for the task."""
    teacher_epochs: int = 3
    teacher_learning_rate: float = 3e-5
    epochs: int = 4
    learning_rate: float | None = None
    """By default 1e-4 for a student begun from the teacher's layers, 3e-4 for
    another."""
    batch_size: int = 32
    max_length: int = 128
    """Longer texts are cut to so many tokens."""
    freeze_words: bool = False
    """Whether the student's word embeddings stay as they are, which saves
    time."""
    encoding_errors: typing.Literal["strict", "replace"] = "strict"
    """What to do with bytes that are not UTF-8."""
    seed: int = 0
    """Of initial weights, dropout and the order of batches."""
    name: str | None = None
    """Of the export; <file>_<student> by default, and _smoke of a smoke run."""
    run: pathlib.Path | None = None
    """Run folder; runs/distil_text_classifier/<name> by default."""
    saved_models: pathlib.Path = pathlib.Path("saved_models")
    """Where the exports go."""
    smoke: bool = False
    """A few rows of everything, to see that it runs."""


def main(config):
    """Reads all that can be read, then does what is not done already."""
    name = config.name or "_".join(
        [config.train.name.split(".")[0], config.student]
        + ["smoke"] * config.smoke
    )
    run = config.run or pathlib.Path("runs/distil_text_classifier", name)
    config = dataclasses.replace(config, name=name, run=run)
    if config.smoke:
        config = dataclasses.replace(config, epochs=1, teacher_epochs=1)
    text_exports.check_place(config.saved_models, name)
    tables, head = read_inputs(config)
    free = ("run", "saved_models", "control")  # to differ from call to call
    settings = identity(config, __file__, but=free)
    with run_folder(run, settings):
        done = finished(run, control=config.control)
        if not done or text_exports.published(run) is None:
            work(config, tables, head, settings)
    say(
        f"The scores are those on {scored_split(tables)}. Student, exports, "
        f"pictures and model card are in {run}, the SavedModel in "
        f"{text_exports.published(run)}."
    )
    show(run)


def read_inputs(config):
    """The tables, with labels in the order of the teacher's logits.

    Before anything is loaded or written, so that a mistake is told at once.

    Returns:
        dict of `Table` by split, and a `teachers.Head`.
    """
    import tf_distill as td

    read = functools.partial(
        td.data.read_table,
        text=config.text,
        second_text=config.second_text,
        encoding_errors=config.encoding_errors,
    )
    labelled = functools.partial(read, label=config.label, task=config.task)
    head = teachers.match_head(config, labelled(config.train).label_names)
    tables = {
        split: labelled(path, label_names=head.label_names)
        for split in ("train", "dev", "test")
        if (path := getattr(config, split)) is not None
    }
    if "dev" not in tables:
        # The same split whatever the seed.
        parts = td.data.split_table(tables["train"], (0.9, 0.1), seed=0)
        tables["train"], tables["dev"] = parts
    if config.unlabelled is not None:
        more = without_copies(read(config.unlabelled), tables)
        tables["student"] = tables["train"].with_texts_of(more)
    if config.smoke:
        tables = {s: text_training.some(t, 192) for s, t in tables.items()}
    return tables, head


def without_copies(unlabelled, tables):
    """The unlabelled text, less near-duplicates of what scores the student."""
    import tf_distill as td

    held_out = [tables[split] for split in ("dev", "test") if split in tables]
    left = td.data.without_near_duplicates(unlabelled, held_out)
    if not len(left):
        raise ValueError(
            f"{unlabelled.path} holds nothing but near-duplicates of the dev "
            "and test texts: leave out --unlabelled."
        )
    if copies := len(unlabelled) - len(left):
        say(f"{copies} unlabelled texts are nearly dev's or test's: left out.")
    return left


def warn_of_copies(config, tables):
    """Tells of text to be scored on that is, nearly, trained on."""
    import tf_distill as td

    for split in ("dev", "test"):
        if getattr(config, split) is None:
            continue  # split off without copies
        table = tables[split]
        left = td.data.without_near_duplicates(table, [tables["train"]])
        if copies := len(table) - len(left):
            say(
                f"Warning: {copies} of the {len(table)} texts of --{split} are "
                "nearly training texts, so its scores are too good. Take them "
                f"out of {config.train} or {table.path}; or split all the text "
                "with tf_distill.data.split_table, which keeps copies on one "
                "side."
            )


def scored_split(tables):
    """The split that the scores are of."""
    return "test" if "test" in tables else "dev"


def work(config, tables, head, settings):
    """The steps, in order."""
    dtype = precision(config.run)
    begin(config.seed, dtype)
    say(f"Run folder: {config.run}. Computing in {dtype}.")
    warn_of_copies(config, tables)
    teacher = teachers.read_teacher(config, head, dtype)
    job = text_training.TextJob(config, tables, teacher)
    common = {"seed": config.seed, "settings": settings["sha256"]}
    # Before the teacher is trained, or a mistake would be told too late.
    student = build_student(config, teacher)
    if head.fine_tune:
        epochs, rate = config.teacher_epochs, config.teacher_learning_rate
        say(f"teacher: {epochs} epochs of {len(tables['train'])} texts.")
        stages = text_training.label_stages(
            job, teacher, epochs, rate, "teacher"
        )
        train(config.run, "teacher", stages, **common)
    else:
        teachers.show_teacher(head, job.dev_scores(teacher)())

    stages = distillation(config, job, student, teacher)
    train(config.run, "student", stages, **common)
    models = {"teacher": teacher, "student": student}
    if config.control:
        models["control"] = build_student(config, teacher)
        epochs = text_training.control_epochs(job, stages)
        say(f"control: {epochs} epochs of {len(tables['train'])} texts.")
        rate = learning_rate(config, student, teacher)
        stages = text_training.label_stages(
            job, models["control"], epochs, rate, "control"
        )
        train(config.run, "control", stages, **common)
    settings = {
        **settings,
        "control": config.control,
        "dtype": dtype,
        "fine_tuned_teacher": head.fine_tune,
        "rows": {name: len(table) for name, table in tables.items()},
    }
    report(config, job, models, settings)


def build_student(config, teacher):
    """The student, always with the same weights."""
    import tf_distill as td

    name, cls = config.student, type(teacher)
    if name != "half" and not name.isdigit():
        found = td.models.architectures.architecture(name).backbone
        if found != "BertBackbone":
            raise ValueError(
                f"--student {name} is a {found}, but this recipe builds "
                "students of BERT's kind. Choose 'half', a number of layers, a "
                "bert_…, a mini_lm_… or a tiny_bert_…."
            )
        if name.startswith("tiny_bert"):
            cls = td.models.TinyBertTextClassifier
    return students.build_student(config, teacher, cls=cls)


def learning_rate(config, student, teacher):
    """The student's; what begins with the teacher's layers needs less."""
    default = 1e-4 if students.same_sizes(student, teacher) else 3e-4
    return config.learning_rate or default


def distillation(config, job, student, teacher):
    """TinyBERT's four losses in one stage, without labels."""
    import tf_distill as td
    from tf_distill.methods.distillation_stage import adamw, distillation_stage

    heads = [model.backbone.num_heads for model in (student, teacher)]
    if heads[0] != heads[1]:
        say(
            f"The student has {heads[0]} attention heads and the teacher "
            f"{heads[1]}: the match of attention scores is left out."
        )

    def matches():
        # At once, the inner signals would drown the soft labels unless they
        # weigh little: docs/design.md has what was tried.
        projection = not students.same_sizes(student, teacher)
        inner = {"projection": projection, "weight": 0.003}
        hidden, attention = td.losses.HiddenMSE(), td.losses.AttentionMSE()
        found = [
            td.EmbeddingMatch(hidden, **inner),
            td.LayerMatch("hidden_states", hidden, **inner),
            td.LogitMatch(td.methods.tiny_bert.prediction_loss(student)),
        ]
        if heads[0] == heads[1]:
            found.append(
                td.LayerMatch("attention_scores", attention, weight=5e-5)
            )
        return found

    text = job.encoded.get("student", job.encoded["train"])
    say(f"student: {config.epochs} epochs of {len(text)} texts.")
    return [
        distillation_stage(
            "distillation",
            student,
            teacher,
            matches,
            job.batches(text),
            config.epochs,
            adamw(learning_rate(config, student, teacher)),
            # Anew, as the teacher may have been fine-tuned since.
            before=lambda: students.begin(student, teacher),
            metrics=(),
            callbacks=callbacks(config.run, "student", job.dev_scores(student)),
        )
    ]


def report(config, job, models, settings):
    """Exports the student, scores and times everything, and reports."""
    import numpy as np

    import tf_distill as td
    from tf_distill.benchmark.report import plot_quality_against_latency

    run, split = config.run, scored_split(job.tables)
    labels = job.tables[split].labels
    length = int(np.ceil(job.encoded[split].lengths.mean()))
    models = {n: td.export.as_float32(model) for n, model in models.items()}
    logits = {n: job.logits(model)(split) for n, model in models.items()}
    save_model(models["student"], run / "student")
    exporter = text_exports.Exporter(
        run,
        config.saved_models / config.name,
        models["student"],
        job.tables[split],
        job.encoded[split],
        logits["student"],
    )
    exports = exporter.export()
    found = {
        name: td.metrics.text_predictions(config.task, values)
        for name, values in {**logits, **exporter.logits}.items()
    }
    scores = {
        name: td.metrics.text_scores(config.task, labels, predictions)
        for name, predictions in found.items()
    }
    rounds = 3 if config.smoke else 50
    times = text_exports.time_all({**models, **exports}, length, rounds)
    rows = text_exports.table_rows(models, exports, scores, times, length)
    np.savez(run / "predictions.npz", labels=labels, **found)
    quality = "pearson" if config.task == "regression" else "macro_f1"
    plot_quality_against_latency(run / "quality_latency.png", rows, quality)
    settings = {
        **settings,
        "scored_on": split,
        "label_names": models["student"].label_names,
        "length_of_flops": length,
        "length_of_latency": length,
    }
    given = "a text" if config.second_text is None else "a pair of texts"
    card = {
        "name": config.name,
        "summary": f"Reads {given}; a model for {config.task}. Distilled from "
        f"{config.teacher}.",
        "data": f"Trained on {config.train}. The scores are those on {split}. "
        "Say here whose text it is, and under which licence.",
        "limits": "Say here what it was not made for.",
    }
    conclude(run, settings, rows, score=quality, card=card)


if __name__ == "__main__":
    command_line(main, Config)
