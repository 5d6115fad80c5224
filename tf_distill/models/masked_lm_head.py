"""The layers that guess masked tokens from hidden states.

Letters: B batch, T tokens, P masked positions, D hidden width, E width of an
embedding, V words.
"""

import keras
from keras import ops

from tf_distill.layers import Dense


def masked_lm_logits(
    hidden_states, mask_positions, token_embedding, activation, dtype
):
    """Logits over the vocabulary at some positions only.

    A dense layer with an activation, a layer normalization (also in
    MobileBERT, whose blocks have none) and the embeddings themselves. The
    positions are picked first: to score 30,522 words at all of 128 positions
    takes as long as several encoder blocks.

    Args:
        hidden_states: symbolic, `(B, T, D)`.
        mask_positions: symbolic int, `(B, P)`.
        token_embedding: the encoder's `keras.layers.ReversibleEmbedding`.
        activation: of the dense layer, name or callable.
        dtype: dtype policy of the dense layer and the normalization.

    Returns:
        Logits in the dtype of the weights, `(B, P, V)`.
    """
    x = TokensAt(dtype=dtype, name="masked_tokens")(
        hidden_states, mask_positions
    )
    x = Dense(
        x.shape[-1],
        activation=activation,
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        dtype=dtype,
        name="masked_lm_dense",
    )(x)
    x = keras.layers.LayerNormalization(
        epsilon=1e-12, dtype=dtype, name="masked_lm_layer_norm"
    )(x)
    # A softmax over a vocabulary in half precision would be worth little.
    return TiedLogits(
        token_embedding,
        dtype=keras.dtype_policies.get(dtype).variable_dtype,
        name="masked_lm",
    )(x)


@keras.saving.register_keras_serializable(package="tf_distill")
class TokensAt(keras.layers.Layer):
    """Picks tokens of each row by position.

    Call arguments:
        x: float, `(B, T, D)`.
        positions: int, `(B, P)`, each below T; may repeat.

    Returns:
        `(B, P, D)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.models.masked_lm_head import TokensAt
        >>> x = np.array([[[5.0], [6.0], [7.0]]])
        >>> TokensAt()(x, np.array([[2, 0]])).numpy().tolist()
        [[[7.0], [5.0]]]
    """

    def call(self, x, positions):
        return ops.take_along_axis(x, ops.expand_dims(positions, -1), axis=1)

    def compute_output_shape(self, x_shape, positions_shape):
        return (*positions_shape, x_shape[-1])

    def get_config(self):
        # Keras makes no config up where `dtype` is a policy, as it is in a
        # model that was read from a file.
        return super().get_config()


class TiedLogits(keras.layers.Layer):
    """Scores every word by its embedding: `x · Wᵀ + bias`.

    W is the embedding table itself, `(V, E)`. Where x is wider, as in
    MobileBERT, W has D - E further columns that are this layer's own.

    Args:
        token_embedding: `keras.layers.ReversibleEmbedding` of V words.

    Call arguments:
        x: float, `(..., D)`.

    Returns:
        `(..., V)`.

    Raises:
        ValueError: D is less than E.

    Reference: Sun et al. 2020, and its published code.
    """

    def __init__(self, token_embedding, **kwargs):
        super().__init__(**kwargs)
        self.token_embedding = token_embedding

    def build(self, x_shape):
        words = self.token_embedding.input_dim
        more = x_shape[-1] - self.token_embedding.output_dim
        if more < 0:
            raise ValueError(
                f"A hidden width of {x_shape[-1]} cannot be scored by "
                f"embeddings of width {self.token_embedding.output_dim}: "
                "choose an `embedding_dim` that is at most `hidden_dim`."
            )
        self.bias = self.add_weight(
            shape=(words,), initializer="zeros", name="bias"
        )
        self.kernel = None
        if more:
            self.kernel = self.add_weight(
                shape=(more, words),
                initializer=keras.initializers.TruncatedNormal(stddev=0.02),
                name="kernel",
            )

    def call(self, x):
        width = self.token_embedding.output_dim
        logits = self.token_embedding(x[..., :width], reverse=True)
        if self.kernel is not None:
            logits += ops.matmul(x[..., width:], self.kernel)
        return logits + self.bias

    def compute_output_shape(self, x_shape):
        return (*x_shape[:-1], self.token_embedding.input_dim)

    def get_config(self):
        # Any config would bring a table of its own, equal to the encoder's
        # until one of the two is trained.
        raise NotImplementedError(
            "The words of a masked LM are scored by its encoder's embeddings, "
            "so that this layer cannot be copied or saved by itself, nor by "
            "`keras.models.clone_model`: copy the whole task, "
            "`type(task).from_config(task.get_config())`, and set its weights."
        )
