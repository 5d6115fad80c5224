"""Scores of a text classifier by what its logits mean.

Letters: N examples, C classes.
"""

import numpy as np

from tf_distill.extras import needs_extra
from tf_distill.metrics.classification import accuracy, macro_f1

TASKS = ("classification", "multilabel", "regression")


def text_predictions(task, logits):
    """What a text classifier says.

    Args:
        task: "classification", "multilabel" or "regression".
        logits: float, `(N, C)`; `(N, 1)` or `(N,)` of a regression.

    Returns:
        Of classes the likeliest, int `(N,)`; of several labels zeros and ones,
        int `(N, C)`; of a regression the scores, float64 `(N,)`.

    Raises:
        ValueError: there is no such task, or a score has several columns.

    Example:
        >>> from tf_distill.metrics import text_predictions
        >>> text_predictions("classification", [[0.1, 2.0], [1.0, -1.0]])
        array([1, 0])
    """
    logits = np.asarray(logits)
    _check_task(task)
    if task == "classification":
        return logits.argmax(axis=-1)
    if task == "multilabel":
        return (logits > 0).astype(int)  # a probability above one half
    if logits.size != len(logits):
        raise ValueError(
            f"A regression has one score an example, but the logits have shape "
            f"{logits.shape}: give (N, 1) or (N,), or another task."
        )
    return logits.reshape(-1).astype("float64")


def text_scores(task, labels, predictions):
    """The scores of `text_predictions`.

    Args:
        task: "classification", "multilabel" or "regression".
        labels: int `(N,)`, zeros and ones `(N, C)`, or float `(N,)`.
        predictions: likewise.

    Returns:
        dict of `accuracy` (of several labels, the share of examples with all of
        them right) and `macro_f1`; of a regression `pearson`, which is 0 where
        either side is constant.

    Raises:
        ValueError: there is no such task, or the shapes differ.

    Example:
        >>> from tf_distill.metrics import text_scores
        >>> text_scores("regression", [1.0, 2.0, 4.0], [3.0, 3.0, 3.0])
        {'pearson': 0.0}
    """
    _check_task(task)
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.shape != predictions.shape:
        raise ValueError(
            f"Labels have shape {labels.shape}, predictions "
            f"{predictions.shape}: give one of each for every example."
        )
    if task != "regression":
        labels = labels.astype(int)
        return {
            "accuracy": accuracy(labels, predictions),
            "macro_f1": macro_f1(labels, predictions),
        }
    if not (np.ptp(labels) > 0 and np.ptp(predictions) > 0):
        return {"pearson": 0.0}  # what is constant goes with nothing
    with needs_extra("recipes"):
        from scipy.stats import pearsonr

    return {"pearson": float(pearsonr(labels, predictions)[0])}


def _check_task(task):
    if task not in TASKS:
        raise ValueError(f"task={task!r}: expected one of {TASKS}.")
