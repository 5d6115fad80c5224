"""Checks what `from_preset` is asked for, before anything is built."""

import inspect

from tf_distill.checkpoints.hugging_face import HuggingFaceFolder
from tf_distill.models.architectures import architecture_arguments


def check_known(backbone_cls, arguments, head_names=()):
    """Refuses arguments that neither the backbone nor the head has."""
    # Keras itself ignores arguments that it does not know.
    signature = inspect.signature(backbone_cls.__init__)
    known = [n for n in signature.parameters if n not in ("self", "kwargs")]
    known += ["name", "trainable", *head_names]
    unknown = [name for name in arguments if name not in known]
    if unknown:
        raise ValueError(
            f"Unknown arguments: {', '.join(unknown)}. Known are "
            f"{', '.join(dict.fromkeys(known))}."
        )


def check_depth(preset, load_weights, arguments):
    """Refuses a Keras preset's weights for another number of layers."""
    # Keras would leave the weights of further blocks unread and say nothing.
    saved = HuggingFaceFolder(preset).config["config"]["num_layers"]
    if load_weights and arguments.get("num_layers", saved) != saved:
        raise ValueError(
            f"{preset} has the weights of {saved} layers, which do not fit "
            f"num_layers={arguments['num_layers']}. Pass `load_weights=False` "
            "for random ones."
        )


def no_weights(preset, load_weights):
    """Refuses to load weights of a named architecture."""
    architecture_arguments(preset)  # a misspelt name is the first thing to say
    if load_weights:
        raise ValueError(
            f"{preset!r} names an architecture and has no weights. Pass "
            "`load_weights=False` for random ones, or name a checkpoint "
            "(a folder or an hf:// handle)."
        )


def no_head_without_classes(preset, head):
    """Refuses to make a new head without a number of classes."""
    if "num_classes" not in head:
        raise ValueError(
            f"{preset} has no classification head of this class: pass "
            "`num_classes` for a new one, or name a fine-tuned checkpoint."
        )
