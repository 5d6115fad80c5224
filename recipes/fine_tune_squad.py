r"""Fine-tunes an encoder on SQuAD: a teacher, or a finished student.

Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 4.2. Version 1.1,
or 2.0 with questions that have no answer. Without `--data` it is had from
TensorFlow Datasets.

At the paper's scale, BERT-base on one GPU:

    python recipes/fine_tune_squad.py --model bert_base_en_uncased \
        --dtype mixed_bfloat16

On two cores of a processor, the quickstart's teacher (MODEL as in
fine_tune_teacher.py), from the official files:

    python recipes/fine_tune_squad.py --model $MODEL --data data/squad \
        --epochs 3 --train-questions 8000

Expected: the paper's BERT-base has 88.5 F1 and 80.8 EM on dev (table 2). Score
and time here: see docs/results.md; what is not there was not measured yet. Run
the same command again to go on after an interruption.
"""

import dataclasses
import pathlib
import typing

import squad_runs
from run_folder import begin, command_line, identity, run_folder, train
from run_report import finished, show


@dataclasses.dataclass(frozen=True)
class Config:
    """Fine-tunes an encoder on SQuAD."""

    model: str
    """A folder (Hugging Face or Keras), an hf:// handle, a KerasHub preset."""
    data: pathlib.Path | None = None
    """Folder of SQuAD's files; by default TensorFlow Datasets'."""
    version: typing.Literal["1.1", "2.0"] = "1.1"
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
    """Of the head's weights, dropout and the order of batches."""
    dtype: str = "float32"
    """Or mixed_bfloat16, where the hardware is faster with it."""
    smoke: bool = False
    """A few questions and one epoch, to see that it runs."""
    run: pathlib.Path | None = None
    """Run folder; runs/fine_tune_squad/seed<seed> by default."""


def main(config):
    """Trains, scores and saves the teacher."""
    if config.run is None:
        run = pathlib.Path(f"runs/fine_tune_squad/seed{config.seed}")
        config = dataclasses.replace(config, run=run)
    if config.smoke:
        config = dataclasses.replace(config, epochs=1)
    questions = squad_runs.read_questions(config)
    settings = identity(config, __file__)
    with run_folder(config.run, settings):
        if not finished(config.run):
            work(config, questions, settings)
    show(config.run)


def work(config, questions, settings):
    """The steps, in order."""
    begin(config.seed, config.dtype)
    model = squad_runs.read_model(config.model, "--model", new_head=True)
    job = squad_runs.Job(config, questions, model.preprocessor.tokenizer)
    score = job.scorer(job.answers(model))
    stage = squad_runs.label_stage(
        job, model, config.epochs, config.learning_rate, score
    )
    train(
        config.run,
        "teacher",
        [stage],
        seed=config.seed,
        settings=settings["sha256"],
    )
    summary = f"{config.model}, fine-tuned on SQuAD {config.version}."
    squad_runs.score_and_conclude(job, {"teacher": model}, settings, summary)


if __name__ == "__main__":
    command_line(main, Config)
