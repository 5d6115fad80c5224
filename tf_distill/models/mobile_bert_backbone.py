"""MobileBERT's encoder, and its teacher's, IB-BERT.

Letters: B batch, T tokens, E width of an embedding, D hidden width.
"""

import keras

from tf_distill.checkpoints import mobile_bert
from tf_distill.layers import Dense, TrigramEmbedding, mobile_bert_block
from tf_distill.layers.mobile_bert_block import normalize
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
class MobileBertBackbone(Encoder):
    """MobileBERT's encoder: deep, narrow, and as wide outside as IB-BERT.

    Trigrams of narrow embeddings are projected to the hidden width; each
    block goes through a bottleneck and back. IB-BERT is the same with a
    bottleneck that is wider than the hidden states, so that both have hidden
    states of one width and as many attention heads, layer by layer.

    The named architectures are the released configuration, the paper's
    table 1, MobileBERT_TINY, the one without operational optimizations, and
    IB-BERT_LARGE (`tf_distill.models.ARCHITECTURES`).

    Padded keys are masked as Hugging Face does, by adding to their scores,
    so that padding has no weight and its checkpoints give its numbers. The
    first published code replaces the scores instead, with -6, for the sake of
    int8: `mask_rule="replace", mask_value=-6.0`. Weights fit both.

    Args:
        vocabulary_size: int, number of word pieces.
        num_layers: int, number of encoder blocks.
        num_heads: int, attention heads a block; must divide `bottleneck_dim`.
        hidden_dim: int, D.
        intermediate_dim: int, width inside the feed-forward networks.
        bottleneck_dim: int, width of attention and between the networks.
        embedding_dim: int, E.
        num_feed_forward, attention_input, normalization: see
            `tf_distill.layers.mobile_bert_block`. The embeddings are
            normalized alike.
        activation: of the feed-forward networks; see `BertBackbone`.
        dropout: float, after the embeddings and each block's last layer.
        attention_dropout: float, on the attention distributions.
        mask_value, mask_rule: see `tf_distill.layers.AttentionScores`.
        max_sequence_length: int, number of positions.
        num_segments: int, number of segment types.
        dtype: dtype policy of the computations and weights. The hidden states
            of trained weights exceed what float16 can hold.

    Inputs: `token_ids`, `segment_ids`, `padding_mask` (1 for real tokens),
    each int, `(B, T)`.

    Outputs: the last hidden states, `(B, T, D)`. There is no pooler.

    Raises:
        ValueError: `num_heads` does not divide `bottleneck_dim`, there are no
            layers, or an argument has no such option.

    Example:
        >>> from tf_distill.models import MobileBertBackbone
        >>> backbone = MobileBertBackbone.from_preset(
        ...     "mobile_bert_24l_512d", load_weights=False,
        ...     vocabulary_size=100, num_layers=2)
        >>> backbone.output_shape
        (None, None, 512)

    Reference: Sun et al. 2020, https://arxiv.org/abs/2004.02984.
    """

    hugging_face = mobile_bert.FAMILY

    def __init__(
        self,
        vocabulary_size,
        num_layers,
        num_heads,
        hidden_dim,
        intermediate_dim,
        bottleneck_dim,
        embedding_dim=128,
        num_feed_forward=4,
        attention_input="shared_bottleneck",
        normalization="no_norm",
        activation="relu",
        dropout=0.0,
        attention_dropout=0.1,
        mask_value=-10000.0,
        mask_rule="add",
        max_sequence_length=512,
        num_segments=2,
        dtype=None,
        **kwargs,
    ):
        # === Layers ===
        check_num_layers(num_layers)
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        self.token_embedding = token_embedding(
            vocabulary_size, embedding_dim, dtype
        )
        self.trigram = TrigramEmbedding(
            dtype=embedding_dtype(dtype), name="trigram"
        )
        self.embedding_projection = Dense(
            hidden_dim,
            kernel_initializer=initializer,
            dtype=dtype,
            name="embedding_projection",
        )
        self.position_embedding = position_embedding(max_sequence_length, dtype)
        self.segment_embedding = segment_embedding(
            num_segments, hidden_dim, dtype
        )
        self.embeddings_norm = normalize(
            normalization, embedding_dtype(dtype), "embeddings_norm"
        )
        self.embeddings_dropout = keras.layers.Dropout(
            dropout, dtype=dtype, name="embeddings"
        )
        self.blocks = [
            mobile_bert_block(
                hidden_dim,
                bottleneck_dim,
                num_heads,
                intermediate_dim,
                num_feed_forward=num_feed_forward,
                attention_input=attention_input,
                normalization=normalization,
                activation=activation_named(activation),
                dropout=dropout,
                attention_dropout=attention_dropout,
                mask_value=mask_value,
                mask_rule=mask_rule,
                dtype=dtype,
                name=f"block_{index}",
            )
            for index in range(num_layers)
        ]

        # === Functional Model ===
        token_ids = keras.Input((None,), dtype="int32", name="token_ids")
        segment_ids = keras.Input((None,), dtype="int32", name="segment_ids")
        padding_mask = keras.Input((None,), dtype="int32", name="padding_mask")
        tokens = self.trigram(self.token_embedding(token_ids))
        tokens = self.embedding_projection(tokens)
        x = add_embeddings(
            [
                tokens,
                self.position_embedding(tokens),
                self.segment_embedding(segment_ids),
            ],
            dtype,
        )
        x = self.embeddings_dropout(self.embeddings_norm(x))
        for block in self.blocks:
            x = block([x, padding_mask])
        super().__init__(
            inputs={
                "token_ids": token_ids,
                "segment_ids": segment_ids,
                "padding_mask": padding_mask,
            },
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
        self.bottleneck_dim = bottleneck_dim
        self.embedding_dim = embedding_dim
        self.num_feed_forward = num_feed_forward
        self.attention_input = attention_input
        self.normalization = normalization
        self.activation = activation
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.mask_value = mask_value
        self.mask_rule = mask_rule
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
            bottleneck_dim=self.bottleneck_dim,
            embedding_dim=self.embedding_dim,
            num_feed_forward=self.num_feed_forward,
            attention_input=self.attention_input,
            normalization=self.normalization,
            activation=self.activation,
            dropout=self.dropout,
            attention_dropout=self.attention_dropout,
            mask_value=self.mask_value,
            mask_rule=self.mask_rule,
            max_sequence_length=self.max_sequence_length,
            num_segments=self.num_segments,
        )
        return config
