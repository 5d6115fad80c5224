"""Teachers and students of every kind: KerasHub's, nested ones, one's own."""

import keras
import keras_hub
import numpy as np
import pytest
import tiny
from on_backend import IS_JAX

import tf_distill as td
from tf_distill.distillation import tapped

INPUTS, LABELS = tiny.batch(), np.array([0, 2, 1, 2])
X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
HIDDEN = ("hidden_states/0", "hidden_states/1")
DEEP = ("hidden_states/1", "hidden_states/3")


def hub(seed, **sizes):
    """KerasHub's own task on its own encoder."""
    sizes = {**tiny.SIZES, "dropout": 0.0, **sizes}
    encoder = keras_hub.models.BertBackbone(**sizes)
    task = keras_hub.models.BertTextClassifier(
        encoder, num_classes=3, dropout=0.0
    )
    return tiny.randomize(task, seed)


def arrays(model, inputs, *signals):
    found = tapped(model, signals)(inputs)
    return {name: np.asarray(x, "float64") for name, x in found.items()}


def eager(student, teacher, losses, **kwargs):
    made = td.Distiller(student, teacher, losses)
    made.compile(keras.optimizers.SGD(0.05), run_eagerly=not IS_JAX, **kwargs)
    return made


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(hub, hub), (tiny.classifier, hub), (hub, tiny.classifier)],
    ids=["both", "teacher", "student"],
)
def test_keras_hub_s_tasks(ours, theirs, tmp_path):
    student, teacher = ours(1), theirs(2, num_layers=4)
    made = eager(
        student,
        teacher,
        [
            td.LogitMatch(td.losses.LogitMSE(), weight=0.5),
            td.LayerMatch("hidden_states", td.losses.ClsDistance(False)),
        ],
        metrics=["accuracy"],
    )
    small = arrays(student, INPUTS, *HIDDEN)
    large = arrays(teacher, INPUTS, *DEEP)
    logits = ((small["output"] - large["output"]) ** 2).mean()
    cls = sum(
        ((small[s][:, 0] - large[t][:, 0]) ** 2).sum(-1).mean()
        for s, t in zip(HIDDEN, DEEP, strict=True)
    )
    kept, before = tiny.weights_of(teacher), tiny.weights_of(student)
    logs = made.fit(INPUTS, LABELS, batch_size=4, verbose=0).history
    np.testing.assert_allclose(logs["logits_loss"], [logits], rtol=1e-5)
    np.testing.assert_allclose(logs["hidden_states_loss"], [cls], rtol=1e-5)
    np.testing.assert_allclose(logs["loss"], [0.5 * logits + cls], rtol=1e-5)
    accuracy = (small["output"].argmax(-1) == LABELS).mean()
    assert logs["accuracy"] == [accuracy]
    tiny.assert_same_weights(kept, tiny.weights_of(teacher))
    after = tiny.weights_of(student)
    moved = [abs(a - b).max() for a, b in zip(before, after, strict=True)]
    assert np.mean(np.array(moved) > 0) > 0.9
    # The student is still what it was: it is saved and loaded as its class.
    made.student.save_to_preset(tmp_path)
    again = type(student).from_preset(str(tmp_path))
    np.testing.assert_allclose(again(INPUTS), student(INPUTS), atol=1e-6)


def test_attention_that_keras_hub_hides_is_told_of():
    match = td.LayerMatch("attention_scores", td.losses.AttentionMSE())
    with pytest.raises(ValueError, match="no signal 'attention_scores/"):
        td.Distiller(tiny.classifier(1), hub(2), [match])


def around(task, units=None, name="mine"):
    """A model of one's own on a task of KerasHub's, which it contains."""
    inputs = {
        key: keras.Input((None,), dtype="int32", name=key) for key in task.input
    }
    x = task(inputs)
    if units:
        x = keras.layers.Dense(units, name="more")(x)
    return keras.Model(inputs, x, name=name)


def test_tasks_within_models_of_one_s_own():
    student, teacher = hub(1), hub(2, num_layers=3)
    outer, other = around(student), tiny.randomize(around(teacher, 3), 3)
    signals = [f"layer/transformer_layer_{i}" for i in (0, 2)]
    made = eager(
        outer,
        other,
        [
            td.SignalMatch(*signals, td.losses.HiddenMSE(), name="last"),
            td.LogitMatch(td.losses.LogitMSE()),
        ],
    )
    logs = made.test_on_batch(INPUTS, return_dict=True)
    one, two = (
        np.asarray(
            arrays(m, INPUTS, f"hidden_states/{i}")[f"hidden_states/{i}"]
        )
        for m, i in ((student, 0), (teacher, 2))
    )
    mask = INPUTS["padding_mask"] > 0
    rows = [
        ((a - b)[m] ** 2).mean() for a, b, m in zip(one, two, mask, strict=True)
    ]
    np.testing.assert_allclose(logs["last_loss"], np.mean(rows), rtol=1e-5)
    logits = np.square(np.asarray(student(INPUTS)) - np.asarray(other(INPUTS)))
    np.testing.assert_allclose(logs["logits_loss"], logits.mean(), rtol=1e-5)
    before = tiny.weights_of(student)
    made.train_on_batch(INPUTS)
    after = tiny.weights_of(student)
    assert any((a != b).any() for a, b in zip(before, after, strict=True))


def sequential(seed):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    return tiny.randomize(model, seed)


@pytest.mark.parametrize("whose", ["student", "teacher"])
def test_a_sequential_is_told_how_to_become_functional(whose):
    match = td.LogitMatch(td.losses.LogitMSE())
    models = {"student": sequential(1), "teacher": sequential(2)}
    for name, model in models.items():
        if name != whose:
            models[name] = keras.Model(model.inputs[0], model.outputs[0])
    with pytest.raises(
        ValueError,
        match=r"a Sequential.*with its weights: `keras.Model\(model.inputs\[0",
    ):
        td.Distiller(**models, losses=[match])
    plain = models[whose]
    models[whose] = keras.Model(plain.inputs[0], plain.outputs[0])
    before = tiny.weights_of(plain)
    made = eager(**models, losses=[match])
    made.fit(X, batch_size=8, verbose=0)
    # With its weights: what the functional model learns, it learns.
    changed = not np.array_equal(before[0], plain.weights[0].numpy())
    assert changed == (whose == "student")
    if changed:
        np.testing.assert_array_equal(plain(X), models[whose](X))


def test_inputs_dtypes_widths_depths_heads_and_outputs_that_differ():
    def named(encoder, name, seed):
        """The encoder's [CLS] in a dense layer, as the output of a name."""
        x = encoder(encoder.input)
        x = x["sequence_output"] if isinstance(x, dict) else x
        dense = keras.layers.Dense(3, dtype="float32", name=name)
        model = keras.Model(encoder.input, {name: dense(x[:, 0])})
        model.backbone = encoder
        return tiny.randomize(model, seed)

    student = named(  # no segments
        td.models.DistilBertBackbone(
            **{**tiny.SIZES, "dropout": 0.0, "dtype": "mixed_bfloat16"}
        ),
        "small",
        1,
    )
    sizes = {"num_layers": 3, "hidden_dim": 12, "num_heads": 3}
    teacher = named(tiny.backbone(**sizes, dropout=0.0), "large", 2)
    made = eager(
        student,
        teacher,
        [
            td.LogitMatch(td.losses.LogitMSE(), output=("small", "large")),
            td.LayerMatch(
                "hidden_states",
                td.losses.HiddenMSE(),
                layer_map={1: 2},
                projection=True,
            ),
            td.LayerMatch("values", td.losses.RelationKL(4), layer_map="top"),
        ],
    )
    logs = made.test_on_batch(INPUTS, return_dict=True)
    needed = {name: INPUTS[name] for name in student.input}
    one = np.asarray(student(needed)["small"])
    two = np.asarray(teacher(INPUTS)["large"])
    (name,) = [n for n in logs if "logits" in n]
    np.testing.assert_allclose(
        logs[name],
        np.square(one - two).mean(),
        # Compiled, the student's bfloat16 is rounded elsewhere.
        rtol=1e-2 if IS_JAX else 1e-5,
    )
    assert {logs["hidden_states_loss"] > 0, logs["values_loss"] > 0} == {True}
    first = logs["loss"]
    for _ in range(5):
        made.train_on_batch(INPUTS)
    made.reset_metrics()
    assert made.test_on_batch(INPUTS, return_dict=True)["loss"] < first
