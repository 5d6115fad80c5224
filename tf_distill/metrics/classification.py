"""Scores of a classifier, by scikit-learn.

Letters: N examples.
"""

import numpy as np

from tf_distill.extras import needs_extra


def accuracy(labels, predictions):
    """Share of right predictions; of exactly right rows for several labels.

    Args:
        labels, predictions: int, `(N,)`, or 0/1, `(N, C)`.

    Example:
        >>> from tf_distill.metrics import accuracy
        >>> accuracy([0, 1, 1, 0], [0, 1, 0, 0])
        0.75
    """
    with needs_extra("recipes"):
        from sklearn.metrics import accuracy_score

    return float(accuracy_score(labels, predictions))


def macro_f1(labels, predictions):
    """Mean over the classes of F1, every class counting alike.

    A class that is neither among the labels nor predicted is left out, one
    that is and is never right counts 0. Of several labels scikit-learn counts
    0 for such a class, too. Without any class it is 0.

    Args:
        labels, predictions: int, `(N,)`, or 0/1, `(N, C)`.

    Example:
        >>> from tf_distill.metrics import macro_f1
        >>> round(macro_f1([0, 1, 1, 0], [0, 1, 0, 0]), 4)
        0.7333
    """
    with needs_extra("recipes"):
        from sklearn.metrics import f1_score

    labels, predictions = np.asarray(labels), np.asarray(predictions)
    present = None
    if labels.ndim == 2:
        (present,) = np.nonzero(labels.any(axis=0) | predictions.any(axis=0))
        if not len(present):
            return 0.0
    return float(
        f1_score(
            labels,
            predictions,
            labels=present,
            average="macro",
            zero_division=0,
        )
    )
