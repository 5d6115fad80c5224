import keras
import numpy as np
import pytest

from tf_distill import losses


@pytest.mark.parametrize("shape", [(5,), (5, 4), (5, 4, 3), (5, 2, 4, 4)])
def test_mean_where_against_loops(shape):
    generator = np.random.default_rng(0)
    values = generator.normal(size=shape)
    where = generator.random(shape) < 0.6
    where[2] = False
    expected = [
        values[i][where[i]].mean() if where[i].any() else 0.0
        for i in range(len(values))
    ]
    found = losses.mean_where(values, where.astype("int32"))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    everything = values.reshape(5, -1).mean(1)
    np.testing.assert_allclose(losses.mean_where(values), everything, atol=1e-6)


def test_a_mask_broadcasts_to_the_values():
    values = np.arange(24.0).reshape(2, 3, 4)
    where = np.array([[[1], [0], [1]], [[0], [1], [0]]])
    expected = [values[0, [0, 2]].mean(), values[1, 1].mean()]
    np.testing.assert_allclose(losses.mean_where(values, where), expected)


def test_padding_that_is_infinite_does_not_count():
    values = np.array([[1.0, np.inf], [np.nan, 3.0]], "float32")
    where = np.array([[1, 0], [0, 1]])
    np.testing.assert_array_equal(losses.mean_where(values, where), [1.0, 3.0])


def test_shapes_that_differ_are_named():
    loss = losses.HiddenMSE()
    with pytest.raises(ValueError, match=r"\(2, 3, 8\).*\(2, 3, 4\).*project"):
        loss(np.zeros((2, 3, 8)), np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="must be equal"):
        loss(np.zeros((2, 3, 8)), np.zeros((2, 8)))
    # A batch that is not known yet may still turn out equal.
    loss.check(keras.KerasTensor((None, 3, 8)), np.zeros((2, 3, 8)))


def test_a_subclass_says_how_to_compare():
    class Nothing(losses.DistillationLoss):
        pass

    with pytest.raises(NotImplementedError, match="Nothing must define"):
        Nothing()(np.zeros((1, 2)), np.zeros((1, 2)))
