import numpy as np
import pytest

from tf_distill.metrics import text_predictions, text_scores


def test_scores_of_several_labels():
    logits = np.array([[2.0, -1.0], [-3.0, 0.5], [1.0, 1.0], [-1.0, -1.0]])
    predictions = text_predictions("multilabel", logits)
    assert predictions.tolist() == [[1, 0], [0, 1], [1, 1], [0, 0]]
    labels = np.array([[1, 0], [0, 1], [1, 0], [1, 0]], "float32")
    scores = text_scores("multilabel", labels, predictions)
    # First class: 2 of 3 found, none wrongly, 4/5; second: 1 of 1, 1 wrong.
    assert scores["accuracy"] == 0.5
    assert scores["macro_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_scores_of_classes():
    logits = [[3.0, 1.0, 2.0], [0.0, -1.0, 4.0], [0.0, 5.0, 1.0]]
    predictions = text_predictions("classification", logits)
    assert predictions.tolist() == [0, 2, 1]
    scores = text_scores("classification", [0, 2, 2], predictions)
    assert scores["accuracy"] == pytest.approx(2 / 3)
    # Of one each F1 is 1, 0 (never right), 2/3.
    assert scores["macro_f1"] == pytest.approx((1 + 0 + 2 / 3) / 3)


def test_scores_of_a_regression():
    labels = np.array([1.0, 2.0, 4.0], "float32")
    assert text_scores("regression", labels, 0 * labels) == {"pearson": 0.0}
    found = text_predictions("regression", (3 - 2 * labels)[:, None])
    assert found.shape == (3,)
    scores = text_scores("regression", labels, found)
    assert scores == {"pearson": pytest.approx(-1)}


def test_mistakes():
    with pytest.raises(ValueError, match="task='ranking'"):
        text_predictions("ranking", [[1.0]])
    with pytest.raises(ValueError, match=r"\(2, 2\)"):
        text_predictions("regression", [[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(ValueError, match=r"\(3,\).*\(3, 1\)"):
        text_scores("regression", [1.0, 2.0, 3.0], [[1.0], [2.0], [3.0]])
