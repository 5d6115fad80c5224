"""MobileBERT's losses on feature maps, the hidden states that blocks return.

The paper's feature map transfer is `hidden_mse`, which it takes apart "to help
stabilize training": the maps normalized, and the mean and variance that the
normalization removes.

Letters: B batch, T tokens, D width.
"""

import keras
from keras import ops

from tf_distill.losses.base import DistillationLoss, mean_where
from tf_distill.losses.hidden import hidden_mse

# As in the published code. Its Keras version has Keras' default, 1e-3, by
# mistake: small maps then seem alike.
_EPSILON = 1e-12


def feature_map_mse(teacher, student):
    """Mean squared difference of normalized hidden states, a value a token.

    Each token's vector is brought to mean 0 and variance 1 over its width: a
    layer normalization without parameters.

    Args:
        teacher, student: float, `(B, T, D)`.

    Returns:
        float32, `(B, T)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import feature_map_mse
        >>> teacher = np.array([[[1.0, 3.0]]])
        >>> float(feature_map_mse(teacher, 10 + 5 * teacher)[0, 0])
        0.0
        >>> float(feature_map_mse(teacher, -teacher)[0, 0])
        4.0

    Reference: Sun et al. 2020, "Feature Map Transfer".
    """
    return hidden_mse(_normalized(teacher), _normalized(student))


def feature_map_mean(teacher, student):
    """Squared difference of the means over the width, a value a token.

    Args:
        teacher, student: float, `(B, T, D)`.

    Returns:
        float32, `(B, T)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import feature_map_mean
        >>> teacher = np.array([[[1.0, 3.0]]])
        >>> float(feature_map_mean(teacher, teacher + 2)[0, 0])
        4.0

    Reference: Sun et al. 2020, "Feature Map Transfer".
    """
    return ops.square(_moments(teacher)[0] - _moments(student)[0])[..., 0]


def feature_map_variance(teacher, student):
    """Absolute difference of the variances over the width, a value a token.

    Args:
        teacher, student: float, `(B, T, D)`.

    Returns:
        float32, `(B, T)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import feature_map_variance
        >>> teacher = np.array([[[1.0, 3.0]]])
        >>> float(feature_map_variance(teacher, 2 * teacher)[0, 0])
        3.0

    Reference: Sun et al. 2020, "Feature Map Transfer".
    """
    return ops.abs(_moments(teacher)[1] - _moments(student)[1])[..., 0]


def _moments(x):
    """Mean and variance over the width, float32, `(B, T, 1)` each."""
    x = ops.cast(x, "float32")
    mean = ops.mean(x, axis=-1, keepdims=True)
    return mean, ops.mean(ops.square(x - mean), axis=-1, keepdims=True)


def _normalized(x):
    mean, variance = _moments(x)
    return (ops.cast(x, "float32") - mean) * ops.rsqrt(variance + _EPSILON)


class _FeatureMapLoss(DistillationLoss):
    """Averaged over each example's valid tokens."""

    remedy = (
        "Feature maps are compared without a projection: MobileBERT's hidden "
        "states are as wide as those of its teacher, IB-BERT."
    )
    axes = "(B, T, D)"

    @staticmethod
    def function(teacher, student):
        """The loss of this class, unreduced."""
        raise NotImplementedError

    def per_example(self, teacher, student, where=None):
        return mean_where(type(self).function(teacher, student), where)


@keras.saving.register_keras_serializable(package="tf_distill")
class FeatureMapMSE(_FeatureMapLoss):
    """`feature_map_mse` averaged over each example's valid tokens.

    The published code weighs it with 100, `FeatureMapMean` with 5000 and
    `FeatureMapVariance` with 5, `AttentionKL` with 1, all over the number of
    layers, and averages over padding too.

    Call arguments: `where` is a padding mask, `(B, T)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import FeatureMapMSE
        >>> maps = np.array([[[1.0, 3.0], [0.0, 9.0]]])
        >>> float(FeatureMapMSE()(maps, 10 + 5 * maps))
        0.0
    """

    function = staticmethod(feature_map_mse)


@keras.saving.register_keras_serializable(package="tf_distill")
class FeatureMapMean(_FeatureMapLoss):
    """`feature_map_mean` averaged over each example's valid tokens.

    Call arguments: `where` is a padding mask, `(B, T)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import FeatureMapMean
        >>> maps = np.array([[[1.0, 3.0], [0.0, 9.0]]])
        >>> float(FeatureMapMean()(maps, maps + 2))
        4.0
    """

    function = staticmethod(feature_map_mean)


@keras.saving.register_keras_serializable(package="tf_distill")
class FeatureMapVariance(_FeatureMapLoss):
    """`feature_map_variance` averaged over each example's valid tokens.

    Call arguments: `where` is a padding mask, `(B, T)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import FeatureMapVariance
        >>> maps = np.array([[[1.0, 3.0], [0.0, 4.0]]])
        >>> padding_mask = np.array([[1, 0]])
        >>> float(FeatureMapVariance()(maps, 2 * maps, where=padding_mask))
        3.0
    """

    function = staticmethod(feature_map_variance)
