"""Refuses data that a model has no embedding for, before it reaches it.

What an embedding layer does with them is otherwise up to the backend: the
TensorFlow of a CPU raises from within its graph, a GPU's gives zeros, JAX gives
NaN or the last row, and a negative id counts from the end everywhere.

Letters: B batch, T tokens, P masked positions.
"""

import numpy as np


def check_tokens(model, inputs):
    """Raises where data holds ids, rows or lengths that a model cannot read.

    Looks at NumPy arrays, and at the rows under `tf_distill.data`'s batches:
    what is in memory. A tensor might be on a GPU, and inside of a compiled
    step there are no values to look at: `checked_data` brings the batches of
    other datasets here.

    Args:
        model: an encoder or a task on one; of others nothing is known.
        inputs: dict of `token_ids` and others, `(B, T)`; batches with
            `encoded`, such as `BucketedBatches`; or anything else, which is
            not looked at.

    Raises:
        ValueError: an id is out of range, a row is all padding or too long;
            says which, and of how many.

    Example:
        >>> import numpy as np
        >>> from tf_distill.models import BertBackbone
        >>> from tf_distill.models.token_checks import check_tokens
        >>> backbone = BertBackbone.from_preset(
        ...     "bert_tiny_2l_128d", load_weights=False, vocabulary_size=10)
        >>> check_tokens(backbone, {"token_ids": np.array([[2, 10]])})
        Traceback (most recent call last):
        ...
        ValueError: `token_ids` has 10 in row 0, position 1, but ...
    """
    encoder = getattr(model, "backbone", None) or model
    rows = getattr(inputs, "encoded", None)
    most = getattr(encoder, "max_sequence_length", None)
    if hasattr(rows, "lengths"):
        _check_length(rows.lengths.max(initial=0), most)
        inputs = {
            name: getattr(rows, name, None)
            for name in ("token_ids", "segment_ids")
        }
    elif not isinstance(inputs, dict):
        return
    offsets = getattr(rows, "offsets", None)
    _check(
        inputs,
        "token_ids",
        getattr(encoder, "vocabulary_size", None),
        "the vocabulary has {} words: encode the text with the tokenizer that "
        "belongs to this model",
        offsets,
    )
    _check(
        inputs,
        "segment_ids",
        getattr(encoder, "num_segments", None),
        "the encoder has {} segments: number them from 0",
        offsets,
    )
    tokens = getattr(inputs.get("token_ids"), "shape", ())
    # Not of rows that lie end to end: these have one axis.
    if isinstance(inputs.get("token_ids"), np.ndarray) and len(tokens) == 2:
        _check_length(tokens[1], most)
    _check(
        inputs,
        "mask_positions",
        tokens[-1] if tokens else None,
        "the rows have {} tokens: fill up with 0, and with a `sample_weight` "
        "of 0",
    )
    _check_padding(inputs.get("padding_mask"))


def _check(inputs, name, number, reason, offsets=None):
    ids = inputs.get(name)
    if number is None or not isinstance(ids, np.ndarray) or not ids.size:
        return
    if ids.min() >= 0 and ids.max() < number:
        return
    place = np.argwhere((ids < 0) | (ids >= number))[0]
    found = ids[tuple(place)]
    if offsets is not None:  # the rows lie end to end
        row = np.searchsorted(offsets, place[0], side="right") - 1
        place = row, place[0] - offsets[row]
    where = f"position {place[-1]}"
    if len(place) > 1:
        where = f"row {place[0]}, {where}"
    raise ValueError(
        f"`{name}` has {found} in {where}, but {reason.format(number)}."
    )


def _check_padding(mask):
    if not isinstance(mask, np.ndarray) or mask.ndim != 2 or not mask.size:
        return
    empty = np.flatnonzero(~mask.any(axis=1))
    if empty.size:
        raise ValueError(
            f"`padding_mask` is 0 all along row {empty[0]}, so there is "
            "nothing to attend to: leave the row out. A text without words "
            "still has its [CLS] and [SEP]."
        )


def _check_length(length, most):
    if most is not None and length > most:
        raise ValueError(
            f"A sequence of {length} tokens is longer than the {most} "
            "positions of this encoder: cut it (`preprocessor.sequence_length`"
            ", or `max_length` where you encode), or build an encoder with a "
            "larger `max_sequence_length`."
        )
