import keras
import numpy as np
import pytest
import tiny

from tf_distill.models.masked_lm_head import TiedLogits, TokensAt

X = np.random.default_rng(0).normal(size=(3, 4, 6)).astype("float32")


def tied(embedding_dim):
    """The scores of 7 words, by a table of its own, with random weights."""
    table = keras.layers.ReversibleEmbedding(7, embedding_dim)
    table.build((None, None))
    layer = TiedLogits(table)
    layer.build((None, None, 6))
    return tiny.randomize(layer)


def test_tokens_a_row_at_a_time():
    positions = np.array([[3, 0, 0], [1, 2, 3], [2, 2, 1]])
    expected = [row[picked] for row, picked in zip(X, positions, strict=True)]
    np.testing.assert_array_equal(TokensAt()(X, positions), expected)


@pytest.mark.parametrize("embedding_dim", [6, 4])
def test_every_word_by_its_embedding(embedding_dim):
    ours = tied(embedding_dim)
    table = ours.token_embedding.embeddings.numpy()
    expected = X[..., :embedding_dim] @ table.T + ours.bias.numpy()
    if embedding_dim < 6:
        expected += X[..., embedding_dim:] @ ours.kernel.numpy()
    np.testing.assert_allclose(ours(X), expected, rtol=1e-5, atol=1e-5)
    # The table is the encoder's: what it learns is scored by at once.
    ours.token_embedding.embeddings.assign(0 * table)
    assert not np.allclose(ours(X), expected, atol=0.1)


@pytest.mark.parametrize("embedding_dim", [6, 4])
def test_what_is_in_half_precision_is_scored_in_float32(embedding_dim):
    half = keras.ops.cast(X, "bfloat16")
    exact = keras.ops.cast(half, "float32")  # bfloat16's, without rounding
    ours = tied(embedding_dim)
    found = ours(half)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, ours(exact), rtol=1e-6, atol=1e-6)
    assert not np.allclose(found, ours(X), rtol=1e-4, atol=1e-4)


def test_a_table_wider_than_what_it_scores():
    with pytest.raises(ValueError, match="width of 6.*embeddings of width 8"):
        tied(8)


def test_it_is_not_saved_by_itself():
    with pytest.raises(NotImplementedError, match="copy the whole task"):
        tied(6).get_config()
