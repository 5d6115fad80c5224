"""Weights of other libraries, in: name maps as data, and what reads them."""

from tf_distill.checkpoints.family import Family
from tf_distill.checkpoints.hugging_face import HuggingFaceFolder
from tf_distill.checkpoints.name_map import assign, variable_at

__all__ = ["Family", "HuggingFaceFolder", "assign", "variable_at"]
