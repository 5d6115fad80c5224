import keras
import numpy as np
import pytest
from on_backend import value_and_gradient
from tiny import log_softmax, softmax

from tf_distill import losses

TEACHER, STUDENT = np.random.default_rng(0).normal(0, 2, (2, 6, 4))


def gradient(loss, student):
    return value_and_gradient(lambda x: loss(TEACHER, x), student)[1]


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


def test_tiny_bert_has_no_squared_temperature():
    # Neither eq. 10 nor the code, which divides by the 4 classes as well.
    code = (-softmax(TEACHER / 3) * log_softmax(STUDENT / 3)).mean()
    paper = losses.SoftCrossEntropy(3.0, scaled=False)(TEACHER, STUDENT)
    np.testing.assert_allclose(paper, code * 4, rtol=1e-6)
    ours = losses.SoftCrossEntropy(3.0)(TEACHER, STUDENT)
    np.testing.assert_allclose(ours, 9 * paper, rtol=1e-6)


def test_pkd_s_code_divides_by_the_number_of_classes():
    # `KLDivLoss(reduction="mean")` is the mean of all elements, times T².
    p, q = softmax(TEACHER / 5), softmax(STUDENT / 5)
    code = (p * np.log(p / q)).mean() * 25
    ours = losses.SoftKLDivergence(5.0)(TEACHER, STUDENT)
    np.testing.assert_allclose(ours, code * 4, rtol=1e-5)


def test_distil_bert_s_code_takes_one_mean_over_all_tokens():
    # `KLDivLoss(reduction="batchmean")` of the rows that a mask selected.
    teacher, student = TEACHER.reshape(2, 3, 4), STUDENT.reshape(2, 3, 4)
    mask = np.array([[1, 0, 0], [1, 1, 1]])
    p, q = softmax(teacher[mask > 0] / 2), softmax(student[mask > 0] / 2)
    values = (p * np.log(p / q)).sum(-1) * 4
    loss = losses.SoftKLDivergence(2.0)
    examples = (values[0] + values[1:].mean()) / 2
    assert abs(values.mean() - examples) > 1e-2
    np.testing.assert_allclose(
        loss(teacher, student, where=mask), examples, rtol=1e-5
    )
    np.testing.assert_allclose(
        loss(teacher, student, sample_weight=[0.5, 1.5], where=mask),
        values.mean(),
        rtol=1e-5,
    )


def test_distil_bert_s_second_step_counts_padding():
    # Its SQuAD script takes the divergence over all positions of start and
    # end logits; our heads give padding -10000, which leaves it out.
    padded = np.array([1, 1, 0, 0])

    def divergence(teacher, student):
        p, q = softmax(teacher / 2), softmax(student / 2)
        return (p * np.log(p / q)).sum(-1).mean() * 4

    code = divergence(TEACHER, STUDENT)
    real = divergence(TEACHER[:, :2], STUDENT[:, :2])
    assert abs(code - real) > 0.1
    masked = [np.where(padded, x, -1e4) for x in (TEACHER, STUDENT)]
    np.testing.assert_allclose(
        losses.SoftKLDivergence(2.0)(*masked), real, rtol=1e-5
    )


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_is_above_zero(temperature):
    with pytest.raises(ValueError, match="`temperature` must be above 0"):
        losses.SoftCrossEntropy(temperature)


def test_classes_that_differ_are_named():
    with pytest.raises(ValueError, match="the same classes"):
        losses.SoftCrossEntropy()(np.zeros((2, 3)), np.zeros((2, 4)))


@pytest.mark.parametrize(
    "loss", [losses.SoftCrossEntropy(), losses.SoftKLDivergence()]
)
def test_a_single_class_teaches_nothing(loss):
    with pytest.raises(ValueError, match="single one.*`LogitMSE` for scores"):
        loss(np.zeros((4, 1)), np.ones((4, 1)))


@pytest.mark.parametrize(
    "loss", [losses.LogitMSE(), losses.SoftSigmoidCrossEntropy()]
)
def test_a_mean_over_tokens_would_count_padding(loss):
    # Logits over tokens, whose number is that of the longest row's.
    over_tokens = keras.KerasTensor((None, None))
    with pytest.raises(ValueError, match="padding would count.*SoftCrossEntr"):
        loss.check(over_tokens, over_tokens)
    for shape in ((None, 4), (None,)):
        loss.check(keras.KerasTensor(shape), keras.KerasTensor(shape))
