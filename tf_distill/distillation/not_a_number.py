"""Tells of NaN where it comes from, before it is in every weight."""

import keras
from keras import ops


def check_weights(model):
    """Raises where a weight is NaN, as after a training that diverged.

    Args:
        model: `keras.Model`.

    Raises:
        ValueError: names the weights.

    Example:
        >>> import keras
        >>> from tf_distill.distillation.not_a_number import check_weights
        >>> dense = keras.layers.Dense(2)
        >>> dense.build((None, 3))
        >>> check_weights(dense)
    """
    bad = [v.path for v in model.weights if _has_nan(v.value)]
    if bad:
        if len(bad) > 3:
            bad = [*bad[:3], f"{len(bad) - 3} more"]
        raise ValueError(
            f"The teacher {model.name!r} has NaN in {', '.join(bad)}: "
            "read its weights again, or train it again with a lower learning "
            "rate or in float32."
        )


def _has_nan(x):
    if not keras.backend.is_float_dtype(
        keras.backend.standardize_dtype(x.dtype)
    ):
        return False
    return bool(ops.any(ops.isnan(x)))
