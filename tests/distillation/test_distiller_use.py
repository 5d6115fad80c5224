"""What a user meets: labels here and there, wrong arguments, callbacks."""

import keras
import numpy as np
import pairs
import pytest
import tiny
from on_backend import IS_JAX

import tf_distill as td
from tf_distill.distillation import initialize_from_teacher, layer_map

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
LABELS = np.arange(8) % 3
STATISTICS = {"agreement", "student_entropy", "teacher_entropy"}


def small(seed, units=3):
    """A model without an encoder, for what has to do with logits only."""
    x = keras.Input((3,))
    return tiny.randomize(keras.Model(x, keras.layers.Dense(units)(x)), seed)


def distiller(loss=None, units=3, **kwargs):
    match = td.LogitMatch(loss or td.losses.SoftCrossEntropy())
    return td.Distiller(small(1, units), small(2, units), [match], **kwargs)


# Labels, or none


def test_metrics_wait_for_labels():
    made = distiller()
    made.compile(
        keras.optimizers.SGD(0.0), metrics=["accuracy"], jit_compile=False
    )
    logs = made.fit(X, epochs=2, validation_data=(X, LABELS), verbose=0).history
    names = {"loss", "logits_loss", *STATISTICS}
    assert set(logs) == names | {f"val_{n}" for n in (*names, "accuracy")}
    accuracy = (np.argmax(made.student(X), -1) == LABELS).mean()
    assert logs["val_accuracy"] == [accuracy, accuracy]
    np.testing.assert_allclose(logs["val_loss"], logs["loss"], rtol=1e-5)


def test_metrics_without_any_labels():
    made = distiller()
    made.compile(metrics=["accuracy"], jit_compile=False)
    logs = made.evaluate(X, batch_size=2, verbose=0, return_dict=True)
    assert set(logs) == {"loss", "logits_loss", *STATISTICS}
    # All four batches count, not the last one alone.
    expected = (
        np.argmax(made.student(X), -1) == np.argmax(made.teacher(X), -1)
    ).mean()
    assert logs["agreement"] == expected


def test_no_loss_is_reported_where_none_is_computed():
    made = distiller(validate_teacher=False)
    made.compile(metrics=["accuracy"], jit_compile=False)
    stop = keras.callbacks.EarlyStopping("val_loss")
    with pytest.warns(UserWarning, match="`val_loss` which is not available"):
        logs = made.fit(
            X,
            epochs=2,
            validation_data=(X, LABELS),
            callbacks=[stop],
            verbose=0,
        ).history
    assert len(logs["val_accuracy"]) == 2
    assert "val_loss" not in logs


@pytest.mark.parametrize("metrics", [None, ["accuracy"]])
def test_nothing_to_evaluate(metrics):
    made = distiller(validate_teacher=False)
    made.compile(metrics=metrics, jit_compile=False)
    with pytest.raises(ValueError, match="nothing to evaluate"):
        made.evaluate(X, None if metrics else LABELS, verbose=0)


@pytest.mark.parametrize(
    "validation", [{"validation_data": X}, {"validation_split": 0.5}]
)
def test_nothing_to_evaluate_is_said_before_training(validation):
    made = distiller(validate_teacher=False)
    made.compile(jit_compile=False)
    steps = []
    counted = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(batch)
    )
    with pytest.raises(ValueError, match="nothing to evaluate"):
        made.fit(X, callbacks=[counted], verbose=0, **validation)
    assert not steps
    made.fit(X, callbacks=[counted], verbose=0)
    assert steps


@pytest.mark.parametrize(
    ("loss", "units", "expected"),
    [
        (td.losses.SoftCrossEntropy(), 3, STATISTICS),
        (td.losses.SoftKLDivergence(), 3, STATISTICS),
        (td.losses.LogitMSE(), 1, set()),
        (td.losses.SoftSigmoidCrossEntropy(), 3, set()),
        (td.losses.LogitMSE(), 3, set()),
    ],
)
def test_statistics_are_those_of_a_softmax(loss, units, expected):
    made = distiller(loss, units)
    made.compile(run_eagerly=True)
    logs = made.test_on_batch(X, return_dict=True)
    assert set(logs) == {"loss", "logits_loss"} | expected


@pytest.mark.parametrize(
    ("task", "units", "expected"),
    [
        ("classification", 3, STATISTICS),
        ("multilabel", 3, set()),
        ("regression", 1, set()),
    ],
)
def test_statistics_of_a_classifier_whatever_the_loss(task, units, expected):
    inputs = tiny.batch()
    student, teacher = (
        tiny.classifier(seed, units, task=task, num_layers=1) for seed in (1, 2)
    )
    made = td.Distiller(student, teacher, [td.LogitMatch(td.losses.LogitMSE())])
    made.compile(run_eagerly=True)
    logs = made.test_on_batch(inputs, return_dict=True)
    assert set(logs) == {"loss", "logits_loss"} | expected
    if expected:
        ours, theirs = (
            np.asarray(m(inputs), "float64") for m in (student, teacher)
        )
        same = ours.argmax(-1) == theirs.argmax(-1)
        assert logs["agreement"] == same.mean()
        p = tiny.softmax(ours)
        entropy = -(p * np.log(p)).sum(-1).mean()
        np.testing.assert_allclose(logs["student_entropy"], entropy, rtol=1e-5)


def test_no_statistics_where_no_logits_are_matched():
    student, teacher = (tiny.classifier(s, num_layers=1) for s in (1, 2))
    match = td.LayerMatch("hidden_states", td.losses.HiddenMSE())
    made = td.Distiller(student, teacher, [match])
    made.compile(loss=pairs.label_loss(), run_eagerly=True)
    labels = np.array([0, 2, 1, 2])
    logs = made.test_on_batch(tiny.batch(), labels, return_dict=True)
    assert set(logs) == {"loss", "hidden_states_loss"}


# Weights that change


def test_a_weight_may_be_annealed(tmp_path):
    made = distiller(td.losses.LogitMSE())
    (match,) = made.matches
    weights, losses = [1.0, 0.5, 0.0, 3.0], []

    class Anneal(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            match.weight = weights[batch]

        def on_train_batch_end(self, batch, logs=None):
            losses.append(logs["loss"])

    dense = made.student.layers[-1]
    kernel, bias = (np.array(w, "float64") for w in (dense.kernel, dense.bias))
    theirs, expected = np.asarray(made.teacher(X), "float64"), []
    for weight in weights:
        error = X @ kernel + bias - theirs
        expected.append(weight * (error**2).mean())
        kernel -= 0.1 * weight * 2 * X.T @ error / error.size
        bias -= 0.1 * weight * 2 * error.sum(0) / error.size
    made.compile(keras.optimizers.SGD(0.1), jit_compile=IS_JAX)
    made.fit(
        np.tile(X, (4, 1)),
        batch_size=8,
        shuffle=False,
        callbacks=[Anneal()],
        verbose=0,
    )
    running = np.cumsum(expected) / np.arange(1, 5)
    np.testing.assert_allclose(losses, running, rtol=1e-5)
    np.testing.assert_allclose(dense.kernel, kernel, rtol=1e-4, atol=1e-6)
    # It is nobody's weight, and in no file.
    assert [tuple(v.shape) for v in made.weights] == [(3, 3), (3,)]
    file = tmp_path / "distiller.weights.h5"
    made.save_weights(file)
    match.weight = 0.125
    made.load_weights(file)
    logs = made.test_on_batch(X, return_dict=True)
    np.testing.assert_allclose(logs["loss"], 0.125 * logs["logits_loss"])


# A summary


def test_a_summary_takes_keras_own_arguments(capsys):
    made, plain, detailed = distiller(), [], []
    made.summary(print_fn=plain.append)
    made.summary(print_fn=detailed.append, show_trainable=True)
    (table,) = plain
    assert detailed[0] == table
    rest = "\n".join(detailed[1:])
    assert made.student.layers[-1].name in rest
    assert "Trainable" in rest
    made.summary(60)
    printed = capsys.readouterr().out
    assert printed.startswith(table)
    assert made.student.layers[-1].name in printed


# Names of classes


def named(names):
    return tiny.classifier(num_classes=2, label_names=names)


@pytest.mark.parametrize("other", [["good", "bad"], ["bad", "fine"]])
def test_classes_in_another_order_are_refused(other):
    match = td.LogitMatch(td.losses.LogitMSE())
    with pytest.raises(
        ValueError, match=r"\['bad', 'good'\].*label_names=teacher.label_names"
    ):
        td.Distiller(named(["bad", "good"]), named(other), [match])
    hidden = td.LayerMatch("hidden_states", td.losses.HiddenMSE())
    td.Distiller(named(["bad", "good"]), named(other), [hidden])


@pytest.mark.parametrize(
    "other", [["bad", "good"], ["LABEL_0", "LABEL_1"], ["0", "1"], None]
)
def test_classes_of_one_order_or_without_names(other):
    match = td.LogitMatch(td.losses.LogitMSE())
    td.Distiller(named(["bad", "good"]), named(other), [match])


# What is refused


@pytest.mark.parametrize(
    "loss",
    ["mse", keras.losses.MeanSquaredError(), td.losses.LogitMSE, None],
)
def test_other_losses_are_refused(loss):
    with pytest.raises(ValueError, match=r"'logits' got .* LogitMSE\(\)"):
        td.LogitMatch(loss)
    with pytest.raises(ValueError, match=r"'values' got .* HiddenMSE\(\)"):
        td.LayerMatch("values", loss)


@pytest.mark.parametrize("reduction", ["sum", "none", None])
def test_other_reductions_are_refused(reduction):
    with pytest.raises(ValueError, match="reduction .*`weight`"):
        td.LogitMatch(td.losses.LogitMSE(reduction=reduction))


def test_what_failed_may_be_tried_again():
    hidden = td.LayerMatch(
        "hidden_states", td.losses.HiddenMSE(), projection=True
    )
    narrow = td.EmbeddingMatch(td.losses.HiddenMSE())
    models = pairs.student(), pairs.teacher()
    with pytest.raises(ValueError, match="'embeddings' cannot compare"):
        td.Distiller(*models, [hidden, narrow])
    assert not hidden.built
    assert not hidden.weights
    made = td.Distiller(*models, [hidden])
    assert [tuple(w.shape) for w in hidden.weights] == [(8, 12)]
    assert any(
        hidden.projections[0].kernel is v for v in made.trainable_variables
    )


def test_scores_have_no_width_to_project():
    match = td.LayerMatch(
        "attention_scores", td.losses.AttentionMSE(), projection=True
    )
    with pytest.raises(ValueError, match="only signals with a width"):
        td.Distiller(pairs.student(), pairs.teacher(), [match])


def test_a_whole_model_checkpoint_is_refused_at_once(tmp_path):
    made = distiller()
    made.compile(jit_compile=False)
    steps = []
    counted = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(batch)
    )
    whole = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras")
    with pytest.raises(ValueError, match="save_weights_only=True"):
        made.fit(X, callbacks=[counted, whole], verbose=0)
    assert not steps
    file = tmp_path / "best.weights.h5"
    weights = keras.callbacks.ModelCheckpoint(
        file, monitor="loss", save_weights_only=True
    )
    made.fit(X, callbacks=[counted, weights], verbose=0)
    assert steps
    assert file.exists()


@pytest.mark.parametrize("activation", ["gelu_approximate", "relu"])
def test_blocks_of_another_activation_are_not_copied(activation):
    teacher = tiny.classifier(seed=1, activation=activation)
    student = tiny.classifier(seed=2)
    before = tiny.weights_of(student)
    with pytest.raises(ValueError, match=f"activation='{activation}'"):
        initialize_from_teacher(student, teacher)
    tiny.assert_same_weights(before, tiny.weights_of(student))
    student = tiny.classifier(seed=2, activation=activation)
    initialize_from_teacher(student, teacher)
    inputs = tiny.batch()
    np.testing.assert_array_equal(student(inputs), teacher(inputs))


def test_an_activation_is_the_same_by_name_and_as_a_function():
    teacher = tiny.backbone(1, activation=keras.activations.gelu)
    student = tiny.backbone(2, activation="gelu")
    report = initialize_from_teacher(student, teacher)
    assert "block_1 → block_1" in report.copied


# Layer maps


def test_a_mapping_names_student_and_teacher_blocks():
    assert layer_map({0: 2, 1: 5}, 2, 6) == [(0, 2), (1, 5)]
    assert layer_map({1: 5, 0: 2}, 2, 6) == [(0, 2), (1, 5)]
    assert layer_map({2: 3, 0: None}, 3, 6) == [(2, 3)]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({2: 1}, r"student blocks \[2\], but the student has blocks 0 to 1"),
        ({-1: 1}, r"student blocks \[-1\]"),
        ({"0": 1}, r"student blocks \['0'\]"),
        ({0: 4}, r"teacher blocks \[4\]"),
        ({}, "matches no block"),
    ],
)
def test_mappings_that_do_not_fit(how, message):
    with pytest.raises(ValueError, match=message):
        layer_map(how, 2, 4)
