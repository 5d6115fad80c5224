"""Gradients and compiled functions on whichever backend Keras runs."""

import keras
import numpy as np
import pytest

# Where a test makes many steps, it had better say `run_eagerly=not IS_JAX` or
# `jit_compile=IS_JAX`: each step that JAX does not compile, it traces anew.
IS_JAX = keras.config.backend() == "jax"

needs_tensorflow = pytest.mark.skipif(
    IS_JAX, reason="about a feature of TensorFlow, run on its own backend"
)


def value_and_gradient(function, x):
    """A scalar function's value at an array, and its gradient.

    On JAX compiled, as a step of training is there.
    """
    x = np.asarray(x, "float32")
    if IS_JAX:
        import jax

        value, gradient = jax.jit(jax.value_and_grad(function))(x)
    else:
        import tensorflow as tf

        variable = tf.Variable(x)
        with tf.GradientTape() as tape:
            value = function(variable)
        gradient = tape.gradient(value, variable)
    return float(value), np.asarray(gradient)


def weight_gradients(model, inputs, function):
    """Gradients of `function(outputs)` for a model's trainable weights."""
    if IS_JAX:
        import jax

        fixed = [v.value for v in model.non_trainable_variables]

        def value(trainable):
            return function(model.stateless_call(trainable, fixed, inputs)[0])

        return jax.grad(value)([v.value for v in model.trainable_variables])
    import tensorflow as tf

    weights = [weight.value for weight in model.trainable_weights]
    with tf.GradientTape() as tape:
        value = function(model(inputs))
    return [
        keras.ops.convert_to_numpy(gradient)
        for gradient in tape.gradient(value, weights)
    ]


def compiled(function):
    """The function as a graph, which sees tensors instead of arrays."""
    if IS_JAX:
        import jax

        return jax.jit(function)
    import tensorflow as tf

    graph = tf.function(function)
    return lambda inputs: graph(
        keras.tree.map_structure(tf.convert_to_tensor, inputs)
    )
