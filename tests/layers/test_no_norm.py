import keras
import numpy as np

from tf_distill.layers import NoNorm

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")


def no_norm(**kwargs):
    layer = NoNorm(**kwargs)
    layer.build((None, None, 4))
    layer.gamma.assign([1.0, 2.0, 0.0, -1.0])
    layer.beta.assign([0.0, 1.0, 5.0, 0.5])
    return layer


def test_each_channel_is_scaled_and_shifted():
    found = np.asarray(no_norm()(X))
    np.testing.assert_array_equal(found[..., 0], X[..., 0])
    np.testing.assert_array_equal(found[..., 1], 2 * X[..., 1] + 1)
    np.testing.assert_array_equal(found[..., 2], 5.0)
    np.testing.assert_array_equal(found[..., 3], np.float32(0.5) - X[..., 3])


def test_a_new_one_changes_nothing():
    np.testing.assert_array_equal(NoNorm()(X), X)


def test_as_many_weights_as_layer_normalization():
    norm = keras.layers.LayerNormalization()
    norm.build((None, 4))
    assert no_norm().count_params() == norm.count_params() == 8
