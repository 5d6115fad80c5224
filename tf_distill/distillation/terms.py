"""The weighted matches of a Distiller, added up.

Letters: B batch.
"""

import keras
from keras import ops

from tf_distill.distillation.batch import one_an_example
from tf_distill.distillation.held_steps import HeldSteps
from tf_distill.distillation.logit_statistics import LogitStatistics


class _ExampleMean(keras.losses.Loss):
    """Keras' weighting, reduction and replica scaling of `(B,)` values."""

    def call(self, y_true, y_pred):
        return y_pred


class Terms:
    """`Σ weight · mean of a match over the examples`, and what is logged of it.

    Args:
        matches: list of connected matches.

    Attributes:
        trackers: list of `keras.metrics.Mean`: of each term, before its
            weight, and those of `LogitStatistics`.
        held: `HeldSteps`, since when a teacher's numbers are none.

    Raises:
        ValueError: two matches have one name.
    """

    def __init__(self, matches):
        names = [match.name for match in matches]
        if len(set(names)) < len(names):
            raise ValueError(
                f"Two `losses` have one name: {names}. Give them a `name`."
            )
        self._matches = list(matches)
        self._mean = _ExampleMean(name="mean", dtype="float32")
        self._term_trackers = [
            keras.metrics.Mean(name=f"{name}_loss") for name in names
        ]
        self._statistics = LogitStatistics(matches)
        self.held = HeldSteps(names)
        self.trackers = [*self._term_trackers, *self._statistics.trackers]

    def total(self, student, teacher, inputs, sample_weight):
        """The sum for a batch, float32, which the trackers count.

        Args:
            student, teacher: dicts of tensors by signal name.
            inputs: of the batch, see `Match.positions`.
            sample_weight: `(B,)` or None.
        """
        total, weights = 0.0, one_an_example(sample_weight)
        places = [match.positions(inputs, student) for match in self._matches]
        found = [
            match(student, teacher, where=where)  # (B,)
            for match, where in zip(self._matches, places, strict=True)
        ]
        self.held.find(self._teacher_s(found, student, teacher, places))
        for match, tracker, values in zip(
            self._matches, self._term_trackers, found, strict=True
        ):
            weight = match.term_weight.variable
            total += weight * self._mean(values, values, weights)
            tracker.update_state(
                values if weights is None else values * weights
            )
        self._statistics.update(student, teacher, inputs, weights)
        return total

    def _teacher_s(self, found, student, teacher, places):
        """1 for each match that its teacher made infinite or NaN, else 0."""

        def blame():
            # What is not finite beside zeros either is not the student's. Only
            # positions that count are looked at, as the losses see no others.
            return [
                1.0 - _all_finite(match(student, teacher, where, blank=True))
                for match, where in zip(self._matches, places, strict=True)
            ]

        finite = ops.stack([_all_finite(values) for values in found])
        return ops.cond(
            ops.all(finite > 0),
            lambda: ops.zeros_like(finite),
            lambda: (1.0 - finite) * ops.stack(blame()),
        )


def _all_finite(values):
    """1 if they are, else 0; float32."""
    return ops.cast(ops.all(ops.isfinite(values)), "float32")
