"""Scores, and how sure one can be of a difference between two."""

from tf_distill.metrics.classification import accuracy, macro_f1
from tf_distill.metrics.intervals import paired_interval

__all__ = ["accuracy", "macro_f1", "paired_interval"]
