import keras
import numpy as np
import pytest
from on_backend import value_and_gradient
from tiny import log_softmax, softmax

from tf_distill import losses

GENERATOR = np.random.default_rng(0)
LOGITS, TEACHER = GENERATOR.normal(0, 2, (2, 3, 4, 7))
LABELS = GENERATOR.integers(0, 7, (3, 4))
WEIGHTS = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]])


def each(labels=LABELS):
    """Of every position, whether it counts or not."""
    rows = np.indices(labels.shape)
    return -log_softmax(LOGITS)[(*rows, np.maximum(labels, 0))]


def test_negative_labels_and_zero_weights_do_not_count():
    ignored = np.where(WEIGHTS, LABELS, -100)
    expected = [each()[0, :2].mean(), each()[1].mean(), 0.0]
    loss = losses.MaskedLMCrossEntropy()
    for labels, where in ((ignored, None), (LABELS, WEIGHTS)):
        np.testing.assert_allclose(
            loss.per_example(labels, LOGITS, where), expected, rtol=1e-6
        )
        np.testing.assert_allclose(
            losses.masked_lm_cross_entropy(labels, LOGITS, where),
            each() * WEIGHTS,
            rtol=1e-6,
        )


def test_codes_take_one_mean_over_all_masked_words():
    # The sum over weights, of 2 words and of 4, over 6; a mean of examples
    # gives the first two words twice the weight.
    code = (each() * WEIGHTS).sum() / WEIGHTS.sum()
    loss = losses.MaskedLMCrossEntropy()
    examples = float(loss(LABELS, LOGITS, where=WEIGHTS))
    assert abs(code - examples) > 1e-2
    count = WEIGHTS.sum(1)
    np.testing.assert_allclose(
        loss(LABELS, LOGITS, sample_weight=count / count.mean(), where=WEIGHTS),
        code,
        rtol=1e-6,
    )


def test_mobile_bert_s_mixed_targets_are_two_losses():
    # Its code makes a target of half the label, half the teacher's word.
    target = 0.5 * np.eye(7)[LABELS] + 0.5 * softmax(TEACHER)
    code = -(target * log_softmax(LOGITS)).sum(-1)
    expected = [code[0, :2].mean(), code[1].mean(), 0.0]
    hard = losses.MaskedLMCrossEntropy().per_example(LABELS, LOGITS, WEIGHTS)
    soft = losses.SoftCrossEntropy().per_example(TEACHER, LOGITS, WEIGHTS)
    np.testing.assert_allclose(0.5 * hard + 0.5 * soft, expected, rtol=1e-6)


def test_mobile_bert_s_temperature_multiplies():
    # `distill_temperature` multiplies what the teacher's head reads: 2 makes
    # the targets sharper, where Hinton's makes them softer.
    features, head = (
        GENERATOR.normal(size=(5, 3)),
        GENERATOR.normal(size=(3, 7)),
    )
    student = GENERATOR.normal(size=(5, 7))
    code = -(softmax(2 * features @ head) * log_softmax(student)).sum(-1)
    loss = losses.soft_cross_entropy(2 * features @ head, student)
    np.testing.assert_allclose(loss, code, rtol=1e-6)
    softer = losses.soft_cross_entropy(
        features @ head, student, temperature=2.0
    )
    assert np.asarray(abs(softer - code)).min() > 1e-3


def test_infinite_logits_of_padding_do_not_count():
    logits = np.where(WEIGHTS[..., None], LOGITS, np.inf).astype("float32")
    found = losses.MaskedLMCrossEntropy().per_example(LABELS, logits, WEIGHTS)
    np.testing.assert_allclose(
        found, [each()[0, :2].mean(), each()[1].mean(), 0.0], rtol=1e-6
    )


def test_labels_in_training():
    # Keras turns labels into floats before a loss sees them.
    x = keras.Input((None, 7))
    model = keras.Model(x, keras.layers.Dense(7)(x))
    model.compile("sgd", loss=losses.MaskedLMCrossEntropy(), jit_compile=False)
    model.layers[-1].kernel.assign(np.eye(7))
    ignored = np.where(WEIGHTS, LABELS, -100)
    for kind in ("int32", "int64"):
        found = model.evaluate(LOGITS, ignored.astype(kind), verbose=0)
        expected = (each()[0, :2].mean() + each()[1].mean()) / 3
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("labels", "logits"),
    [((3, 5), (3, 4, 7)), ((3,), (3, 4, 7)), ((3, 4, 1), (3, 4, 7))],
)
def test_labels_that_do_not_fit(labels, logits):
    with pytest.raises(ValueError, match="a label for each row of logits"):
        losses.MaskedLMCrossEntropy()(np.zeros(labels), np.zeros(logits))


# Next sentence


PAIRS, FOLLOWS = GENERATOR.normal(0, 2, (4, 2)), np.array([0, 1, 1, -1])


def test_next_sentence_against_numpy():
    values = -log_softmax(PAIRS)[np.arange(4), np.maximum(FOLLOWS, 0)]
    values[3] = 0.0
    loss = losses.NextSentenceCrossEntropy()
    for labels in (FOLLOWS, FOLLOWS[:, None]):
        found = losses.next_sentence_cross_entropy(labels, PAIRS)
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, values, atol=1e-6)
        np.testing.assert_allclose(
            loss(labels, PAIRS), values.mean(), atol=1e-6
        )
    for row in range(4):
        np.testing.assert_allclose(
            loss(FOLLOWS, PAIRS, sample_weight=np.eye(4)[row]),
            values[row] / 4,
            atol=1e-6,
        )
    # As many rows as classes: a weight along the wrong axis would fit.
    for row in range(2):
        for shape in ((2,), (2, 1)):
            weights = np.eye(2)[row].reshape(shape)
            np.testing.assert_allclose(
                loss(FOLLOWS[:2], PAIRS[:2], sample_weight=weights),
                values[row] / 2,
                atol=1e-6,
            )
    half = keras.ops.cast(PAIRS, "bfloat16")
    found = losses.next_sentence_cross_entropy(FOLLOWS, half)
    assert found.dtype == "float32"
    rounded = log_softmax(np.asarray(half).astype("float64"))
    np.testing.assert_allclose(
        found[:3], -rounded[np.arange(3), FOLLOWS[:3]], atol=1e-6
    )


def test_next_sentence_s_gradient():
    _, gradient = value_and_gradient(
        lambda x: losses.NextSentenceCrossEntropy()(FOLLOWS, x), PAIRS
    )
    expected = softmax(PAIRS) - np.eye(2)[np.maximum(FOLLOWS, 0)]
    expected[3] = 0.0
    np.testing.assert_allclose(gradient, expected / 4, atol=1e-6)


def test_next_sentence_has_two_logits():
    with pytest.raises(ValueError, match=r"shape \(B, 2\), not \(4, 3\)"):
        losses.NextSentenceCrossEntropy()(FOLLOWS, np.zeros((4, 3)))


def test_round_trips():
    for cls in (losses.MaskedLMCrossEntropy, losses.NextSentenceCrossEntropy):
        loss = cls(reduction="sum", name="mine")
        again = keras.losses.deserialize(keras.losses.serialize(loss))
        assert type(again) is cls
        assert again.get_config() == loss.get_config()
