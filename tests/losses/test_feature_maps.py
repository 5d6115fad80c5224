import numpy as np
import pytest

from tf_distill import losses

TEACHER, STUDENT = np.random.default_rng(0).normal(1, 3, (2, 3, 4, 6))
LAYERS = np.random.default_rng(1).normal(1, 3, (5, 3, 4, 6))


def standardized(x, epsilon=0.0):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon)


def test_mobile_bert_s_phase_as_its_code_weighs_it():
    # Of one layer of 24: 100, 5000 and 5 for the feature maps.
    code = 100 * ((standardized(TEACHER) - standardized(STUDENT)) ** 2).mean()
    code += 5000 * ((TEACHER.mean(-1) - STUDENT.mean(-1)) ** 2).mean()
    code += 5 * abs(TEACHER.var(-1) - STUDENT.var(-1)).mean()
    ours = sum(
        weight * float(loss(TEACHER, STUDENT))
        for weight, loss in (
            (100, losses.FeatureMapMSE()),
            (5000, losses.FeatureMapMean()),
            (5, losses.FeatureMapVariance()),
        )
    )
    np.testing.assert_allclose(ours, code, rtol=1e-6)


def test_mobile_bert_s_code_averages_over_padding():
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]])
    unit = [standardized(x) for x in (TEACHER, STUDENT)]
    for loss, values in (
        (losses.FeatureMapMSE(), ((unit[0] - unit[1]) ** 2).mean(-1)),
        (
            losses.FeatureMapMean(),
            (TEACHER.mean(-1) - STUDENT.mean(-1)) ** 2,
        ),
        (losses.FeatureMapVariance(), abs(TEACHER.var(-1) - STUDENT.var(-1))),
    ):
        code, ours = values.mean(), values[mask > 0].mean()
        assert abs(code - ours) > 0.02
        weight = mask.sum(1) / mask.sum(1).mean()
        found = loss(TEACHER, STUDENT, sample_weight=weight, where=mask)
        np.testing.assert_allclose(found, ours, rtol=1e-5)
        np.testing.assert_allclose(loss(TEACHER, STUDENT), code, rtol=1e-5)


def test_statistics_of_all_layers_are_a_bug():
    # The published code compares a student's mean and variance with those of
    # the list of all of the teacher's layers, which broadcasts.
    bug = ((LAYERS.mean(-1) - STUDENT.mean(-1)) ** 2).mean()
    ours = losses.FeatureMapMean()(LAYERS[2], STUDENT)
    each = [float(losses.FeatureMapMean()(x, STUDENT)) for x in LAYERS]
    np.testing.assert_allclose(np.mean(each), bug, rtol=1e-6)
    assert abs(bug - float(ours)) > 0.1
    bug = abs(LAYERS.var(-1) - STUDENT.var(-1)).mean()
    assert abs(bug - losses.FeatureMapVariance()(LAYERS[2], STUDENT)) > 0.1


def test_keras_epsilon_flattens_small_maps():
    # The Keras version of the code has 1e-3, the first one 1e-12.
    small = [0.01 * x for x in (TEACHER, STUDENT)]
    exact = ((standardized(TEACHER) - standardized(STUDENT)) ** 2).mean()
    flat = [standardized(x, 1e-3) for x in small]
    np.testing.assert_allclose(losses.FeatureMapMSE()(*small), exact, rtol=1e-5)
    assert ((flat[0] - flat[1]) ** 2).mean() < 0.6 * exact


def test_the_parts_know_what_the_others_leave_out():
    shifted, stretched = TEACHER + 7, TEACHER.mean(-1, keepdims=True)
    stretched = stretched + 2 * (TEACHER - stretched)
    for student, terms in (
        (shifted, (0, 49, 0)),
        (stretched, (0, 0, 3 * TEACHER.var(-1).mean())),
    ):
        found = [
            loss(TEACHER, student)
            for loss in (
                losses.FeatureMapMSE(),
                losses.FeatureMapMean(),
                losses.FeatureMapVariance(),
            )
        ]
        np.testing.assert_allclose(found, terms, rtol=1e-5, atol=1e-5)


def test_widths_that_differ_have_no_remedy_but_the_width():
    with pytest.raises(ValueError, match="without a projection"):
        losses.FeatureMapMSE()(np.zeros((2, 3, 8)), np.zeros((2, 3, 4)))
