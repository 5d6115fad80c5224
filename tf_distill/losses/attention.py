"""Losses on attention.

Letters: B batch, H heads, T query tokens, S key tokens.
"""

import keras
from keras import ops

from tf_distill.losses.base import DistillationLoss, mean_where

_REMEDY = (
    "Student and teacher need as many heads; a head of one may be narrower "
    "than a head of the other. Where their numbers of heads differ, compare "
    "relations of queries, keys and values, `RelationKL`."
)
# The score of a key that is left out: its weight is 0 in float32, and the
# difference between two such scores stays finite.
_LEFT_OUT = -1e9


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


def attention_kl(teacher, student, where=None):
    """KL divergence from the teacher's attention distributions.

    MobileBERT's published code has the cross-entropy, which is larger by the
    teacher's entropy and has the same gradient.

    Args:
        teacher, student: float scores before the softmax, `(B, H, T, S)`.
        where: bool or 0/1, `(B, S)`, keys that are attended to; the
            distributions are over these. None takes the scores as they are.

    Returns:
        float32, `(B, H, T)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import attention_kl
        >>> even = np.zeros((1, 1, 1, 3))
        >>> rather = np.log([[[[1.0, 3.0, 9.0]]]])
        >>> found = attention_kl(even, rather, np.array([[1, 1, 0]]))
        >>> round(float(found[0, 0, 0]), 6)  # ln 2 - ln 3 / 2, of two keys
        0.143841

    Reference: Sun et al. 2020 (MobileBERT), "Attention Transfer"; Wang et al.
    2020 (MiniLM), https://arxiv.org/abs/2002.10957.
    """
    teacher, student = (ops.cast(x, "float32") for x in (teacher, student))
    if where is not None:
        keys = ops.cast(where, "bool")[:, None, None, :]
        teacher = ops.where(keys, teacher, _LEFT_OUT)
        student = ops.where(keys, student, _LEFT_OUT)
    teacher, student = ops.log_softmax(teacher), ops.log_softmax(student)
    return ops.sum(ops.exp(teacher) * (teacher - student), axis=-1)


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

    remedy = _REMEDY
    axes = "(B, H, T, S)"

    def per_example(self, teacher, student, where=None):
        """One value an example, float32, `(B,)`."""
        if where is not None:
            where = ops.cast(where, "bool")
            where = where[:, None, :, None] & where[:, None, None, :]
        return mean_where(attention_mse(teacher, student), where)


@keras.saving.register_keras_serializable(package="tf_distill")
class AttentionKL(DistillationLoss):
    """`attention_kl` averaged over heads and valid query tokens.

    MobileBERT's attention transfer and the first of MiniLM's two terms; also
    for DistilBERT, whose paper and code have no term on attention.
    MobileBERT's published code averages over padded queries too, and its
    padded keys keep a little weight (`AttentionScores`, `"replace"`).

    Call arguments: scores, of which it makes the distributions itself; `where`
    is a padding mask, `(B, T)`.

    Raises:
        ValueError: the numbers of heads differ.

    Example:
        >>> import tf_distill as td
        >>> match = td.LayerMatch(
        ...     "attention_scores", td.losses.AttentionKL(), layer_map="top")
    """

    remedy = _REMEDY
    axes = "(B, H, T, S)"

    def per_example(self, teacher, student, where=None):
        """One value an example, float32, `(B,)`."""
        values = attention_kl(teacher, student, where)
        return mean_where(values, None if where is None else where[:, None])
