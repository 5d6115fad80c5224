import h5py
import keras
import numpy as np
import pairs
import pytest
import tiny
from on_backend import IS_JAX, needs_tensorflow

import tf_distill as td
from tf_distill.layers import DotProductAttention

INPUTS = tiny.batch((3, 5, 2, 5), width=6)


def small(units, seed=0, inputs=3, name=None):
    """A model without an encoder, for what has to do with logits only."""
    x = keras.Input((inputs,))
    model = keras.Model(x, keras.layers.Dense(units)(x), name=name)
    return tiny.randomize(model, seed)


def small_distiller(**kwargs):
    return td.Distiller(
        small(3, 1),
        small(3, 2),
        [td.LogitMatch(td.losses.SoftCrossEntropy())],
        **kwargs,
    )


X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")


# What the loss is


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("labelled", [False, True])
def test_total_is_the_sum_of_terms_worked_out_by_hand(labelled, weighted):
    made = pairs.compiled(loss=pairs.label_loss() if labelled else None)
    weight = pairs.SAMPLE_WEIGHT if weighted else np.ones(4)
    logs = made.test_on_batch(
        INPUTS,
        pairs.LABELS if labelled else None,
        sample_weight=weight if weighted else None,
        return_dict=True,
    )
    terms, logits = pairs.by_hand(made, INPUTS)
    for name, values in terms.items():
        np.testing.assert_allclose(
            logs[f"{name}_loss"], (values * weight).mean(), rtol=1e-5
        )
    total = pairs.total_by_hand(terms, weight)
    if labelled:
        total += (pairs.label_terms(logits, pairs.LABELS) * weight).mean()
    np.testing.assert_allclose(logs["loss"], total, rtol=1e-5)


def test_class_weight_weighs_every_term():
    class_weight = {0: 1.0, 1: 2.0, 2: 0.25}
    weight = np.array([class_weight[label] for label in pairs.LABELS])
    made = pairs.compiled(keras.optimizers.SGD(0.0), loss=pairs.label_loss())
    terms, logits = pairs.by_hand(made, INPUTS)
    logs = made.fit(
        INPUTS, pairs.LABELS, class_weight=class_weight, verbose=0
    ).history
    total = pairs.total_by_hand(terms, weight)
    total += (pairs.label_terms(logits, pairs.LABELS) * weight).mean()
    np.testing.assert_allclose(logs["loss"], [total], rtol=1e-5)


def test_weights_never_meet_another_axis():
    # Batch, tokens and classes are 3 and 3 and 3.
    made = pairs.compiled()
    inputs = tiny.batch((3, 2, 3))
    terms, _ = pairs.by_hand(made, inputs)
    for row in range(3):
        for shape in ((3,), (3, 1)):
            logs = made.test_on_batch(
                inputs,
                sample_weight=np.eye(3)[row].reshape(shape),
                return_dict=True,
            )
            for name, values in terms.items():
                np.testing.assert_allclose(
                    logs[f"{name}_loss"], values[row] / 3, rtol=1e-5
                )


def test_a_weight_a_token_is_refused():
    made = pairs.compiled()
    with pytest.raises(ValueError, match=r"one number an example.*\(4, 6\)"):
        made.test_on_batch(INPUTS, sample_weight=np.ones((4, 6)))


def test_more_padding_changes_nothing():
    made = pairs.compiled()
    logs, wide = (
        made.test_on_batch(tiny.batch((3, 5, 2, 5), width), return_dict=True)
        for width in (5, 11)
    )
    for name in logs:
        np.testing.assert_allclose(wide[name], logs[name], rtol=1e-5)


@pytest.mark.parametrize("weight", [None, pairs.SAMPLE_WEIGHT])
def test_agreement_and_entropies(weight):
    made = pairs.compiled()
    logs = made.test_on_batch(INPUTS, sample_weight=weight, return_dict=True)
    ours, theirs = (
        np.asarray(m(INPUTS), "float64") for m in (made.student, made.teacher)
    )
    same = ours.argmax(-1) == theirs.argmax(-1)
    np.testing.assert_allclose(
        logs["agreement"], np.average(same, weights=weight), rtol=1e-6
    )
    for name, logits in (("student", ours), ("teacher", theirs)):
        p = tiny.softmax(logits)
        np.testing.assert_allclose(
            logs[f"{name}_entropy"],
            np.average(-(p * np.log(p)).sum(-1), weights=weight),
            rtol=1e-5,
        )


def test_a_student_s_regularizers_count():
    x = keras.Input((3,))
    dense = keras.layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.1))
    student = tiny.randomize(keras.Model(x, dense(x)))
    made = td.Distiller(
        student, small(3, 2), [td.LogitMatch(td.losses.LogitMSE())]
    )
    made.compile(jit_compile=False)
    logs = made.test_on_batch(X, return_dict=True)
    np.testing.assert_allclose(
        logs["loss"] - logs["logits_loss"],
        0.1 * (dense.kernel.numpy() ** 2).sum(),
        rtol=1e-5,
    )


# What a step does


def fitted(theirs):
    keras.utils.set_random_seed(3)
    made = pairs.compiled(
        made=pairs.distiller(pairs.student(dropout=0.1), theirs),
        jit_compile=False,
    )
    before = tiny.weights_of(made.student)
    history = made.fit(INPUTS, epochs=3, verbose=0).history
    return made, before, history


def test_the_teacher_neither_drops_nor_learns():
    dropping, still = pairs.teacher(dropout=0.5), pairs.teacher(dropout=0.0)
    states = [tiny.weights_of(dropping), tiny.weights_of(still)]
    seeds = [np.array(v) for v in dropping.variables if "seed" in v.path]
    one, before, history = fitted(dropping)
    two, _, again = fitted(still)
    assert history == again
    tiny.assert_same_weights(
        tiny.weights_of(one.student), tiny.weights_of(two.student)
    )
    for state, model in zip(states, (dropping, still), strict=True):
        tiny.assert_same_weights(state, tiny.weights_of(model))
    after = [np.array(v) for v in dropping.variables if "seed" in v.path]
    assert seeds
    tiny.assert_same_weights(seeds, after)
    # And the student does: every weight but the head's, which sees gradients
    # of every kind, has moved.
    moved = [
        not np.array_equal(old, new)
        for old, new in zip(before, tiny.weights_of(one.student), strict=True)
    ]
    assert all(moved)


def test_the_student_drops_in_training_only():
    made = pairs.compiled(
        keras.optimizers.SGD(0.0),
        made=pairs.distiller(pairs.student(dropout=0.5)),
    )
    trained = [
        made.train_on_batch(INPUTS, return_dict=True)["loss"] for _ in "ab"
    ]
    tested = []
    for _ in "ab":
        made.reset_metrics()
        tested.append(made.test_on_batch(INPUTS, return_dict=True)["loss"])
    assert trained[0] != trained[1]
    assert tested[0] == tested[1]


def test_one_pass_of_each_a_step(monkeypatch):
    calls = []
    once = DotProductAttention.call

    def counted(self, *args, **kwargs):
        calls.append(id(self))
        return once(self, *args, **kwargs)

    made = pairs.compiled(loss=pairs.label_loss())
    made.train_on_batch(INPUTS, pairs.LABELS)  # builds what has to be built
    monkeypatch.setattr(DotProductAttention, "call", counted)
    ours, theirs = (
        [id(block.get_layer("attention")) for block in model.backbone.blocks]
        for model in (made.student, made.teacher)
    )
    made.train_on_batch(INPUTS, pairs.LABELS)
    assert sorted(calls) == sorted(ours + theirs)
    calls.clear()
    made.test_on_batch(INPUTS, pairs.LABELS)
    assert sorted(calls) == sorted(ours + theirs)
    calls.clear()
    made.predict_on_batch(INPUTS)
    assert calls == ours
    calls.clear()
    made.validate_teacher = False
    made.test_on_batch(INPUTS, pairs.LABELS)
    assert calls == ours


def test_the_student_learns_from_the_teacher():
    made = pairs.compiled(keras.optimizers.Adam(0.01), jit_compile=IS_JAX)
    first = made.test_on_batch(INPUTS, return_dict=True)
    for _ in range(60):
        made.train_on_batch(INPUTS)
    made.reset_metrics()
    last = made.test_on_batch(INPUTS, return_dict=True)
    assert last["loss"] < 0.5 * first["loss"]
    for name in pairs.WEIGHTS:
        share = last[f"{name}_loss"] / first[f"{name}_loss"]
        # The logits' term has the teacher's entropy for a floor.
        assert share < (1.0 if name == "logits" else 0.7), name
    assert last["agreement"] == 1.0


def test_gradients_are_those_of_the_total():
    made = pairs.compiled(keras.optimizers.SGD(1.0), loss=pairs.label_loss())
    other = pairs.compiled(loss=pairs.label_loss())
    made.train_on_batch(INPUTS, pairs.LABELS)
    names = ["logits", "query", "projection"]
    for name in names:
        new, old = (_variable(m, name) for m in (made, other))
        gradient = old.numpy() - new.numpy()
        step = np.random.default_rng(0).normal(size=gradient.shape)
        values = []
        for sign in (1, -1):
            shift = (sign * 2e-3 * step).astype("float32")
            old.assign_add(shift)
            terms, logits = pairs.by_hand(other, INPUTS)
            values.append(
                pairs.total_by_hand(terms)
                + pairs.label_terms(logits, pairs.LABELS).mean()
            )
            old.assign_sub(shift)
        np.testing.assert_allclose(
            (gradient * step).sum(), (values[0] - values[1]) / 4e-3, rtol=2e-2
        )


def _variable(made, name):
    if name == "logits":
        return made.student.head.kernel
    if name == "query":
        return made.student.backbone.blocks[0].get_layer("query").kernel
    return made.matches[1].projections[0].kernel


# Labels, validation, prediction


def test_metrics_on_labels_and_validation():
    made = small_distiller()
    made.compile(
        keras.optimizers.SGD(0.0),
        pairs.label_loss(),
        metrics=["accuracy"],
        jit_compile=False,
    )
    labels = np.arange(8) % 3
    logs = made.fit(
        X, labels, batch_size=8, validation_data=(X, labels), verbose=0
    ).history
    names = ["loss", "accuracy", "logits_loss", "agreement"]
    names += ["student_entropy", "teacher_entropy"]
    assert sorted(logs) == sorted([*names, *(f"val_{n}" for n in names)])
    accuracy = (np.argmax(made.student(X), -1) == labels).mean()
    assert logs["accuracy"] == logs["val_accuracy"] == [accuracy]
    for name in names:
        np.testing.assert_allclose(logs[f"val_{name}"], logs[name], rtol=1e-5)


def test_validation_without_the_teacher():
    made = small_distiller(validate_teacher=False)
    made.compile(
        loss=pairs.label_loss(), metrics=["accuracy"], jit_compile=False
    )
    labels = np.arange(8) % 3
    logs = made.evaluate(X, labels, verbose=0, return_dict=True)
    assert sorted(logs) == ["accuracy", "loss"]
    expected = pairs.label_terms(np.asarray(made.student(X)), labels).mean()
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-5)


def test_a_loss_on_labels_needs_labels():
    made = small_distiller()
    made.compile(loss=pairs.label_loss(), jit_compile=False)
    with pytest.raises(ValueError, match="the data has no labels"):
        made.fit(X, verbose=0)


def test_predictions_are_the_student_s():
    made = pairs.compiled()
    expected = np.asarray(made.student(INPUTS))
    np.testing.assert_array_equal(made(INPUTS), expected)
    made.test_on_batch(INPUTS)
    np.testing.assert_array_equal(made(INPUTS), expected)
    np.testing.assert_allclose(
        made.predict(INPUTS, verbose=0), expected, atol=1e-6
    )


def named(names, seed):
    inputs = {name: keras.Input((3,), name=name) for name in names}
    x = keras.layers.Concatenate()([*inputs.values(), *inputs.values()])
    outputs = keras.layers.Dense(3)(x)
    return tiny.randomize(keras.Model(inputs, outputs, name="mine"), seed)


def test_a_student_may_need_less_than_the_teacher():
    made = td.Distiller(
        named(["a"], 1),
        named(["a", "b"], 2),
        [td.LogitMatch(td.losses.LogitMSE())],
    )
    made.compile(jit_compile=False)
    data = {"a": X, "b": -X}
    logs = made.fit(data, verbose=0, validation_data=(data,)).history
    assert logs["val_loss"][0] > 0
    assert made.predict(data, verbose=0).shape == (8, 3)
    with pytest.raises(ValueError, match=r"needs the inputs \['b'\]"):
        made.fit({"a": X}, verbose=0)


@needs_tensorflow
def test_data_from_batches_and_datasets():
    import tensorflow as tf

    made = pairs.compiled(keras.optimizers.SGD(0.0))
    expected = made.fit(INPUTS, batch_size=2, verbose=0, shuffle=False).history
    dataset = tf.data.Dataset.from_tensor_slices((INPUTS,)).batch(2)
    found = made.fit(dataset, verbose=0, shuffle=False).history
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)


# Checkpoints


def test_the_teacher_is_in_no_checkpoint(tmp_path):
    made = pairs.compiled(keras.optimizers.Adam(0.01))
    made.fit(INPUTS, verbose=0)
    file = tmp_path / "distiller.weights.h5"
    made.save_weights(file)
    stored = []
    with h5py.File(file) as opened:
        opened.visititems(
            lambda name, item: (
                stored.append(item[()])
                if isinstance(item, h5py.Dataset)
                else None
            )
        )

    def holds(value):
        return any(
            value.shape == x.shape and np.array_equal(value, x) for x in stored
        )

    assert all(holds(w) for w in tiny.weights_of(made.student))
    assert all(holds(m.projections[0].kernel.numpy()) for m in made.matches[:2])
    assert not any(holds(w) for w in tiny.weights_of(made.teacher))
    teacher = {id(v) for v in made.teacher.variables}
    assert not teacher & {id(v) for v in made.variables}
    again = pairs.compiled(
        keras.optimizers.Adam(0.01),
        made=pairs.distiller(pairs.student(), projection=False),
    )
    tiny.randomize(again.student, seed=9)
    again.optimizer.build(again.trainable_variables)
    again.load_weights(file)
    tiny.assert_same_weights(
        tiny.weights_of(made.student), tiny.weights_of(again.student)
    )
    for ours, theirs in zip(made.matches[:2], again.matches[:2], strict=True):
        np.testing.assert_array_equal(
            ours.projections[0].kernel, theirs.projections[0].kernel
        )
    # The optimizer's moments too: the next step is the same.
    for model in (made, again):
        model.train_on_batch(INPUTS)
    tiny.assert_same_weights(
        tiny.weights_of(made.student), tiny.weights_of(again.student)
    )


def test_callbacks_that_keep_weights(tmp_path):
    made = small_distiller()
    made.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    file = tmp_path / "best.weights.h5"
    made.fit(
        X,
        validation_data=(X,),
        epochs=2,
        verbose=0,
        callbacks=[
            keras.callbacks.ModelCheckpoint(
                file, save_weights_only=True, save_best_only=True
            ),
            keras.callbacks.EarlyStopping(restore_best_weights=True),
        ],
    )
    weights = tiny.weights_of(made.student)
    again = small_distiller()
    again.load_weights(file)
    tiny.assert_same_weights(weights, tiny.weights_of(again.student))


def test_a_distiller_is_not_saved_as_a_model(tmp_path):
    with pytest.raises(ValueError, match="save `distiller.student`"):
        small_distiller().save(tmp_path / "model.keras")
    assert not list(tmp_path.iterdir())


# What Keras offers beside


def steps(made, epochs=1, **kwargs):
    inputs = tiny.batch((3, 5, 2, 5, 4, 1, 5, 2))
    history = made.fit(
        inputs, epochs=epochs, shuffle=False, verbose=0, **kwargs
    ).history
    return history, tiny.weights_of(made.student)


def assert_near(one, two, rtol=1e-5, atol=1e-6):
    for name in one[0]:
        np.testing.assert_allclose(one[0][name], two[0][name], rtol=rtol)
    for ours, theirs in zip(one[1], two[1], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=atol)


@pytest.fixture(scope="module")
def of_a_graph():
    """Logs and weights of two steps of a plain graph."""
    keras.utils.set_random_seed(0)
    return steps(pairs.compiled(jit_compile=False), batch_size=4)


def test_several_steps_an_execution(of_a_graph):
    made = pairs.compiled(jit_compile=False, steps_per_execution=2)
    assert_near(of_a_graph, steps(made, batch_size=4))


def test_compiled_by_xla(of_a_graph):
    made = pairs.compiled(jit_compile=True)
    assert_near(of_a_graph, steps(made, batch_size=4), atol=1e-5)


def test_accumulated_gradients_are_a_larger_batch_s():
    sgd = keras.optimizers.SGD
    _, whole = steps(pairs.compiled(sgd(0.05)), batch_size=8)
    _, parts = steps(
        pairs.compiled(sgd(0.05, gradient_accumulation_steps=2)), batch_size=4
    )
    before = tiny.weights_of(pairs.student())
    assert len(whole) == len(before)
    for ours, theirs, old in zip(parts, whole, before, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
        assert not np.array_equal(theirs, old)


@needs_tensorflow
def test_two_replicas_are_one(two_replicas):
    assert two_replicas.num_replicas_in_sync == 2
    with two_replicas.scope():
        made = pairs.compiled(loss=pairs.label_loss(), jit_compile=False)
    labels = np.arange(8) % 3
    weight = np.linspace(0.2, 2.0, 8)
    data = {"y": labels, "sample_weight": weight, "batch_size": 4}
    assert_near(
        steps(
            pairs.compiled(loss=pairs.label_loss(), jit_compile=False), **data
        ),
        steps(made, **data),
        rtol=1e-6,
    )


def test_half_precision_near_float32():
    exact = pairs.compiled().test_on_batch(INPUTS, return_dict=True)
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    made = pairs.compiled(keras.optimizers.Adam(0.01))
    mixed = made.test_on_batch(INPUTS, return_dict=True)
    for name in pairs.WEIGHTS:
        np.testing.assert_allclose(
            mixed[f"{name}_loss"], exact[f"{name}_loss"], rtol=0.05
        )
    assert mixed["loss"] != exact["loss"]
    for _ in range(4):
        made.train_on_batch(INPUTS)
    made.reset_metrics()
    after = made.test_on_batch(INPUTS, return_dict=True)
    assert after["loss"] < 0.95 * mixed["loss"]
    assert {w.dtype for w in made.weights} == {"float32"}


def test_signals_in_float32_are_compared_in_float32():
    exact = pairs.compiled().test_on_batch(INPUTS, return_dict=True)
    models = pairs.student(), pairs.teacher()
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    losses = [td.LogitMatch(td.losses.SoftCrossEntropy(pairs.TEMPERATURE))]
    losses += [td.LayerMatch("attention_scores", td.losses.AttentionMSE())]
    made = pairs.compiled(made=pairs.distiller(*models, losses))
    found = made.test_on_batch(INPUTS, return_dict=True)
    for name in ("logits_loss", "attention_scores_loss"):
        np.testing.assert_allclose(found[name], exact[name], rtol=1e-6)


def test_a_teacher_in_a_dtype_of_its_own():
    mixed = pairs.teacher(dtype="mixed_bfloat16")
    made = pairs.compiled(made=pairs.distiller(theirs=mixed))
    exact = pairs.compiled().test_on_batch(INPUTS, return_dict=True)
    found = made.test_on_batch(INPUTS, return_dict=True)
    assert found["student_entropy"] == exact["student_entropy"]
    assert found["loss"] != exact["loss"]
    np.testing.assert_allclose(found["loss"], exact["loss"], rtol=0.05)


# What is refused


HIDDEN = td.losses.HiddenMSE()
LOGITS = td.LogitMatch


@pytest.mark.parametrize(
    ("ours", "theirs", "losses", "message"),
    [
        ({}, {}, lambda: [], "`losses` is empty"),
        (
            {},
            {},
            lambda: [LOGITS(td.losses.LogitMSE()) for _ in "ab"],
            r"one name: \['logits', 'logits'\]",
        ),
        (
            {"vocabulary_size": 21},
            {},
            lambda: [LOGITS(td.losses.LogitMSE())],
            "student has a vocabulary of 21",
        ),
        (
            {"num_classes": 2},
            {},
            lambda: [LOGITS(td.losses.SoftCrossEntropy())],
            r"'logits' cannot compare .*\(None, 3\).*\(None, 2\).*same classes",
        ),
        (
            {},
            {},
            lambda: [td.LayerMatch("hidden_states", HIDDEN, layer_map=[1, 9])],
            r"teacher blocks \[9\], but the teacher has blocks 0 to 3",
        ),
        (
            {},
            {},
            lambda: [td.LayerMatch("hidden_states", HIDDEN)],
            r"'hidden_states/0' .* 12\).* 8\).*projection=True",
        ),
        (
            {},
            {},
            lambda: [td.EmbeddingMatch(HIDDEN)],
            "'embeddings' cannot compare.*projection=True",
        ),
        (
            {},
            {"num_heads": 3},
            lambda: [
                td.LayerMatch("attention_scores", td.losses.AttentionMSE())
            ],
            r"'attention_scores/1'.*\(None, 3, .*as many heads",
        ),
        (
            {},
            {},
            lambda: [td.LayerMatch("hidden", HIDDEN)],
            "no signal 'hidden/",
        ),
    ],
)
def test_what_does_not_fit(ours, theirs, losses, message):
    with pytest.raises(ValueError, match=message):
        td.Distiller(pairs.student(**ours), pairs.teacher(**theirs), losses())


def test_models_that_cannot_be_reached_into():
    class Mine(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="functional `keras.Model`"):
        td.Distiller(Mine(), small(3), [LOGITS(td.losses.LogitMSE())])
    with pytest.raises(ValueError, match="'mine' has no encoder"):
        td.Distiller(
            small(3, name="mine"),
            pairs.teacher(),
            [td.LayerMatch("hidden_states", HIDDEN)],
        )


def test_encoders_have_no_logits():
    with pytest.raises(ValueError, match="'logits'.*one output"):
        td.Distiller(
            tiny.backbone(), tiny.backbone(), [LOGITS(td.losses.LogitMSE())]
        )


def test_encoders_have_hidden_states():
    made = td.Distiller(
        tiny.backbone(1), tiny.backbone(2), [td.LayerMatch("values", HIDDEN)]
    )
    made.compile(run_eagerly=True)
    logs = made.test_on_batch(INPUTS, return_dict=True)
    assert sorted(logs) == ["loss", "values_loss"]


def test_a_match_belongs_to_one_distiller():
    losses = pairs.matches()
    pairs.distiller(losses=losses)
    with pytest.raises(ValueError, match="belongs to another Distiller"):
        pairs.distiller(pairs.student(num_layers=1), losses=losses)
