"""The weighted matches of a Distiller, added up.

Letters: B batch.
"""

import keras

from tf_distill.distillation.batch import one_an_example
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
        self.trackers = [*self._term_trackers, *self._statistics.trackers]

    def total(self, student, teacher, inputs, sample_weight):
        """The sum for a batch, float32, which the trackers count.

        Args:
            student, teacher: dicts of tensors by signal name.
            inputs: of the batch, see `Match.positions`.
            sample_weight: `(B,)` or None.
        """
        total, weights = 0.0, one_an_example(sample_weight)
        for match, tracker in zip(
            self._matches, self._term_trackers, strict=True
        ):
            where = match.positions(inputs, student)
            values = match(student, teacher, where=where)  # (B,)
            weight = match.term_weight.variable
            total += weight * self._mean(values, values, weights)
            tracker.update_state(
                values if weights is None else values * weights
            )
        self._statistics.update(student, teacher, inputs, weights)
        return total
