"""Attention over already projected queries, keys and values.

Letters: B batch, T query tokens, S key tokens, H heads, d width of a head,
D = H * d.
"""

import keras
from keras import ops

from tf_distill.layers.attention_scores import (
    AttentionScores,
    merge_heads,
    split_heads,
)


@keras.saving.register_keras_serializable(package="tf_distill")
class DotProductAttention(keras.layers.Layer):
    """Mixes values by the softmax of the attention scores.

    The projections are layers of their own beside this one, so that queries,
    keys and values are tensors of the model's graph that a loss can reach;
    the scores and distributions are derived from them where one asks.

    Args:
        num_heads: int, H.
        dropout: float, share of the attention distribution that is dropped.
        mask_value, mask_rule: what becomes of the scores of padded keys; see
            `AttentionScores`.

    Call arguments:
        query, key, value: float, `(B, T, D)`, `(B, S, D)`, `(B, S, D)`.
        padding_mask: int or bool, `(B, S)`, 1 for real tokens, or None.

    Returns:
        The context, `(B, T, D)`, in the layer's compute dtype.

    Example:
        >>> import numpy as np
        >>> from tf_distill.layers import DotProductAttention
        >>> x = np.ones((1, 3, 8), "float32")
        >>> DotProductAttention(num_heads=2)(x, x, x).shape
        TensorShape([1, 3, 8])

    Reference: Vaswani et al. 2017, eq. 1.
    """

    def __init__(
        self,
        num_heads,
        dropout=0.0,
        mask_value=-10000.0,
        mask_rule="add",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.mask_value = mask_value
        self.mask_rule = mask_rule
        self.dropout = dropout
        self.scores = AttentionScores(
            num_heads,
            mask_value,
            mask_rule,
            dtype=self.dtype_policy,
            name="scores",
        )
        self.distribution_dropout = keras.layers.Dropout(
            dropout, dtype=self.dtype_policy, name="distribution_dropout"
        )

    def build(
        self, query_shape, key_shape, value_shape, padding_mask_shape=None
    ):
        self.scores.build(query_shape)

    def call(self, query, key, value, padding_mask=None, training=None):
        scores = self.scores(query, key, padding_mask)  # (B, H, T, S) float32
        distribution = ops.cast(ops.softmax(scores), self.compute_dtype)
        distribution = self.distribution_dropout(
            distribution, training=training
        )
        value = split_heads(value, self.num_heads)  # (B, H, S, d)
        return merge_heads(ops.matmul(distribution, value))

    def compute_output_shape(self, query_shape, *_, **__):
        return query_shape

    def get_config(self):
        config = super().get_config()
        config.update(
            num_heads=self.num_heads,
            dropout=self.dropout,
            mask_value=self.mask_value,
            mask_rule=self.mask_rule,
        )
        return config
