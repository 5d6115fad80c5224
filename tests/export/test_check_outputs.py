import math

import numpy as np
import pytest

from tf_distill.export import check_outputs

LOGITS = np.array([[0.0, math.log(3.0)], [math.log(4.0), 0.0]])
SOFTMAX = np.array([[1 / 4, 3 / 4], [4 / 5, 1 / 5]])
SIGMOID = np.array([[1 / 2, 3 / 4], [4 / 5, 1 / 2]])


@pytest.mark.parametrize(
    ("task", "served"), [("classification", SOFTMAX), ("multilabel", SIGMOID)]
)
def test_probabilities(task, served):
    outputs = {"text_probabilities": served, "text_logits": LOGITS + 9}
    assert check_outputs(outputs, LOGITS, task, 1e-6)["text_probabilities"] < (
        1e-12
    )
    off = served + [[0, 0], [0.01, 0]]
    with pytest.raises(ValueError, match="tokens_.* by 1.0e-02, more than"):
        check_outputs(
            {**outputs, "tokens_probabilities": off}, LOGITS, task, 1e-3
        )
    found = check_outputs({"tokens_probabilities": off}, LOGITS, task, 0.02)
    assert found == {"tokens_probabilities": pytest.approx(0.01)}


def test_scores_count_by_the_largest():
    logits = np.array([[200.0], [-1.0]])
    outputs = {"text_score": np.array([200.1, -1.0])}
    assert check_outputs(outputs, logits, "regression", 1e-3)
    with pytest.raises(ValueError, match="text_score differ"):
        check_outputs(outputs, logits, "regression", 1e-4)


def test_what_is_no_number_is_refused():
    outputs = {"tokens_score": np.array([math.nan])}
    with pytest.raises(ValueError, match="tokens_score differ"):
        check_outputs(outputs, [[1.0]], "regression", 1e-3)


def test_another_task():
    with pytest.raises(ValueError, match="no score among.*text_logits"):
        check_outputs({"text_logits": LOGITS}, LOGITS[:, :1], "regression", 1)
    with pytest.raises(ValueError, match="task='ranking'"):
        check_outputs({}, LOGITS, "ranking", 1)
