import keras
import numpy as np

from tf_distill.layers import TrigramEmbedding

X = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")


def by_hand(x):
    rows = []
    for row in x:
        zero = np.zeros_like(row[0])
        padded = [zero, *row, zero]
        rows.append(
            [
                np.concatenate([padded[t + 1], padded[t], padded[t - 1]])
                for t in range(1, len(row) + 1)
            ]
        )
    return np.array(rows)


def test_next_own_previous_a_token_at_a_time():
    np.testing.assert_array_equal(TrigramEmbedding()(X), by_hand(X))


def test_a_single_token():
    np.testing.assert_array_equal(
        TrigramEmbedding()(X[:, :1]), by_hand(X[:, :1])
    )


def test_with_a_dense_layer_it_is_a_convolution_of_width_3():
    kernel = np.random.default_rng(1).normal(size=(9, 5)).astype("float32")
    following, own, previous = np.split(kernel, 3)
    filters = np.stack([previous, own, following])  # as the kernel slides
    expected = keras.ops.conv(X, filters, padding="same")
    found = np.asarray(TrigramEmbedding()(X)) @ kernel
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_only_the_first_column_of_padding_is_seen():
    found = [
        TrigramEmbedding()(np.pad(X, ((0, 0), (0, more), (0, 0)), mode="edge"))
        for more in (0, 1, 5)
    ]
    np.testing.assert_array_equal(found[1][:, :4], found[2][:, :4])
    np.testing.assert_array_equal(found[0][:, :3], found[1][:, :3])
    assert not np.array_equal(found[0][:, 3], found[1][:, 3])
