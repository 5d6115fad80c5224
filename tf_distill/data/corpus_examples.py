"""The examples of pre-training that a few documents make.

Letters: D documents, N examples, T tokens of all of them.
"""

import dataclasses
import functools
import hashlib

import numpy as np

from tf_distill.data.encode import (
    compiled,
    offsets_of,
    positions_of,
    tokenize_all,
)
from tf_distill.data.sentences import clean_text, split_sentences
from tf_distill.data.sequences import draw_for, full_sequences, sentence_pairs

_SPECIAL = ("cls", "sep", "pad", "mask")


@dataclasses.dataclass(frozen=True, eq=False)
class CorpusExamples:
    """Makes a block of documents into token ids, as a pure function of it.

    What comes out depends on the documents of the block and the fields here,
    and on nothing else: not on other blocks, processes or machines.

    Args:
        tokenizer: `keras_hub.models.BertTokenizer`.
        max_length: int, tokens of an example, [CLS] and [SEP] among them.
        pairs: bool, whether to make BERT's pairs, or DistilBERT's sequences.
        min_length: int; shorter sequences are dropped, and those of which half
            is [UNK], as in DistilBERT's code; of pairs none.
        seed: int, for the pairs.

    Raises:
        ValueError: lengths that cannot be.

    Example:
        >>> import keras_hub
        >>> from tf_distill.data import Document
        >>> words = "[PAD] [UNK] [CLS] [SEP] [MASK] we went home .".split()
        >>> tokenizer = keras_hub.models.BertTokenizer(words)
        >>> examples = CorpusExamples(tokenizer, max_length=5, min_length=3)
        >>> arrays, counts = examples([Document("", "we went home.", "", 1)])
        >>> arrays["token_ids"].tolist(), arrays["lengths"].tolist()
        ([2, 5, 6, 7, 3, 2, 8, 3], [5, 3])
    """

    tokenizer: object
    max_length: int
    pairs: bool = False
    min_length: int = 12
    seed: int = 0

    def __post_init__(self):
        fewest = 5 if self.pairs else max(self.min_length, 3)
        if self.max_length < fewest:
            raise ValueError(
                f"max_length={self.max_length}: expected at least {fewest}, "
                "so that an example has tokens of text"
                + ("." if self.pairs else f" and min_length={self.min_length}.")
            )
        if self.tokenizer.sequence_length is not None:
            raise ValueError(
                "The tokenizer pads to sequence_length="
                f"{self.tokenizer.sequence_length}: make it without."
            )

    @functools.cached_property
    def _tokenize(self):
        return compiled(self.tokenizer)

    @functools.cached_property
    def settings(self):
        """All that the examples depend on but the documents, as a dict."""
        return {
            # To be raised when the same text comes to give other examples.
            "version": 1,
            "examples": "pairs" if self.pairs else "sequences",
            "max_length": self.max_length,
            **(
                {"seed": self.seed}
                if self.pairs
                else {"min_length": self.min_length}
            ),
            **tokenizer_settings(self.tokenizer),
        }

    def __call__(self, documents):
        """Makes the examples of a block of documents.

        Args:
            documents: list of D `Document`.

        Returns:
            A tuple of a dict of arrays and one of counts. The arrays are
            `token_ids`, uint16 or int32 `(T,)`, without padding; `lengths`,
            int32 `(N,)`; and of pairs `first_lengths`, int32 `(N,)`, up to the
            first [SEP], and `is_random`, uint8 `(N,)`. The counts:
            `documents`, `examples`, `tokens`, and `dropped`, tokens of text
            that came into no sequence, or that no second document had a text
            to pair with.
        """
        ids, texts, bounds = self._tokenized(documents)
        dropped = 0
        if self.pairs:
            if len(texts) == 1:  # the others are of characters without tokens
                texts, dropped = [], len(ids)
            first, second, is_random = self._pairs(texts, bounds)
        else:
            first, second = self._sequences(ids, bounds), None
        token_ids, lengths = self._assembled(ids, first, second)
        arrays = {"token_ids": token_ids, "lengths": lengths}
        if self.pairs:
            arrays["first_lengths"] = (first[:, 1] - first[:, 0] + 2).astype(
                "int32"
            )
            arrays["is_random"] = is_random.astype("uint8")
        else:
            dropped = len(ids) - int((first[:, 1] - first[:, 0]).sum())
        return arrays, {
            "documents": len(documents),
            "examples": len(lengths),
            "tokens": len(token_ids),
            "dropped": dropped,
        }

    def _tokenized(self, documents):
        """Tokens end to end, and of each document its sentences' bounds."""
        texts = [clean_text(document.text) for document in documents]
        sentences = [split_sentences(text) for text in texts]
        ids, offsets = tokenize_all(
            [s for of_document in sentences for s in of_document],
            self._tokenize,
        )
        bounds, start = [], 0
        for of_document in sentences:
            end = start + len(of_document)
            # A sentence without tokens begins where the next one does.
            bounds.append(np.unique(offsets[start : end + 1]).tolist())
            start = end
        has_tokens = [len(b) > 1 for b in bounds]
        texts = [t for t, has in zip(texts, has_tokens, strict=True) if has]
        return ids, texts, [b for b in bounds if len(b) > 1]

    def _sequences(self, ids, bounds):
        """Ranges of tokens, `(N, 2)`."""
        ranges = [
            (b[0] + start, b[0] + end)
            for b in bounds
            for start, end in full_sequences(b[-1] - b[0], self.max_length - 2)
        ]
        ranges = np.array(ranges, dtype="int64").reshape(-1, 2)
        unknown = self.tokenizer.token_to_id(self.tokenizer.oov_token)
        before = offsets_of(ids == unknown)  # how many unknown, up to each
        sizes = ranges[:, 1] - ranges[:, 0]
        num_unknown = before[ranges[:, 1]] - before[ranges[:, 0]]
        is_kept = (sizes + 2 >= self.min_length) & (2 * num_unknown < sizes + 2)
        return ranges[is_kept]

    def _pairs(self, texts, bounds):
        """Ranges of both parts, `(N, 2)` each, and `is_random`, `(N,)`."""
        found = []
        for number, text in enumerate(texts):
            draw = draw_for(self.seed, text)
            room = self.max_length - 3
            for pair in sentence_pairs(bounds, number, room, draw):
                start, end, second, *second_range = pair
                found.append((start, end, *second_range, second != number))
        found = np.array(found, dtype="int64").reshape(-1, 5)
        return found[:, :2], found[:, 2:4], found[:, 4]

    def _assembled(self, ids, first, second):
        """Token ids with [CLS] and [SEP], end to end, and their lengths."""
        parts = [first] if second is None else [first, second]
        sizes = [part[:, 1] - part[:, 0] for part in parts]
        lengths = 1 + sum(size + 1 for size in sizes)
        starts = offsets_of(lengths)
        small = len(self.tokenizer.get_vocabulary()) <= 2**16
        # What no text is written over stays a [SEP].
        token_ids = np.full(
            starts[-1],
            self.tokenizer.sep_token_id,
            dtype="uint16" if small else "int32",
        )
        token_ids[starts[:-1]] = self.tokenizer.cls_token_id
        place = starts[:-1] + 1
        for part, size in zip(parts, sizes, strict=True):
            source = positions_of(part[:, 0], size)
            token_ids[positions_of(place, size)] = ids[source]
            place = place + size + 1
        return token_ids, lengths.astype("int32")


def tokenizer_settings(tokenizer):
    """All that token ids depend on but the text, as a dict of JSON values."""
    words = tokenizer.get_vocabulary()
    text = "\n".join(words)
    return {
        "vocabulary_size": len(words),
        "vocabulary": hashlib.sha256(text.encode()).hexdigest()[:16],
        "lowercase": bool(tokenizer.lowercase),
        "strip_accents": bool(tokenizer.strip_accents),
        **{
            f"{name}_token_id": int(getattr(tokenizer, f"{name}_token_id"))
            for name in _SPECIAL
        },
    }
