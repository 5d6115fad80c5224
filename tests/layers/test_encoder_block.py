import keras
import numpy as np
import pytest
import tiny

from tf_distill.layers import encoder_block

X = np.random.default_rng(0).normal(size=(3, 5, 8)).astype("float32")
MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]])


def block(**changes):
    arguments = {"num_heads": 2, "intermediate_dim": 16, "dropout": 0.0}
    return tiny.randomize(encoder_block(8, **{**arguments, **changes}))


def test_against_numpy():
    ours = block(activation="relu")

    def dense(x, name):
        layer = ours.get_layer(name)
        return x @ layer.kernel.numpy() + layer.bias.numpy()

    def norm(x, name):
        layer = ours.get_layer(name)
        x = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)
        return x * layer.gamma.numpy() + layer.beta.numpy()

    _, context = tiny.attention(
        *(dense(X, name) for name in ("query", "key", "value")), MASK, 2
    )
    attended = norm(
        X + dense(context, "attention_output"), "attention_output_layer_norm"
    )
    inner = np.maximum(dense(attended, "intermediate"), 0)
    expected = norm(attended + dense(inner, "output"), "output_layer_norm")
    np.testing.assert_allclose(ours([X, MASK]), expected, atol=1e-5)


def test_a_row_that_is_all_padding_is_finite():
    assert np.isfinite(block()([X, 0 * MASK])).all()


def test_dropout_in_three_places():
    layers = block(dropout=0.25)._flatten_layers()
    rates = [x.rate for x in layers if isinstance(x, keras.layers.Dropout)]
    assert rates == [0.25] * 3


def test_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="3 heads cannot share a width of 8"):
        block(num_heads=3)
