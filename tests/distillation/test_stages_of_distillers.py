"""What is refused of a stage, and what of its teacher is remembered."""

import keras
import numpy as np
import pytest
import tiny
from on_backend import needs_tensorflow

import tf_distill as td

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")


def network(seed, name="x"):
    x = keras.Input((3,), name=name)
    return tiny.randomize(
        keras.Model({name: x}, keras.layers.Dense(2)(x)), seed
    )


def distilled(folder, teacher_seed=2, **kwargs):
    def build():
        made = td.Distiller(
            network(1),
            network(teacher_seed),
            [td.LogitMatch(td.losses.LogitMSE())],
            **kwargs,
        )
        made.compile("sgd", run_eagerly=True)
        return made

    data = {"x": X, "teacher_x": -X}
    return td.run_stages([td.Stage("only", build, data, 1)], folder)


def test_another_teacher_is_refused(tmp_path):
    history = distilled(tmp_path)
    assert distilled(tmp_path) == history
    with pytest.raises(ValueError, match="teacher weights was .* and is "):
        distilled(tmp_path, teacher_seed=3)
    with pytest.raises(ValueError, match="teacher inputs was  and is teacher_"):
        distilled(tmp_path, teacher_inputs="teacher_")


def test_an_argument_that_fit_would_refuse_after_hours():
    with pytest.raises(ValueError, match="got temprature, which `fit` does no"):
        td.Stage("last", network, X, 1, temprature=2.0)


def test_a_checkpoint_at_least_is_kept(tmp_path):
    stage = td.Stage("only", network, X, 1)
    with pytest.raises(ValueError, match="`keep` is 0.*keep 1 at least"):
        td.run_stages([stage], tmp_path, keep=0)


@needs_tensorflow
def test_a_stage_built_for_two_replicas(tmp_path, two_replicas):
    def build():
        with two_replicas.scope():
            model = network(1)
            model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
        return model

    stage = td.Stage("only", build, {"x": X}, 2, y=X[:, :2])
    losses = td.run_stages([stage], tmp_path)["only"]["loss"]
    assert losses[1] < losses[0]
