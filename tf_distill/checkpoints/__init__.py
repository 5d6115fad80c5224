"""Weights of other libraries, in and out: name maps as data, and readers."""

from tf_distill.checkpoints.family import Family
from tf_distill.checkpoints.google import GoogleCheckpoint
from tf_distill.checkpoints.hugging_face import HuggingFaceFolder
from tf_distill.checkpoints.label_names import read_label_names
from tf_distill.checkpoints.name_map import assign, tensors_of, variable_at

__all__ = [
    "Family",
    "GoogleCheckpoint",
    "HuggingFaceFolder",
    "assign",
    "read_label_names",
    "tensors_of",
    "variable_at",
]
