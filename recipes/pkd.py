r"""BERT-PKD: patient distillation of each layer's [CLS] while fine-tuning.

Sun et al. 2019, https://arxiv.org/abs/1908.09355. The student begins with the
first layers of pre-trained BERT, and learns the labels, its fine-tuned
teacher's soft labels and the [CLS] of the teacher's layers, all at once.

At the paper's scale, with its grid of `--alpha` 0.2, 0.5, 0.7, `--beta` 10 to
1000, `--temperature` 5, 10, 20 and `--learning-rate` 5e-5, 2e-5, 1e-5 on dev:

    python recipes/pkd.py --task MRPC --pre-trained bert_base_en_uncased \
        --teacher runs/fine_tune_teacher/MRPC-seed0/teacher \
        --dtype mixed_bfloat16

On two cores of a processor, with the model that the teacher came from (MODEL as
in fine_tune_teacher.py), beside a control that learns the labels alone for as
many steps, from the same weights:

    python recipes/pkd.py --task MRPC --data data/glue --pre-trained $MODEL \
        --teacher runs/fine_tune_teacher/MRPC-seed0/teacher --control \
        --learning-rate 1e-4

Expected at the paper's scale, 6 of 12 layers, GLUE's test: SST-2 92.0, MRPC F1
85.0, RTE 65.5 (table 1).
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
    """BERT-PKD: labels, soft labels and each layer's [CLS]."""

    task: str
    """One of GLUE's tasks, such as RTE or STS-B."""
    teacher: str
    """Folder `teacher` of a run of fine_tune_teacher.py."""
    pre_trained: str | None = None
    """What the student begins with the first layers of: a folder, a handle, a
    preset, of the teacher's width. By default the teacher itself."""
    student: str = "half"
    """Half of the layers, or a number of them."""
    data: pathlib.Path | None = None
    """Folder of GLUE's files; by default TensorFlow Datasets'."""
    control: bool = False
    """Also train the same student on the labels alone, as many steps."""
    layer_map: str = "skip"
    """Or last."""
    alpha: float = 0.5
    """Of the soft labels; the labels have the rest."""
    beta: float = 10.0
    """Of the patient loss, a sum over the layers."""
    temperature: float = 5.0
    """Of the soft labels."""
    epochs: int = 4
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
    """Run folder; runs/pkd/<task>-seed<seed> by default."""


def main(config):
    """Distils, scores and saves the student."""
    if config.run is None:
        run = f"runs/pkd/{config.task}-seed{config.seed}"
        config = dataclasses.replace(config, run=pathlib.Path(run))
    if config.smoke:
        config = dataclasses.replace(config, epochs=1)
    if not (config.student == "half" or config.student.isdigit()):
        raise ValueError(
            f"--student {config.student}: expected 'half' or a number of "
            "layers; PKD's students are the first layers of --pre-trained."
        )
    names = glue_runs.label_names(config.teacher)
    tables = glue_runs.read_tables(config, names)
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
    before = teacher
    if config.pre_trained is not None:
        before = td.models.BertTextClassifier.from_preset(
            config.pre_trained,
            num_classes=teacher.num_classes,
            label_names=teacher.label_names,
            preprocessor=teacher.preprocessor,
        )

    def build():
        return students.build_student(config, before, blocks=range)

    student = build()
    shown = callbacks(config.run, "patient", job.dev_scores(student))
    stages = td.methods.pkd.patient(
        student,
        teacher,
        job.train,
        layer_map=config.layer_map,
        alpha=config.alpha,
        beta=config.beta,
        temperature=config.temperature,
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        metrics=(),
        callbacks=shown,
    )
    glue_training.train_and_conclude(
        job,
        teacher,
        student,
        stages,
        build if config.control else None,
        config.learning_rate,
        settings,
        f"BERT-PKD on GLUE's {job.task.name}",
    )


if __name__ == "__main__":
    command_line(main, Config)
