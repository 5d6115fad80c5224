"""Scaled, masked attention scores, before the softmax.

Letters: B batch, T query tokens, S key tokens, H heads, d width of a head,
D = H * d.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tf_distill")
class AttentionScores(keras.layers.Layer):
    """Scores of projected queries against projected keys, one map a head.

    `query · key / sqrt(d)`, and for padded keys what the mask rule says:

    - `"add"` adds `mask_value`, as BERT's code and all of Hugging Face's do
      (theirs is the least finite number where BERT's is -10000). A row that
      is all padding still has the softmax of its scores.
    - `"replace"` puts `mask_value` in the score's place, as MobileBERT's
      published code does with -6, so that scores keep a range that int8 can
      hold. A padded key then keeps a weight of about exp(-6).

    The result is float32 whatever the dtype of the projections, and its
    product is made in float32 too: the softmax and TinyBERT's loss on it
    (eq. 7) lose too much in half precision.

    Args:
        num_heads: int, H. Must divide the width of query and key.
        mask_value: float, see above.
        mask_rule: `"add"` or `"replace"`.

    Call arguments:
        query: float, `(B, T, D)`.
        key: float, `(B, S, D)`.
        padding_mask: int or bool, `(B, S)`, 1 for real tokens, or None.

    Returns:
        float32, `(B, H, T, S)`.

    Raises:
        ValueError: `num_heads` does not divide D, or there is no such
            `mask_rule`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.layers import AttentionScores
        >>> query = np.ones((1, 2, 4), "float32")
        >>> mask = np.array([[1, 0]])
        >>> AttentionScores(num_heads=1)(query, query, mask).shape
        TensorShape([1, 1, 2, 2])

    Reference: Vaswani et al. 2017, eq. 1; Jiao et al. 2020, eq. 7.
    """

    def __init__(
        self, num_heads, mask_value=-10000.0, mask_rule="add", **kwargs
    ):
        super().__init__(**kwargs)
        if mask_rule not in ("add", "replace"):
            raise ValueError(
                f"`mask_rule` is {mask_rule!r}, but must be 'add' or 'replace'."
            )
        self.num_heads = num_heads
        self.mask_value = mask_value
        self.mask_rule = mask_rule

    def build(self, query_shape, key_shape=None, padding_mask_shape=None):
        if self.num_heads < 1 or query_shape[-1] % self.num_heads:
            raise ValueError(
                f"{self.num_heads} heads cannot share a width of "
                f"{query_shape[-1]}: choose a `num_heads` that divides it."
            )

    def call(self, query, key, padding_mask=None):
        scale = (query.shape[-1] // self.num_heads) ** -0.5
        # A product of half precision's would come back rounded to it.
        query = ops.cast(query, "float32") * scale
        query = split_heads(query, self.num_heads)  # (B, H, T, d)
        key = split_heads(ops.cast(key, "float32"), self.num_heads)
        scores = ops.matmul(query, ops.swapaxes(key, -1, -2))  # (B, H, T, S)
        return self.masked(scores, padding_mask)

    def masked(self, scores, padding_mask):
        """Scores, `(B, H, T, S)`, with the mask rule's of padded keys."""
        if padding_mask is None:
            return scores
        # LiteRT has no slice with new axes: these are inserted by name.
        mask = ops.expand_dims(ops.cast(padding_mask, "float32"), (1, 2))
        if self.mask_rule == "replace":
            scores = scores * mask
        return scores + (1.0 - mask) * self.mask_value

    def get_config(self):
        config = super().get_config()
        config.update(
            num_heads=self.num_heads,
            mask_value=self.mask_value,
            mask_rule=self.mask_rule,
        )
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
