"""Distillation losses: pure functions and the Keras losses on them.

A function returns unreduced float32 values and takes `where=`; a class
reduces them to one value an example, `(B,)`, before Keras' `sample_weight`
and reduction apply.
"""

from tf_distill.losses.attention import AttentionMSE, attention_mse
from tf_distill.losses.base import DistillationLoss, mean_where
from tf_distill.losses.hidden import HiddenMSE, hidden_mse
from tf_distill.losses.logits import (
    LogitMSE,
    SoftCrossEntropy,
    SoftKLDivergence,
    SoftSigmoidCrossEntropy,
    logit_mse,
    soft_cross_entropy,
    soft_kl_divergence,
    soft_sigmoid_cross_entropy,
)

__all__ = [
    "AttentionMSE",
    "DistillationLoss",
    "HiddenMSE",
    "LogitMSE",
    "SoftCrossEntropy",
    "SoftKLDivergence",
    "SoftSigmoidCrossEntropy",
    "attention_mse",
    "hidden_mse",
    "logit_mse",
    "mean_where",
    "soft_cross_entropy",
    "soft_kl_divergence",
    "soft_sigmoid_cross_entropy",
]
