"""Losses on logits.

Letters: B batch, C classes; `...` any axes between them, such as tokens.
"""

import keras
from keras import ops

from tf_distill.losses.base import DistillationLoss, mean_where


def soft_cross_entropy(teacher, student, *, temperature=1.0, scaled=True):
    """Cross-entropy against the teacher's softened distribution, times T².

    `-T² Σ softmax(teacher / T) · log softmax(student / T)`. T² keeps the size
    of the gradient the same over temperatures; TinyBERT's paper (eq. 10) and
    code have none. Its published code also divides by the number of classes,
    as a `weight` would.

    Args:
        teacher, student: float logits, `(B, ..., C)`.
        temperature: float, T > 0.
        scaled: bool, whether the value is multiplied by T².

    Returns:
        float32, `(B, ...)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import soft_cross_entropy
        >>> even = np.zeros((1, 2), "float32")
        >>> float(soft_cross_entropy(even, even)[0])  # ln 2
        0.693147...

    Reference: Hinton et al. 2015, section 2; Jiao et al. 2020, eq. 10.
    """
    target = ops.softmax(ops.cast(teacher, "float32") / temperature)
    student = ops.log_softmax(ops.cast(student, "float32") / temperature)
    return -ops.sum(target * student, axis=-1) * _scale(temperature, scaled)


def soft_kl_divergence(teacher, student, *, temperature=1.0, scaled=True):
    """KL divergence from the teacher's softened distribution, times T².

    Has the gradient of `soft_cross_entropy` and is 0 where both agree.

    Args:
        teacher, student: float logits, `(B, ..., C)`.
        temperature: float, T > 0.
        scaled: bool, whether the value is multiplied by T².

    Returns:
        float32, `(B, ...)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import soft_kl_divergence
        >>> even = np.zeros((1, 2), "float32")
        >>> float(soft_kl_divergence(even, even)[0])
        0.0

    Reference: Hinton et al. 2015, section 2; Sanh et al. 2019, section 2.
    """
    teacher = ops.log_softmax(ops.cast(teacher, "float32") / temperature)
    student = ops.log_softmax(ops.cast(student, "float32") / temperature)
    divergence = ops.sum(ops.exp(teacher) * (teacher - student), axis=-1)
    return divergence * _scale(temperature, scaled)


def soft_sigmoid_cross_entropy(
    teacher, student, *, temperature=1.0, scaled=True
):
    """Mean over labels of the binary cross-entropy against the teacher, T².

    For several labels at once: each is a distribution over yes and no.

    Args:
        teacher, student: float logits, `(B, ..., C)`.
        temperature: float, T > 0.
        scaled: bool, whether the value is multiplied by T².

    Returns:
        float32, `(B, ...)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import soft_sigmoid_cross_entropy
        >>> even = np.zeros((1, 2), "float32")
        >>> float(soft_sigmoid_cross_entropy(even, even)[0])  # ln 2
        0.693147...
    """
    target = ops.sigmoid(ops.cast(teacher, "float32") / temperature)
    student = ops.cast(student, "float32") / temperature
    values = ops.softplus(student) - target * student
    return ops.mean(values, axis=-1) * _scale(temperature, scaled)


def logit_mse(teacher, student):
    """Mean squared difference of the logits.

    Args:
        teacher, student: float, `(B, ..., C)`.

    Returns:
        float32, `(B, ...)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import logit_mse
        >>> float(logit_mse(np.zeros((1, 2)), np.full((1, 2), 3.0))[0])
        9.0

    Reference: Ba and Caruana 2014, eq. 1.
    """
    teacher = ops.cast(teacher, "float32")
    return ops.mean(ops.square(teacher - ops.cast(student, "float32")), axis=-1)


def _scale(temperature, scaled):
    return temperature**2 if scaled else 1.0


class _OnLogits(DistillationLoss):
    """A loss on logits."""

    remedy = "Give both models the same classes, in the same order."


class _MeanOfClasses(_OnLogits):
    """A loss that would count padding, were its classes the tokens."""

    def check(self, teacher, student):
        super().check(teacher, student)
        if None in student.shape[1:][-1:]:
            raise ValueError(
                f"{type(self).__name__} takes the mean over classes, but the "
                f"last axis of {tuple(student.shape)} is as long as rows are "
                "padded, and padding would count: take `SoftCrossEntropy` or "
                "`SoftKLDivergence`, for which a logit of -10000 does not."
            )


class _Tempered(_OnLogits):
    """A loss on logits with a temperature."""

    function = None  # of the logits, unreduced

    def __init__(self, temperature=1.0, *, scaled=True, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        if not temperature > 0:
            raise ValueError(
                f"`temperature` must be above 0, not {temperature}."
            )
        self.temperature = temperature
        self.scaled = scaled

    def per_example(self, teacher, student, where=None):
        options = {"temperature": self.temperature, "scaled": self.scaled}
        values = type(self).function(teacher, student, **options)
        return mean_where(values, where)

    def get_config(self):
        config = super().get_config()
        config.update(temperature=self.temperature, scaled=self.scaled)
        return config


class _OfClasses(_Tempered):
    """A loss on the softmax over classes."""

    def check(self, teacher, student):
        super().check(teacher, student)
        if student.shape[-1] == 1:
            raise ValueError(
                f"{type(self).__name__} compares distributions over classes, "
                "which over a single one are always equal: take `LogitMSE` for "
                "scores, `SoftSigmoidCrossEntropy` for yes or no."
            )


@keras.saving.register_keras_serializable(package="tf_distill")
class SoftCrossEntropy(_OfClasses):
    """`soft_cross_entropy`, one value an example.

    Args:
        temperature: float, T > 0.
        scaled: bool, whether the value is multiplied by T².

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import SoftCrossEntropy
        >>> even = np.zeros((4, 2), "float32")
        >>> float(SoftCrossEntropy(temperature=2.0)(even, even))  # 4 ln 2
        2.772588...
    """

    function = staticmethod(soft_cross_entropy)


@keras.saving.register_keras_serializable(package="tf_distill")
class SoftKLDivergence(_OfClasses):
    """`soft_kl_divergence`, one value an example.

    Args:
        temperature: float, T > 0.
        scaled: bool, whether the value is multiplied by T².

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import SoftKLDivergence
        >>> even, rather = np.zeros((4, 2)), np.log([[1.0, 3.0]] * 4)
        >>> round(float(SoftKLDivergence()(even, rather)), 6)
        0.143841
    """

    function = staticmethod(soft_kl_divergence)


@keras.saving.register_keras_serializable(package="tf_distill")
class SoftSigmoidCrossEntropy(_MeanOfClasses, _Tempered):
    """`soft_sigmoid_cross_entropy`, one value an example.

    Args:
        temperature: float, T > 0.
        scaled: bool, whether the value is multiplied by T².

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import SoftSigmoidCrossEntropy
        >>> unsure = np.zeros((4, 5))
        >>> round(float(SoftSigmoidCrossEntropy()(unsure, unsure)), 6)  # ln 2
        0.693147
    """

    function = staticmethod(soft_sigmoid_cross_entropy)


@keras.saving.register_keras_serializable(package="tf_distill")
class LogitMSE(_MeanOfClasses):
    """`logit_mse`, one value an example; also for scores (regression).

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import LogitMSE
        >>> float(LogitMSE()(np.zeros((4, 1)), np.full((4, 1), 3.0)))
        9.0
    """

    def per_example(self, teacher, student, where=None):
        """One value an example, float32, `(B,)`."""
        return mean_where(logit_mse(teacher, student), where)
