"""BERT's encoder block: attention and feed-forward, each then normalised.

Letters: B batch, T tokens, D hidden width.
"""

import keras

from tf_distill.layers.dense import Dense
from tf_distill.layers.dot_product_attention import DotProductAttention


def encoder_block(
    hidden_dim,
    num_heads,
    intermediate_dim,
    *,
    activation="gelu",
    dropout=0.1,
    dtype=None,
    name=None,
):
    """Builds one post-norm encoder block as a functional model.

    A functional model, not a layer with a `call` of its own: its queries,
    keys and values stay tensors of the graph, so that a distillation loss can
    tap them without running the block twice.

    Args:
        hidden_dim: int, D.
        num_heads: int, must divide D.
        intermediate_dim: int, width of the feed-forward layer.
        activation: of the feed-forward layer, name or callable.
        dropout: float, after attention, after its output and after the
            feed-forward layer.
        dtype: the layers' dtype policy.
        name: of the model.

    Returns:
        `keras.Model` from `[hidden_states (B, T, D), padding_mask (B, T)]` to
        the next hidden states, `(B, T, D)`.

    Raises:
        ValueError: `num_heads` does not divide `hidden_dim`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.layers import encoder_block
        >>> block = encoder_block(8, num_heads=2, intermediate_dim=16)
        >>> block([np.ones((1, 3, 8), "float32"), np.ones((1, 3))]).shape
        TensorShape([1, 3, 8])

    Reference: Devlin et al. 2019, section 3; Vaswani et al. 2017, figure 1.
    """

    def dense(width, name, activation=None):
        return Dense(
            width,
            activation=activation,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=dtype,
            name=name,
        )

    def add_and_norm(x, residual, name):
        x = keras.layers.Dropout(dropout, dtype=dtype, name=f"{name}_dropout")(
            x
        )
        x = keras.layers.Add(dtype=dtype, name=f"{name}_add")([x, residual])
        return keras.layers.LayerNormalization(
            epsilon=1e-12, dtype=dtype, name=f"{name}_layer_norm"
        )(x)

    compute_dtype = keras.dtype_policies.get(dtype).compute_dtype
    inputs = keras.Input(
        (None, hidden_dim), dtype=compute_dtype, name="hidden_states"
    )
    padding_mask = keras.Input((None,), dtype="int32", name="padding_mask")
    # Else the paths of one block's variables would be those of the next one's.
    with keras.name_scope(name or "encoder_block"):
        context = DotProductAttention(
            num_heads, dropout=dropout, dtype=dtype, name="attention"
        )(
            dense(hidden_dim, "query")(inputs),
            dense(hidden_dim, "key")(inputs),
            dense(hidden_dim, "value")(inputs),
            padding_mask=padding_mask,
        )
        x = dense(hidden_dim, "attention_output")(context)
        attended = add_and_norm(x, inputs, "attention_output")
        x = dense(intermediate_dim, "intermediate", activation)(attended)
        x = dense(hidden_dim, "output")(x)
        outputs = add_and_norm(x, attended, "output")
    return keras.Model([inputs, padding_mask], outputs, name=name)
