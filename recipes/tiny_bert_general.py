r"""TinyBERT's general distillation: a thin student, plain text, no labels.

Jiao et al. 2020, https://arxiv.org/abs/1909.10351, section 3.3. The student
learns the embeddings, hidden states and attention scores of a pre-trained
teacher, not yet fine-tuned, on a corpus; tiny_bert_task.py goes on from there.

At the paper's scale, on Wikipedia:

    python recipes/tiny_bert_general.py --teacher bert_base_en_uncased \
        --corpus corpus --batch-size 256 --dtype mixed_bfloat16

where `corpus` is a folder of prepare_corpus.py's, or text. On two cores of a
processor, the first 1,000 articles of a Wikipedia dump, from the quickstart's
teacher (MODEL as in fine_tune_teacher.py), whose words of lower rank are the
student's first:

    python recipes/tiny_bert_general.py --teacher $MODEL \
        --corpus wikipedia.txt.gz --documents 1000 --epochs 1 \
        --reduce-embeddings --learning-rate 1e-3

Leaves the folder `student`. Expected at the paper's scale: without this step
TinyBERT's mean over four tasks falls from 75.6 to 72.5 (table 3). Score and
time here: see docs/results.md; what is not there was not measured yet. Run the
same command again to go on after an interruption.
"""

import dataclasses
import pathlib
import typing

import corpora
from progress_line import say
from run_folder import (
    begin,
    callbacks,
    command_line,
    identity,
    run_folder,
    train,
)
from run_report import conclude, finished, show


@dataclasses.dataclass(frozen=True)
class Config:
    """TinyBERT's general distillation: a thin student, plain text."""

    teacher: str
    """Pre-trained BERT: a folder, a handle or a KerasHub preset."""
    corpus: pathlib.Path
    """Text (.txt, .gz, .bz2, a folder of such), or a prepared corpus."""
    layout: typing.Literal["wikipedia", "blank_line", "line"] = "wikipedia"
    """How the corpus is parted into documents."""
    documents: int | None = None
    """At most so many, the first ones."""
    student: str = "tiny_bert_4l_312d"
    """A named size, or `half` of the teacher's layers, begun with them."""
    reduce_embeddings: bool = False
    """Whether its words begin as the teacher's of lower rank; the paper's
    student begins at random."""
    layer_map: str = "uniform"
    """Or top, bottom."""
    epochs: int = 3
    learning_rate: float = 1e-4
    batch_size: int = 32
    max_length: int = 128
    """Of a sequence, in tokens."""
    seed: int = 0
    """Of initial weights, dropout and the order of batches."""
    dtype: str = "float32"
    """Or mixed_bfloat16, where the hardware is faster with it."""
    smoke: bool = False
    """A few documents and one epoch, to see that it runs."""
    run: pathlib.Path = pathlib.Path("runs/tiny_bert_general")
    """Run folder."""


def main(config):
    """Distils and saves the student."""
    if config.smoke:
        config = dataclasses.replace(config, documents=20, epochs=1)
    settings = identity(config, __file__)
    with run_folder(config.run, settings):
        if not finished(config.run):
            work(config, settings)
    show(config.run)


def work(config, settings):
    """The steps, in order."""
    import tf_distill as td

    begin(config.seed, config.dtype)
    teacher, tokenizer = corpora.read_encoder(config.teacher)
    corpus = corpora.read_corpus(config, tokenizer)
    student = build_student(config, teacher)
    stages = td.methods.tiny_bert.general(
        student,
        teacher,
        corpora.batches(config, corpus),
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        layer_map=config.layer_map,
        callbacks=callbacks(config.run, "general"),
    )
    train(
        config.run,
        "student",
        stages,
        seed=config.seed,
        settings=settings["sha256"],
    )
    save_encoder(student, tokenizer, config.run / "student")
    conclude(
        config.run,
        {**settings, "sequences": len(corpus)},
        [
            corpora.encoder_row("teacher", "teacher", teacher),
            corpora.encoder_row("student", "student", student),
        ],
        score="loss",
        card={
            "summary": f"TinyBERT's general distillation of {config.teacher}.",
            "data": f"Trained on {config.corpus}, without labels.",
            "limits": "To be distilled further, on a task.",
            "pipeline_tag": "feature-extraction",
        },
    )


def build_student(config, teacher):
    """An encoder of another size, with the teacher's words."""
    import keras

    import tf_distill as td

    keras.utils.set_random_seed(config.seed)
    if config.student == "half":
        student = type(teacher).from_config(
            {**teacher.get_config(), "num_layers": teacher.num_layers // 2}
        )
        say(td.distillation.initialize_from_teacher(student, teacher))
        return student
    student = td.models.BertBackbone.from_preset(
        config.student,
        load_weights=False,
        vocabulary_size=teacher.vocabulary_size,
        max_sequence_length=teacher.max_sequence_length,
    )
    if config.reduce_embeddings:
        kept = td.distillation.reduce_embeddings(student, teacher)
        say(f"The student's embeddings keep {kept:.1%} of the teacher's.")
    return student


def save_encoder(encoder, tokenizer, folder):
    """Saves an encoder and its tokenizer, whole or not at all."""
    from tf_distill.export.publish import publish_folder

    def write(path):
        encoder.save_to_preset(path)
        tokenizer.save_to_preset(path)

    if not folder.exists():
        publish_folder(folder, write)


if __name__ == "__main__":
    command_line(main, Config)
