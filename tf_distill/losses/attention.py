"""Losses on attention.

Letters: B batch, H heads, T query tokens, S key tokens.
"""

import keras
from keras import ops

from tf_distill.losses.base import DistillationLoss, mean_where


def attention_mse(teacher, student):
    """Squared difference of attention scores before the softmax.

    Args:
        teacher, student: float scores, `(B, H, T, S)`.

    Returns:
        float32, `(B, H, T, S)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import attention_mse
        >>> scores = np.zeros((1, 1, 1, 2), "float32")
        >>> attention_mse(scores, scores + 2).numpy().tolist()
        [[[[4.0, 4.0]]]]

    Reference: Jiao et al. 2020, eq. 7.
    """
    teacher = ops.cast(teacher, "float32")
    return ops.square(teacher - ops.cast(student, "float32"))


@keras.saving.register_keras_serializable(package="tf_distill")
class AttentionMSE(DistillationLoss):
    """`attention_mse` averaged over heads and pairs of valid tokens.

    Call arguments: `where` is a padding mask, `(B, T)`; a score counts where
    both its query and its key are real. TinyBERT's published code sets the
    scores of padded keys to 0 and averages over them and over padded queries.

    Raises:
        ValueError: the numbers of heads differ.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import AttentionMSE
        >>> teacher = np.zeros((1, 1, 2, 2), "float32")
        >>> student = np.array([[[[1.0, 9.0], [9.0, 9.0]]]])
        >>> float(AttentionMSE()(teacher, student, where=np.array([[1, 0]])))
        1.0
    """

    remedy = (
        "Student and teacher need as many heads; a head of one may be "
        "narrower than a head of the other."
    )

    def per_example(self, teacher, student, where=None):
        """One value an example, float32, `(B,)`."""
        if where is not None:
            where = ops.cast(where, "bool")
            where = where[:, None, :, None] & where[:, None, None, :]
        return mean_where(attention_mse(teacher, student), where)
