"""Losses on hidden states and embeddings.

Letters: B batch, T tokens, D width.
"""

import keras
from keras import ops

from tf_distill.losses.base import DistillationLoss, mean_where

_REMEDY = "Where the widths differ, a match needs `projection=True`."


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


def hidden_cosine(teacher, student):
    """One minus the cosine between hidden states, a value a token.

    Args:
        teacher, student: float, `(B, T, D)`. A vector of zeros has cosine 0
            with any other.

    Returns:
        float32, `(B, T)`, from 0 (one direction) to 2 (opposite ones).

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import hidden_cosine
        >>> up = np.array([[[0.0, 2.0]]])
        >>> right = np.array([[[3.0, 0.0]]])
        >>> float(hidden_cosine(up, right)[0, 0])
        1.0

    Reference: Sanh et al. 2019, section 2.
    """
    return 1.0 - ops.sum(_unit(teacher) * _unit(student), axis=-1)


def cls_distance(teacher, student, *, normalized=True):
    """Squared distance between the hidden states of [CLS].

    The sum over D, as in the paper. The published code takes the mean over D
    and over the pairs of layers: that is a match with the weight
    `beta / (D * pairs)`, and what its grid of betas, 10 to 1000, is for.

    Args:
        teacher, student: float, `(B, T, D)`; [CLS] is the first token.
        normalized: bool, whether each is first divided by its length.

    Returns:
        float32, `(B,)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import cls_distance
        >>> up = np.array([[[0.0, 2.0]]])
        >>> right = np.array([[[3.0, 0.0]]])
        >>> float(cls_distance(up, right)[0])
        2.0
        >>> float(cls_distance(up, right, normalized=False)[0])
        13.0

    Reference: Sun et al. 2019 (BERT-PKD), https://arxiv.org/abs/1908.09355.
    """
    teacher, student = (
        ops.cast(x[:, 0, :], "float32") for x in (teacher, student)
    )
    if normalized:
        teacher, student = _unit(teacher), _unit(student)
    return ops.sum(ops.square(teacher - student), axis=-1)


def _unit(x):
    """Vectors of length 1, float32; the gradient at zeros stays finite."""
    x = ops.cast(x, "float32")
    square = ops.sum(ops.square(x), axis=-1, keepdims=True)
    return x * ops.rsqrt(ops.maximum(square, 1e-24))


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

    remedy = _REMEDY
    axes = "(B, T, D)"

    def per_example(self, teacher, student, where=None):
        """One value an example, float32, `(B,)`."""
        return mean_where(hidden_mse(teacher, student), where)


@keras.saving.register_keras_serializable(package="tf_distill")
class HiddenCosine(DistillationLoss):
    """`hidden_cosine` averaged over each example's valid tokens.

    DistilBERT has it on the last hidden states only. Its published code takes
    one mean over all tokens of a batch, in which long examples count more; a
    `sample_weight` of each example's tokens over their mean gives that.

    Call arguments: `where` is a padding mask, `(B, T)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import HiddenCosine
        >>> teacher = np.array([[[0.0, 1.0], [1.0, 1.0]]])
        >>> student = np.array([[[0.0, 9.0], [-1.0, -1.0]]])
        >>> float(HiddenCosine()(teacher, student))
        1.0
    """

    remedy = _REMEDY
    axes = "(B, T, D)"

    def per_example(self, teacher, student, where=None):
        """One value an example, float32, `(B,)`."""
        return mean_where(hidden_cosine(teacher, student), where)


@keras.saving.register_keras_serializable(package="tf_distill")
class ClsDistance(DistillationLoss):
    """`cls_distance`, PKD's patient loss; 0 where there is no [CLS].

    Args:
        normalized: bool, whether the vectors are divided by their lengths.

    Call arguments: `where` is a padding mask, `(B, T)`; only whether its
    first token counts matters.

    Example:
        >>> import tf_distill as td
        >>> match = td.LayerMatch(
        ...     "hidden_states", td.losses.ClsDistance(), layer_map="skip")
    """

    remedy = _REMEDY
    axes = "(B, T, D)"

    def __init__(self, normalized=True, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.normalized = normalized

    def check(self, teacher, student):
        """Raises where the [CLS] vectors are not of one width.

        Args:
            teacher, student: `(B, T, D)`; T may differ, as it does between
                two vocabularies.

        Raises:
            ValueError: D differs, or there are not three axes.
        """
        self.check_axes(teacher.shape)
        super().check(teacher[:, :1], student[:, :1])

    def per_example(self, teacher, student, where=None):
        """One value an example, float32, `(B,)`."""
        values = cls_distance(teacher, student, normalized=self.normalized)
        return mean_where(values, None if where is None else where[:, 0])

    def get_config(self):
        return {**super().get_config(), "normalized": self.normalized}
