"""The largest logits of a row, for a teacher cache that keeps only these.

Letters: B batch, k of the classes or words that are kept.
"""

import numpy as np

from tf_distill.distillation.tapped import OUTPUT
from tf_distill.distillation.teachers import role_of

# The parts that stand for an output, each before its name.
VALUES, INDICES, REST = "values of ", "indices of ", "rest of "


def cut(shapes, top_k):
    """The outputs that have more than k classes, or words, and how many."""
    outputs = {n: s for n, s in shapes.items() if s and role_of(n) == OUTPUT}
    found = {n: s[-1] for n, s in outputs.items() if isinstance(s[-1], int)}
    cut = {name: number for name, number in found.items() if number > top_k}
    if top_k < 1 or not cut:
        raise ValueError(
            f"top_k={top_k}: expected at least 1, and fewer than the values "
            f"of an output among the signals, which have {found}. None keeps "
            "all."
        )
    return cut


def keep_top(name, logits, top_k):
    """The k largest values, where they stand, and log Σ exp of the rest."""
    # One example at a time: the order of all words takes 8 bytes a logit.
    found = [_top(row.astype("float32"), top_k) for row in logits]
    values, indices, rest = map(np.stack, zip(*found, strict=True))
    return {
        VALUES + name: values,
        INDICES + name: indices,
        REST + name: rest,
    }


def _top(logits, top_k):
    order = np.argpartition(logits, -top_k, axis=-1)
    indices, others = order[..., -top_k:], order[..., :-top_k]
    rest = np.take_along_axis(logits, others, -1)
    largest = rest.max(-1, keepdims=True)
    mass = np.log(np.exp(rest - largest).sum(-1)) + largest[..., 0]
    return np.take_along_axis(logits, indices, -1), indices, mass


def spread(name, signals, num_classes):
    """Logits of all classes; those not kept share what mass they had."""
    values, indices, rest = (
        signals.pop(part + name) for part in (VALUES, INDICES, REST)
    )
    rest = rest - np.log(np.float32(num_classes - values.shape[-1]))
    logits = np.repeat(rest[..., None], num_classes, axis=-1)
    # A padded position has the index 0 k times, and the value 0: harmless.
    np.put_along_axis(logits, indices, values, axis=-1)
    return logits
