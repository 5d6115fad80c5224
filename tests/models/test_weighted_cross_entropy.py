import heads
import keras
import numpy as np
import pytest
from on_backend import IS_JAX
from tiny import log_softmax

from tf_distill.models.weighted_cross_entropy import (
    CountedAccuracy,
    WeightedCrossEntropy,
)

# B, T and C are equal: a weight along the wrong axis has a shape that fits.
LOGITS = np.random.default_rng(0).normal(0, 2, (3, 3, 3))
LABELS = np.array([[0, 2, 1], [1, 1, 0], [2, 0, 0]])
EACH = -np.take_along_axis(log_softmax(LOGITS), LABELS[..., None], -1)[..., 0]


def test_each_weight_meets_its_own_label():
    loss = WeightedCrossEntropy()
    for row, position in np.ndindex(3, 3):
        weights = np.zeros((3, 3))
        weights[row, position] = 0.5
        np.testing.assert_allclose(
            loss(LABELS, LOGITS, sample_weight=weights),
            EACH[row, position],
            rtol=1e-5,
        )
    weights = np.array([[1, 2, 0], [0, 0, 0], [3, 0, 0.5]])
    np.testing.assert_allclose(
        loss(LABELS, LOGITS, sample_weight=weights),
        (EACH * weights).sum() / weights.sum(),
        rtol=1e-5,
    )
    np.testing.assert_allclose(loss(LABELS, LOGITS), EACH.mean(), rtol=1e-5)
    assert loss(LABELS, LOGITS, sample_weight=0 * weights) == 0


def test_a_column_weighs_whole_rows():
    for row in range(3):
        found = WeightedCrossEntropy()(
            LABELS, LOGITS, sample_weight=np.eye(3)[:, row : row + 1]
        )
        np.testing.assert_allclose(found, EACH[row].mean(), rtol=1e-5)


@pytest.mark.parametrize("shape", [(3,), (2,), (), (3, 2), (3, 3, 1)])
def test_a_weight_that_is_not_one_a_label(shape):
    with pytest.raises(ValueError, match=r"a label, \(3, 3\).*weight\[:, None"):
        WeightedCrossEntropy()(LABELS, LOGITS, sample_weight=np.ones(shape))


@pytest.mark.parametrize("dtype", ["bool", "int32", "int64", "float64"])
def test_the_accuracy_takes_weights_as_keras_does(dtype):
    """Of any dtype, one a label or one a row; not along T where B is T."""
    labels = np.where(np.eye(3), -100, LABELS)
    right = LOGITS.argmax(-1) == labels
    for weights in ([[1, 0, 1]] * 3, [[1], [0], [1]], [1, 0, 1]):
        weights = np.array(weights, dtype)
        accuracy = CountedAccuracy()
        given = keras.ops.convert_to_tensor(weights)
        accuracy.update_state(labels, LOGITS, given)
        if weights.ndim == 1:
            weights = weights[:, None]
        counted = (labels >= 0) * weights
        expected = (right * counted).sum() / counted.sum()
        np.testing.assert_allclose(accuracy.result(), expected, rtol=1e-6)


def test_the_accuracy_does_not_depend_on_how_far_batches_are_padded():
    found = []
    for width in (3, 9):
        accuracy = CountedAccuracy()
        accuracy.update_state(LABELS, LOGITS)
        padding = ((0, 0), (0, width - 3))
        accuracy.update_state(
            np.pad(LABELS[::-1], padding, constant_values=-100),
            np.pad(LOGITS, (*padding, (0, 0))),
        )
        found.append(float(accuracy.result()))
    predicted = LOGITS.argmax(-1)
    right = (predicted == LABELS).sum() + (predicted == LABELS[::-1]).sum()
    assert right % 2  # so that the two batches differ
    np.testing.assert_allclose(found, [right / 18] * 2, rtol=1e-6)


def test_one_label_a_row():
    # Next sentence: B and C are equal, or B and the masked words P.
    logits, labels = LOGITS[:, 0], LABELS[:, 0]
    for row in range(3):
        for shape in ((3,), (3, 1)):
            found = WeightedCrossEntropy()(
                labels, logits, sample_weight=np.eye(3)[row].reshape(shape)
            )
            np.testing.assert_allclose(found, EACH[row, 0], rtol=1e-5)
    with pytest.raises(ValueError, match=r"a label, \(3,\), but.*\(3, 3\)"):
        WeightedCrossEntropy()(labels, logits, sample_weight=np.ones((3, 3)))


@pytest.mark.parametrize(
    ("case", "weighed"),
    [
        ("BertTokenClassifier", {"sample_weight": np.ones(3)}),
        ("BertTokenClassifier", {"class_weight": {0: 2.0, 1: 1.0}}),
        ("BertMaskedLM", {"sample_weight": np.ones(3)}),
        # Keras gives it to both outputs.
        ("BertPreTraining", {"sample_weight": np.ones(3)}),
    ],
)
def test_tasks_refuse_a_weight_a_row(case, weighed):
    ours = heads.task(case)
    inputs = heads.batch(ours, (2, 3, 1))  # B, T and P are equal
    labels = np.zeros((3, 3), "int32")
    if case == "BertPreTraining":
        labels = {"masked_lm": labels, "next_sentence": labels[0]}
    ours.compile(run_eagerly=not IS_JAX)
    with pytest.raises(ValueError, match="must be one number a label"):
        ours.fit(inputs, labels, verbose=0, **weighed)


def test_words_are_not_rounded_in_half_precision():
    keras.config.set_floatx("bfloat16")
    try:
        loss = WeightedCrossEntropy()
    finally:
        keras.config.set_floatx("float32")
    # A word beyond the 256th would become another.
    logits = np.zeros((1, 1, 300), "float32")
    logits[..., 299] = 3.0
    expected = np.log(299 + np.exp(3.0)) - 3.0
    np.testing.assert_allclose(
        loss(np.array([[299]]), logits), expected, rtol=1e-5
    )


def test_round_trip_through_its_config():
    loss = WeightedCrossEntropy(reduction="sum", name="mine")
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is WeightedCrossEntropy
    assert again.get_config() == loss.get_config()
    np.testing.assert_allclose(again(LABELS, LOGITS), EACH.sum(), rtol=1e-5)
