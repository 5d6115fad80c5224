"""Text as examples of pre-training, in files that are trained from."""

import itertools
import pathlib

from tf_distill.data.corpus_examples import CorpusExamples
from tf_distill.data.prepared_corpus import PreparedCorpus
from tf_distill.data.shard_writer import (
    BLOCK_CHARACTERS,
    INDEX,
    SETTINGS,
    corpus_blocks,
    write_shards,
)


def prepare_corpus(
    documents,
    folder,
    tokenizer,
    *,
    max_length=128,
    pairs=False,
    min_length=12,
    seed=0,
    workers=1,
    block_characters=BLOCK_CHARACTERS,
):
    """Makes documents into token ids in sharded files, and opens these.

    Documents are cleaned, cut into sentences, tokenized, and made into
    DistilBERT's sequences, as long as can be, or BERT's pairs. Nothing is
    masked yet: `MaskedBatches` does it anew every epoch. The files have the
    same bytes whatever the number of workers; memory does not grow with the
    corpus. Killed and called again, it makes what is missing, reading all
    text once more to see that it is the same.

    Args:
        documents: iterator of `Document`, such as `read_documents` returns.
            Titles are left out.
        folder: where the files are, or are to be.
        tokenizer: `keras_hub.models.BertTokenizer`.
        max_length: int, tokens of an example, [CLS] and [SEP] among them.
        pairs: bool, whether to make pairs, half of them with a second text
            from another document of the block; see `sentence_pairs`.
        min_length: int; shorter sequences are dropped (pairs are not), as are
            those of which half is [UNK].
        seed: int, for the pairs.
        workers: int, processes to make examples; reading is done in this one.
            With more than 1, a script needs `if __name__ == "__main__":`.
        block_characters: int, text of a shard.

    Returns:
        A `PreparedCorpus`.

    Raises:
        ValueError: the folder holds shards of another text or made with other
            settings (says which); a file of text is damaged (names it and the
            line); no example came out. Shards that were whole stay.
        OSError: the disk is full; shards that were whole stay.

    Example:
        >>> import keras_hub, tempfile
        >>> from tf_distill.data import Document
        >>> words = "[PAD] [UNK] [CLS] [SEP] [MASK] we went home .".split()
        >>> tokenizer = keras_hub.models.BertTokenizer(words)
        >>> documents = [Document("", "We went home. we went home.", "", 1)]
        >>> corpus = prepare_corpus(
        ...     documents, tempfile.mkdtemp(), tokenizer, min_length=3)
        >>> corpus.pad([0], 10)["token_ids"]
        array([[2, 1, 6, 7, 8, 5, 6, 7, 8, 3]], dtype=int32)
    """
    folder = pathlib.Path(folder)
    make = CorpusExamples(tokenizer, max_length, pairs, min_length, seed)
    documents = iter(documents)
    first = next(documents, None)
    if first is None:
        raise ValueError("There are no documents: expected one at least.")
    second = next(documents, None)
    if pairs and second is None:
        raise ValueError(
            f"{first.path}, line {first.line}: this is the only document, but "
            "pairs need two, as a random second text comes from another. Is "
            "the layout right? Or make single sequences."
        )
    begun = [document for document in (first, second) if document is not None]
    entries = write_shards(
        corpus_blocks(itertools.chain(begun, documents), block_characters),
        folder,
        make,
        {**make.settings, "block_characters": block_characters},
        workers=workers,
    )
    if not any(entry["examples"] for entry in entries):
        # Nothing is lost, and the folder can be had with other settings.
        for path in folder.glob("shard-*.safetensors"):
            path.unlink()
        for name in (INDEX, SETTINGS):
            (folder / name).unlink()
        why = f"in sequences shorter than min_length={min_length} or half [UNK]"
        mend = "the vocabulary of its language, or a smaller min_length"
        if pairs:
            why = "in the only document of a block that has any"
            mend = "or make single sequences"
        raise ValueError(
            f"{first.path}, line {first.line}, and what follows: no example "
            f"came out of {sum(entry['documents'] for entry in entries)} "
            f"document(s); {sum(entry['dropped'] for entry in entries)} tokens "
            f"were {why}. Give more text, {mend}."
        )
    return PreparedCorpus(folder)
