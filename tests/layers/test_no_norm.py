import keras
import numpy as np
import pytest
import tiny

from tf_distill.layers import NoNorm, TrigramEmbedding
from tf_distill.models.masked_lm_head import TokensAt

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


def test_half_precision():
    layer = no_norm(dtype="mixed_bfloat16")
    found = layer(X)
    assert found.dtype == "bfloat16"
    assert layer.gamma.dtype == "float32"
    np.testing.assert_allclose(
        keras.ops.cast(found, "float32"), no_norm()(X), rtol=0.02, atol=0.02
    )


def test_round_trip_through_a_file(tmp_path):
    inputs = keras.Input((None, 4))
    model = tiny.randomize(keras.Model(inputs, NoNorm(name="norm")(inputs)))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(X), model(X))


@pytest.mark.parametrize("cls", [NoNorm, TrigramEmbedding, TokensAt])
def test_a_config_where_the_dtype_is_a_policy(cls):
    # As in a model that was read from a file: Keras itself makes up a config
    # of strings and numbers only.
    policy = keras.DTypePolicy("mixed_bfloat16")
    again = cls.from_config(cls(dtype=policy, name="mine").get_config())
    assert (again.dtype_policy, again.name) == (policy, "mine")
