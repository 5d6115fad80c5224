"""What a step costs: traces and memory; and where it may not run.

What needs a clock, or much memory, is in test_costs.py.
"""

import gc
import weakref

import keras
import numpy as np
import pairs
import pytest
import stage_run
import tiny
from on_backend import needs_tensorflow

import tf_distill as td
from tf_distill.data.wrapped_batches import WrappedBatches
from tf_distill.distillation.terms import Terms

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
OUTSIDE = "was built outside the scope of the MirroredStrategy"


def small(seed, name="mine", middle=None):
    x = keras.Input((3,))
    hidden = keras.layers.Dense(4)(x)
    if middle is not None:
        hidden = middle(hidden)
    model = keras.Model(x, keras.layers.Dense(3)(hidden), name=name)
    return tiny.randomize(model, seed)


def distiller(student=None, teacher=None, **kwargs):
    made = td.Distiller(
        student or small(1, "student"),
        teacher or small(2, "teacher"),
        [td.LogitMatch(td.losses.SoftCrossEntropy())],
    )
    if kwargs:
        made.compile(**{"optimizer": keras.optimizers.SGD(0.1), **kwargs})
    return made


# Traces


def test_steps_and_epochs_of_like_shapes_are_traced_once(monkeypatch):
    traced, after = [], []
    total = Terms.total

    def counted(self, *args):
        traced.append(args)
        return total(self, *args)

    monkeypatch.setattr(Terms, "total", counted)
    made = distiller(jit_compile=False)
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: after.append(len(traced)),
        on_test_batch_end=lambda batch, logs: after.append(len(traced)),
    )
    fit = {"batch_size": 2, "callbacks": [note], "verbose": 0}
    made.fit(X, epochs=3, validation_data=(X,), **fit)
    made.fit(X, epochs=2, validation_data=(X,), **fit)
    steps = 4 + 4
    assert len(after) == 5 * steps
    assert after[0] > 0
    # In the first epoch the first step of each kind, and none thereafter.
    assert len(set(after[:4])) == len(set(after[4:steps])) == 1
    assert set(after[steps:]) == {after[steps - 1]}


def several_losses():
    """Four matches and a loss on labels, of models with projections."""
    made = pairs.distiller(
        pairs.student(num_layers=1), pairs.teacher(num_layers=2)
    )
    made.compile(
        keras.optimizers.Adam(0.01),
        loss=pairs.label_loss(),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return made, stage_run.data()


class Answers(WrappedBatches):
    """A label of a row stands for the places of two tokens."""

    def __getitem__(self, index):
        inputs, labels = self.batches[index]
        return inputs, {"start": labels % 2, "end": (labels + 1) % 2}


def of_questions():
    """The second step on SQuAD: two outputs, each with soft and hard labels."""
    student, teacher = (
        tiny.randomize(
            td.models.BertQuestionAnswering(
                tiny.backbone(num_layers=layers, dropout=0.1)
            ),
            layers,
        )
        for layers in (1, 2)
    )
    data = Answers(stage_run.data())
    (stage,) = td.methods.distil_bert.fine_tuning(student, teacher, data)
    return stage.build(), data


@needs_tensorflow  # JAX traces anew for every length of a batch
@pytest.mark.parametrize(
    "make, first",
    [
        (several_losses, 1),
        # Keras makes the mean of each output's loss within the first step,
        # which TensorFlow therefore traces again.
        (of_questions, 2),
    ],
)
def test_several_losses_are_traced_once_for_all_lengths(
    monkeypatch, make, first
):
    traced, after, shapes = [], [], set()
    total = Terms.total

    def counted(self, *args):
        traced.append(args)
        return total(self, *args)

    monkeypatch.setattr(Terms, "total", counted)
    made, data = make()
    assert len(made.matches) > 1
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: after.append(len(traced))
    )
    for index in range(len(data)):
        shapes.add(data[index][0]["token_ids"].shape)
    for _ in range(2):
        made.fit(data, epochs=2, shuffle=False, callbacks=[note], verbose=0)
    assert len(shapes) > 2
    assert after == [first] * 4 * len(data)


# Memory


class Exponential(keras.layers.Layer):
    """Its gradient needs its output, which a tape therefore holds."""

    def __init__(self):
        super().__init__()
        self.given = []

    def call(self, x):
        y = keras.ops.exp(x)
        if not isinstance(y, keras.KerasTensor):
            self.given.append(weakref.ref(y))
        return y

    def alive(self):
        gc.collect()
        return [ref for ref in self.given if ref() is not None]


@needs_tensorflow  # JAX has no tape: it asks for a function's gradient
def test_nothing_of_the_teacher_is_held_for_the_gradient():
    import tensorflow as tf

    layer, held = Exponential(), []
    teacher = small(2, middle=layer)

    class Look(keras.layers.Layer):
        def call(self, x):
            if not isinstance(x, keras.KerasTensor):
                held.append(len(layer.alive()))
            return x

    made = distiller(small(1, middle=Look()), teacher, run_eagerly=True)
    made.train_on_batch(X)
    made.train_on_batch(X)
    assert layer.given
    assert set(held) == {0}
    # A tape would have held it.
    layer.given.clear()
    with tf.GradientTape() as tape:
        output = teacher(X)
        assert len(layer.alive()) == 1
    del tape, output
    assert not layer.alive()


# Validation


def test_early_stopping_without_labels():
    epochs = []
    for rate in (0.0, 0.1):
        made = distiller(run_eagerly=True, optimizer=keras.optimizers.SGD(rate))
        stop = keras.callbacks.EarlyStopping("val_loss", min_delta=1e-6)
        logs = made.fit(
            X, validation_data=(X,), epochs=4, callbacks=[stop], verbose=0
        ).history
        epochs.append(len(logs["val_loss"]))
    assert epochs == [2, 4]


# Distribution


@pytest.fixture
def scope(two_replicas):
    return two_replicas.scope


@needs_tensorflow
def test_what_is_built_outside_the_scope_is_refused(scope):
    outside = small(2, "outside")
    with scope():
        inside = small(1, "inside")
        distiller(inside, small(3))
        with pytest.raises(ValueError, match=f"'outside' {OUTSIDE}.*kernel"):
            distiller(inside, outside)
        with pytest.raises(ValueError, match=f"'outside' {OUTSIDE}"):
            distiller(outside, inside)
    with pytest.raises(ValueError, match="'inside' was built outside the scop"):
        distiller(outside, inside)
    distiller(outside, small(4))


@needs_tensorflow
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(gradient_accumulation_steps=2),
        lambda: keras.optimizers.LossScaleOptimizer(
            keras.optimizers.Adam(gradient_accumulation_steps=2)
        ),
        lambda: keras.optimizers.MultiOptimizer(
            keras.optimizers.OptimizerMap(
                keras.optimizers.SGD(gradient_accumulation_steps=2)
            )
        ),
    ],
)
def test_accumulation_on_several_replicas_is_refused(scope, optimizer):
    with scope():
        made = distiller()
        with pytest.raises(
            ValueError, match="gradient_accumulation_steps=2.* 2 replicas of a"
        ):
            made.compile(optimizer())
        made.compile(keras.optimizers.SGD())
    distiller().compile(optimizer())
