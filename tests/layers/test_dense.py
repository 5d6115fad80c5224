import keras
import numpy as np
import on_backend
import pytest

from tf_distill.layers import Dense

RANDOM = np.random.default_rng(0)


def dense(**kwargs):
    layer = Dense(5, **kwargs)
    layer.build((None, None, 4))
    for weight in layer.weights:
        weight.assign(RANDOM.normal(size=weight.shape))
    return layer


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (2, 1, 3, 4), (0, 3, 4)])
def test_every_row_times_the_kernel(shape):
    layer, x = dense(activation="relu"), RANDOM.normal(size=shape)
    kernel, bias = map(np.asarray, layer.weights)
    expected = np.maximum(np.einsum("...d,du->...u", x, kernel) + bias, 0)
    found = np.asarray(layer(x.astype("float32")))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_shapes_are_known_before_there_are_values():
    outputs = dense()(keras.Input((None, 4), batch_size=2))
    assert outputs.shape == (2, None, 5)


def test_a_mask_is_passed_on():
    table = keras.layers.Embedding(6, 4, mask_zero=True)
    mask = dense()(table(np.array([[1, 2, 0]])))._keras_mask
    np.testing.assert_array_equal(mask, [[True, True, False]])


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_keras_can_quantize_it(mode):
    theirs = keras.layers.Dense(5)
    theirs.build((None, None, 4))
    ours, x = dense(), RANDOM.normal(size=(2, 3, 4)).astype("float32")
    theirs.set_weights(ours.get_weights())
    ours.quantize(mode)
    theirs.quantize(mode)
    assert [w.dtype for w in ours.weights] == [w.dtype for w in theirs.weights]
    np.testing.assert_array_equal(ours(x), theirs(x))


@on_backend.needs_tensorflow
def test_bias_stands_where_tensorflow_fuses_it():
    import tensorflow as tf

    layer = dense(activation="gelu")
    function = tf.function(lambda x: layer(x, training=False))
    graph = function.get_concrete_function(tf.TensorSpec((None, None, 4))).graph
    (product,) = [o for o in graph.get_operations() if o.type == "MatMul"]
    (bias,) = [o for o in graph.get_operations() if o.type == "BiasAdd"]
    # What TensorFlow makes one of: a product that only a vector is added to.
    assert bias.inputs[0].op is product
    assert [o.type for o in product.outputs[0].consumers()] == ["BiasAdd"]
    assert len(bias.outputs[0].shape) == 2
