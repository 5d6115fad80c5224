"""Compiled metrics: made before the first step, and what they have found.

Letters: B batch, C classes.
"""

import keras
from keras import tree

from tf_distill.models.weighted_cross_entropy import one_by_one


def metrics_of(names):
    """Metrics for the names among what `compile` takes.

    Keras makes those of names within the first step, as labels are only known
    there, and TensorFlow then traces that step a second time. Only `"accuracy"`
    depends on labels, and that one is chosen by their shape in every step.

    Args:
        names: as `metrics` of `keras.Model.compile`.

    Returns:
        The same, with objects of the same names and values in place of names.

    Example:
        >>> from tf_distill.distillation.compiled_metrics import metrics_of
        >>> [metric.name for metric in metrics_of(["accuracy", "mse"])]
        ['accuracy', 'mse']
    """
    return tree.map_structure(_metric_of, names)


def results(metrics, but):
    """What all metrics but one have found.

    Args:
        metrics: list of `keras.metrics.Metric`.
        but: one of them, or None.

    Returns:
        dict of scalars by name.
    """
    return {m.name: m.result() for m in metrics if m is not but}


def without_teacher(logs, loss, terms):
    """What is left of an evaluation's logs where the teacher does not run.

    Args:
        logs: dict by name.
        loss: what was compiled, or None.
        terms: list of the metrics that only a teacher gives values to.

    Raises:
        ValueError: nothing is.
    """
    unknown = {metric.name for metric in terms}
    if loss is None:
        unknown.add("loss")  # a constant: nothing has been compared
    logs = {name: x for name, x in logs.items() if name not in unknown}
    if not logs:
        raise ValueError(
            "There is nothing to evaluate: `validate_teacher=False` leaves the "
            "compiled loss and metrics, and there is none, or no label for it. "
            "Compile with `metrics`, pass labels, or leave True."
        )
    return logs


def _metric_of(name):
    if not isinstance(name, str):
        return name
    if name.lower() in ("accuracy", "acc"):
        metric = _Accuracy(_matches, name=name)
        metric._direction = "up"  # which EarlyStopping's "auto" looks for
        return metric
    found = keras.metrics.get(name)
    if isinstance(found, keras.metrics.Metric):
        found.name = name  # as Keras does
        return found
    return name


class _Accuracy(keras.metrics.MeanMetricWrapper):
    """Of labels that are class indices those of -100 do not count."""

    def update_state(self, labels, outputs, sample_weight=None):
        if outputs.shape[-1] != 1 and _are_indices(labels, outputs):
            given = one_by_one(labels, outputs, sample_weight)
            return super().update_state(*given)
        return super().update_state(labels, outputs, sample_weight)


def _matches(labels, outputs):
    """Whether each is right: by a threshold, by class index, or one-hot.

    Args:
        labels: `(B, ...)`, or one-hot, `(B, ..., C)`.
        outputs: float, `(B, ..., C)`.
    """
    if outputs.shape[-1] == 1:
        return keras.metrics.binary_accuracy(labels, outputs)
    if _are_indices(labels, outputs):
        return keras.metrics.sparse_categorical_accuracy(labels, outputs)
    return keras.metrics.categorical_accuracy(labels, outputs)


def _are_indices(labels, outputs):
    """Whether labels are class indices, not one-hot."""
    return len(labels.shape) < len(outputs.shape) or labels.shape[-1] == 1
