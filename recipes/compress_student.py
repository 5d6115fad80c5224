r"""Makes a trained student smaller still, and says what that costs.

- int8: the student trains on with the rounding of int8 in it (Jacob et al.
  2018, https://arxiv.org/abs/1712.05877), taught by its teacher's soft labels,
  and becomes a LiteRT file whose matrix products and tables are of int8;
- pruned: its smallest weights become zero, more and more of them (Zhu & Gupta
  2017, https://arxiv.org/abs/1710.01878), while it trains in the same way.

The student as it came stands beside it, in every format, scored on the same
dev texts: what the training won back is the last line less the one above.

    pip install -e ".[recipes,compression]"
    python recipes/compress_student.py --method int8 \
        --student runs/tiny_bert_task/SST-2-seed0/student \
        --teacher runs/fine_tune_teacher/SST-2-seed0/teacher \
        --task SST-2 --data data/glue
    python recipes/compress_student.py --method pruned --sparsity 0.5 \
        --student runs/tiny_bert_task/SST-2-seed0/student \
        --teacher runs/fine_tune_teacher/SST-2-seed0/teacher \
        --task SST-2 --data data/glue

Texts of one's own are `--train train.tsv --dev dev.tsv` instead of `--task`.

Times are not measured here, but by `python -m tf_distill.export`. Scores: see
docs/results.md; what is not there was not measured yet. Run the same command
again to go on after an interruption.
"""

import dataclasses
import json
import pathlib
from typing import Literal

from progress_line import say
from run_folder import begin, command_line, identity, run_folder, train
from run_report import finished, save_model

CALIBRATION_TEXTS = 400


@dataclasses.dataclass(frozen=True)
class Config:
    """Makes a trained student smaller still, and says what that costs."""

    student: pathlib.Path
    """Folder of a trained text classifier, a Keras preset."""
    teacher: pathlib.Path
    """Folder of its teacher, with the same classes and the same vocabulary."""
    task: str | None = None
    """One of GLUE's tasks, such as RTE or STS-B, which both are of."""
    data: pathlib.Path | None = None
    """Folder of GLUE's files; by default TensorFlow Datasets'."""
    train: pathlib.Path | None = None
    """Without a task: a .csv, .tsv or .jsonl file of texts, whose labels are
    not used."""
    dev: pathlib.Path | None = None
    """Such a file of texts and labels to score."""
    method: Literal["int8", "pruned"] = "int8"
    """Rounding to int8, or zeros."""
    sparsity: float = 0.5
    """Of pruned: the share of the dense layers' weights that becomes zero."""
    text: str = "sentence"
    """The files' column of texts."""
    second_text: str | None = None
    """Their column of second texts, of pairs."""
    label: str = "label"
    """Dev's column of labels."""
    epochs: int = 1
    learning_rate: float = 5e-5
    temperature: float = 1.0
    """Of the soft labels."""
    batch_size: int = 32
    train_rows: int | None = None
    """At most so many training texts, always the same ones."""
    seed: int = 0
    """Of dropout and the order of batches."""
    smoke: bool = False
    """A few rows and one epoch, to see that it runs."""
    run: pathlib.Path | None = None
    """Run folder; runs/compress_student/<method>-seed<seed> by default."""


def main(config):
    """Trains, exports and scores; what is done is not done again."""
    if config.run is None:
        run = f"runs/compress_student/{config.method}-seed{config.seed}"
        config = dataclasses.replace(config, run=pathlib.Path(run))
    if config.smoke:
        config = dataclasses.replace(config, epochs=1)
    check(config)
    settings = identity(config, __file__)
    with run_folder(config.run, settings):
        if not finished(config.run):
            work(config, settings)
    from tf_distill.benchmark.parity import parity_table

    print(parity_table(json.loads((config.run / "parity.json").read_text())))
    print(config.run / "results.json")


def check(config):
    """Refuses options that say nothing, before anything is read.

    Raises:
        ValueError: names them.
    """
    if not 0 < config.sparsity < 1:
        raise ValueError(
            f"--sparsity {config.sparsity} must lie between 0 and 1: 0.5 makes "
            "half of the weights zero."
        )
    by_task = config.task is not None
    if [config.train is None, config.dev is None] != [by_task, by_task]:
        raise ValueError(
            "the texts are those of --task, one of GLUE's, or files of one's "
            "own, --train and --dev: give either the one or the two."
        )


def work(config, settings):
    """The steps, in order."""
    import tf_distill as td
    from tf_distill.benchmark.parity import measure_parity, write_parity
    from tf_distill.benchmark.report import write_results
    from tf_distill.compression import quantization_aware, sparsity
    from tf_distill.compression.quantization_aware import plain_copy

    begin(config.seed, "float32")  # the rounding to int8 is of float32
    student, teacher = read_models(config)
    table, dev = read_tables(config, student)
    batches = batches_of(table, student, config)
    calibration = batches_of(first(table, CALIBRATION_TEXTS), student, config)
    compressed = plain_copy(student)
    if config.method == "int8":
        quantization_aware(compressed, calibration)
    stage = distillation(config, compressed, teacher, batches)
    common = {"seed": config.seed, "settings": settings["sha256"]}
    train(config.run, config.method, [stage], **common)
    if config.method == "pruned":
        say(f"Of the dense layers' weights {sparsity(compressed):.1%} are 0.")
    save_model(compressed, config.run / "student")

    paths = {}
    for form, model, options in formats(
        config.method, student, compressed, calibration
    ):
        say(f"Exporting {form}.")
        path = config.run / f"{form}.tflite"
        paths[form] = td.export.litert(model, path, **options)
    result = measure_parity(
        student, config.student, paths, dev, threads=(), say=say
    )
    write_parity(result, config.run)
    # Last, because it says that the run is finished.
    settings = {**settings, "machine": result["machine"]}
    write_results(config.run / "results.json", settings, result["rows"])


def read_models(config):
    """Student and teacher, which read the same words and know the same classes.

    Raises:
        ValueError: they do not.
    """
    from tf_distill.export.student_preset import read_student

    student, teacher = map(read_student, (config.student, config.teacher))
    words = [
        model.preprocessor.tokenizer.get_vocabulary()
        for model in (student, teacher)
    ]
    if words[0] != words[1]:
        raise ValueError(
            f"--teacher {config.teacher} has another vocabulary than --student "
            f"{config.student}: give the teacher that it was distilled from, "
            "or the student itself."
        )
    if student.output_shape != teacher.output_shape:
        raise ValueError(
            f"--teacher {config.teacher} has {teacher.output_shape[-1]} "
            f"outputs, --student {config.student} "
            f"{student.output_shape[-1]}: give a teacher of the same task."
        )
    return student, teacher


def read_tables(config, student):
    """The texts to train on, and dev."""
    from tf_distill.export.glue_texts import glue_texts

    if config.task is not None:
        table, dev = (
            glue_texts(student, config.task, split, config.data)
            for split in ("train", "dev")
        )
    else:
        table, dev = read_files(config, student)
    rows = 64 if config.smoke else config.train_rows
    return first(table, rows), first(dev, 64) if config.smoke else dev


def read_files(config, student):
    """The tables of --train, without labels, and of --dev."""
    from tf_distill.data import read_table

    columns = {"second_text": config.second_text}
    table = read_table(config.train, config.text, **columns)
    names = getattr(student, "label_names", None)
    task = getattr(student, "task", "classification")
    dev = read_table(
        config.dev,
        config.text,
        label=config.label,
        task=task,
        label_names=None if task == "regression" else names,
        **columns,
    )
    return table, dev


def first(table, rows):
    """At most so many rows of a table, spread over the file."""
    import numpy as np

    if rows is None or rows >= len(table):
        return table
    return table.take(np.linspace(0, len(table) - 1, rows).astype(int))


def batches_of(table, student, config):
    """Batches of a table's texts for a student."""
    import tf_distill as td

    preprocessor = student.preprocessor
    encoded = td.data.encode(
        table, preprocessor.tokenizer, max_length=preprocessor.sequence_length
    )
    return td.data.BucketedBatches(
        encoded, batch_size=config.batch_size, seed=config.seed
    )


def distillation(config, student, teacher, batches):
    """The stage: a student learns its teacher's soft labels, as it runs."""
    import tf_distill as td
    from tf_distill.methods.distillation_stage import adamw, num_steps
    from tf_distill.methods.tiny_bert import prediction_loss

    steps = num_steps(batches, config.epochs)
    callbacks = []
    if config.method == "pruned":
        callbacks = [pruning(config.sparsity, steps)]

    def build():
        loss = prediction_loss(student, config.temperature)
        distiller = td.Distiller(student, teacher, [td.LogitMatch(loss)])
        distiller.compile(adamw(config.learning_rate)(steps), jit_compile=False)
        return distiller

    return td.Stage(
        config.method, build, batches, config.epochs, callbacks=callbacks
    )


def pruning(sparsity, steps):
    """Zeros grow over the first two thirds; the rest learns to do without."""
    from tf_distill.compression import MagnitudePruning

    schedule = {
        "initial_sparsity": 0.0,
        "final_sparsity": sparsity,
        "begin_step": 0,
        "end_step": max(1, 2 * steps // 3),
        "frequency": max(1, steps // 100),
    }
    return MagnitudePruning(
        {"class_name": "PolynomialDecay", "config": schedule}
    )


def formats(method, student, compressed, calibration):
    """What is scored: names, models and options of `tf_distill.export.litert`.

    The student as it came, in the precisions that need no training, and then
    what it has become.
    """
    made = [("litert", student, {})]
    if method == "pruned":
        dynamic = {"quantization": "int8_dynamic"}
        return [
            *made,
            ("litert_pruned", compressed, {}),
            ("litert_pruned_int8_dynamic", compressed, dynamic),
        ]
    for name in ("float16", "int8_dynamic"):
        made.append((f"litert_{name}", student, {"quantization": name}))
    full = {"quantization": "int8"}
    return [
        *made,
        ("litert_int8", student, {**full, "calibration": calibration}),
        ("litert_int8_trained", compressed, full),
    ]


if __name__ == "__main__":
    command_line(main, Config)
