"""What `compile` is given, and what of it is made before the first step."""

import h5py
import keras
import numpy as np
import pytest
import tiny
from on_backend import needs_tensorflow

import tf_distill as td
from tf_distill.distillation.compiled_metrics import metrics_of
from tf_distill.distillation.terms import Terms
from tf_distill.optimizers import with_multipliers

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
LABELS = np.arange(8) % 3


def small(seed, units=3):
    x = keras.Input((3,))
    return tiny.randomize(keras.Model(x, keras.layers.Dense(units)(x)), seed)


def distiller(units=3, **kwargs):
    match = td.LogitMatch(td.losses.LogitMSE())
    return td.Distiller(small(1, units), small(2, units), [match], **kwargs)


def label_loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@needs_tensorflow  # JAX has everything built before, and traces once
def test_the_first_step_is_traced_once(monkeypatch):
    traced = []
    total = Terms.total

    def counted(self, *args):
        traced.append(args)
        return total(self, *args)

    monkeypatch.setattr(Terms, "total", counted)
    made = distiller()
    made.compile(
        "adam",
        label_loss(),
        metrics=["accuracy", "sparse_categorical_crossentropy"],
        weighted_metrics=["acc"],
        jit_compile=False,
    )
    logs = made.fit(X, LABELS, batch_size=8, verbose=0).history
    assert {"accuracy", "sparse_categorical_crossentropy", "acc"} < set(logs)
    assert len(traced) == 1


@pytest.mark.parametrize(
    ("units", "labels"),
    [
        (1, LABELS % 2),
        (3, LABELS),
        (3, LABELS[:, None]),
        (3, np.eye(3)[LABELS]),
    ],
)
def test_accuracy_by_name_is_keras_own(units, labels):
    """But for labels of -100, see below."""
    made, plain = distiller(units), small(1, units)
    for model in (made, plain):
        model.compile(
            loss=lambda labels, outputs: keras.ops.mean(outputs, axis=-1),
            weighted_metrics=["accuracy"],
            run_eagerly=True,
        )
    weight = np.linspace(0.1, 2.0, 8)
    found, expected = (
        model.evaluate(
            X, labels, sample_weight=weight, verbose=0, return_dict=True
        )["accuracy"]
        for model in (made, plain)
    )
    assert found == expected
    assert 0 < found < 1
    stop = keras.callbacks.EarlyStopping("val_accuracy")
    made.fit(
        X, labels, validation_data=(X, labels), callbacks=[stop], verbose=0
    )
    assert stop.monitor_op(2, 1)


@pytest.mark.parametrize("weight", [None, np.array([1.0, 0.0, 2.0])])
def test_accuracy_by_name_leaves_out_words_without_a_label(weight):
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(3, 4, 2))
    labels = generator.integers(0, 2, (3, 4))
    labels[:, 2:] = labels[1, 1] = -100
    (accuracy,) = metrics_of(["accuracy"])
    accuracy.update_state(labels, logits, weight)
    counted = (labels >= 0) * (1 if weight is None else weight[:, None])
    expected = ((logits.argmax(-1) == labels) * counted).sum() / counted.sum()
    assert 0 < expected < 1
    np.testing.assert_allclose(accuracy.result(), expected, rtol=1e-6)


def test_compiled_again_without_labels_forgets_them():
    made = distiller()
    made.compile(loss=label_loss(), metrics=["accuracy"], run_eagerly=True)
    assert "accuracy" in made.test_on_batch(X, LABELS, return_dict=True)
    made.compile(run_eagerly=True)
    logs = made.test_on_batch(X, LABELS, return_dict=True)
    assert set(logs) == {"loss", "logits_loss"}
    np.testing.assert_allclose(logs["loss"], logs["logits_loss"], rtol=1e-6)
    made.test_on_batch(X)


def test_what_is_trained_may_change_after_compile():
    made = distiller()
    dense = made.student.layers[-1]
    made.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    dense.enable_lora(1)
    dense.bias.trainable = False
    before = [np.array(w) for w in (dense._kernel, dense.bias)]
    made.fit(X, verbose=0)
    made.fit(X, verbose=0)  # of two factors, the first is 0 until the second
    after = [np.array(w) for w in (dense._kernel, dense.bias)]
    tiny.assert_same_weights(before, after)
    assert np.abs(dense.lora_kernel_b).min() > 0
    assert len(made.optimizer._trainable_variables) == 2


def test_the_teacher_may_be_left_out_between_two_evaluations():
    made = distiller()
    made.compile(loss=label_loss(), jit_compile=False)
    names = []
    for made.validate_teacher in (True, False, True):
        logs = made.evaluate(X, LABELS, verbose=0, return_dict=True)
        names.append(sorted(logs))
    assert names == [["logits_loss", "loss"], ["loss"], ["logits_loss", "loss"]]


def test_half_precision_scales_the_loss():
    keras.mixed_precision.set_global_policy("mixed_float16")
    made = distiller()
    made.compile(keras.optimizers.SGD(0.01), jit_compile=False)
    assert isinstance(made.optimizer, keras.optimizers.LossScaleOptimizer)
    # Gradients that float16 has not, but their sum over a batch has.
    logs = made.fit(X, batch_size=1, epochs=2, verbose=0).history
    assert logs["loss"][1] < logs["loss"][0]


@pytest.mark.parametrize("dtype", ["mixed_float16", "float32"])
def test_the_dtype_is_the_student_s_whatever_is_global(dtype):
    student = tiny.classifier(dtype=dtype, num_layers=1)
    teacher = tiny.classifier(dtype="float32", num_layers=1, hidden_dim=12)
    others = {"float32": "mixed_float16", "mixed_float16": "float32"}
    keras.mixed_precision.set_global_policy(others[dtype])
    hidden = td.LayerMatch(
        "hidden_states", td.losses.HiddenMSE(), projection=True
    )
    logits = td.LogitMatch(td.losses.LogitMSE())
    made = td.Distiller(student, teacher, [hidden, logits])
    made.compile("adam", run_eagerly=True)
    scaled = isinstance(made.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (dtype == "mixed_float16")
    assert hidden.projections[0].dtype_policy.name == dtype
    logs = made.train_on_batch(tiny.batch(), return_dict=True)
    assert np.isfinite(logs["loss"])


@needs_tensorflow
def test_accumulation_of_parts_that_are_chosen_late(two_replicas):
    with two_replicas.scope():
        made = distiller()
        optimizer = with_multipliers(
            lambda rate: keras.optimizers.SGD(
                rate, gradient_accumulation_steps=2
            ),
            0.1,
            lambda variable: 1.0,
        )
        made.compile(optimizer, jit_compile=False)
    with pytest.raises(ValueError, match="gradient_accumulation_steps=2"):
        made.fit(X, verbose=0)


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        (
            [td.losses.LogitMSE()],
            r"`losses` has <.*LogitMSE.*put it into a mat",
        ),
        (td.LogitMatch(td.losses.LogitMSE()), "must be a list of matches"),
        ((), "`losses` is empty"),
    ],
)
def test_losses_that_are_no_matches(losses, message):
    with pytest.raises(ValueError, match=message):
        td.Distiller(small(1), small(2), losses)


@pytest.mark.parametrize("teacher", ["bert_base", [small(2)], None])
def test_teachers_that_are_no_models(teacher):
    match = td.LogitMatch(td.losses.LogitMSE())
    with pytest.raises(ValueError, match="build it as a functional `keras.Mod"):
        td.Distiller(small(1), teacher, [match])


def test_lengths_that_turn_out_to_differ():
    def positions(layer, seed):
        x = keras.Input((None, 3))
        y = layer(keras.layers.Dense(2)(x))
        return tiny.randomize(keras.Model(x, y), seed)

    first = keras.layers.Lambda(lambda x: x[:, :1])  # would be broadcast
    match = td.LogitMatch(td.losses.LogitMSE())
    made = td.Distiller(
        positions(first, 1), positions(keras.layers.Identity(), 2), [match]
    )
    made.compile(run_eagerly=True)
    with pytest.raises(
        ValueError, match=r"'logits' cannot compare.*\(2, 4, 2\)"
    ):
        made.test_on_batch(np.ones((2, 4, 3), "float32"))


def tagger(seed):
    """Reads padding off its ids, as models made with `mask_zero` do."""
    x = keras.Input((None,), dtype="int32", name="token_ids")
    h = keras.layers.Embedding(9, 4, mask_zero=True)(x)
    h = keras.layers.Dense(4, name="hidden")(h)
    model = keras.Model({"token_ids": x}, keras.layers.Dense(3)(h))
    return tiny.randomize(model, seed)


def test_padding_that_keras_masks_does_not_count():
    made = td.Distiller(
        tagger(1),
        tagger(2),
        [
            td.LogitMatch(td.losses.SoftKLDivergence()),
            td.SignalMatch(
                "layer/hidden", "layer/hidden", td.losses.HiddenMSE()
            ),
        ],
    )
    made.compile(run_eagerly=True)
    narrow = np.array([[3, 4], [5, 6]])
    wide = np.array([[3, 4, 0, 0], [5, 6, 0, 0]])
    one, other, told = (
        made.test_on_batch(x, return_dict=True)
        for x in (
            {"token_ids": narrow},
            {"token_ids": wide},
            {"token_ids": wide, "padding_mask": np.minimum(wide, 1)},
        )
    )
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-6)
        np.testing.assert_allclose(one[name], told[name], rtol=1e-6)
    # What the batch says comes first.
    all_of_them = {"token_ids": wide, "padding_mask": np.ones_like(wide)}
    logs = made.test_on_batch(all_of_them, return_dict=True)
    assert abs(logs["loss"] - one["loss"]) > 1e-3


def test_a_backup_has_no_teacher_and_goes_on(tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def fit(*callbacks, folder=tmp_path / "backup"):
        made = distiller()
        made.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
        backup = keras.callbacks.BackupAndRestore(folder)
        found = made.fit(
            X,
            epochs=4,
            shuffle=False,
            callbacks=[backup, *callbacks],
            verbose=0,
        ).history["loss"]
        return made, found

    with pytest.raises(KeyboardInterrupt):
        fit(Interrupt())
    (file,) = (tmp_path / "backup").glob("*.weights.h5")
    stored = []
    with h5py.File(file) as opened:
        opened.visititems(lambda name, x: stored.append(x))
        shapes = [x.shape for x in stored if isinstance(x, h5py.Dataset)]
    # The student's and Adam's two moments of it; no other kernel.
    assert shapes.count((3, 3)) == 3
    again, history = fit()
    assert len(history) == 2
    whole, _ = fit(folder=tmp_path / "other")
    tiny.assert_same_weights(
        tiny.weights_of(whole.student), tiny.weights_of(again.student)
    )


@pytest.mark.parametrize("trainable", [False, True])
def test_a_student_on_its_teacher_s_own_layer(trainable):
    x = keras.Input((3,))
    shared = keras.layers.Dense(4, trainable=trainable)
    student, teacher = (
        tiny.randomize(keras.Model(x, keras.layers.Dense(3)(shared(x))), seed)
        for seed in (1, 2)
    )
    match = td.LogitMatch(td.losses.LogitMSE())
    made = td.Distiller(student, teacher, [match])
    made.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    before = np.array(shared.kernel)
    made.fit(X, epochs=3, verbose=0)
    assert np.array_equal(before, shared.kernel) != trainable
    # What the last step saw of both is what they are, but for that step.
    made.optimizer.learning_rate = 0.0
    last = made.fit(X, verbose=0).history["loss"]
    values = (np.array(student(X)) - np.array(teacher(X))) ** 2
    np.testing.assert_allclose(last, [values.mean()], rtol=1e-5)


def by_token(seed):
    x = keras.Input((None, 3))
    return tiny.randomize(keras.Model(x, keras.layers.Dense(3)(x)), seed)


def test_a_weight_a_row_never_meets_the_tokens():
    x, labels = (
        X.reshape(2, 4, 3)[[0, 1, 0, 1]],
        np.arange(16).reshape(4, 4) % 3,
    )
    x = x + np.arange(4)[:, None, None]  # rows, as many as tokens, that differ
    weight = np.array([1.0, 0.5, 2.0, 0.0])
    student = by_token(1)
    made = td.Distiller(
        student, by_token(2), [td.LogitMatch(td.losses.LogitMSE(), weight=0.0)]
    )
    logits = np.asarray(student(x), "float64")
    odds = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    each = -np.log(np.take_along_axis(odds, labels[..., None], -1)[..., 0])
    expected = (each.mean(1) * weight).mean()
    assert abs(expected - (each * weight).mean()) > 0.01  # along the tokens

    made.compile(loss=label_loss(), run_eagerly=True)
    with pytest.raises(ValueError, match="one number a row, .B,., but"):
        made.test_on_batch(x, labels, weight)
    with pytest.raises(ValueError, match="or `class_weight`"):
        made.fit(x, labels, class_weight={0: 1.0, 1: 2.0, 2: 3.0}, verbose=0)
    logs = made.test_on_batch(x, labels, weight[:, None], return_dict=True)
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-5)
    made.compile(loss=td.losses.MaskedLMCrossEntropy(), run_eagerly=True)
    logs = made.test_on_batch(x, labels, weight, return_dict=True)
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-5)


def of_tokens_and_rows(seed, kind=dict):
    """Outputs of tokens, (B, 3, 5), and of rows, (B, 2)."""
    x = keras.Input((3, 4))
    tokens = keras.layers.Dense(5, name="tokens")(x)
    rows = keras.layers.Dense(2, name="rows")(keras.layers.Flatten()(x))
    outputs = {"tokens": tokens, "rows": rows}
    if kind is list:
        outputs = list(outputs.values())
    return tiny.randomize(keras.Model(x, outputs), seed)


ROWS = np.array([0, 1, 1, 0])
TOKENS = np.arange(12).reshape(4, 3) % 5
WEIGHT = np.array([1.0, 0.5, 2.0, 0.0])


@pytest.mark.parametrize(
    ("kind", "loss", "labels", "weight", "mends"),
    [
        (dict, {"rows": label_loss()}, {"rows": ROWS}, WEIGHT, None),
        (
            # In the order of the names.
            dict,
            [label_loss(), None],
            {"rows": ROWS, "tokens": TOKENS},
            WEIGHT,
            None,
        ),
        (
            list,
            {"tokens": None, "rows": label_loss()},
            [TOKENS, ROWS],
            WEIGHT,
            None,
        ),
        (
            dict,
            {"rows": label_loss(), "tokens": label_loss()},
            {"rows": ROWS, "tokens": TOKENS},
            {"rows": WEIGHT, "tokens": None},
            None,
        ),
        (
            dict,
            {"tokens": label_loss()},
            {"tokens": TOKENS},
            WEIGHT,
            WEIGHT[:, None],
        ),
        (
            list,
            [label_loss(), label_loss()],
            [TOKENS, ROWS],
            [WEIGHT, None],
            [WEIGHT[:, None], None],
        ),
    ],
)
def test_each_output_s_loss_and_weight_are_keras_own(
    kind, loss, labels, weight, mends
):
    x = np.random.default_rng(1).normal(size=(4, 3, 4))
    models = of_tokens_and_rows(1, kind), of_tokens_and_rows(2, kind)
    match = td.LogitMatch(td.losses.LogitMSE(), output="rows")
    made = td.Distiller(*models, [match])
    made.compile(loss=loss, run_eagerly=True)
    if mends is not None:
        with pytest.raises(ValueError, match="one number a row"):
            made.test_on_batch(x, labels, weight)
        weight = mends
    logs = made.test_on_batch(x, labels, weight, return_dict=True)
    models[0].compile(loss=loss, run_eagerly=True)
    of_labels = models[0].test_on_batch(x, labels, weight, return_dict=True)
    np.testing.assert_allclose(
        logs["loss"],
        of_labels["loss"] + logs["rows_logits_loss"],
        rtol=1e-5,
    )
    # The match is weighted, whichever of the outputs has the weights.
    values = [
        np.array(keras.tree.flatten(model(x))[0 if kind is dict else 1])
        for model in models
    ]
    each = ((values[0] - values[1]) ** 2).mean(-1)
    np.testing.assert_allclose(
        logs["rows_logits_loss"], (each * WEIGHT).mean(), rtol=1e-5
    )
