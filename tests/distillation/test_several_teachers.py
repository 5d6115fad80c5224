"""Several teachers, and teachers that read tokens of their own."""

import keras
import numpy as np
import pytest
import tiny

import tf_distill as td
from tf_distill.distillation import TeacherCache, tapped

X = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
calls = []  # the name of a layer and its mode, each time that it runs


class Counted(keras.layers.Layer):
    """Gives what it gets, and notes that it did."""

    def call(self, x, training=None):
        if not isinstance(x, keras.KerasTensor):
            calls.append((self.name, training))
        return x + 0.0


def small(seed, name="mine", inputs=3, **kwargs):
    x = keras.Input((inputs,))
    hidden = keras.layers.Dense(4, name="hidden")(x)
    hidden = keras.layers.Dropout(0.5)(Counted(name=name)(hidden))
    model = keras.Model(x, keras.layers.Dense(3)(hidden), name=name, **kwargs)
    return tiny.randomize(model, seed, 0.8)


def two_teachers(*losses, **kwargs):
    made = td.Distiller(
        small(1, "student"),
        {"large": small(2, "a"), "wide": small(3, "b")},
        list(losses),
        **kwargs,
    )
    made.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    return made


def matches():
    soft = td.losses.SoftCrossEntropy
    return [
        td.LogitMatch(soft(temperature=2.0), teacher="large", weight=0.5),
        td.LogitMatch(soft(), teacher="wide", weight=2.0),
        td.LogitMatch(td.losses.LogitMSE(), teacher="wide", name="mse"),
        td.SignalMatch(
            "layer/hidden",
            "layer/hidden",
            td.losses.LogitMSE(),
            teacher="large",
        ),
    ]


def entropy(logits):
    p = tiny.softmax(logits)
    return -(p * np.log(p)).sum(-1).mean()


def test_each_term_is_of_its_own_teacher():
    made = two_teachers(*matches())
    logs = made.test_on_batch(X, return_dict=True)
    ours, large, wide = (
        {k: np.array(v, "float64") for k, v in tapped(m, ["layer/hidden"])(X)
         .items()}
        for m in (made.student, *made.teacher.values())
    )  # fmt: skip
    temperature = 2.0
    terms = {
        "large_logits": -(
            tiny.softmax(large["output"] / temperature)
            * tiny.log_softmax(ours["output"] / temperature)
        ).sum(-1).mean() * temperature**2,
        "wide_logits": -(
            tiny.softmax(wide["output"]) * tiny.log_softmax(ours["output"])
        ).sum(-1).mean(),
        "mse": ((wide["output"] - ours["output"]) ** 2).mean(),
        "large_layer_hidden": (
            (large["layer/hidden"] - ours["layer/hidden"]) ** 2
        ).mean(),
    }  # fmt: skip
    for name, value in terms.items():
        np.testing.assert_allclose(logs[f"{name}_loss"], value, rtol=1e-5)
    weights = dict(zip(terms, (0.5, 2.0, 1.0, 1.0), strict=True))
    np.testing.assert_allclose(
        logs["loss"], sum(weights[n] * terms[n] for n in terms), rtol=1e-5
    )
    likeliest = ours["output"].argmax(-1)
    for name, logits in (("large", large["output"]), ("wide", wide["output"])):
        same = (likeliest == logits.argmax(-1)).mean()
        np.testing.assert_allclose(logs[f"{name}_agreement"], same)
        for whose, x in (("teacher", logits), ("student", ours["output"])):
            np.testing.assert_allclose(
                logs[f"{name}_{whose}_entropy"], entropy(x), rtol=1e-5
            )
    assert len(logs) == 1 + len(terms) + 6
    assert made.teacher_signals == [
        "large:layer/hidden",
        "large:output",
        "wide:output",
    ]


def test_each_runs_once_a_step_in_inference_mode():
    made = two_teachers(*matches())
    before = [tiny.weights_of(m) for m in made.teacher.values()]
    made.train_on_batch(X)  # builds what has to be built
    teachers = [("a", False), ("b", False)]
    calls.clear()
    made.train_on_batch(X)
    assert calls[2:] == [("student", True)]
    assert sorted(calls[:2]) == teachers
    calls.clear()
    made.test_on_batch(X)
    assert calls[2:] == [("student", False)]
    assert sorted(calls[:2]) == teachers
    calls.clear()
    made.predict_on_batch(X)
    assert calls == [("student", False)]
    for weights, model in zip(before, made.teacher.values(), strict=True):
        tiny.assert_same_weights(weights, tiny.weights_of(model))
        assert not {id(v) for v in model.variables} & {
            id(v) for v in made.variables
        }


@pytest.mark.parametrize(
    ("teacher", "named", "message"),
    [
        ({"a": 2, "b": 3}, ["a", None], "teacher=None.*teachers are a, b"),
        ({"a": 2, "b": 3}, ["a", "c"], "teacher='c'.*teachers are a, b"),
        ({"a": 2, "b": 3}, ["a"], r"No match names the teachers \['b'\]"),
        ({"a": 2}, [None], "teacher=None.*teachers are a"),
        (2, ["a"], "teacher='a'.*there is one teacher, which has no name"),
        ({}, [None], r"named \[\]: give at least one"),
        ({"a/b": 2}, ["a/b"], r"named \['a/b'\].*without '/'"),
        ({1: 2}, [1], r"named \[1\]"),
    ],
)
def test_teachers_that_are_not_named(teacher, named, message):
    if isinstance(teacher, dict):
        teacher = {name: small(seed) for name, seed in teacher.items()}
    else:
        teacher = small(teacher)
    losses = [
        td.LogitMatch(td.losses.LogitMSE(), teacher=name, name=f"term_{index}")
        for index, name in enumerate(named)
    ]
    with pytest.raises(ValueError, match=message):
        td.Distiller(small(1), teacher, losses)


def test_nan_in_one_of_several():
    x = keras.Input((3,))
    made = td.Distiller(
        small(1),
        {"good": small(2), "bad": keras.Model(x, keras.ops.log(x))},
        [
            td.LogitMatch(td.losses.LogitMSE(), teacher=name)
            for name in ("good", "bad")
        ],
    )
    made.compile(run_eagerly=True)
    with pytest.raises(ValueError, match=r"the matches \['bad_logits'\] comp"):
        made.train_on_batch(-abs(X))


def test_a_table_of_all():
    lines = []
    made = td.Distiller(
        tiny.classifier(num_layers=1),
        {"large": tiny.classifier(hidden_dim=12, num_layers=4), "b": other()},
        [
            td.LogitMatch(td.losses.LogitMSE(), teacher=name)
            for name in ("large", "b")
        ],
    )
    made.summary(print_fn=lines.append)
    rows = [line.split("  ") for line in "\n".join(lines).split("\n")]
    rows = [[cell.strip() for cell in row if cell] for row in rows]
    # By hand: ids, positions and segments; norms; a block's four attention
    # projections, two layers, two norms; the pooler; the head.
    student = (20 + 12 + 2) * 8 + 16
    student += 4 * (64 + 8) + (8 * 16 + 16) + (16 * 8 + 8) + 32
    student += 72 + 8 * 3 + 3
    assert rows[0] == ["student", "large", "b"]
    assert ["layers", "1", "4", "2"] in rows
    assert ["hidden size", "8", "12", "-"] in rows
    assert ["attention heads", "2", "2", "-"] in rows
    assert ["vocabulary", "20", "20", "-"] in rows
    found = next(row for row in rows if row[0] == "parameters")
    assert found[1] == f"{student:,}"
    assert found[3] == f"{20 * 4 + 4 * 3 + 3}"


def other():
    """A classifier of one's own, of the mean of its tokens' embeddings."""
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(20, 4, name="deep")(ids)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return tiny.randomize(
        keras.Model({"token_ids": ids}, keras.layers.Dense(3)(x)), 5
    )


# A teacher that reads tokens of its own

OWN = {f"teacher_{k}": v for k, v in tiny.batch((4, 2, 7), seed=4).items()}
OWN["teacher_token_ids"] = OWN["teacher_token_ids"] + (  # ids up to 30
    11 * OWN["teacher_padding_mask"]
)
INPUTS = {**tiny.batch((3, 5, 2)), **OWN}


def foreign(cls=td.models.BertTextClassifier, **sizes):
    return tiny.classifier(seed=2, cls=cls, vocabulary_size=31, **sizes)


def test_a_teacher_with_another_vocabulary():
    teacher, student = foreign(), tiny.classifier(seed=1)
    made = td.Distiller(
        student,
        teacher,
        [
            td.LogitMatch(td.losses.LogitMSE(), weight=2.0),
            td.LayerMatch("hidden_states", td.losses.ClsDistance()),
        ],
        teacher_inputs="teacher_",
    )
    made.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    logs = made.test_on_batch(INPUTS, return_dict=True)
    signals = ["hidden_states/0", "hidden_states/1"]
    theirs = tapped(teacher, signals)(
        {k.removeprefix("teacher_"): v for k, v in OWN.items()}
    )
    ours = tapped(student, signals)({k: INPUTS[k] for k in student.input})
    logits = np.square(theirs["output"] - ours["output"]).mean()
    cls = 0.0
    for name in signals:
        unit = [np.asarray(x[name][:, 0], "float64") for x in (ours, theirs)]
        unit = [x / np.linalg.norm(x, axis=-1, keepdims=True) for x in unit]
        cls += ((unit[0] - unit[1]) ** 2).sum(-1).mean()
    np.testing.assert_allclose(logs["logits_loss"], logits, rtol=1e-5)
    np.testing.assert_allclose(logs["hidden_states_loss"], cls, rtol=1e-5)
    np.testing.assert_allclose(logs["loss"], 2 * logits + cls, rtol=1e-5)
    made.train_on_batch(INPUTS)
    assert made.predict_on_batch(INPUTS).shape == (3, 3)
    with pytest.raises(ValueError, match=r"the inputs \['teacher_token_ids'\]"):
        made.train_on_batch(
            {k: v for k, v in INPUTS.items() if k != "teacher_token_ids"}
        )
    # Nobody computed a cache of what this teacher reads.
    cached = {**INPUTS, "teacher": {s: 0 for s in made.teacher_signals}}
    with pytest.raises(ValueError, match="beside the living teacher"):
        made.train_on_batch(cached)


def test_teachers_with_and_without_tokens_of_their_own():
    teachers = {"foreign": foreign(), "near": tiny.classifier(seed=3)}
    made = td.Distiller(
        tiny.classifier(seed=1),
        teachers,
        [
            td.LogitMatch(td.losses.LogitMSE(), teacher="foreign"),
            td.LogitMatch(td.losses.LogitMSE(), teacher="near"),
            td.EmbeddingMatch(td.losses.HiddenMSE(), teacher="near"),
        ],
        teacher_inputs={"foreign": "teacher_"},
    )
    made.compile(run_eagerly=True)
    logs = made.test_on_batch(INPUTS, return_dict=True)
    own = {k.removeprefix("teacher_"): v for k, v in OWN.items()}
    plain = {k: INPUTS[k] for k in own}
    ours = made.student(plain)
    for name, inputs in (("foreign", own), ("near", plain)):
        expected = np.square(teachers[name](inputs) - ours).mean()
        np.testing.assert_allclose(
            logs[f"{name}_logits_loss"], expected, rtol=1e-5
        )
    assert logs["near_embeddings_loss"] > 0


def head(cls, seed, **sizes):
    encoder = tiny.backbone(seed, **sizes)
    return tiny.randomize(cls(encoder), seed)


@pytest.mark.parametrize(
    ("cls", "match"),
    [
        (None, lambda: td.EmbeddingMatch(td.losses.HiddenMSE())),
        (None, lambda: td.LayerMatch("hidden_states", td.losses.HiddenMSE())),
        (None, lambda: td.LayerMatch("values", td.losses.RelationKL(2))),
        (
            None,
            lambda: td.LayerMatch("attention_scores", td.losses.AttentionKL()),
        ),
        (
            td.models.BertMaskedLM,
            lambda: td.LogitMatch(td.losses.SoftKLDivergence()),
        ),
        (
            td.models.BertQuestionAnswering,
            lambda: td.LogitMatch(td.losses.LogitMSE(), output="start"),
        ),
    ],
)
def test_tokens_of_two_kinds_are_not_compared(cls, match):
    if cls is None:
        models = tiny.classifier(seed=1), foreign()
    else:
        models = head(cls, 1), head(cls, 2)
    with pytest.raises(
        ValueError, match="token by token, but with `teacher_inputs`"
    ):
        td.Distiller(*models, [match()], teacher_inputs="teacher_")


def test_another_vocabulary_needs_inputs_of_its_own():
    match = td.LogitMatch(td.losses.LogitMSE())
    with pytest.raises(ValueError, match="of 31.*same token.*`teacher_inputs`"):
        td.Distiller(tiny.classifier(), foreign(), [match])
    with pytest.raises(ValueError, match=r"names the teachers \['b'\], but"):
        td.Distiller(
            tiny.classifier(), foreign(), [match], teacher_inputs={"b": "b_"}
        )
    with pytest.raises(ValueError, match="only teachers with a dict of inputs"):
        td.Distiller(small(1), small(2), [match], teacher_inputs="b_")


def test_logits_of_as_many_positions_as_tokens():
    """Of a fixed length, they are not taken for classes."""

    def spans(seed):
        ids = keras.Input((6,), dtype="int32", name="token_ids")
        x = keras.layers.Embedding(20, 1)(ids)
        model = keras.Model({"token_ids": ids}, keras.layers.Flatten()(x))
        return tiny.randomize(model, seed)

    match = td.LogitMatch(td.losses.SoftKLDivergence())
    with pytest.raises(ValueError, match="token by token"):
        td.Distiller(spans(1), spans(2), [match], teacher_inputs="b_")
    td.Distiller(spans(1), spans(2), [match])


def test_as_many_classes_as_features_are_no_tokens():
    def named(seed):
        x = {"a": keras.Input((3,), name="a")}
        return tiny.randomize(
            keras.Model(x, keras.layers.Dense(3)(x["a"])), seed
        )

    made = td.Distiller(
        named(1),
        named(2),
        [td.LogitMatch(td.losses.LogitMSE())],
        teacher_inputs="own_",
    )
    made.compile(run_eagerly=True)
    logs = made.test_on_batch({"a": X, "own_a": -X}, return_dict=True)
    ours, theirs = made.student({"a": X}), made.teacher({"a": -X})
    np.testing.assert_allclose(
        logs["logits_loss"], np.square(ours - theirs).mean(), rtol=1e-5
    )


# Caches


def two_headed(seed):
    """A model of one's own, with logits of a text and of its tokens."""
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    inner_x = keras.Input((None, 4))
    inner = keras.Model(
        inner_x, keras.layers.Dense(4, name="deep")(inner_x), name="inner"
    )
    x = inner(keras.layers.Embedding(20, 4)(ids))
    pooled = keras.layers.GlobalMaxPooling1D(name="pooled")(x)
    outputs = {
        "text": keras.layers.Dense(3, name="text")(pooled),
        "tags": keras.layers.Dense(2, name="tags")(x),
        "score": keras.layers.Reshape((), name="score")(
            keras.layers.Dense(1)(pooled)
        ),
    }
    return tiny.randomize(keras.Model({"token_ids": ids}, outputs), seed)


def data(rows=6):
    lengths = np.arange(rows) % 3 + 6  # padded to 8
    token_ids = np.random.default_rng(0).integers(5, 20, lengths.sum())
    token_ids = token_ids.astype("int32")
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    encoded = td.data.Encoded(token_ids, 0 * token_ids, offsets, 8)
    return td.data.BucketedBatches(encoded, batch_size=3, shuffle=False)


def all_kinds(teacher=None):
    """A match of every kind of signal that a model of one's own has."""
    mse, layer = td.losses.LogitMSE, td.SignalMatch
    return [
        td.LogitMatch(mse(), output="text", teacher=teacher),
        layer(
            "output/tags", "output/tags", td.losses.HiddenMSE(), teacher=teacher
        ),
        layer("output/score", "output/score", mse(), teacher=teacher),
        layer("layer/pooled", "layer/pooled", mse(), teacher=teacher),
        layer(
            "layer/deep",
            "layer/inner/deep",
            td.losses.HiddenMSE(),
            teacher=teacher,
        ),
    ]


@pytest.mark.parametrize("several", [False, True])
def test_every_signal_can_be_cached(several, tmp_path, capsys):
    teacher, losses = two_headed(2), all_kinds()
    if several:
        teacher = {"one": teacher, "two": two_headed(3)}
        losses = all_kinds("one") + all_kinds("two")
    made = td.Distiller(two_headed(1), teacher, losses)
    made.compile(run_eagerly=True)
    cache = TeacherCache(tmp_path, made.teacher, made.teacher_signals)
    cache.build(data())
    live = made.evaluate(data(), verbose=0, return_dict=True)
    made._teacher_taps.value.call = None  # it must not be run again
    cached = made.evaluate(cache.over(data()), verbose=0, return_dict=True)
    assert set(live) == set(cached)
    assert len(live) == 1 + len(losses)
    for name in live:
        np.testing.assert_allclose(cached[name], live[name], rtol=1e-5)
    if several:
        changed = {**teacher, "two": two_headed(4)}
        with pytest.raises(ValueError, match="teacher two weights was") as info:
            TeacherCache(tmp_path, changed, made.teacher_signals).over(data())
        assert str(info.value).count(" was ") == 1
        top = TeacherCache(
            tmp_path / "top", teacher, ["two:output/text"], top_k=2
        )
        top.build(data())
        inputs, *_ = top.over(data())[0]
        found = inputs["teacher"]["two:output/text"]
        assert found.shape == (3, 3)
