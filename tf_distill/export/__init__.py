"""A trained task as something that serves: SavedModel, LiteRT, Hugging Face.

Importing this package loads neither Keras nor TensorFlow.
"""

from tf_distill.export.check_outputs import check_outputs
from tf_distill.export.float32 import as_float32
from tf_distill.export.hugging_face_folder import hugging_face
from tf_distill.export.litert import (
    flex_ops,
    litert,
    litert_ops,
    litert_runner,
    run_litert,
)
from tf_distill.export.model_card import model_card
from tf_distill.export.saved_model import saved_model, text_ops

__all__ = [
    "as_float32",
    "check_outputs",
    "flex_ops",
    "hugging_face",
    "litert",
    "litert_ops",
    "litert_runner",
    "model_card",
    "run_litert",
    "saved_model",
    "score_in_new_process",
    "text_ops",
]


def __getattr__(name):
    # Late, because `python -m tf_distill.export.score` runs that module.
    if name == "score_in_new_process":
        from tf_distill.export.score import score_in_new_process

        return score_in_new_process
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
