"""MobileBERT's stand-in for layer normalization."""

import keras


@keras.saving.register_keras_serializable(package="tf_distill")
class NoNorm(keras.layers.Layer):
    """Scales and shifts each channel, `x * gamma + beta`, without statistics.

    Layer normalization takes long where matrices are small. This has as many
    weights, begins as the identity, and does not bound its output: the hidden
    states of a trained MobileBERT are too large for float16, so use bfloat16.

    Call arguments:
        x: float, `(..., D)`.

    Returns:
        The shape and dtype of x.

    Example:
        >>> import numpy as np
        >>> from tf_distill.layers import NoNorm
        >>> NoNorm()(np.array([[3.0, 4.0]])).numpy().tolist()
        [[3.0, 4.0]]

    Reference: Sun et al. 2020, "Operational optimizations".
    """

    def build(self, input_shape):
        self.gamma = self.add_weight(
            shape=input_shape[-1:], initializer="ones", name="gamma"
        )
        self.beta = self.add_weight(
            shape=input_shape[-1:], initializer="zeros", name="beta"
        )

    def call(self, x):
        return x * self.gamma + self.beta

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        # Keras makes no config up where `dtype` is a policy, as it is in a
        # model that was read from a file.
        return super().get_config()
