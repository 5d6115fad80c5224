"""How alike and how sure two classifiers are; for the logs of a Distiller.

Letters: B batch, C classes.
"""

import keras
from keras import ops

from tf_distill.distillation.tapped import OUTPUT
from tf_distill.distillation.teachers import role_of
from tf_distill.losses import SoftCrossEntropy, SoftKLDivergence

_SOFTMAX_LOSSES = (SoftCrossEntropy, SoftKLDivergence)
_NAMES = ("agreement", "student_entropy", "teacher_entropy")


class LogitStatistics:
    """Means of `logit_statistics` over what is counted, as it is weighted.

    For each output that a match compares and whose logits are those of a
    softmax, and for each teacher. They are where the match's loss takes them so
    or the student is a text classifier whose `task` is `"classification"`,
    whatever the loss; of several labels, or of scores, the largest and the
    entropy mean nothing. Where no logits are matched there is nothing of the
    teacher's to agree with.

    Args:
        matches: connected matches of a Distiller.

    Attributes:
        trackers: list of `keras.metrics.Mean`, three an output and teacher,
            their names after the teacher's and the output's where these are
            named: `large_start_agreement`.
    """

    def __init__(self, matches):
        self._matches = {}
        self.trackers = []
        for match in matches:
            signal = match.pairs[0][0]
            if (
                role_of(signal) == OUTPUT
                and _of_a_softmax(match)
                and (match.teacher, signal) not in self._matches
            ):
                self._matches[match.teacher, signal] = match
                output = signal.partition("/")[2]
                named = [x for x in (match.teacher, output) if x]
                self.trackers += [
                    keras.metrics.Mean(name="_".join([*named, name]))
                    for name in _NAMES
                ]

    def update(self, student, teacher, inputs, weights=None):
        """Counts a batch.

        Args:
            student, teacher: dicts of tensors by signal name.
            inputs: of the batch, see `Match.positions`.
            weights: float, `(B,)`, of the examples, or None.
        """
        trackers = iter(self.trackers)
        for match in self._matches.values():
            ours, theirs = match.pairs[0]
            where = match.positions(inputs, student)
            if len(student[ours].shape) < 3:
                where = None
            counted = weights
            if where is not None:
                counted = ops.cast(where, "float32")
                if weights is not None:
                    counted = counted * ops.expand_dims(weights, -1)
            for value in logit_statistics(student[ours], teacher[theirs]):
                next(trackers).update_state(value, sample_weight=counted)


def _of_a_softmax(match):
    """Whether the logits that a match compares are a softmax's."""
    return (
        isinstance(match.loss, _SOFTMAX_LOSSES)
        or match.task == "classification"
    )


def logit_statistics(student, teacher):
    """Whether two agree on the likeliest class, and how unsure each is.

    Args:
        student, teacher: float logits, `(B, ..., C)`.

    Returns:
        tuple of float32, `(B, ...)`: agreement, 0 or 1, and the entropies of
        the student's and the teacher's distribution, in nats; in the order
        of `LogitStatistics.trackers`.

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
