"""DistilBERT's encoder.

Letters: B batch, T tokens, D hidden width.
"""

import keras
import keras_hub

from tf_distill.checkpoints import distil_bert
from tf_distill.layers import encoder_block
from tf_distill.models.activations import activation_named
from tf_distill.models.embeddings import (
    add_embeddings,
    embedding_dtype,
    position_embedding,
    token_embedding,
)
from tf_distill.models.encoder import Encoder, check_num_layers


@keras.saving.register_keras_serializable(package="tf_distill")
class DistilBertBackbone(Encoder):
    """DistilBERT's encoder: BERT's without segments and pooler.

    Computes what `keras_hub.models.DistilBertBackbone` computes, with every
    inner tensor within reach of a loss; see `BertBackbone`. As in KerasHub,
    dropout also follows attention's output, as in BERT; Hugging Face's
    DistilBERT has none there, which is a difference in training only.

    Args:
        vocabulary_size: int, number of word pieces.
        num_layers: int, number of encoder blocks.
        num_heads: int, attention heads a block; must divide `hidden_dim`.
        hidden_dim: int, D.
        intermediate_dim: int, width of the feed-forward layers.
        activation: of the feed-forward layers; see `BertBackbone`.
        dropout: float, in embeddings, attention and feed-forward.
        max_sequence_length: int, number of positions.
        dtype: dtype policy of the computations and weights.

    Inputs: `token_ids` and `padding_mask` (1 for real tokens), int, `(B, T)`.

    Outputs: the last hidden states, `(B, T, D)`.

    Raises:
        ValueError: `num_heads` does not divide `hidden_dim`, or there are no
            layers.

    Example:
        >>> from tf_distill.models import DistilBertBackbone
        >>> backbone = DistilBertBackbone.from_preset(
        ...     "distil_bert_6l_768d", load_weights=False,
        ...     vocabulary_size=100, num_layers=2, hidden_dim=24)
        >>> backbone.output_shape
        (None, None, 24)

    Reference: Sanh et al. 2019, https://arxiv.org/abs/1910.01108.
    """

    hugging_face = distil_bert.FAMILY
    keras_hub_cls = keras_hub.models.DistilBertBackbone

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
        dtype=None,
        **kwargs,
    ):
        # === Layers ===
        check_num_layers(num_layers)
        self.token_embedding = token_embedding(
            vocabulary_size, hidden_dim, dtype
        )
        self.position_embedding = position_embedding(max_sequence_length, dtype)
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

        # === Functional Model ===
        token_ids = keras.Input((None,), dtype="int32", name="token_ids")
        padding_mask = keras.Input((None,), dtype="int32", name="padding_mask")
        tokens = self.token_embedding(token_ids)
        x = add_embeddings([tokens, self.position_embedding(tokens)], dtype)
        x = self.embeddings_dropout(self.embeddings_layer_norm(x))
        for block in self.blocks:
            x = block([x, padding_mask])
        super().__init__(
            inputs={"token_ids": token_ids, "padding_mask": padding_mask},
            outputs=x,
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
        )
        return config
