r"""Makes text into token ids for pre-training, in files that are trained from.

Text is cleaned, cut into sentences and tokenized, by one process a core, and
made into DistilBERT's sequences (Sanh et al. 2019: as long as can be, no pairs)
or BERT's pairs (Devlin et al. 2019, appendix A.2; TinyBERT and MobileBERT too).
Words are masked later, anew every epoch, while a student is trained.

English Wikipedia as WikiExtractor leaves it, for a student of a teacher whose
vocabulary is at hand; the papers' scale, 2.5 billion words, of which the
throughput in docs/performance.md is the measure:

    python recipes/prepare_corpus.py --corpus wikipedia --layout wikipedia \
        --vocabulary bert-base-uncased/vocab.txt --pairs --output corpus

Text of one's own, paragraphs parted by blank lines, with a vocabulary trained
on it:

    python recipes/prepare_corpus.py --corpus books --vocabulary-size 8000 \
        --output corpus

Run the same command again to go on after an interruption: what is there is
kept. Then, in Python:

    corpus = td.data.PreparedCorpus("corpus")
    batches = td.data.BucketedBatches(corpus, batch_size=256)
    train = td.data.MaskedBatches(batches, td.data.Masking.of_tokenizer(...))
"""

import dataclasses
import itertools
import json
import os
import pathlib
import time
import typing

from run_folder import command_line, identity, run_folder


@dataclasses.dataclass(frozen=True)
class Config:
    """Makes text into token ids for pre-training."""

    corpus: tuple[pathlib.Path, ...]
    """Files or folders: .txt, .gz, .bz2 or WikiExtractor's wiki_00."""
    output: pathlib.Path
    """The folder to write; one for each corpus."""
    layout: typing.Literal["blank_line", "line", "wikipedia"] = "blank_line"
    """What parts documents."""
    vocabulary: pathlib.Path | None = None
    """The teacher's vocab.txt; without it, one is trained on the corpus."""
    vocabulary_size: int = 30522
    """Of a vocabulary that is trained."""
    lowercase: bool = True
    """Whether the vocabulary is of small letters without accents."""
    pairs: bool = False
    """BERT's pairs, half of them with a random second text."""
    max_length: int = 128
    """Tokens of an example."""
    min_length: int = 12
    """Shorter sequences are dropped; pairs are not."""
    encoding_errors: typing.Literal["strict", "replace"] = "strict"
    """What to do with bytes that are not UTF-8."""
    workers: int = os.cpu_count() or 1
    """Processes; the files are the same from any number."""
    seed: int = 0
    """Of the pairs."""
    smoke: bool = False
    """A hundred documents, to see that it runs."""


def main(config):
    """Prepares the corpus and tells what it took."""
    # What the files do not depend on.
    settings = identity(config, __file__, but=("output", "workers"))
    with run_folder(config.output, settings, option="--output"):
        work(config)
    print(config.output)


def work(config):
    """Trains a vocabulary if need be, and writes what is not there yet."""
    from tf_distill.export.publish import publish_file

    started = time.monotonic()
    text_bytes = 0

    def documents():
        nonlocal text_bytes
        text_bytes = 0
        for document in read(config):
            text_bytes += len(document.text.encode())
            yield document

    tokenizer = read_tokenizer(config, documents)
    import tf_distill as td

    corpus = td.data.prepare_corpus(
        documents(),
        config.output,
        tokenizer,
        max_length=config.max_length,
        pairs=config.pairs,
        min_length=config.min_length,
        seed=config.seed,
        workers=config.workers,
    )
    batches = td.data.BucketedBatches(corpus, batch_size=32)
    results = {
        "examples": len(corpus),
        "tokens": int(corpus.lengths.sum()),
        "padding": round(batches.padding_fraction, 4),
        "text_megabytes": round(text_bytes / 1e6, 3),
        "wall_seconds": round(time.monotonic() - started, 1),
        **cost(),
    }
    text = json.dumps(results, indent=1)
    publish_file(config.output / "results.json", text.encode())
    print(text)


def read(config):
    """The documents, one at a time."""
    import tf_distill as td

    found = td.data.read_documents(
        list(config.corpus),
        config.layout,
        encoding_errors=config.encoding_errors,
    )
    return itertools.islice(found, 100) if config.smoke else found


def read_tokenizer(config, documents):
    """The vocabulary's tokenizer; the vocabulary is trained if need be."""
    import tf_distill as td

    path = config.vocabulary or config.output / "vocab.txt"
    if config.vocabulary is None and not path.exists():
        print(f"Training a vocabulary of {config.vocabulary_size} words.")
        td.data.train_vocabulary(
            documents,
            path,
            vocabulary_size=config.vocabulary_size,
            lowercase=config.lowercase,
        )
    import keras_hub  # slow to import, after what may be wrong with the text

    return keras_hub.models.BertTokenizer(
        str(path), lowercase=config.lowercase, strip_accents=config.lowercase
    )


def cost():
    """CPU time of all processes, and the most memory of one."""
    try:
        import resource
    except ImportError:  # Windows has none
        return {}
    own, others = (
        resource.getrusage(who)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {
        "cpu_seconds": round(
            sum(u.ru_utime + u.ru_stime for u in (own, others)), 1
        ),
        "peak_gigabytes_of_a_process": round(
            max(own.ru_maxrss, others.ru_maxrss) * 1024 / 1e9, 2
        ),
    }


if __name__ == "__main__":
    command_line(main, Config)
