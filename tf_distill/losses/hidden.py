"""Losses on hidden states and embeddings.

Letters: B batch, T tokens, D width.
"""

import keras
from keras import ops

from tf_distill.losses.base import DistillationLoss, mean_where


def hidden_mse(teacher, student):
    """Mean squared difference of hidden states, a value a token.

    Args:
        teacher, student: float, `(B, T, D)`.

    Returns:
        float32, `(B, T)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import hidden_mse
        >>> hidden_mse(np.zeros((1, 2, 3)), np.ones((1, 2, 3))).numpy()
        array([[1., 1.]], dtype=float32)

    Reference: Jiao et al. 2020, eq. 8 and 9.
    """
    teacher = ops.cast(teacher, "float32")
    return ops.mean(ops.square(teacher - ops.cast(student, "float32")), axis=-1)


@keras.saving.register_keras_serializable(package="tf_distill")
class HiddenMSE(DistillationLoss):
    """`hidden_mse` averaged over each example's valid tokens.

    Call arguments: `where` is a padding mask, `(B, T)`. TinyBERT's published
    code averages over padding too.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import HiddenMSE
        >>> teacher = np.zeros((1, 2, 3), "float32")
        >>> student = np.array([[[1.0] * 3, [9.0] * 3]])
        >>> float(HiddenMSE()(teacher, student, where=np.array([[1, 0]])))
        1.0
    """

    remedy = "Where the widths differ, a match needs `projection=True`."

    def per_example(self, teacher, student, where=None):
        """One value an example, float32, `(B,)`."""
        return mean_where(hidden_mse(teacher, student), where)
