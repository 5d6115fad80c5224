"""How alike and how sure two classifiers are; for the logs of a Distiller.

Letters: B batch, C classes.
"""

import keras
from keras import ops

from tf_distill.losses import SoftCrossEntropy, SoftKLDivergence

_SOFTMAX_LOSSES = (SoftCrossEntropy, SoftKLDivergence)


def statistic_trackers(logit_losses, num_classes):
    """Trackers for `logit_statistics`, where these mean something.

    Args:
        logit_losses: the losses that the logits are compared with.
        num_classes: int, C.

    Returns:
        list of `keras.metrics.Mean`; empty unless one of the losses takes
        the logits for those of a softmax over two classes or more.

    Example:
        >>> from tf_distill.distillation import logit_statistics
        >>> from tf_distill.losses import LogitMSE
        >>> logit_statistics.statistic_trackers([LogitMSE()], 3)
        []
    """
    softmax = any(isinstance(loss, _SOFTMAX_LOSSES) for loss in logit_losses)
    if not softmax or num_classes < 2:
        return []
    names = ("agreement", "student_entropy", "teacher_entropy")
    return [keras.metrics.Mean(name=name) for name in names]


def logit_statistics(student, teacher):
    """Whether two agree on the likeliest class, and how unsure each is.

    Args:
        student, teacher: float logits, `(B, ..., C)`.

    Returns:
        tuple of float32, `(B, ...)`: agreement, 0 or 1, and the entropies of
        the student's and the teacher's distribution, in nats; in the order
        of `statistic_trackers`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.distillation.logit_statistics import (
        ...     logit_statistics)
        >>> even, rather = np.zeros((1, 2)), np.log([[1.0, 3.0]])
        >>> [round(float(x[0]), 4) for x in logit_statistics(even, rather)]
        [0.0, 0.6931, 0.5623]
    """
    same = ops.equal(ops.argmax(student, -1), ops.argmax(teacher, -1))
    return ops.cast(same, "float32"), _entropy(student), _entropy(teacher)


def _entropy(logits):
    """Of the distribution, in nats, `(B, ...)`."""
    log_probability = ops.log_softmax(ops.cast(logits, "float32"))
    return -ops.sum(ops.exp(log_probability) * log_probability, axis=-1)
