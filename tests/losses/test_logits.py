import numpy as np
import pytest
import tensorflow as tf
from tiny import log_softmax, softmax

from tf_distill import losses

TEACHER, STUDENT = np.random.default_rng(0).normal(0, 2, (2, 6, 4))


def gradient(loss, student):
    student = tf.Variable(student.astype("float32"))
    with tf.GradientTape() as tape:
        value = loss(TEACHER, student)
    return tape.gradient(value, student).numpy()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_cross_entropy_is_divergence_and_the_teacher_s_entropy(temperature):
    p = softmax(TEACHER / temperature)
    entropy = -(p * np.log(p)).sum(-1) * temperature**2
    np.testing.assert_allclose(
        losses.soft_cross_entropy(TEACHER, STUDENT, temperature=temperature),
        entropy
        + losses.soft_kl_divergence(TEACHER, STUDENT, temperature=temperature),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        gradient(losses.SoftCrossEntropy(temperature), STUDENT),
        gradient(losses.SoftKLDivergence(temperature), STUDENT),
        atol=1e-6,
    )


def test_squared_temperature_keeps_the_gradient_s_size():
    # Hinton et al. 2015, eq. 4: at a high temperature the gradient of the
    # loss over T² is that of matching the centred logits, over T².
    teacher = TEACHER - TEACHER.mean(-1, keepdims=True)
    student = STUDENT - STUDENT.mean(-1, keepdims=True)
    expected = (student - teacher) / 4 / 6  # C classes, B rows in the mean
    found = gradient(losses.SoftCrossEntropy(temperature=300.0), student)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_equal_up_to_a_shift_is_no_divergence():
    values = losses.soft_kl_divergence(TEACHER, TEACHER + 3.0)
    np.testing.assert_allclose(values, 0.0, atol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        losses.soft_cross_entropy,
        losses.soft_kl_divergence,
        losses.soft_sigmoid_cross_entropy,
    ],
)
def test_confident_logits_stay_finite(function):
    confident = np.array([[300.0, -300.0, 0.0]], "float32")
    values = function(confident, -confident)
    assert np.isfinite(values).all()
    assert values[0] > 100


def test_tiny_bert_s_code_divides_by_the_number_of_classes():
    # Its `soft_cross_entropy` ends in a mean over batch and classes; the
    # paper's eq. 10, and ours, sums over classes.
    code = (-softmax(TEACHER) * log_softmax(STUDENT)).mean()
    ours = float(losses.SoftCrossEntropy()(TEACHER, STUDENT))
    np.testing.assert_allclose(ours, code * 4, rtol=1e-6)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_is_above_zero(temperature):
    with pytest.raises(ValueError, match="`temperature` must be above 0"):
        losses.SoftCrossEntropy(temperature)


def test_classes_that_differ_are_named():
    with pytest.raises(ValueError, match="the same classes"):
        losses.SoftCrossEntropy()(np.zeros((2, 3)), np.zeros((2, 4)))
