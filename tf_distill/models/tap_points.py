"""Where an encoder's inner tensors are, by role."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TapPoints:
    """The layers of an encoder whose inputs and outputs have a role.

    Attributes:
        embeddings: the layer whose output the first block reads.
        blocks: the encoder blocks, first to last; a block's output is its
            hidden state.
        attention: the `DotProductAttention` of each block, whose inputs are
            queries, keys and values; empty where a block hides them.
    """

    embeddings: object
    blocks: tuple
    attention: tuple = ()


def tap_points(model):
    """Finds the encoder in a model and says where its inner tensors are.

    Knows this package's encoders and KerasHub's, alone or inside a task.
    KerasHub's hide their attention: read the same weights with
    `tf_distill.models.BertBackbone.from_preset` to reach it.

    Args:
        model: `keras.Model`.

    Returns:
        `TapPoints`, or None where there is no such encoder.

    Example:
        >>> from tf_distill.models import BertBackbone
        >>> from tf_distill.models.tap_points import tap_points
        >>> backbone = BertBackbone.from_preset(
        ...     "bert_tiny_2l_128d", load_weights=False)
        >>> [block.name for block in tap_points(backbone).blocks]
        ['block_0', 'block_1']
    """
    encoder = getattr(model, "backbone", None) or model
    if hasattr(encoder, "tap_points"):
        return encoder.tap_points()
    if hasattr(encoder, "transformer_layers"):
        return TapPoints(
            encoder.embeddings_dropout, tuple(encoder.transformer_layers)
        )
    return None


def encoder_tap_points(model, attention=False):
    """`tap_points` of a model that must have an encoder.

    Args:
        model: `keras.Model`.
        attention: bool, whether its attention must be within reach, too.

    Returns:
        `TapPoints`.

    Raises:
        ValueError: it has no encoder of a known kind, or hides its attention.
    """
    points = tap_points(model)
    if points is None:
        raise ValueError(
            f"{model.name!r} has no encoder of a known kind: give one of "
            "tf_distill.models or keras_hub.models, or a task on it."
        )
    if attention and not points.attention:
        raise ValueError(
            f"{model.name!r} is a KerasHub encoder, which hides its attention: "
            "save it (`save_to_preset`) and read it by `from_preset` of "
            "tf_distill.models."
        )
    return points
