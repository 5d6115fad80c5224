"""A score's softmax is always 1: methods take the scores themselves."""

import numpy as np
import pytest
import tiny
from by_hand import Data, built, evaluated, signals

from tf_distill.methods import distil_bert, pkd

INPUTS = tiny.batch()
SCORES = np.array([0.5, 5.0, 2.25, 0.0], "float32")


@pytest.mark.parametrize("method", ["distil_bert", "pkd"])
def test_total_by_hand(method):
    student = tiny.classifier(1, num_classes=1, num_layers=2)
    teacher = tiny.classifier(2, num_classes=1, num_layers=4)
    if method == "pkd":
        (stage,) = pkd.patient(student, teacher, Data(), alpha=0.2, beta=0.0)
        soft, hard = 0.2, 0.8
    else:
        (stage,) = distil_bert.fine_tuning(
            student,
            teacher,
            Data(),
            soft_weight=0.3,
            label_weight=0.9,
        )
        soft, hard = 0.3, 0.9
    ours = signals(student, INPUTS)["output"][:, 0]
    theirs = signals(teacher, INPUTS)["output"][:, 0]
    assert np.abs(ours - theirs).max() > 0.1
    expected = soft * (ours - theirs) ** 2 + hard * (ours - SCORES) ** 2
    logs = evaluated(built(stage), INPUTS, SCORES)
    np.testing.assert_allclose(logs["loss"], expected.mean(), rtol=1e-5)
    error = np.sqrt(((ours - SCORES) ** 2).mean())
    np.testing.assert_allclose(logs["root_mean_squared_error"], error, 1e-5)
