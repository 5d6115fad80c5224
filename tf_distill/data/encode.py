"""Texts as token ids, without padding.

Letters in shapes: `N` rows, `B` rows of a batch, `L` tokens.
"""

import dataclasses
import zlib

import numpy as np

from tf_distill.data.row_numbers import row_numbers
from tf_distill.data.tables import Table

_CHUNK = 4096  # texts tokenized at once


@dataclasses.dataclass(frozen=True, eq=False)
class Encoded:
    """Token ids of `N` texts, end to end; made by `encode`.

    Args:
        token_ids: int32, the tokens of all rows.
        segment_ids: int32, 0 for the tokens of a first and 1 for those of a
            second text.
        offsets: int64 `(N + 1,)`; row `i` is `token_ids[offsets[i] :
            offsets[i + 1]]`.
        max_length: the length that rows were truncated to.
        pad_token_id: what `pad` fills up with.
    """

    token_ids: np.ndarray
    segment_ids: np.ndarray
    offsets: np.ndarray
    max_length: int
    pad_token_id: int = 0

    def __len__(self):
        return len(self.offsets) - 1

    @property
    def lengths(self):
        """Number of tokens of each row, int64 `(N,)`."""
        return np.diff(self.offsets)

    @property
    def checksum(self):
        """An int that other contents would hardly have."""
        found = 0
        for array in (self.token_ids, self.segment_ids, self.offsets):
            array = np.ascontiguousarray(array).reshape(-1)
            found = zlib.crc32(array.view("uint8"), found)
        return found

    def take(self, indices):
        """Returns an `Encoded` of the rows at `indices`, in that order.

        Raises:
            ValueError: `indices` are not whole numbers, but a mask, say.
        """
        indices = row_numbers(indices)
        lengths = self.lengths[indices]
        source = positions_of(self.offsets[indices], lengths)
        return dataclasses.replace(
            self,
            token_ids=self.token_ids[source],
            segment_ids=self.segment_ids[source],
            offsets=offsets_of(lengths),
        )

    def pad(self, indices, length):
        """Returns the inputs of a model for the rows at `indices`.

        Args:
            indices: `B` row numbers.
            length: `L`, the number of tokens to pad every row to.

        Returns:
            A dict of int32 `(B, L)` arrays `token_ids`, `segment_ids` and
            `padding_mask` (1 where there is a token).

        Raises:
            ValueError: if a row has more than `length` tokens, or the rows
                are not given by their numbers.
        """
        indices = row_numbers(indices)
        lengths = self.lengths[indices]
        if lengths.max(initial=0) > length:
            raise ValueError(
                f"length={length}: row {indices[lengths.argmax()]} has "
                f"{lengths.max()} tokens. Pad to at least as many, or encode "
                "with a smaller max_length."
            )
        source = positions_of(self.offsets[indices], lengths)
        target = positions_of(np.arange(len(indices)) * length, lengths)
        shape = (len(indices), length)
        token_ids = np.full(shape, self.pad_token_id, dtype="int32")
        segment_ids = np.zeros(shape, dtype="int32")
        padding_mask = np.zeros(shape, dtype="int32")
        token_ids.reshape(-1)[target] = self.token_ids[source]
        segment_ids.reshape(-1)[target] = self.segment_ids[source]
        padding_mask.reshape(-1)[target] = 1
        return {
            "token_ids": token_ids,
            "segment_ids": segment_ids,
            "padding_mask": padding_mask,
        }


def encode(texts, tokenizer, *, max_length, second_texts=None):
    """Tokenizes texts as `[CLS] a [SEP]`, or pairs as `[CLS] a [SEP] b [SEP]`.

    The ids are those of `keras_hub.models.BertTextClassifierPreprocessor`. A
    row too long is cut: a text at its end, of a pair the longer text first.

    Args:
        texts: a `Table`, or `N` strings.
        tokenizer: a `keras_hub.models.BertTokenizer`.
        max_length: number of tokens to truncate a row to, those of `[CLS]` and
            `[SEP]` among them.
        second_texts: `N` strings, if `texts` are strings and there are pairs.

    Returns:
        An `Encoded`.

    Raises:
        ValueError: if `max_length` leaves no room for text, or the arguments
            do not fit together.

    Example:
    >>> import keras_hub
    >>> tokenizer = keras_hub.models.BertTokenizer(
    ...     ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "so", "good"]
    ... )
    >>> encoded = encode(["so good", "good"], tokenizer, max_length=8)
    >>> encoded.pad([0, 1], length=4)["token_ids"]
    array([[2, 5, 6, 3],
           [2, 6, 3, 0]], dtype=int32)
    """
    if isinstance(texts, Table):
        if second_texts is not None:
            raise ValueError(
                "second_texts was given with a Table, which has its own: read "
                "the table with second_text=<column> instead."
            )
        texts, second_texts = texts.texts, texts.second_texts
    segments = [texts] if second_texts is None else [texts, second_texts]
    _check(segments, max_length)
    if tokenizer.sequence_length is not None:
        raise ValueError(
            f"The tokenizer pads to sequence_length={tokenizer.sequence_length}"
            ", so lengths are lost: make it without sequence_length."
        )
    tokenize = compiled(tokenizer)
    segments = [tokenize_all(segment, tokenize) for segment in segments]

    lengths = [np.diff(offsets) for _, offsets in segments]
    kept = _truncate(lengths, max_length - 1 - len(segments))
    row_lengths = 1 + sum(kept) + len(segments)
    offsets = offsets_of(row_lengths)
    # What no text is written over stays a [SEP].
    token_ids = np.full(offsets[-1], tokenizer.sep_token_id, dtype="int32")
    segment_ids = np.zeros(offsets[-1], dtype="int32")
    token_ids[offsets[:-1]] = tokenizer.cls_token_id
    start = offsets[:-1] + 1
    for number, ((ids, ends), length) in enumerate(
        zip(segments, kept, strict=True)
    ):
        target = positions_of(start, length)
        token_ids[target] = ids[positions_of(ends[:-1], length)]
        segment_ids[positions_of(start, length + 1)] = number
        start = start + length + 1
    return Encoded(
        token_ids, segment_ids, offsets, max_length, tokenizer.pad_token_id
    )


def _check(segments, max_length):
    fewest = 1 + 2 * len(segments)
    if max_length < fewest:
        raise ValueError(
            f"max_length={max_length}: expected at least {fewest}, for [CLS], "
            f"{len(segments)} [SEP] and a token of each text."
        )
    if any(isinstance(texts, str) for texts in segments):
        raise ValueError(
            "Expected a list of texts, got one text: put it in []."
        )
    if len({len(texts) for texts in segments}) > 1:
        raise ValueError(
            f"{len(segments[0])} texts but {len(segments[1])} second_texts: "
            "expected one for each."
        )


def compiled(tokenizer):
    """Wraps a tokenizer so that it runs as a TensorFlow graph.

    That is 15 times faster than its Python path, has the same ids, and is what
    an exported model runs.
    """
    import tensorflow as tf  # slow to import

    signature = [tf.TensorSpec([None], tf.string)]
    return tf.function(
        lambda texts: tokenizer(texts), input_signature=signature
    )


def tokenize_all(texts, tokenize):
    """Returns the token ids of all texts end to end, and their offsets."""
    ids = [np.zeros(0, dtype="int32")]
    lengths = [np.zeros(0, dtype="int64")]
    # TensorFlow Text stops reading at a NUL.
    texts = [text.replace("\0", " ") for text in texts]
    for start in range(0, len(texts), _CHUNK):
        ragged = tokenize(texts[start : start + _CHUNK])
        ids.append(np.asarray(ragged.flat_values, dtype="int32"))
        lengths.append(np.asarray(ragged.row_lengths(), dtype="int64"))
    return np.concatenate(ids), offsets_of(np.concatenate(lengths))


def _truncate(lengths, room):
    """Returns how many tokens to keep of each text: the longer yields first.

    The same as giving out `room` in turn, the first text first, a token each,
    to the texts that still lack some.
    """
    if len(lengths) == 1:
        return [np.minimum(lengths[0], room)]
    first, second = lengths
    first = np.minimum(first, np.maximum((room + 1) // 2, room - second))
    return [first, np.minimum(second, room - first)]


def offsets_of(lengths):
    """Returns where rows of these lengths begin, end to end, and the end."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype("int64")


def positions_of(starts, lengths):
    """Returns `start`, …, `start + length - 1` of every row, end to end."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())
