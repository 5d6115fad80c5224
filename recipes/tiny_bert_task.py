r"""TinyBERT's task distillation: inner signals first, then soft labels.

Jiao et al. 2020, https://arxiv.org/abs/1909.10351, section 3.3. The teacher is
of a run of fine_tune_teacher.py, the student of tiny_bert_general.py, and the
text of tiny_bert_augment.py.

At the paper's scale (epochs 10 for MNLI, QQP and QNLI, 50 for CoLA, else 20;
`--max-length` 64 for single sentences):

    python recipes/tiny_bert_task.py --task MRPC --dtype mixed_bfloat16 \
        --teacher runs/fine_tune_teacher/MRPC-seed0/teacher \
        --student runs/tiny_bert_general/student \
        --augmented runs/tiny_bert_augment/MRPC/augmented.jsonl

On two cores of a processor, beside a control that learns the labels alone for
as many steps, from the same weights:

    python recipes/tiny_bert_task.py --task MRPC --data data/glue \
        --teacher runs/fine_tune_teacher/MRPC-seed0/teacher \
        --student runs/tiny_bert_general/student --control \
        --intermediate-epochs 4 --epochs 4 --learning-rate 3e-4 \
        --prediction-learning-rate 1e-4

Expected at the paper's scale, TinyBERT of 4 layers, GLUE's test: MNLI-m 82.5,
SST-2 92.6, MRPC F1 86.4, RTE 66.6, CoLA 44.1 (table 1).
Score and time here: see docs/results.md; what is not there was not measured
yet. Run the same command again to go on after an interruption.
"""

import dataclasses
import pathlib

import glue_runs
import glue_training
import students
from run_folder import begin, callbacks, command_line, identity, run_folder
from run_report import finished, show


@dataclasses.dataclass(frozen=True)
class Config:
    """TinyBERT's task distillation, in two steps."""

    task: str
    """One of GLUE's tasks, such as RTE or STS-B."""
    teacher: str
    """Folder `teacher` of a run of fine_tune_teacher.py."""
    student: str = "tiny_bert_4l_312d"
    """Folder of a generally distilled encoder; or a named size, whose words
    begin as the teacher's of lower rank; or `half` of the teacher's layers."""
    data: pathlib.Path | None = None
    """Folder of GLUE's files; by default TensorFlow Datasets'."""
    augmented: pathlib.Path | None = None
    """Text of tiny_bert_augment.py to train on, instead of the task's own."""
    control: bool = False
    """Also train the same student on the task's labels, as many steps."""
    intermediate_epochs: int = 20
    epochs: int = 3
    """Of the second step."""
    learning_rate: float = 5e-5
    """Of the first step."""
    prediction_learning_rate: float = 3e-5
    """Of the second step."""
    control_learning_rate: float | None = None
    """By default that of the first step."""
    layer_map: str = "uniform"
    """Or top, bottom."""
    batch_size: int = 32
    max_length: int = 128
    """Longer texts are cut to so many tokens."""
    train_rows: int | None = None
    """At most so many training texts, always the same ones."""
    freeze_words: bool = False
    """Whether word embeddings stay as they are, which saves time."""
    seed: int = 0
    """Of initial weights, dropout and the order of batches."""
    dtype: str = "float32"
    """Or mixed_bfloat16, where the hardware is faster with it."""
    smoke: bool = False
    """A few rows and one epoch of each step, to see that it runs."""
    run: pathlib.Path | None = None
    """Run folder; runs/tiny_bert_task/<task>-seed<seed> by default."""


def main(config):
    """Distils, scores and saves the student."""
    if config.run is None:
        run = f"runs/tiny_bert_task/{config.task}-seed{config.seed}"
        config = dataclasses.replace(config, run=pathlib.Path(run))
    if config.smoke:
        config = dataclasses.replace(config, intermediate_epochs=1, epochs=1)
    tables = glue_runs.read_tables(
        config, glue_runs.label_names(config.teacher)
    )
    settings = identity(config, __file__)
    with run_folder(config.run, settings):
        if not finished(config.run, control=config.control):
            work(config, tables, settings)
    show(config.run)


def work(config, tables, settings):
    """The steps, in order."""
    import tf_distill as td

    begin(config.seed, config.dtype)
    teacher = glue_runs.read_teacher(config)
    job = glue_runs.Job(config, tables, teacher)
    cls = td.models.TinyBertTextClassifier

    def build():
        return students.build_student(config, teacher, cls=cls)

    student = build()
    intermediate, prediction = td.methods.tiny_bert.task(
        student,
        teacher,
        job.unlabelled(config.augmented),
        intermediate_epochs=config.intermediate_epochs,
        prediction_epochs=config.epochs,
        learning_rate=config.learning_rate,
        prediction_learning_rate=config.prediction_learning_rate,
        layer_map=config.layer_map,
        metrics=(),
    )
    # The first step does not reach the head, so it has no score.
    intermediate.fit["callbacks"] = callbacks(config.run, "intermediate")
    score = job.dev_scores(student)
    prediction.fit["callbacks"] = callbacks(config.run, "prediction", score)
    stages = [intermediate, prediction]
    glue_training.train_and_conclude(
        job,
        teacher,
        student,
        stages,
        build if config.control else None,
        config.control_learning_rate or config.learning_rate,
        settings,
        f"TinyBERT's task distillation on GLUE's {job.task.name}",
    )


if __name__ == "__main__":
    command_line(main, Config)
