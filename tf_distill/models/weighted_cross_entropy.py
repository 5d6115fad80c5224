"""The loss and the accuracy of tasks in which not every position counts.

Letters: B batch, T positions, C classes or words.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tf_distill")
class WeightedCrossEntropy(keras.losses.Loss):
    """Cross-entropy from logits; a mean over what counts.

    Keras' own reduction divides by the number of all positions, so that a
    batch padded further, or with fewer words masked, would weigh less. Negative
    labels, such as Hugging Face's -100, do not count.

    A weight is one number a label. One a row, `(B,)`, is refused where a row
    has several labels: Keras would lay it along T. In float32, whatever
    `keras.config.floatx()` is: half precision would round the ids of words.

    Args:
        reduction: as for `keras.losses.Loss`.
        name: of the loss.

    Call arguments:
        y_true: int, `(B, T)` or `(B,)`; classes from 0, or -100.
        y_pred: logits, `(B, T, C)` or `(B, C)`.
        sample_weight: float, of the shape of the labels or one that broadcasts
            to it, such as `(B, 1)` for whole rows; or None.

    Raises:
        ValueError: the `sample_weight` has another shape.

    Example:
        >>> import numpy as np
        >>> from tf_distill.models.weighted_cross_entropy import (
        ...     WeightedCrossEntropy)
        >>> loss = WeightedCrossEntropy()
        >>> logits = np.zeros((1, 3, 2))
        >>> labels = weights = np.array([[1, 0, 0]])
        >>> value = loss(labels, logits, sample_weight=weights)
        >>> round(float(value), 4)  # ln 2
        0.6931
    """

    def __init__(
        self, reduction="mean_with_sample_weight", name="weighted_cross_entropy"
    ):
        super().__init__(name=name, reduction=reduction, dtype="float32")

    def __call__(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            sample_weight = _one_a_label(sample_weight, y_pred)
        sample_weight = _of_counted(y_true, y_pred, sample_weight)
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true, y_pred):
        # What does not count is a class too, or its cross-entropy would be
        # NaN, and NaN times 0 is no 0.
        return keras.losses.sparse_categorical_crossentropy(
            ops.maximum(y_true, 0), y_pred, from_logits=True
        )


@keras.saving.register_keras_serializable(package="tf_distill")
class CountedAccuracy(keras.metrics.SparseCategoricalAccuracy):
    """Keras' `SparseCategoricalAccuracy`, of labels that are not negative.

    Args:
        name: of the metric.
        dtype: of its result.

    Example:
        >>> import numpy as np
        >>> from tf_distill.models.weighted_cross_entropy import (
        ...     CountedAccuracy)
        >>> accuracy = CountedAccuracy()
        >>> accuracy.update_state(
        ...     np.array([[1, 0, -100]]), np.array([[[0, 9], [0, 9], [0, 9]]]))
        >>> float(accuracy.result())
        0.5
    """

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(*one_by_one(y_true, y_pred, sample_weight))


def one_by_one(labels, logits, weights):
    """What an accuracy is updated with, of labels one after the other.

    Keras' metrics would take the mean of each row first, in which a label of a
    batch that is padded further weighs less.

    Args:
        labels, logits, weights: see `_of_counted`.

    Returns:
        A tuple of labels, logits and weights, `(B * T,)` where they were
        `(B, T)`.
    """
    weights = _of_counted(labels, logits, weights)
    if len(logits.shape) == 3:
        labels = ops.reshape(labels, (-1,))
        logits = ops.reshape(logits, (-1, logits.shape[-1]))
        weights = ops.reshape(weights, (-1,))
    return labels, logits, weights


def _of_counted(labels, logits, weights):
    """The weights, ones where there are none; 0 where a label is negative.

    Args:
        labels: int, `(B, T)` or `(B,)`, or either with a last axis of 1.
        logits: `(B, T, C)` or `(B, C)`.
        weights: one a label or one a row, also with a last axis of 1; or None.

    Returns:
        float32, in the shape of the labels without that axis.
    """
    counted = ops.cast(ops.greater_equal(labels, 0), "float32")
    if len(counted.shape) == len(logits.shape):
        counted = ops.squeeze(counted, -1)
    if weights is None:
        return counted
    weights = ops.convert_to_tensor(weights, "float32")
    more = len(weights.shape) - len(counted.shape)
    if more < 0:  # one a row
        weights = ops.expand_dims(weights, -1)
    elif more > 0:
        weights = ops.squeeze(weights, -1)
    return weights * counted


def _one_a_label(weights, logits):
    """The weights in the shape of the labels, `(B, T)` or `(B,)`."""
    weights = ops.convert_to_tensor(weights, "float32")
    shape, labels = tuple(weights.shape), tuple(logits.shape[:-1])
    if len(labels) == 1 and shape[1:] == (1,):
        weights, shape = ops.squeeze(weights, 1), shape[:1]
    fits = len(shape) == len(labels) and all(
        None in pair or pair[0] in (1, pair[1])
        for pair in zip(shape, labels, strict=True)
    )
    if not fits:
        raise ValueError(
            f"A `sample_weight` must be one number a label, {labels}, but it "
            f"has shape {shape}. For one a row, where a row has several "
            "labels, give `weight[:, None] * counts`, with 1 in `counts` "
            "wherever a label counts, else 0. Keras' `class_weight` is one a "
            "row, too: give each label its class' weight by `sample_weight`."
        )
    # Also where a length is not known yet: the mean divides by their sum.
    return ops.broadcast_to(weights, ops.shape(logits)[:-1])
