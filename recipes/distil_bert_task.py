r"""DistilBERT on a task: half the layers, fine-tuned with distillation.

Sanh et al. 2019, https://arxiv.org/abs/1910.01108, section 4, its "(D)": a
student of half the layers learns the labels and its fine-tuned teacher's soft
labels at once. It begins with an encoder of distil_bert_pretrain.py or,
without one, with alternate layers of the teacher.

At the paper's scale:

    python recipes/distil_bert_task.py --task MRPC --dtype mixed_bfloat16 \
        --teacher runs/fine_tune_teacher/MRPC-seed0/teacher \
        --student runs/distil_bert_pretrain/student

On two cores of a processor, beside a control that learns the labels alone for
as many steps, from the same weights:

    python recipes/distil_bert_task.py --task MRPC --data data/glue \
        --teacher runs/fine_tune_teacher/MRPC-seed0/teacher --control \
        --epochs 4 --learning-rate 1e-4 --cache runs/cache/MRPC

The paper's DistilBERT, pre-trained and then fine-tuned on labels alone, has on
GLUE's dev: SST-2 91.3, MRPC 87.5, RTE 59.9, CoLA 51.3, STS-B 86.9 (table 1); it
gives no scores of GLUE for this second step.
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
    """DistilBERT on a task: half the layers, labels and soft labels."""

    task: str
    """One of GLUE's tasks, such as RTE or STS-B."""
    teacher: str
    """Folder `teacher` of a run of fine_tune_teacher.py."""
    student: str = "half"
    """Half of the teacher's layers, or a number of them; or a folder of a
    pre-trained encoder."""
    data: pathlib.Path | None = None
    """Folder of GLUE's files; by default TensorFlow Datasets'."""
    cache: pathlib.Path | None = None
    """Folder for what the teacher says of the text, computed once; runs of
    other seeds can share it."""
    control: bool = False
    """Also train the same student on the labels alone, as many steps."""
    soft_weight: float = 0.5
    """Of the soft labels; the labels have the rest."""
    temperature: float = 2.0
    """Of the soft labels."""
    hidden_weight: float = 0.0
    """Of a third loss, not in the paper: the distance of the hidden states
    from those of evenly spaced teacher layers."""
    epochs: int = 3
    learning_rate: float = 5e-5
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
    """A few rows and one epoch, to see that it runs."""
    run: pathlib.Path | None = None
    """Run folder; runs/distil_bert_task/<task>-seed<seed> by default."""


def main(config):
    """Distils, scores and saves the student."""
    if config.run is None:
        run = f"runs/distil_bert_task/{config.task}-seed{config.seed}"
        config = dataclasses.replace(config, run=pathlib.Path(run))
    if config.smoke:
        config = dataclasses.replace(config, epochs=1)
    names = glue_runs.label_names(config.teacher)
    tables = glue_runs.read_tables(config, names)
    settings = identity(config, __file__)
    with run_folder(config.run, settings):
        if not finished(config.run, control=config.control):
            work(config, tables, settings)
    show(config.run)


def work(config, tables, settings):
    """The steps, in order."""
    begin(config.seed, config.dtype)
    teacher = glue_runs.read_teacher(config)
    job = glue_runs.Job(config, tables, teacher)

    def build():
        return students.build_student(config, teacher)

    student = build()
    glue_training.train_and_conclude(
        job,
        teacher,
        student,
        stages(config, job, student, teacher),
        build if config.control else None,
        config.learning_rate,
        settings,
        f"DistilBERT's second step on GLUE's {job.task.name}",
    )


def stages(config, job, student, teacher):
    """The paper's one stage, perhaps with a loss on hidden states."""
    import tf_distill as td
    from tf_distill.methods.distillation_stage import adamw, distillation_stage
    from tf_distill.methods.labels import label_losses

    shown = callbacks(config.run, "fine-tuning", job.dev_scores(student))
    settings = {"metrics": (), "callbacks": shown}
    if not config.hidden_weight:
        return td.methods.distil_bert.fine_tuning(
            student,
            teacher,
            job.cached(job.train, teacher),
            soft_weight=config.soft_weight,
            label_weight=1 - config.soft_weight,
            temperature=config.temperature,
            epochs=config.epochs,
            learning_rate=config.learning_rate,
            **settings,
        )

    def matches():
        soft = td.methods.tiny_bert.prediction_loss(student, config.temperature)
        return [
            td.LogitMatch(soft, weight=config.soft_weight),
            td.LayerMatch(
                "hidden_states",
                td.losses.HiddenMSE(),
                weight=config.hidden_weight,
            ),
        ]

    return [
        distillation_stage(
            "fine-tuning",
            student,
            teacher,
            matches,
            job.train,
            config.epochs,
            adamw(config.learning_rate),
            **label_losses(student, weight=1 - config.soft_weight),
            **settings,
        )
    ]


if __name__ == "__main__":
    command_line(main, Config)
