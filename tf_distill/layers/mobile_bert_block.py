"""MobileBERT's encoder block: BERT's between two bottlenecks.

Letters: B batch, T tokens, D hidden width, N bottleneck width.
"""

import keras

from tf_distill.layers.dense import Dense
from tf_distill.layers.dot_product_attention import DotProductAttention
from tf_distill.layers.no_norm import NoNorm

ATTENTION_INPUTS = ("shared_bottleneck", "hidden_states", "bottleneck")


def mobile_bert_block(
    hidden_dim,
    bottleneck_dim,
    num_heads,
    intermediate_dim,
    *,
    num_feed_forward=4,
    attention_input="shared_bottleneck",
    normalization="no_norm",
    activation="relu",
    dropout=0.0,
    attention_dropout=0.1,
    mask_value=-10000.0,
    mask_rule="add",
    dtype=None,
    name=None,
):
    """Builds one block of MobileBERT, or of IB-BERT, as a functional model.

    The hidden states, D wide, go through a dense layer to the N-wide
    bottleneck (for IB-BERT, wider than D), through attention and a stack of
    feed-forward networks there, each with a residual, and through another
    dense layer back onto the hidden states.

    Args:
        hidden_dim: int, D.
        bottleneck_dim: int, N, also the width of queries, keys and values.
        num_heads: int, must divide N.
        intermediate_dim: int, width inside each feed-forward network.
        num_feed_forward: int, feed-forward networks in the stack.
        attention_input: what queries, keys and values are made from.
            `"shared_bottleneck"`: values from the hidden states, queries and
            keys from a bottleneck of their own (the released MobileBERT);
            `"hidden_states"`: all from the hidden states (the paper's table 1,
            IB-BERT); `"bottleneck"`: all from the bottleneck (MobileBERT_TINY).
        normalization: `"no_norm"` or `"layer_norm"`.
        activation: of the feed-forward networks, name or callable.
        dropout: float, after the last dense layer only.
        attention_dropout: float, on the attention distribution.
        mask_value, mask_rule: see `tf_distill.layers.AttentionScores`.
        dtype: the layers' dtype policy.
        name: of the model.

    Returns:
        `keras.Model` from `[hidden_states (B, T, D), padding_mask (B, T)]` to
        the next hidden states, `(B, T, D)`.

    Raises:
        ValueError: `num_heads` does not divide `bottleneck_dim`, or there is
            no such `attention_input`, `normalization` or `mask_rule`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.layers import mobile_bert_block
        >>> block = mobile_bert_block(
        ...     8, bottleneck_dim=4, num_heads=2, intermediate_dim=8)
        >>> block([np.ones((1, 3, 8), "float32"), np.ones((1, 3))]).shape
        TensorShape([1, 3, 8])

    Reference: Sun et al. 2020, section 3 and table 1.
    """
    _check_option("attention_input", attention_input, ATTENTION_INPUTS)

    def dense(x, width, name, activation=None):
        return Dense(
            width,
            activation=activation,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=dtype,
            name=name,
        )(x)

    def norm(x, name):
        return normalize(normalization, dtype, f"{name}_norm")(x)

    def add_and_norm(x, residual, name):
        x = keras.layers.Add(dtype=dtype, name=f"{name}_add")([x, residual])
        return norm(x, name)

    compute_dtype = keras.dtype_policies.get(dtype).compute_dtype
    hidden_states = keras.Input(
        (None, hidden_dim), dtype=compute_dtype, name="hidden_states"
    )
    padding_mask = keras.Input((None,), dtype="int32", name="padding_mask")
    # Else the paths of one block's variables would be those of the next one's.
    with keras.name_scope(name or "mobile_bert_block"):
        x = norm(
            dense(hidden_states, bottleneck_dim, "bottleneck"), "bottleneck"
        )
        queried = valued = hidden_states
        if attention_input == "bottleneck":
            queried = valued = x
        elif attention_input == "shared_bottleneck":
            queried = dense(
                hidden_states, bottleneck_dim, "key_query_bottleneck"
            )
            queried = norm(queried, "key_query_bottleneck")
        context = DotProductAttention(
            num_heads,
            attention_dropout,
            mask_value,
            mask_rule,
            dtype=dtype,
            name="attention",
        )(
            dense(queried, bottleneck_dim, "query"),
            dense(queried, bottleneck_dim, "key"),
            dense(valued, bottleneck_dim, "value"),
            padding_mask=padding_mask,
        )
        context = dense(context, bottleneck_dim, "attention_output")
        x = add_and_norm(context, x, "attention_output")
        for index in range(num_feed_forward):
            network = f"feed_forward_{index}"
            inner = dense(x, intermediate_dim, f"{network}_inner", activation)
            inner = dense(inner, bottleneck_dim, f"{network}_output")
            x = add_and_norm(inner, x, f"{network}_output")
        x = dense(x, hidden_dim, "output")
        x = keras.layers.Dropout(dropout, dtype=dtype, name="output_dropout")(x)
        outputs = add_and_norm(x, hidden_states, "output")
    return keras.Model([hidden_states, padding_mask], outputs, name=name)


def normalize(normalization, dtype, name):
    """The layer that `normalization` names, `NoNorm` or layer normalization.

    Example:
        >>> from tf_distill.layers.mobile_bert_block import normalize
        >>> type(normalize("no_norm", None, "norm")).__name__
        'NoNorm'
    """
    _check_option("normalization", normalization, ("no_norm", "layer_norm"))
    if normalization == "no_norm":
        return NoNorm(dtype=dtype, name=name)
    return keras.layers.LayerNormalization(
        epsilon=1e-12, dtype=dtype, name=name
    )


def _check_option(argument, value, known):
    if value not in known:
        raise ValueError(
            f"`{argument}` is {value!r}, but must be one of {', '.join(known)}."
        )
