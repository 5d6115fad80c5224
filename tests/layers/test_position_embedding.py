import keras
import numpy as np
import pytest
import tiny

from tf_distill.layers import PositionEmbedding

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")


def embedding(**kwargs):
    layer = PositionEmbedding(5, **kwargs)
    layer.build((None, None, 4))
    return tiny.randomize(layer)


def test_a_row_of_the_table_for_each_position():
    ours = embedding()
    (table,) = tiny.weights_of(ours)
    assert table.shape == (5, 4)
    for length in (1, 3, 5):
        x = np.zeros((2, length, 4), "float32")
        np.testing.assert_array_equal(ours(x), [table[:length]] * 2)


def test_only_the_shape_of_the_input_counts():
    ours = embedding()
    np.testing.assert_array_equal(ours(X), ours(np.full_like(X, np.nan)))


def test_more_tokens_than_positions():
    message = "of 6 tokens is longer than the 5 positions.*`max_sequence_len"
    with pytest.raises(ValueError, match=message):
        embedding()(np.zeros((2, 6, 4), "float32"))
    # A length that is not known yet may still turn out to fit.
    assert embedding()(keras.Input((None, 4))).shape == (None, None, 4)


def test_half_precision_of_the_same_table():
    found = embedding(dtype="mixed_bfloat16")(X)
    rounded = keras.ops.cast(embedding()(X), "bfloat16")
    assert found.dtype == "bfloat16"
    np.testing.assert_array_equal(
        *(keras.ops.cast(x, "float32") for x in (found, rounded))
    )
