import keras
import numpy as np
import pytest
import tiny

from tf_distill.layers import AttentionScores
from tf_distill.layers.attention_scores import merge_heads, split_heads


def query_and_key(b=3, t=4, s=5, d=6, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(b, t, d)), generator.normal(size=(b, s, d))


@pytest.mark.parametrize("num_heads", [1, 2, 3, 6])
def test_against_numpy_a_head_at_a_time(num_heads):
    query, key = query_and_key()
    mask = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1], [1, 1, 1, 1, 1]])
    expected, _ = tiny.attention(query, key, key, mask, num_heads)
    found = AttentionScores(num_heads)(
        query.astype("float32"), key.astype("float32"), mask
    )
    assert found.shape == (3, num_heads, 4, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["bool", "int32", "float32"])
def test_a_mask_of_any_dtype(dtype):
    query, key = query_and_key()
    mask = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1], [1, 1, 1, 1, 1]])
    layer = AttentionScores(2)
    np.testing.assert_array_equal(
        layer(query, key, mask.astype(dtype)), layer(query, key, mask)
    )


def test_without_a_mask_all_keys_count():
    query, key = query_and_key()
    layer = AttentionScores(2)
    np.testing.assert_array_equal(
        layer(query, key), layer(query, key, np.ones((3, 5)))
    )


def test_mask_value_is_what_is_added():
    query, key = query_and_key()
    mask = np.zeros((3, 5))
    found = AttentionScores(2, mask_value=-6.0)(query, key, mask)
    open_ = AttentionScores(2)(query, key)
    np.testing.assert_allclose(found, np.asarray(open_) - 6.0, atol=1e-5)


def test_replaced_scores_do_not_depend_on_the_key():
    query, key = query_and_key()
    mask = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1], [0, 0, 0, 0, 0]])
    found = np.asarray(AttentionScores(2, -6.0, "replace")(query, key, mask))
    open_ = np.asarray(AttentionScores(2)(query, key))
    real = np.broadcast_to(mask[:, None, None] > 0, found.shape)
    np.testing.assert_array_equal(found[real], open_[real])
    np.testing.assert_array_equal(found[~real], -6.0)


def test_an_unknown_mask_rule():
    with pytest.raises(ValueError, match="'multiply', but must be 'add' or"):
        AttentionScores(2, mask_rule="multiply")


def test_a_row_s_distribution_does_not_depend_on_its_padding():
    query, key = query_and_key()
    mask = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1], [1, 1, 1, 1, 1]])
    wide = np.pad(key, ((0, 0), (0, 3), (0, 0)), constant_values=9.0)
    wide_mask = np.pad(mask, ((0, 0), (0, 3)))
    for layer, kept in (
        (AttentionScores(2), 0.0),
        (AttentionScores(2, -6.0, "replace"), np.exp(-6.0)),
    ):
        found = np.exp(layer(query, wide, wide_mask))
        np.testing.assert_allclose(
            found[..., :5], np.exp(layer(query, key, mask)), rtol=1e-5
        )
        np.testing.assert_allclose(found[..., 5:], kept, rtol=1e-5)


def test_float16_holds_a_mask_s_value():
    query, key = query_and_key()
    mask = np.array([[1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]])
    found = AttentionScores(2, dtype="mixed_float16")(query, key, mask)
    assert found.dtype == "float32"
    # About 11 bits of a score of size 1, of -10000 all of float32's.
    exact = AttentionScores(2)(query, key, mask)
    np.testing.assert_allclose(found, exact, rtol=1e-6, atol=0.01)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_the_product_is_not_rounded_to_half_precision(policy):
    half = policy.removeprefix("mixed_")
    query, key = (
        keras.ops.convert_to_numpy(
            keras.ops.cast(keras.ops.cast(8.0 * x, half), "float32")
        )
        for x in query_and_key()
    )  # what half precision holds exactly, so that only the product can err
    expected, _ = tiny.attention(query, key, key, np.ones((3, 5)), 2)
    found = AttentionScores(2, dtype=policy)(
        keras.ops.cast(query, half), keras.ops.cast(key, half)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    rounded = keras.ops.cast(keras.ops.cast(found, half), "float32")
    assert not np.allclose(rounded, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("num_heads", [4, 0, -2])
def test_heads_that_do_not_divide(num_heads):
    with pytest.raises(ValueError, match="heads cannot share a width of 6"):
        AttentionScores(num_heads)(*query_and_key())


def test_heads_split_and_merge():
    x = np.arange(24.0).reshape(1, 2, 12)
    heads = split_heads(keras.ops.convert_to_tensor(x), 3)
    np.testing.assert_array_equal(heads[0, 1, 0], x[0, 0, 4:8])
    np.testing.assert_array_equal(merge_heads(heads), x)
