r"""DistilBERT on SQuAD, with a second step of distillation.

Sanh et al. 2019, https://arxiv.org/abs/1910.01108, section 4, "DistilBERT
(D)": the student learns the answers and, at once, its fine-tuned teacher's
soft labels of where they begin and end.

At the paper's scale:

    python recipes/distil_bert_squad.py --dtype mixed_bfloat16 \
        --teacher runs/fine_tune_squad/seed0/teacher \
        --student runs/distil_bert_pretrain/student

On two cores of a processor, a student of alternate layers of the teacher,
beside a control, plain fine-tuning of the same student for as many steps:

    python recipes/distil_bert_squad.py --data data/squad --control \
        --teacher runs/fine_tune_squad/seed0/teacher --learning-rate 1e-4

Expected at the paper's scale: 79.1 EM and 86.9 F1 on dev, and without this step
77.7 and 85.8 (table 2). Score and time here: see docs/results.md; what is not
there was not measured yet. Run the same command again to go on after an
interruption.
"""

import dataclasses
import pathlib
import typing

import squad_runs
from progress_line import say
from run_folder import (
    begin,
    callbacks,
    command_line,
    identity,
    run_folder,
    train,
)
from run_report import finished, show


@dataclasses.dataclass(frozen=True)
class Config:
    """DistilBERT on SQuAD, with a second step of distillation."""

    teacher: str
    """Folder `teacher` of a run of fine_tune_squad.py."""
    student: str = "half"
    """Folder of a pre-trained encoder, or half of the teacher's layers."""
    data: pathlib.Path | None = None
    """Folder of SQuAD's files; by default TensorFlow Datasets'."""
    version: typing.Literal["1.1", "2.0"] = "1.1"
    control: bool = False
    """Also train the same student on the answers alone, as many steps."""
    soft_weight: float = 0.5
    """Of the soft labels; the answers have the rest."""
    temperature: float = 2.0
    """Of the soft labels."""
    epochs: int = 3
    learning_rate: float = 5e-5
    batch_size: int = 32
    max_length: int = 384
    """Of a window, in tokens."""
    doc_stride: int = 128
    """From one window's first token to the next's."""
    train_questions: int | None = None
    """At most so many, always the same ones."""
    seed: int = 0
    """Of initial weights, dropout and the order of batches."""
    dtype: str = "float32"
    """Or mixed_bfloat16, where the hardware is faster with it."""
    smoke: bool = False
    """A few questions and one epoch, to see that it runs."""
    run: pathlib.Path | None = None
    """Run folder; runs/distil_bert_squad/seed<seed> by default."""


def main(config):
    """Distils, scores and saves the student."""
    if config.run is None:
        run = pathlib.Path(f"runs/distil_bert_squad/seed{config.seed}")
        config = dataclasses.replace(config, run=run)
    if config.smoke:
        config = dataclasses.replace(config, epochs=1)
    questions = squad_runs.read_questions(config)
    settings = identity(config, __file__)
    with run_folder(config.run, settings):
        if not finished(config.run, control=config.control):
            work(config, questions, settings)
    show(config.run)


def work(config, questions, settings):
    """The steps, in order."""
    import tf_distill as td

    begin(config.seed, config.dtype)
    teacher = squad_runs.read_model(config.teacher, "--teacher")
    job = squad_runs.Job(config, questions, teacher.preprocessor.tokenizer)
    student = build_student(config, teacher)
    score = job.scorer(job.answers(student))
    stages = td.methods.distil_bert.fine_tuning(
        student,
        teacher,
        job.train,
        soft_weight=config.soft_weight,
        label_weight=1 - config.soft_weight,
        temperature=config.temperature,
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        metrics=(),
        callbacks=callbacks(config.run, "fine-tuning", score),
    )
    common = {"seed": config.seed, "settings": settings["sha256"]}
    train(config.run, "student", stages, **common)
    models = {"teacher": teacher, "student": student}
    if config.control:
        control = models["control"] = build_student(config, teacher)
        score = job.scorer(job.answers(control))
        stage = squad_runs.label_stage(
            job, control, config.epochs, config.learning_rate, score
        )
        train(config.run, "control", [stage], **common)
    summary = (
        f"DistilBERT's second step on SQuAD {config.version}. Teacher: "
        f"{config.teacher}."
    )
    squad_runs.score_and_conclude(job, models, settings, summary)


def build_student(config, teacher):
    """A student that always begins with the same weights."""
    import keras

    import tf_distill as td

    keras.utils.set_random_seed(config.seed)
    if config.student != "half":
        say(f"The student begins with the encoder of {config.student}.")
        return squad_runs.read_model(config.student, "--student", new_head=True)
    theirs = teacher.backbone
    backbone = type(theirs).from_config(
        {**theirs.get_config(), "num_layers": theirs.num_layers // 2}
    )
    student = type(teacher)(backbone, preprocessor=teacher.preprocessor)
    say(td.distillation.initialize_from_teacher(student, teacher))
    return student


if __name__ == "__main__":
    command_line(main, Config)
