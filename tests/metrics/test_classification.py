import numpy as np
import pytest

from tf_distill.metrics import accuracy, macro_f1

# Counted by hand: of class 0 two of three are found and one is wrongly taken
# for it; of class 1 one of two, with one wrong; class 2 is right once of once.
LABELS = [0, 0, 0, 1, 1, 2]
PREDICTIONS = [0, 0, 1, 0, 1, 2]


def test_single_labels():
    assert accuracy(LABELS, PREDICTIONS) == 4 / 6
    # F1 = 2 TP / (2 TP + FP + FN): 4/6, 2/4, 1.
    np.testing.assert_allclose(
        macro_f1(LABELS, PREDICTIONS), (4 / 6 + 2 / 4 + 1) / 3
    )
    assert type(accuracy(LABELS, PREDICTIONS)) is float
    assert type(macro_f1(LABELS, PREDICTIONS)) is float


def test_classes_that_are_missing_or_never_right():
    # 1 is never predicted: 0. 7 is neither a label nor predicted: left out.
    np.testing.assert_allclose(macro_f1([0, 0, 1], [0, 0, 0]), (4 / 5) / 2)
    # 2 is predicted, but no label: it counts 0 too.
    np.testing.assert_allclose(macro_f1([0, 0, 1], [0, 2, 1]), (2 / 3 + 1) / 3)
    assert macro_f1([3, 3], [3, 3]) == 1.0


def test_several_labels():
    labels = [[1, 0, 1], [0, 1, 0], [1, 1, 0]]
    predictions = [[1, 0, 1], [0, 1, 1], [1, 0, 0]]
    # Only the first row is right as a whole.
    assert accuracy(labels, predictions) == pytest.approx(1 / 3)
    # Columns: 1; 2·1 / (2 + 0 + 1); 2·1 / (2 + 1 + 0).
    np.testing.assert_allclose(
        macro_f1(labels, predictions), (1 + 2 / 3 + 2 / 3) / 3
    )


def test_several_labels_of_which_some_do_not_occur():
    perfect = np.array([[1, 0, 0], [1, 0, 0]])
    assert macro_f1(perfect, perfect) == 1.0
    # Column 1 is predicted once, and is nobody's: it counts 0.
    np.testing.assert_allclose(
        macro_f1(perfect, [[1, 1, 0], [1, 0, 0]]), (1 + 0) / 2
    )
    # Column 2 is somebody's, and never predicted.
    np.testing.assert_allclose(
        macro_f1([[1, 0, 1], [1, 0, 0]], perfect.tolist()), (1 + 0) / 2
    )
    nothing = np.zeros((2, 3), "float32")
    assert macro_f1(nothing, nothing) == 0.0
