import keras
import numpy as np
import pytest
import tiny

import tf_distill as td
from tf_distill.methods.labels import (
    label_losses,
    label_metrics,
    masked_lm_losses,
    task_of,
)

LOGITS = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], "float32")


def dense(*widths):
    """A model with an output of each width, in a dict if there are several."""
    x = keras.Input((4,))
    made = {str(n): keras.layers.Dense(n, name=str(n))(x) for n in widths}
    return keras.Model(x, made if len(widths) > 1 else made[str(widths[0])])


def sigmoid_cross_entropy(logits, labels):
    p = 1 / (1 + np.exp(-logits))
    return -np.log(np.where(labels, p, 1 - p)).mean()


@pytest.mark.parametrize(
    "task, classes, labels, loss, metric, value",
    [
        (
            "classification",
            3,
            np.array([2, 1]),
            -tiny.log_softmax(LOGITS)[[0, 1], [2, 1]].mean(),
            "accuracy",
            0.5,
        ),
        (
            "multilabel",
            3,
            np.array([[1, 0, 1], [1, 0, 1]]),
            sigmoid_cross_entropy(LOGITS, [[1, 0, 1], [1, 0, 1]]),
            "binary_accuracy",
            4 / 6,
        ),
        (
            "regression",
            1,
            np.array([2.0, 1.0]),
            (1.5**2 + 0.5**2) / 2,
            "root_mean_squared_error",
            np.sqrt((1.5**2 + 0.5**2) / 2),
        ),
    ],
)
def test_of_each_task(task, classes, labels, loss, metric, value):
    model = td.models.BertTextClassifier(tiny.backbone(), classes, task=task)
    found = label_losses(model, weight=0.3)
    logits = LOGITS[:, :classes]
    assert found["loss_weights"] == [0.3]
    np.testing.assert_allclose(found["loss"](labels, logits), loss, rtol=1e-5)
    (made,) = label_metrics(model, "auto")
    if isinstance(made, str):
        assert made == metric
    else:
        made.update_state(labels, logits)
        assert made.name == metric
        np.testing.assert_allclose(made.result(), value, rtol=1e-5)


def test_a_model_without_a_task():
    found = [task_of(dense(*widths)) for widths in ((1,), (2,), (1, 2))]
    assert found == ["regression", "classification", "classification"]


def test_none_by_output_and_shared():
    model = dense(2, 3)
    assert label_losses(model, None) == {}
    assert label_metrics(model, None) == label_metrics(model, ()) == []
    assert label_losses(model, {"3": "mse"}, 0.5) == {
        "loss": {"3": "mse"},
        "loss_weights": {"3": 0.5},
    }
    assert label_metrics(model, {"3": ["mse"]}) == {"3": ["mse"]}

    def distance(labels, outputs):
        return keras.ops.abs(labels - outputs)

    found = label_losses(model, distance, 0.5)
    assert found["loss"] == {"2": distance, "3": distance}
    assert found["loss_weights"] == {"2": 0.25, "3": 0.25}


def test_each_of_several_outputs_has_metrics_of_its_own():
    ours = keras.metrics.SparseTopKCategoricalAccuracy(2, name="first_two")
    ours.update_state(np.array([0]), LOGITS[:1])
    assert label_metrics(dense(3), [ours]) == [ours]  # nobody else counts
    found = label_metrics(dense(2, 3), [ours])
    (one,), (other,) = found.values()
    one.update_state(np.array([1]), LOGITS[:1])  # the last of the three
    assert [float(m.result()) for m in (ours, one, other)] == [1.0, 0.0, 0.0]
    assert one.name == other.name == "first_two"
    assert float(other.count) == 0.0


def test_a_metric_that_cannot_be_copied():
    class Above(keras.metrics.Mean):
        def __init__(self, least):
            super().__init__(name="above")
            self.least = least

    assert label_metrics(dense(2, 3), [Above]) == {"2": [Above], "3": [Above]}
    with pytest.raises(ValueError, match="'above' cannot be copied.*get_conf"):
        label_metrics(dense(2, 3), [Above(0.5)])


@pytest.mark.parametrize(
    "loss",
    [
        keras.losses.MeanSquaredError,
        lambda: keras.losses.MeanSquaredError(),
        3.0,
        {"2": keras.losses.MeanSquaredError()},
    ],
)
def test_what_is_no_loss(loss):
    if isinstance(loss, dict):  # one of them is
        loss = {**loss, "3": keras.losses.MeanSquaredError}
    with pytest.raises(ValueError, match=r"`loss` is .*Give the loss itself"):
        label_losses(dense(2, 3), loss)


def test_of_a_masked_language_model():
    words = td.models.BertMaskedLM(tiny.backbone())
    both = td.models.BertMaskedLM(tiny.backbone(), next_sentence=True)
    assert masked_lm_losses(words, 0.5)["loss_weights"] == [0.5]
    found = masked_lm_losses(both, 0.5)
    assert found["loss_weights"] == {"masked_lm": 0.5, "next_sentence": 1.0}
    assert list(found["loss"]) == list(both.output)
