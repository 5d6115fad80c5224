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


@pytest.fixture
def half_floatx():
    keras.config.set_floatx("bfloat16")
    yield
    keras.config.set_floatx("float32")


def test_float32_whatever_keras_computes_in(half_floatx):
    # In half precision a word beyond the 256th becomes another.
    loss = losses.MaskedLMCrossEntropy()
    logits = np.zeros((1, 1, 300), "float32")
    logits[..., 299] = 3.0
    found = loss(np.array([[299]]), logits)
    assert found.dtype == "float32"
    expected = np.log(299 + np.exp(3.0)) - 3.0
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(3, 3), (3, 4)])
def test_a_weight_a_token_is_refused(shape):
    # As KerasHub's preprocessors give for masked words; of as many words as
    # examples Keras would multiply each with the wrong one.
    loss = losses.MaskedLMCrossEntropy()
    labels = np.zeros(shape, "int32")
    with pytest.raises(ValueError, match="one number an example.*labels of -1"):
        loss(labels, np.zeros((*shape, 5)), sample_weight=np.ones(shape))


@pytest.mark.parametrize("length", [2, 4])
def test_keras_masks_are_not_laid_on_examples(length):
    # `mask_zero` leaves a (B, T) mask on all that follows.
    ids = np.arange(2 * length).reshape(2, length) % 5
    x = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(5, 4, mask_zero=True)(x)
    model = keras.Model(x, keras.layers.Dense(5)(embedded))
    model.compile(loss=losses.MaskedLMCrossEntropy(), run_eagerly=True)
    labels = np.where(ids, ids, -100)
    found = model.test_on_batch(ids, labels)
    expected = losses.MaskedLMCrossEntropy()(labels, np.array(model(ids)))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
