r"""DistilBERT's pre-training: half the layers, three losses, plain text.

Sanh et al. 2019, https://arxiv.org/abs/1910.01108, sections 2 and 3. The
student begins with every other layer of its teacher and learns the teacher's
soft labels of masked words, the words themselves, and the direction of its
hidden states.

At the paper's scale, on Wikipedia and books:

    python recipes/distil_bert_pretrain.py \
        --teacher hf://google-bert/bert-base-uncased \
        --corpus corpus --held-out held_out.txt --max-length 512 \
        --batch-size 256 --dtype mixed_bfloat16

where `corpus` is text, or a folder of prepare_corpus.py's of the teacher's
words and of that length. On two cores of a processor, the first 1,000 articles
of a Wikipedia dump; a teacher without a masked-LM head, such as the
quickstart's (MODEL as in fine_tune_teacher.py), is trained first:

    python recipes/distil_bert_pretrain.py --teacher $MODEL \
        --teacher-epochs 1 --teacher-trains all --corpus wikipedia.txt.gz \
        --documents 1000 --held-out wikitext2_valid.txt --epochs 1 \
        --student-kind bert --learning-rate 3e-4

Leaves the folders `student` and, if it was trained, `teacher`, for the recipes
of tasks. Expected at the paper's scale: 90 hours on 8 V100, and GLUE's 77.0
after fine-tuning (table 1). Score and time here: see docs/results.md; what is
not there was not measured yet. Run the same command again to go on after an
interruption.
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
from run_report import conclude, finished, save_model, show


@dataclasses.dataclass(frozen=True)
class Config:
    """DistilBERT's pre-training: half the layers, three losses."""

    teacher: str
    """A masked LM of BERT: a folder, a handle or a KerasHub preset."""
    corpus: pathlib.Path
    """Text (.txt, .gz, .bz2, a folder of such), or a prepared corpus."""
    held_out: pathlib.Path
    """Text to score masked words on."""
    layout: typing.Literal["wikipedia", "blank_line", "line"] = "wikipedia"
    """How the corpus is parted into documents."""
    held_out_layout: typing.Literal["wikipedia", "blank_line", "line"] = "line"
    documents: int | None = None
    """At most so many, the first ones."""
    teacher_epochs: int = 0
    """Of masked words, to train the teacher first."""
    teacher_trains: typing.Literal["head", "all"] = "head"
    """What of the teacher is trained then."""
    teacher_learning_rate: float = 1e-4
    layers: int | None = None
    """Of the student; half of the teacher's by default."""
    student_kind: typing.Literal["distil_bert", "bert"] = "distil_bert"
    """DistilBERT has no segments and no pooler; BERT tells pairs apart."""
    soft_weight: float = 5.0
    masked_lm_weight: float = 2.0
    cosine_weight: float = 1.0
    temperature: float = 2.0
    """Of the soft labels."""
    initialize: bool = True
    """Whether the student begins with layers of the teacher."""
    epochs: int = 3
    learning_rate: float = 5e-4
    batch_size: int = 32
    max_length: int = 128
    """Of a sequence, in tokens."""
    seed: int = 0
    """Of masks, dropout and the order of batches."""
    dtype: str = "float32"
    """Or mixed_bfloat16, where the hardware is faster with it."""
    smoke: bool = False
    """A few documents and one epoch, to see that it runs."""
    run: pathlib.Path = pathlib.Path("runs/distil_bert_pretrain")
    """Run folder."""


def main(config):
    """Pre-trains, scores and saves the student."""
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
    teacher = corpora.read_masked_lm(config.teacher, config.teacher_epochs > 0)
    tokenizer = teacher.preprocessor.tokenizer
    corpus = corpora.read_corpus(config, tokenizer)
    data = corpora.masked_batches(config, corpus, tokenizer, smoothed=True)
    held_out = corpora.HeldOut(config, tokenizer)
    common = {"seed": config.seed, "settings": settings["sha256"]}
    scorers = {"teacher": held_out.scorer(teacher)}
    if config.teacher_epochs:
        train_teacher(config, teacher, data, scorers["teacher"], common)
        save_model(teacher, config.run / "teacher")
    student = build_student(config, teacher)
    scorers["student"] = held_out.scorer(student)
    stages = td.methods.distil_bert.pre_training(
        student,
        teacher,
        data,
        soft_weight=config.soft_weight,
        masked_lm_weight=config.masked_lm_weight,
        cosine_weight=config.cosine_weight,
        temperature=config.temperature,
        initialize=config.initialize,
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        callbacks=callbacks(config.run, "pre-training", scorers["student"]),
    )
    train(config.run, "student", stages, **common)
    save_model(student, config.run / "student")
    rows = [
        corpora.encoder_row(role, role, model.backbone, **scorers[role]())
        for role, model in (("teacher", teacher), ("student", student))
    ]
    kept = rows[0]["masked_lm_accuracy"]
    for row in rows:
        row["retained"] = row["masked_lm_accuracy"] / kept if kept else None
    conclude(
        config.run,
        {**settings, "sequences": len(corpus)},
        rows,
        score="masked_lm_accuracy",
        card={
            "summary": f"DistilBERT's pre-training of {config.teacher}.",
            "data": f"Trained on {config.corpus}; masked words are of "
            f"{config.held_out}.",
            "limits": "To be fine-tuned on a task.",
            "pipeline_tag": "fill-mask",
        },
    )


def train_teacher(config, teacher, data, score, common):
    """Trains the masked-LM head, or all, of a teacher that has none yet."""
    from tf_distill.methods.distillation_stage import adamw

    say(f"The teacher's {config.teacher_trains}, on masked words.")
    teacher.backbone.trainable = config.teacher_trains != "head"
    stage = corpora.masked_lm_stage(
        "masked-words",
        teacher,
        data,
        config.teacher_epochs,
        adamw(config.teacher_learning_rate),
        callbacks=callbacks(config.run, "teacher", score),
    )
    train(config.run, "teacher", [stage], **common)
    teacher.backbone.trainable = True


def build_student(config, teacher):
    """A masked language model of fewer layers, and the teacher's words."""
    import keras
    import keras_hub

    import tf_distill as td

    keras.utils.set_random_seed(config.seed)
    theirs = teacher.backbone
    layers = config.layers or theirs.num_layers // 2
    if config.student_kind == "bert":
        backbone = type(theirs).from_config(
            {**theirs.get_config(), "num_layers": layers}
        )
        return td.models.BertMaskedLM(backbone, teacher.preprocessor)
    sizes = ("vocabulary_size", "num_heads", "hidden_dim", "intermediate_dim")
    sizes += ("dropout", "max_sequence_length")
    backbone = td.models.DistilBertBackbone(
        num_layers=layers, **{name: getattr(theirs, name) for name in sizes}
    )
    tokenizer = teacher.preprocessor.tokenizer
    return td.models.DistilBertMaskedLM(
        backbone,
        keras_hub.models.DistilBertMaskedLMPreprocessor(
            keras_hub.models.DistilBertTokenizer(
                tokenizer.get_vocabulary(),
                lowercase=tokenizer.lowercase,
                strip_accents=tokenizer.strip_accents,
            ),
            sequence_length=config.max_length,
        ),
    )


if __name__ == "__main__":
    command_line(main, Config)
