r"""Pre-trained Distillation on a task: soft labels, then the labels.

Turc et al. 2019, "Well-Read Students Learn Better",
https://arxiv.org/abs/1908.08962, section 2. A small encoder that was
pre-trained as a masked language model (distil_bert_pretrain.py's, or one of
Google's small BERTs) learns its fine-tuned teacher's soft labels on unlabelled
text of the task, then the labels.

At the paper's scale:

    python recipes/pre_trained_distillation.py --task MNLI \
        --teacher runs/fine_tune_teacher/MNLI-seed0/teacher \
        --student bert_small_en_uncased --dtype mixed_bfloat16

On two cores of a processor, beside a control that learns the labels alone for
as many steps, from the same weights (the paper's "pre-training and
fine-tuning"):

    python recipes/pre_trained_distillation.py --task MRPC --data data/glue \
        --teacher runs/fine_tune_teacher/MRPC-seed0/teacher --control \
        --student runs/distil_bert_pretrain/student --learning-rate 1e-4

Its text may be more than the task's own: `--transfer` takes that of
tiny_bert_augment.py or any .txt, .tsv or .jsonl with the columns `text` and,
for pairs, `second_text`.

Expected at the paper's scale: the paper's hyper-parameters of this step are
not published, so no score of it is quoted here.
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
    """Pre-trained Distillation: soft labels, then the labels."""

    task: str
    """One of GLUE's tasks, such as RTE or STS-B."""
    teacher: str
    """Folder `teacher` of a run of fine_tune_teacher.py."""
    student: str
    """A pre-trained encoder of the teacher's vocabulary: a folder, a handle or
    a preset; or `half` of the teacher's layers."""
    data: pathlib.Path | None = None
    """Folder of GLUE's files; by default TensorFlow Datasets'."""
    transfer: pathlib.Path | None = None
    """Unlabelled text of the task, by default its training text."""
    cache: pathlib.Path | None = None
    """Folder for what the teacher says of the text, computed once; runs of
    other seeds can share it."""
    control: bool = False
    """Also train the same student on the labels alone, as many steps."""
    distillation_epochs: int = 3
    epochs: int = 1
    """Of the fine-tuning on labels; 0 for none."""
    learning_rate: float = 5e-5
    """The paper's grid is 3e-4, 1e-4, 5e-5, 3e-5, chosen on dev."""
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
    """Run folder; runs/pre_trained_distillation/<task>-seed<seed>."""


def main(config):
    """Distils, scores and saves the student."""
    if config.run is None:
        run = f"runs/pre_trained_distillation/{config.task}-seed{config.seed}"
        config = dataclasses.replace(config, run=pathlib.Path(run))
    if config.smoke:
        config = dataclasses.replace(config, distillation_epochs=1, epochs=1)
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

    def build():
        return students.build_student(config, teacher)

    student = build()
    score = job.dev_scores(student)
    # Its first stage, the pre-training, is a recipe of its own.
    _, *stages = td.methods.pre_trained_distillation.pre_trained_distillation(
        td.models.BertMaskedLM(student.backbone),
        student,
        teacher,
        corpus=None,
        transfer=job.cached(job.unlabelled(config.transfer), teacher),
        labelled=job.train if config.epochs else None,
        distillation_epochs=config.distillation_epochs,
        fine_tuning_epochs=config.epochs,
        learning_rate=config.learning_rate,
        metrics=(),
    )
    for one in stages:
        one.fit["callbacks"] = callbacks(config.run, one.name, score)
    glue_training.train_and_conclude(
        job,
        teacher,
        student,
        stages,
        build if config.control else None,
        config.learning_rate,
        settings,
        f"Pre-trained Distillation on GLUE's {job.task.name}",
    )


if __name__ == "__main__":
    command_line(main, Config)
