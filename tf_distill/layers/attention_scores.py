"""Scaled, masked attention scores, before the softmax.

Letters: B batch, T query tokens, S key tokens, H heads, d width of a head,
D = H * d.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tf_distill")
class AttentionScores(keras.layers.Layer):
    """Scores of projected queries against projected keys, one map a head.

    `scores = query · key / sqrt(d) + (1 - padding_mask) * mask_value`. The
    mask is added, as BERT does, rather than written over the score, so that a
    row which is all padding still has a finite softmax. The result is float32
    whatever the dtype of the projections: the softmax and TinyBERT's loss on
    it (eq. 7) lose too much in half precision.

    Args:
        num_heads: int, H. Must divide the width of query and key.
        mask_value: float, what is added to the scores of padded keys.

    Call arguments:
        query: float, `(B, T, D)`.
        key: float, `(B, S, D)`.
        padding_mask: int or bool, `(B, S)`, 1 for real tokens, or None.

    Returns:
        float32, `(B, H, T, S)`.

    Raises:
        ValueError: `num_heads` does not divide D.

    Example:
        >>> import numpy as np
        >>> from tf_distill.layers import AttentionScores
        >>> query = np.ones((1, 2, 4), "float32")
        >>> mask = np.array([[1, 0]])
        >>> AttentionScores(num_heads=1)(query, query, mask).shape
        TensorShape([1, 1, 2, 2])

    Reference: Vaswani et al. 2017, eq. 1; Jiao et al. 2020, eq. 7.
    """

    def __init__(self, num_heads, mask_value=-10000.0, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.mask_value = mask_value

    def build(self, query_shape, key_shape=None, padding_mask_shape=None):
        if query_shape[-1] % self.num_heads:
            raise ValueError(
                f"{self.num_heads} heads cannot share a width of "
                f"{query_shape[-1]}: choose a `num_heads` that divides it."
            )

    def call(self, query, key, padding_mask=None):
        scale = (query.shape[-1] // self.num_heads) ** -0.5
        query = split_heads(query * scale, self.num_heads)  # (B, H, T, d)
        key = split_heads(key, self.num_heads)  # (B, H, S, d)
        scores = ops.matmul(query, ops.swapaxes(key, -1, -2))  # (B, H, T, S)
        scores = ops.cast(scores, "float32")
        if padding_mask is None:
            return scores
        padding = 1.0 - ops.cast(padding_mask, "float32")  # (B, S)
        # LiteRT has no slice with new axes: these are inserted by name.
        return scores + ops.expand_dims(padding, (1, 2)) * self.mask_value

    def get_config(self):
        config = super().get_config()
        config.update(num_heads=self.num_heads, mask_value=self.mask_value)
        return config


def split_heads(x, num_heads):
    """`(B, T, D)` to `(B, H, T, d)`."""
    shape = ops.shape(x)
    head_dim = x.shape[-1] // num_heads
    x = ops.reshape(x, (shape[0], shape[1], num_heads, head_dim))
    return ops.transpose(x, (0, 2, 1, 3))


def merge_heads(x):
    """`(B, H, T, d)` to `(B, T, D)`."""
    shape = ops.shape(x)
    x = ops.transpose(x, (0, 2, 1, 3))  # (B, T, H, d)
    return ops.reshape(x, (shape[0], shape[2], x.shape[2] * x.shape[3]))
