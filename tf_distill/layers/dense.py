"""A dense layer as one product of two matrices.

Letters: B batch, T tokens, D width of the input.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tf_distill")
class Dense(keras.layers.Dense):
    """Keras' dense layer, over all tokens of a batch as rows of one matrix.

    Given `(B, T, D)` Keras contracts tensors, for which TensorFlow works out
    axes at each step and adds the bias by itself. Of two matrices it makes one
    operation, where no gradient is asked for with bias and activation in it.

    Args, call arguments and weights: those of `keras.layers.Dense`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.layers import Dense
        >>> Dense(5)(np.ones((2, 3, 4), "float32")).shape
        TensorShape([2, 3, 5])
    """

    def call(self, inputs, training=None):
        if len(inputs.shape) == 2:
            return super().call(inputs, training=training)
        rows = ops.reshape(inputs, (-1, inputs.shape[-1]))  # (B T, D)
        x = super().call(rows, training=training)
        return ops.reshape(x, (*ops.shape(inputs)[:-1], self.units))

    def quantize(self, mode=None, type_check=True, config=None):
        # Keras refuses its subclasses, which might compute something else.
        super().quantize(mode, type_check=False, config=config)
