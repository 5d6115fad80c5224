import numpy as np
import pytest
import tiny

from tf_distill.layers import DotProductAttention

QUERY, KEY, VALUE = np.random.default_rng(0).normal(size=(3, 3, 5, 6))
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1], [1, 1, 1, 1, 1]])


@pytest.mark.parametrize("num_heads", [1, 2, 3])
def test_against_numpy(num_heads):
    _, expected = tiny.attention(QUERY, KEY, VALUE, MASK, num_heads)
    found = DotProductAttention(num_heads)(QUERY, KEY, VALUE, MASK)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_padded_keys_and_values_have_no_influence():
    layer = DotProductAttention(2)
    changed = [np.where(MASK[..., None], x, 50.0) for x in (KEY, VALUE)]
    np.testing.assert_array_equal(
        layer(QUERY, *changed, MASK), layer(QUERY, KEY, VALUE, MASK)
    )
    np.testing.assert_allclose(
        layer(QUERY, KEY, VALUE, MASK)[:1],
        layer(QUERY[:1], KEY[:1, :3], VALUE[:1, :3]),
        atol=1e-6,
    )


def test_a_row_that_is_all_padding_is_finite():
    found = DotProductAttention(2)(QUERY, KEY, VALUE, 0 * MASK)
    assert np.isfinite(found).all()


def test_dropout_only_in_training():
    layer = DotProductAttention(2, dropout=0.5)
    without = DotProductAttention(2)(QUERY, KEY, VALUE, MASK)
    args = (QUERY, KEY, VALUE, MASK)
    np.testing.assert_array_equal(layer(*args, training=False), without)
    dropped = layer(*args, training=True)
    assert not np.allclose(dropped, without)
    # Dropout scales what is left: the mean over many draws is unchanged.
    many = [np.concatenate([x[1:2]] * 2000) for x in args]
    draws = np.asarray(layer(*many, training=True))
    np.testing.assert_allclose(draws.mean(0), without[1], atol=0.1)


def test_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="choose a `num_heads` that divides"):
        DotProductAttention(4)(QUERY, KEY, VALUE)
