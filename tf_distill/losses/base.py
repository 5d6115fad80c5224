"""What all distillation losses share: one value an example, padding left out.

Letters: B batch.
"""

import keras
from keras import ops


def mean_where(values, where=None):
    """Mean of each example over its valid positions.

    Args:
        values: float, `(B, ...)`.
        where: bool or 0/1, of the shape of `values` or one that broadcasts to
            it; positions that count. None counts all.

    Returns:
        float32, `(B,)`. An example without a valid position gets 0, with a
        gradient of 0.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import mean_where
        >>> mean_where(np.array([[1.0, 9.0]]), np.array([[1, 0]])).numpy()
        array([1.], dtype=float32)
    """
    values = ops.cast(values, "float32")
    axes = tuple(range(1, len(values.shape)))
    if where is None:
        return ops.mean(values, axis=axes) if axes else values
    where = ops.broadcast_to(ops.cast(where, "bool"), ops.shape(values))
    # Chosen, not multiplied: an infinite value times 0 would be NaN.
    total = ops.sum(ops.where(where, values, 0.0), axis=axes)
    count = ops.sum(ops.cast(where, "float32"), axis=axes)
    return total / ops.maximum(count, 1.0)


def check_one_an_example(weights):
    """Raises where an example has more than one weight, as one for each token.

    Args:
        weights: list of tensors, or of one.

    Raises:
        ValueError: it has.
    """
    shapes = [tuple(weight.shape) for weight in weights]
    if len(shapes) > 1 or any(d != 1 for shape in shapes for d in shape[1:]):
        raise ValueError(
            "A `sample_weight` must be one number an example, (B,), but it "
            f"has shape {shapes}: the mean over an example's positions is "
            "taken before. Leave positions out by a mask (`where`) or, of "
            "masked words, by labels of -100."
        )


class ExampleLoss(keras.losses.Loss):
    """Base of all losses here: one value an example, whatever the rank.

    A subclass gives `per_example(y_true, y_pred, where)` and `check`. Its
    value is `(B,)`, so a `sample_weight` of `(B,)` always meets the examples:
    on a `(B, T)` loss Keras would lay it along T. Computed in float32, whatever
    `keras.config.floatx()` is: half precision would round the ids of words.

    Args:
        name: of the loss.
        reduction: as for `keras.losses.Loss`.

    Call arguments:
        y_true: the teacher's tensor, or labels.
        y_pred: the student's tensor.
        sample_weight: float, `(B,)`, or None.
        where: positions that count, see the loss' function, or None.

    Raises:
        ValueError: a `sample_weight` has more than one number an example.
    """

    def __init__(self, name=None, reduction="sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction, dtype="float32")

    def __call__(self, y_true, y_pred, sample_weight=None, where=None):
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight, "float32")
            check_one_an_example([sample_weight])
        if where is not None:
            # Keras passes on `y_true` as it is: a pair travels with it.
            y_true = (y_true, where)
        # A copy has not the mask that layers such as `Embedding` leave on
        # their outputs, which Keras would lay, (B, T), on values of (B,).
        return super().__call__(y_true, ops.copy(y_pred), sample_weight)

    def call(self, y_true, y_pred):
        target, where = y_true if isinstance(y_true, tuple) else (y_true, None)
        self.check(target, y_pred)
        return self.per_example(target, y_pred, where)

    def per_example(self, y_true, y_pred, where=None):
        """One value an example, float32, `(B,)`."""
        raise NotImplementedError(
            f"{type(self).__name__} must define `per_example`."
        )


class DistillationLoss(ExampleLoss):
    """Base of the losses that compare a student's tensor to a teacher's.

    A subclass gives `per_example(teacher, student, where)`.

    Args:
        name: of the loss.
        reduction: as for `keras.losses.Loss`.

    Call arguments:
        y_true: the teacher's tensor.
        y_pred: the student's tensor, of the same shape.
        sample_weight: float, `(B,)`, or None.
        where: positions that count, see the loss' function, or None.
    """

    remedy = ""  # what to do where the shapes of teacher and student differ
    axes = None  # of the tensors, such as "(B, T, D)"; None takes any

    def check(self, teacher, student):
        """Raises where two tensors cannot be compared element by element.

        Args:
            teacher, student: tensors, symbolic ones too.

        Raises:
            ValueError: their shapes differ in what is known of them, or have
                not the axes that the loss is for.
        """
        shapes = tuple(teacher.shape), tuple(student.shape)
        differ = len(shapes[0]) != len(shapes[1]) or any(
            None not in pair and pair[0] != pair[1]
            for pair in zip(*shapes, strict=True)
        )
        if differ:
            raise ValueError(
                f"The teacher's has shape {shapes[0]} and the student's "
                f"{shapes[1]}; they must be equal. {self.remedy}"
            )
        self.check_axes(shapes[0])

    def check_axes(self, shape):
        """Raises where a tensor has not as many axes as the loss is for."""
        if self.axes is not None and len(shape) != self.axes.count(",") + 1:
            raise ValueError(
                f"{type(self).__name__} compares tensors of {self.axes}, but "
                f"the teacher's has shape {shape}."
            )
