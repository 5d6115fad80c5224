"""A token's embedding beside those of its neighbours.

Letters: B batch, T tokens, E width of an embedding.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tf_distill")
class TrigramEmbedding(keras.layers.Layer):
    """Concatenates each token's embedding with the next and the previous one.

    In this order, which checkpoints depend on: next, own, previous; zeros
    stand beyond the ends of the batch. With the dense layer that follows it in
    MobileBERT this is the paper's convolution of width 3.

    As published, a row's last token sees the embedding of [PAD] where padding
    follows it, and zeros where it ends the batch. So one column of padding
    changes that token's embedding; more columns change nothing further.

    Call arguments:
        x: float, `(B, T, E)`.

    Returns:
        `(B, T, 3 * E)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.layers import TrigramEmbedding
        >>> TrigramEmbedding()(np.array([[[1.0], [2.0]]])).numpy().tolist()
        [[[2.0, 1.0, 0.0], [0.0, 2.0, 1.0]]]

    Reference: Sun et al. 2020, "Embedding factorization".
    """

    def call(self, x):
        following = ops.pad(x[:, 1:], ((0, 0), (0, 1), (0, 0)))
        previous = ops.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0)))
        return ops.concatenate([following, x, previous], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 3 * input_shape[-1])

    def get_config(self):
        # Keras makes no config up where `dtype` is a policy, as it is in a
        # model that was read from a file.
        return super().get_config()
