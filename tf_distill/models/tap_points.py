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
