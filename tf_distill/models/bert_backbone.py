"""BERT's encoder.

Letters: B batch, T tokens, D hidden width.
"""

import keras
import keras_hub

from tf_distill.checkpoints import bert
from tf_distill.layers import encoder_block
from tf_distill.models.activations import activation_named
from tf_distill.models.embeddings import (
    add_embeddings,
    embedding_dtype,
    position_embedding,
    segment_embedding,
    token_embedding,
)
from tf_distill.models.encoder import Encoder, check_num_layers


@keras.saving.register_keras_serializable(package="tf_distill")
class BertBackbone(Encoder):
    """BERT's encoder with every inner tensor within reach of a loss.

    Computes what `keras_hub.models.BertBackbone` computes. The difference is
    that each block is a functional model of small layers: embeddings, hidden
    states, queries, keys and values can be tapped (`tf_distill.distillation`)
    and the attention scores derived from them, which a fused attention layer
    does not allow. A model that nobody taps does no extra work.

    Args:
        vocabulary_size: int, number of word pieces.
        num_layers: int, number of encoder blocks.
        num_heads: int, attention heads a block; must divide `hidden_dim`.
        hidden_dim: int, D.
        intermediate_dim: int, width of the feed-forward layers.
        activation: of the feed-forward layers. `"gelu"` is the exact one, as
            Hugging Face has it; KerasHub's BERT has the tanh approximation,
            here `"gelu_approximate"`.
        dropout: float, in embeddings, attention and feed-forward.
        max_sequence_length: int, number of positions.
        num_segments: int, number of segment types.
        dtype: dtype policy of the computations and weights.

    Inputs: `token_ids`, `segment_ids`, `padding_mask` (1 for real tokens),
    each int, `(B, T)`.

    Outputs: `sequence_output`, `(B, T, D)`, and `pooled_output`, `(B, D)`,
    the tanh of a dense layer on [CLS].

    Raises:
        ValueError: `num_heads` does not divide `hidden_dim`, or there are no
            layers.

    Example:
        >>> import numpy as np
        >>> from tf_distill.models import BertBackbone
        >>> backbone = BertBackbone(
        ...     vocabulary_size=10, num_layers=2, num_heads=2, hidden_dim=8,
        ...     intermediate_dim=16, max_sequence_length=12)
        >>> ids = np.array([[2, 5, 3, 0]])
        >>> inputs = {"token_ids": ids, "segment_ids": 0 * ids,
        ...           "padding_mask": (ids > 0).astype("int32")}
        >>> backbone(inputs)["pooled_output"].shape
        TensorShape([1, 8])

    Reference: Devlin et al. 2019, https://arxiv.org/abs/1810.04805.
    """

    hugging_face = bert.FAMILY
    keras_hub_cls = keras_hub.models.BertBackbone

    def __init__(
        self,
        vocabulary_size,
        num_layers,
        num_heads,
        hidden_dim,
        intermediate_dim,
        activation="gelu",
        dropout=0.1,
        max_sequence_length=512,
        num_segments=2,
        dtype=None,
        **kwargs,
    ):
        # === Layers ===
        check_num_layers(num_layers)
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        self.token_embedding = token_embedding(
            vocabulary_size, hidden_dim, dtype
        )
        self.position_embedding = position_embedding(max_sequence_length, dtype)
        self.segment_embedding = segment_embedding(
            num_segments, hidden_dim, dtype
        )
        self.embeddings_layer_norm = keras.layers.LayerNormalization(
            epsilon=1e-12,
            dtype=embedding_dtype(dtype),
            name="embeddings_layer_norm",
        )
        self.embeddings_dropout = keras.layers.Dropout(
            dropout, dtype=dtype, name="embeddings"
        )
        self.blocks = [
            encoder_block(
                hidden_dim,
                num_heads,
                intermediate_dim,
                activation=activation_named(activation),
                dropout=dropout,
                dtype=dtype,
                name=f"block_{index}",
            )
            for index in range(num_layers)
        ]
        self.pooler = keras.layers.Dense(
            hidden_dim,
            activation="tanh",
            kernel_initializer=initializer,
            dtype=dtype,
            name="pooler",
        )

        # === Functional Model ===
        token_ids = keras.Input((None,), dtype="int32", name="token_ids")
        segment_ids = keras.Input((None,), dtype="int32", name="segment_ids")
        padding_mask = keras.Input((None,), dtype="int32", name="padding_mask")
        tokens = self.token_embedding(token_ids)
        x = add_embeddings(
            [
                tokens,
                self.position_embedding(tokens),
                self.segment_embedding(segment_ids),
            ],
            dtype,
        )
        x = self.embeddings_dropout(self.embeddings_layer_norm(x))
        for block in self.blocks:
            x = block([x, padding_mask])
        super().__init__(
            inputs={
                "token_ids": token_ids,
                "segment_ids": segment_ids,
                "padding_mask": padding_mask,
            },
            outputs={
                "sequence_output": x,
                "pooled_output": self.pooler(x[:, 0, :]),
            },
            dtype=dtype,
            **kwargs,
        )

        # === Config ===
        self.vocabulary_size = vocabulary_size
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.activation = activation
        self.dropout = dropout
        self.max_sequence_length = max_sequence_length
        self.num_segments = num_segments

    def get_config(self):
        config = super().get_config()
        config.update(
            vocabulary_size=self.vocabulary_size,
            num_layers=self.num_layers,
            num_heads=self.num_heads,
            hidden_dim=self.hidden_dim,
            intermediate_dim=self.intermediate_dim,
            activation=self.activation,
            dropout=self.dropout,
            max_sequence_length=self.max_sequence_length,
            num_segments=self.num_segments,
        )
        return config
