r"""MobileBERT: its teacher's pre-training, knowledge transfer, distillation.

Sun et al. 2020, https://arxiv.org/abs/2004.02984, section 3. An IB-BERT is
pre- trained on masked words and next sentences; then a MobileBERT of as many
layers learns its feature maps and attention, layer after layer (PKT), all
layers at once (JKT), or while it is pre-trained itself (AKT); then its soft
labels.

At the paper's scale (published code: 500,000 steps of 2,048 sequences, and
before them 10,000 for each layer), MobileBERT of 24 layers:

    python recipes/mobile_bert.py --tokenizer bert_base_en_uncased \
        --corpus corpus --held-out held_out.txt --max-length 512 \
        --batch-size 2048 --dtype mixed_bfloat16

where `corpus` is text, or a folder of pairs of prepare_corpus.py's, of these
words and that length. On two cores of a processor, a thin one on the first
1,000 articles of a Wikipedia dump, with the quickstart's vocabulary (MODEL as
in fine_tune_teacher.py); `--schedule joint` and `auxiliary` go on from the same
`--teacher`:

    python recipes/mobile_bert.py --tokenizer $MODEL \
        --corpus wikipedia.txt.gz --documents 1000 \
        --held-out wikitext2_valid.txt --layers 6 --hidden-dim 128 \
        --embedding-dim 64 --teacher-bottleneck-dim 256 \
        --teacher-intermediate-dim 1024 --bottleneck-dim 64 \
        --intermediate-dim 128

Leaves the folders `teacher` and `student`; fine_tune_teacher.py fine-tunes
either on a task. Expected at the paper's scale: GLUE's 77.7 (table 4). Score
and time here: see docs/results.md; what is not there was not measured yet. Run
the same command again to go on after an interruption.
"""

import dataclasses
import pathlib
import typing

import corpora
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
    """MobileBERT: its teacher, knowledge transfer, distillation."""

    tokenizer: str
    """Whose vocabulary to take: a folder, a handle or a KerasHub preset."""
    corpus: pathlib.Path
    """Text (.txt, .gz, .bz2, a folder of such), or a prepared corpus of
    pairs."""
    held_out: pathlib.Path
    """Text to score masked words on."""
    layout: typing.Literal["wikipedia", "blank_line", "line"] = "wikipedia"
    """How the corpus is parted into documents."""
    held_out_layout: typing.Literal["wikipedia", "blank_line", "line"] = "line"
    documents: int | None = None
    """At most so many, the first ones."""
    teacher: str | None = None
    """An IB-BERT of an earlier run, instead of training one."""
    schedule: typing.Literal["progressive", "joint", "auxiliary"] = (
        "progressive"
    )
    """PKT, JKT or AKT."""
    layers: int = 24
    """Of teacher and student."""
    hidden_dim: int = 512
    """Of both, between the layers."""
    embedding_dim: int = 128
    """Of both, of a word; at most `hidden_dim`."""
    teacher_bottleneck_dim: int = 1024
    teacher_intermediate_dim: int = 4096
    bottleneck_dim: int = 128
    """Of the student, within the layers."""
    intermediate_dim: int = 512
    """Of the student."""
    teacher_epochs: int = 1
    transfer_epochs: int = 1
    """Of each stage of the transfer."""
    epochs: int = 1
    """Of the pre-training distillation."""
    learning_rate: float = 0.0015
    batch_size: int = 32
    max_length: int = 128
    """Of a pair, in tokens."""
    seed: int = 0
    """Of initial weights, masks, dropout and the order of batches."""
    dtype: str = "float32"
    """Or mixed_bfloat16, where the hardware is faster with it."""
    smoke: bool = False
    """A few documents, to see that it runs."""
    run: pathlib.Path | None = None
    """Run folder; runs/mobile_bert/<schedule>-seed<seed> by default."""


def main(config):
    """Trains the teacher, then the student, scores and saves both."""
    if config.run is None:
        run = f"runs/mobile_bert/{config.schedule}-seed{config.seed}"
        config = dataclasses.replace(config, run=pathlib.Path(run))
    if config.smoke:
        config = dataclasses.replace(config, documents=20)
    settings = identity(config, __file__)
    with run_folder(config.run, settings):
        if not finished(config.run):
            work(config, settings)
    show(config.run)


def work(config, settings):
    """The steps, in order."""
    import tf_distill as td

    begin(config.seed, config.dtype)
    _, tokenizer = corpora.read_encoder(config.tokenizer)
    corpus = corpora.read_corpus(config, tokenizer, pairs=True)
    data = corpora.masked_batches(config, corpus, tokenizer, next_sentence=True)
    held_out = corpora.HeldOut(config, tokenizer, pairs=True)
    common = {"seed": config.seed, "settings": settings["sha256"]}
    teacher = read_teacher(config, tokenizer)
    scorers = {"teacher": held_out.scorer(teacher)}
    if config.teacher is None:
        shown = callbacks(config.run, "teacher", scorers["teacher"])
        stage = corpora.masked_lm_stage(
            "pre-training",
            teacher,
            data,
            config.teacher_epochs,
            lamb(config.learning_rate),
            callbacks=shown,
        )
        train(config.run, "teacher", [stage], **common)
        save_model(teacher, config.run / "teacher")
    student = build(config, tokenizer, "student")
    scorers["student"] = held_out.scorer(student)
    stages = td.methods.mobile_bert.pre_training(
        student,
        teacher,
        data,
        schedule=config.schedule,
        transfer_epochs=config.transfer_epochs,
        epochs=config.epochs,
        learning_rate=config.learning_rate,
    )
    for one in stages:
        score = scorers["student"] if one is stages[-1] else None
        one.fit["callbacks"] = callbacks(config.run, one.name, score)
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
            "summary": f"MobileBERT by the {config.schedule} schedule.",
            "data": f"Trained on {config.corpus}; masked words are of "
            f"{config.held_out}.",
            "limits": "To be fine-tuned on a task.",
            "pipeline_tag": "fill-mask",
        },
    )


def read_teacher(config, tokenizer):
    """The IB-BERT of an earlier run, or one of random weights."""
    import tf_distill as td

    if config.teacher is None:
        return build(config, tokenizer, "teacher")
    teacher = td.models.MobileBertMaskedLM.from_preset(config.teacher)
    ours = (config.layers, config.hidden_dim)
    theirs = (teacher.backbone.num_layers, teacher.backbone.hidden_dim)
    if ours != theirs:
        raise ValueError(
            f"--teacher {config.teacher} has {theirs[0]} layers of width "
            f"{theirs[1]}: pass --layers {theirs[0]} --hidden-dim {theirs[1]}."
        )
    return teacher


def build(config, tokenizer, role):
    """IB-BERT or MobileBERT of the sizes asked for, at random."""
    import keras

    import tf_distill as td

    keras.utils.set_random_seed(config.seed)
    name, bottleneck_dim, intermediate_dim = (
        "mobile_bert_24l_512d",
        config.bottleneck_dim,
        config.intermediate_dim,
    )
    if role == "teacher":
        name, bottleneck_dim, intermediate_dim = (
            "ib_bert_large_24l_512d",
            config.teacher_bottleneck_dim,
            config.teacher_intermediate_dim,
        )
    return td.models.MobileBertMaskedLM.from_preset(
        name,
        load_weights=False,
        vocabulary_size=tokenizer.vocabulary_size(),
        num_layers=config.layers,
        hidden_dim=config.hidden_dim,
        embedding_dim=config.embedding_dim,
        bottleneck_dim=bottleneck_dim,
        intermediate_dim=intermediate_dim,
        max_sequence_length=config.max_length,
        next_sentence=True,
        preprocessor=td.models.BertMaskedLMPreprocessor(
            tokenizer, sequence_length=config.max_length
        ),
    )


def lamb(learning_rate):
    """LAMB with a short warm-up, then falling in a straight line."""
    import tf_distill as td
    from tf_distill.methods.mobile_bert import lamb as make

    def of_steps(steps):
        rate = td.optimizers.WarmupLinearDecay(
            learning_rate, steps, steps // 50, 1e-4 * learning_rate
        )
        optimizer = make(rate)
        optimizer.global_clipnorm = 1.0
        return optimizer

    return of_steps


if __name__ == "__main__":
    command_line(main, Config)
