"""Every loss with its NumPy twin, and random batches for it.

Letters: B batch, T tokens, C classes or width, H heads.
"""

import dataclasses
import typing

import numpy as np
from tiny import log_softmax, softmax

from tf_distill import losses

TEMPERATURE = 2.5


@dataclasses.dataclass(frozen=True)
class Case:
    """A loss, its function and the same in NumPy, both unreduced."""

    loss: losses.DistillationLoss
    function: typing.Callable
    numpy: typing.Callable
    attention: bool = False

    @property
    def id(self):
        temperature = getattr(self.loss, "temperature", "")
        return f"{type(self.loss).__name__}{temperature}"

    def pair(self, b=4, t=5, c=3, seed=0):
        """Teacher and student, float64: (B, T, C), or (B, H, T, T)."""
        generator = np.random.default_rng(seed)
        shape = (b, c, t, t) if self.attention else (b, t, c)
        return generator.normal(0, 2, (2, *shape))

    def positions(self, where):
        """The mask `(B, T)` over the unreduced values."""
        where = np.asarray(where, "bool")
        if self.attention:
            return where[:, None, :, None] & where[:, None, None, :]
        return where

    def per_example(self, teacher, student, where=None):
        """The value of each example, by a loop."""
        values = self.numpy(teacher, student)
        if where is None:
            return values.reshape(len(values), -1).mean(1)
        where = np.broadcast_to(self.positions(where), values.shape)
        return np.array(
            [
                value[positions].mean() if positions.any() else 0.0
                for value, positions in zip(values, where, strict=True)
            ]
        )

    def select(self, x, where):
        """One example, `(1, ...)`, without its padding."""
        if self.attention:
            return x[:, :, where][:, :, :, where]
        return x[:, where]

    def padded(self, x, extra, value):
        """As many more positions, full of `value`."""
        widths = [(0, 0)] * x.ndim
        for axis in (2, 3) if self.attention else (1,):
            widths[axis] = (0, extra)
        return np.pad(x, widths, constant_values=value)


def _cross_entropy(t):
    return lambda teacher, student: (
        -(softmax(teacher / t) * log_softmax(student / t)).sum(-1) * t**2
    )


def _kl(t):
    def divergence(teacher, student):
        p, q = softmax(teacher / t), softmax(student / t)
        return (p * np.log(p / q)).sum(-1) * t**2

    return divergence


def _sigmoid(t):
    def cross_entropy(teacher, student):
        p, q = (1 / (1 + np.exp(-x / t)) for x in (teacher, student))
        values = -(p * np.log(q) + (1 - p) * np.log(1 - q))
        return values.mean(-1) * t**2

    return cross_entropy


def _mse(teacher, student):
    return ((teacher - student) ** 2).mean(-1)


def _tempered(cls, function, numpy):
    for t in (1.0, TEMPERATURE):
        yield Case(
            cls(temperature=t),
            lambda teacher, student, t=t: function(
                teacher, student, temperature=t
            ),
            numpy(t),
        )


CASES = [
    *_tempered(
        losses.SoftCrossEntropy, losses.soft_cross_entropy, _cross_entropy
    ),
    *_tempered(losses.SoftKLDivergence, losses.soft_kl_divergence, _kl),
    *_tempered(
        losses.SoftSigmoidCrossEntropy,
        losses.soft_sigmoid_cross_entropy,
        _sigmoid,
    ),
    Case(losses.LogitMSE(), losses.logit_mse, _mse),
    Case(losses.HiddenMSE(), losses.hidden_mse, _mse),
    Case(
        losses.AttentionMSE(),
        losses.attention_mse,
        lambda teacher, student: (teacher - student) ** 2,
        attention=True,
    ),
]
