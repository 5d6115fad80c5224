"""The best epoch of a stage, by what it monitors."""

import keras
import numpy as np
import pytest
import tiny

import tf_distill as td
from tf_distill.distillation.monitor import best_epoch, lowest_is_best

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


def compiled(**kwargs):
    x = keras.Input((3,))
    dense = keras.layers.Dense
    outputs = {"a": dense(1, name="a")(x), "b": dense(1, name="b")(x)}
    model = keras.Model(x, outputs)
    model.compile("sgd", "mse", **kwargs)
    return model


def test_the_best_is_lowest_or_highest():
    nan = float("nan")
    for values, lowest, highest in (
        ([2.0, 3.0, 1.0, 1.0], 3, 2),
        ([nan, 2.0, 3.0], 2, 3),
    ):
        logs = [{"val_f1": x} for x in values]
        assert best_epoch(logs, "val_f1", lowest=True) == lowest
        assert best_epoch(logs, "val_f1", lowest=False) == highest
        # Of epochs without validation nothing is known.
        logs = [x for log in logs for x in ({"loss": 0.0}, log)]
        assert best_epoch(logs, "val_f1", lowest=True) == 2 * lowest
    assert best_epoch([], "val_loss", True) is None
    assert best_epoch([{"loss": 1.0}], None, True) is None


def test_keras_says_where_its_metrics_are_best():
    names = ["mse", "mae", "accuracy", "auc", "cosine_similarity"]
    mine = keras.metrics.MeanSquaredError(name="distance")
    model = compiled(
        metrics={"a": names, "b": [mine, "kl_divergence"]},
        weighted_metrics={"a": ["hinge"]},
    )
    found = {
        name: lowest_is_best(model, name)
        for name in (
            *("val_a_mse", "a_mae", "val_b_distance", "b_kl_divergence"),
            *("a_hinge", "val_loss", "a_loss", "val_error"),
            *("a_accuracy", "val_a_auc", "a_cosine_similarity"),
        )
    }
    assert [name for name, lowest in found.items() if not lowest] == [
        "a_accuracy",
        "val_a_auc",
        "a_cosine_similarity",
    ]
    for one in (model, compiled()):
        with pytest.raises(ValueError, match="highest 'val_f1'.* a `mode`"):
            lowest_is_best(one, "val_f1")
    assert lowest_is_best(model, "val_f1", "min")
    assert not lowest_is_best(model, "val_loss", "max")


class Become(keras.callbacks.Callback):
    """Says what the student's bias is in each epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.set_weights(
            [np.zeros((3, 1)), np.array([[2, 9, 0, 1, 0, 4][epoch]])]
        )


def trained(folder, **kwargs):
    x = keras.Input((3,))
    model = tiny.randomize(keras.Model(x, keras.layers.Dense(1)(x)))

    def build():
        still = keras.optimizers.SGD(0.0)
        model.compile(still, "mae", metrics=["mse"], run_eagerly=True)
        return model

    stage = td.Stage(
        "only",
        build,
        X,
        y=np.zeros(4),
        validation_data=(X, np.zeros(4)),
        callbacks=[Become()],
        **kwargs,
    )
    history = td.run_stages([stage], folder)["only"]
    return float(model.get_weights()[1][0]), history


def test_epochs_without_validation_are_passed_over(tmp_path):
    kept, history = trained(
        tmp_path, epochs=6, monitor="val_mse", validation_freq=2
    )
    assert len(history["loss"]) == 6 and len(history["val_mse"]) == 3
    assert kept == 1.0  # of 9, 1 and 4, in epochs 2, 4 and 6
    with pytest.raises(ValueError, match="'val_f1', but the logs have"):
        trained(
            tmp_path / "other",
            epochs=2,
            monitor="val_f1",
            mode="max",
            validation_freq=2,
        )
    with pytest.raises(ValueError, match="of 3 with 2 epochs: none of them"):
        trained(tmp_path, epochs=2, monitor="val_mse", validation_freq=3)


def test_a_mode_that_is_none(tmp_path):
    with pytest.raises(ValueError, match="mode='lowest'"):
        trained(tmp_path, epochs=1, monitor="mse", mode="lowest")
    with pytest.raises(ValueError, match="highest 'val_f1' is best"):
        trained(tmp_path, epochs=1, monitor="val_f1")
