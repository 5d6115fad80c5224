"""Pruning under distillation: exact, sparse to the end, else ordinary."""

import keras
import numpy as np
import pytest
import tiny

import tf_distill as td
from tf_distill.compression import MagnitudePruning, sparsity
from tf_distill.compression.magnitude_pruning import prunable_layers

tfmot = pytest.importorskip(
    "tensorflow_model_optimization", reason="the extra `compression`"
)


def constant(target, begin=0, frequency=1, end=-1):
    return {
        "class_name": "ConstantSparsity",
        "config": {
            "target_sparsity": target,
            "begin_step": begin,
            "end_step": end,
            "frequency": frequency,
        },
    }


def network():
    """Three dense layers, two of them in a block of their own."""
    inputs = keras.Input((4,))
    block = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, "relu", name="inner"),
            keras.layers.LayerNormalization(),
            keras.layers.Dense(4),
        ],
        name="block_0",
    )
    outputs = keras.layers.Dense(2, name="logits")(block(inputs))
    return tiny.randomize(keras.Model(inputs, outputs))


def trained(*callbacks, model=None, steps=6, **options):
    """A network after some steps; compiled once, as one it goes on."""
    model = model or network()
    if not model.compiled:
        model.compile(
            keras.optimizers.Adam(0.01), "mse", jit_compile=False, **options
        )
    random = np.random.default_rng(0)
    model.fit(
        random.normal(size=(2 * steps, 4)),
        random.normal(size=(2 * steps, 2)),
        batch_size=2,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
    )
    return model


class Sparsities(keras.callbacks.Callback):
    """The share of zeros after every step."""

    def __init__(self):
        super().__init__()
        self.found = []

    def on_train_batch_end(self, batch, logs=None):
        self.found.append(sparsity(self.model))


def kernels_of(model):
    return [np.asarray(layer.kernel) for layer in prunable_layers(model)]


def test_a_student_under_distillation_is_sparse_exactly():
    student = tiny.classifier(dropout=0.0, num_layers=1)
    distiller = td.Distiller(
        student,
        tiny.classifier(seed=1, num_layers=1),
        [td.LogitMatch(td.losses.SoftCrossEntropy())],
    )
    distiller.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    pruning = MagnitudePruning(constant(0.5, begin=1))
    distiller.fit(tiny.batch(), batch_size=2, verbose=0, callbacks=[pruning])
    kernels = kernels_of(student)
    # A block's six, the pooler and the head; the half of each.
    assert len(kernels) == 8
    for kernel in kernels:
        assert np.count_nonzero(kernel) == kernel.size - kernel.size // 2
    for weight in student.weights:
        if not weight.path.endswith("kernel"):
            assert np.all(np.asarray(weight) != 0), weight.path


def test_the_schedule_says_when():
    seen = Sparsities()
    trained(MagnitudePruning(constant(0.5, begin=2)), seen)
    assert seen.found == [0, 0, 0.5, 0.5, 0.5, 0.5]


def test_the_smallest_go_and_the_rest_learns():
    model = network()
    before = kernels_of(model)[0]
    trained(MagnitudePruning(constant(0.25)), model=model, steps=1)
    after = kernels_of(model)[0]
    gone = after == 0
    assert gone.sum() == 8
    # One step of Adam at 0.01 moves a weight by 0.01.
    assert np.abs(before[gone]).max() <= np.abs(before[~gone]).min() + 0.021
    assert np.mean(after[~gone] != before[~gone]) > 0.5


def test_polynomial_decay_follows_its_formula():
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=0.1,
        final_sparsity=0.6,
        begin_step=1,
        end_step=4,
        frequency=1,
    )
    seen = Sparsities()
    model = trained(MagnitudePruning(schedule), seen)
    sizes = [kernel.size for kernel in kernels_of(model)]
    expected = [0.0]
    for step in (1, 2, 3, 4):
        share = 0.6 + (0.1 - 0.6) * (1 - (step - 1) / 3) ** 3
        kept = sum(round(size * (1 - share)) for size in sizes)
        expected.append(1 - kept / sum(sizes))
    expected.append(expected[-1])
    np.testing.assert_allclose(seen.found, expected, atol=1e-6)


def test_nothing_pruned_is_training_as_ever():
    plain = tiny.weights_of(trained())
    zero = trained(MagnitudePruning(constant(0.0)))
    tiny.assert_same_weights(plain, tiny.weights_of(zero))


def test_several_steps_at_once():
    callback = MagnitudePruning(constant(0.5, begin=3))
    assert sparsity(trained(callback, steps_per_execution=4)) == 0.5


def test_a_resumed_training_keeps_what_is_zero():
    model = trained(MagnitudePruning(constant(0.5, end=2)))
    zeros = [kernel == 0 for kernel in kernels_of(model)]
    before = kernels_of(model)
    trained(MagnitudePruning(constant(0.5, end=2)), model=model)
    for old, new, zero in zip(before, kernels_of(model), zeros, strict=True):
        np.testing.assert_array_equal(new == 0, zero)
        assert np.any(old != new)


def test_a_fit_after_one_without_pruning():
    model = trained(steps=3)
    # Its steps are 3 to 5.
    message = "taken 3 steps, and step 2 is the last .* not its 50% zeros"
    with pytest.raises(ValueError, match=message):
        trained(MagnitudePruning(constant(0.5, end=2)), model=model, steps=3)
    message = "after 6 steps, before .* began at 3, .* every 10 steps"
    with pytest.raises(ValueError, match=message):
        late = MagnitudePruning(constant(0.5, frequency=10))
        trained(late, model=model, steps=3)
    # The next of its steps is 8.
    late = MagnitudePruning(constant(0.5, frequency=4, end=8))
    assert sparsity(trained(late, model=model, steps=3)) == 0.5


def test_excluded_layers_are_left_alone():
    callback = MagnitudePruning(constant(0.5), exclude=["block_0"])
    dense = [np.all(kernel != 0) for kernel in kernels_of(trained(callback))]
    assert dense == [True, True, False]
    callback = MagnitudePruning(constant(0.5), exclude=["logits", "inner"])
    dense = [np.all(kernel != 0) for kernel in kernels_of(trained(callback))]
    assert dense == [True, False, True]


@pytest.mark.parametrize(
    "schedule,exclude,message",
    [
        (0.5, (), "the schedule 0.5 is not a"),
        (constant(0.5), ["heads"], "no dense layer heads"),
        (constant(0.5, begin=9), (), "after 2 steps, before"),
        (constant(0.5), ["block_0", "logits"], "layers left to prune"),
    ],
)
def test_what_cannot_be_pruned(schedule, exclude, message):
    with pytest.raises(ValueError, match=message):
        trained(MagnitudePruning(schedule, exclude=exclude), steps=2)
