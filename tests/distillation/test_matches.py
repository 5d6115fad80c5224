"""What can be compared beyond pairs.py's terms; each value by hand.

Letters: B batch, T tokens, P masked positions, V words.
"""

import keras
import numpy as np
import pairs
import pytest
import tiny
from on_backend import needs_tensorflow

import tf_distill as td
from tf_distill.distillation import tapped

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


def dense(x, units, name):
    return keras.layers.Dense(units, name=name)(x)


def two_headed(seed, names=("start", "end"), kind=dict):
    x = keras.Input((3,))
    outputs = {name: dense(x, 5, name) for name in names}
    if kind is list:
        outputs = list(outputs.values())
    return tiny.randomize(keras.Model(x, outputs, name="mine"), seed)


def one_headed(seed, name="start"):
    x = keras.Input((3,))
    return tiny.randomize(keras.Model(x, dense(x, 5, name)), seed)


def eager(student, teacher, *matches, **kwargs):
    made = td.Distiller(student, teacher, list(matches))
    made.compile(run_eagerly=True, **kwargs)
    return made


def logged(made, *data):
    return made.test_on_batch(*data, return_dict=True)


def kl(teacher, student):
    p, q = tiny.softmax(teacher), tiny.softmax(student)
    return (p * np.log(p / q)).sum(-1)


KL = td.losses.SoftKLDivergence


# Several outputs


@pytest.mark.parametrize("kind", [dict, list])
def test_each_of_several_outputs(kind):
    models = two_headed(1, kind=kind), two_headed(2, kind=kind)
    made = eager(
        *models,
        td.LogitMatch(KL(), output="start", weight=0.5),
        td.LogitMatch(td.losses.LogitMSE(), output="end", weight=3.0),
        loss={
            name: keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            for name in ("start", "end")
        },
        loss_weights={"start": 2.0, "end": 0.25},
    )
    labels = {"start": np.array([0, 1, 2, 3]), "end": np.array([4, 4, 0, 1])}
    logs = logged(made, X, labels)
    ours, theirs = (
        dict(zip(("start", "end"), keras.tree.flatten(outputs), strict=True))
        for outputs in (
            [np.asarray(model.get_layer(n)(X)) for n in ("start", "end")]
            for model in models
        )
    )
    start = kl(theirs["start"], ours["start"]).mean()
    end = ((theirs["end"] - ours["end"]) ** 2).mean()
    hard = {n: pairs.label_terms(ours[n], labels[n]).mean() for n in labels}
    np.testing.assert_allclose(logs["start_logits_loss"], start, rtol=1e-5)
    np.testing.assert_allclose(logs["end_logits_loss"], end, rtol=1e-5)
    total = 0.5 * start + 3 * end + 2 * hard["start"] + 0.25 * hard["end"]
    np.testing.assert_allclose(logs["loss"], total, rtol=1e-5)
    agreement = (ours["start"].argmax(-1) == theirs["start"].argmax(-1)).mean()
    assert logs["start_agreement"] == agreement
    assert "end_agreement" not in logs  # no softmax is assumed of the MSE


@pytest.mark.parametrize(
    ("ours", "theirs", "output"),
    [
        (
            two_headed(1, ("a", "b")),
            two_headed(2, ("c", "start")),
            ("b", "start"),
        ),
        (one_headed(1), two_headed(2), (None, "start")),
        (one_headed(1), two_headed(2), "start"),
        (two_headed(1, kind=list), one_headed(2), ("end", None)),
    ],
    ids=["names differ", "of one and a dict", "one by name", "of a list"],
)
def test_outputs_of_other_names(ours, theirs, output):
    made = eager(ours, theirs, td.LogitMatch(KL(), output=output, name="mine"))
    name, other = output if isinstance(output, tuple) else (output, output)
    student = np.asarray(ours.get_layer(name or "start")(X))
    teacher = np.asarray(theirs.get_layer(other or "start")(X))
    np.testing.assert_allclose(
        logged(made, X)["mine_loss"], kl(teacher, student).mean(), rtol=1e-5
    )


def test_outputs_that_are_not_there():
    with pytest.raises(ValueError, match="no output 'middle'.*start, end"):
        eager(
            two_headed(1), two_headed(2), td.LogitMatch(KL(), output="middle")
        )
    with pytest.raises(ValueError, match="teacher has 2: .* one of start, end"):
        eager(one_headed(1), two_headed(2), td.LogitMatch(KL()))
    with pytest.raises(ValueError, match="'start' has no|no output 'end'"):
        eager(one_headed(1), two_headed(2), td.LogitMatch(KL(), output="end"))


# Masked positions


def masked_lm(seed):
    """Features (B, T, 3) to logits at the masked positions, (B, P, V)."""
    features = keras.Input((None, 3), name="features")
    positions = keras.Input((None,), dtype="int32", name="mask_positions")
    picked = keras.ops.take_along_axis(
        features, keras.ops.expand_dims(positions, -1), axis=1
    )
    inputs = {"features": features, "mask_positions": positions}
    model = keras.Model(inputs, dense(picked, 7, "masked_lm"))
    return tiny.randomize(model, seed)


POSITIONS = np.array([[0, 2], [1, 0], [4, 3]])
MASK_WEIGHTS = np.array([[1, 1], [1, 0], [0, 0]])
WORDS = {
    "features": np.random.default_rng(1).normal(size=(3, 5, 3)),
    "padding_mask": np.array([[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1] * 5]),
    "mask_positions": POSITIONS,
    "mask_weights": MASK_WEIGHTS,
}
LABELS = np.where(MASK_WEIGHTS, [[1, 2], [3, 0], [0, 0]], -100)


def at_positions(model):
    picked = np.stack(
        [x[p] for x, p in zip(WORDS["features"], POSITIONS, strict=True)]
    )
    layer = model.get_layer("masked_lm")
    return picked @ layer.kernel.numpy() + layer.bias.numpy()


def test_masked_words_count_by_their_weights():
    made = eager(
        masked_lm(1),
        masked_lm(2),
        td.LogitMatch(KL(temperature=2.0), weight=5.0),
        loss=td.losses.MaskedLMCrossEntropy(),
    )
    logs = logged(made, WORDS, LABELS)
    ours, theirs = at_positions(made.student), at_positions(made.teacher)
    soft = 4 * kl(theirs / 2, ours / 2)
    soft = np.array([soft[0].mean(), soft[1, 0], 0.0]).mean()
    hard = -tiny.log_softmax(ours)
    hard = ((hard[0, 0, 1] + hard[0, 1, 2]) / 2 + hard[1, 0, 3]) / 3
    np.testing.assert_allclose(logs["logits_loss"], soft, rtol=1e-5)
    np.testing.assert_allclose(logs["loss"], 5 * soft + hard, rtol=1e-5)
    same = ours.argmax(-1) == theirs.argmax(-1)
    counted = MASK_WEIGHTS > 0
    np.testing.assert_allclose(logs["agreement"], same[counted].mean())
    entropy = -(tiny.softmax(theirs) * tiny.log_softmax(theirs)).sum(-1)
    np.testing.assert_allclose(
        logs["teacher_entropy"], entropy[counted].mean(), rtol=1e-5
    )
    weight = np.array([0.25, 2.0, 1.0])
    logs = made.test_on_batch(WORDS, LABELS, weight, return_dict=True)
    counted = MASK_WEIGHTS * weight[:, None]
    for name, values in (("agreement", same), ("teacher_entropy", entropy)):
        np.testing.assert_allclose(
            logs[name], np.average(values, weights=counted), rtol=1e-5
        )


def test_another_input_may_say_what_counts():
    match = td.LogitMatch(KL(), where="mine")
    made = eager(masked_lm(1), masked_lm(2), match)
    mine = 1 - MASK_WEIGHTS
    logs = logged(made, {**WORDS, "mine": mine})
    values = kl(at_positions(made.teacher), at_positions(made.student))
    expected = [0.0, values[1, 1], values[2].mean()]
    np.testing.assert_allclose(
        logs["logits_loss"], np.mean(expected), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (None, "'mask_weights' names, but the batch has .*'padding_mask'"),
        ("padding_mask", "2 positions .* 'padding_mask' has 5.*mask_weights"),
        ("mine", "'mine' names, but the batch has"),
    ],
)
def test_positions_that_are_not_told(where, message):
    match = td.LogitMatch(KL(), where=where)
    made = eager(masked_lm(1), masked_lm(2), match)
    batch = {name: x for name, x in WORDS.items() if name != "mask_weights"}
    with pytest.raises(ValueError, match=message):
        logged(made, batch)


# Signals of blocks


INPUTS = tiny.batch((3, 5, 1), width=6)
BLOCKS = [
    f"{role}/{i}"
    for role in ("hidden_states", "attention_scores", "values")
    for i in range(4)
]


def rows(values):
    """Mean over rows of what a function of the valid tokens gives."""
    mask = INPUTS["padding_mask"] > 0
    return np.mean([values(row, mask[row]) for row in range(len(mask))])


@pytest.fixture(scope="module")
def blocks():
    """A Distiller with every kind of match, its logs and its signals."""
    keras.utils.set_random_seed(0)
    hidden, losses = "hidden_states", td.losses
    student, teacher = pairs.student(), pairs.teacher(num_heads=2)
    each = td.LayerMatch(
        hidden, losses.HiddenMSE(), projection="each", name="each"
    )
    made = eager(
        student,
        teacher,
        td.LayerMatch("attention_scores", losses.AttentionKL(), name="kl"),
        td.LayerMatch(
            "values",
            losses.RelationKL(4),
            layer_map={1: 3},
            name="relations",
        ),
        td.LayerMatch(
            hidden,
            losses.ClsDistance(),
            layer_map="skip",
            projection=True,
            name="cls",
        ),
        each,
    )
    for seed, kernel in enumerate(each.projections):
        tiny.randomize(kernel, seed)
    signals = (
        tapped(teacher, BLOCKS)(INPUTS),
        tapped(student, [s for s in BLOCKS if s[-1] in "01"])(INPUTS),
    )
    theirs, ours = (
        {n: np.asarray(x, "float64") for n, x in found.items()}
        for found in signals
    )
    return made, logged(made, INPUTS), ours, theirs


def test_attention_distributions(blocks):
    _, logs, ours, theirs = blocks

    def row(b, mask):
        return sum(
            kl(
                theirs[f"attention_scores/{t}"][b][:, mask][:, :, mask],
                ours[f"attention_scores/{s}"][b][:, mask][:, :, mask],
            ).mean()
            for s, t in ((0, 1), (1, 3))
        )

    np.testing.assert_allclose(logs["kl_loss"], rows(row), rtol=1e-4)


def test_relations_of_the_last_values(blocks):
    _, logs, ours, theirs = blocks

    def scores(x, heads):
        parts = np.split(x, heads, -1)
        return np.stack([p @ p.T / p.shape[-1] ** 0.5 for p in parts])

    def row(b, mask):
        return kl(
            scores(theirs["values/3"][b][mask], 4),
            scores(ours["values/1"][b][mask], 4),
        ).mean()

    np.testing.assert_allclose(logs["relations_loss"], rows(row), rtol=1e-4)


def test_cls_of_all_but_the_last_pair(blocks):
    made, logs, ours, theirs = blocks
    match = made.matches[2]
    assert match.pairs == (("hidden_states/0", "hidden_states/1"),)
    student = ours["hidden_states/0"][:, 0] @ match.projections[0].kernel
    teacher = theirs["hidden_states/1"][:, 0]
    unit = [
        x / np.linalg.norm(x, axis=-1, keepdims=True)
        for x in (np.array(student), teacher)
    ]
    expected = ((unit[0] - unit[1]) ** 2).sum(-1).mean()
    np.testing.assert_allclose(logs["cls_loss"], expected, rtol=1e-5)


def test_a_projection_for_each_pair(blocks):
    made, logs, ours, theirs = blocks
    kernels = [p.kernel.numpy() for p in made.matches[3].projections]
    assert [k.shape for k in kernels] == [(8, 12), (8, 12)]
    trained = {id(v) for v in made.trainable_variables}
    for projection in made.matches[3].projections:
        assert id(projection.kernel) in trained

    def row(b, mask):
        return sum(
            (
                (
                    ours[f"hidden_states/{s}"][b][mask] @ kernels[s]
                    - theirs[f"hidden_states/{t}"][b][mask]
                )
                ** 2
            ).mean()
            for s, t in ((0, 1), (1, 3))
        )

    np.testing.assert_allclose(logs["each_loss"], rows(row), rtol=1e-5)


@pytest.mark.parametrize(
    ("match", "message"),
    [
        (
            lambda: td.LayerMatch("values", td.losses.RelationKL(5)),
            "'values/0' .*5 relation heads cannot share a width of",
        ),
        (
            lambda: td.LayerMatch("hidden_states", td.losses.AttentionKL()),
            r"AttentionKL compares tensors of \(B, H, T, S\)|must be equal",
        ),
        (
            lambda: td.LayerMatch("attention_scores", td.losses.HiddenCosine()),
            r"HiddenCosine compares tensors of \(B, T, D\)",
        ),
        (
            lambda: td.LayerMatch("hidden_states", td.losses.ClsDistance()),
            "projection=True",
        ),
        (
            lambda: td.LayerMatch(
                "attention_distributions", td.losses.AttentionKL()
            ),
            "AttentionKL.*twice.*'attention_scores'.*AttentionMSE",
        ),
        (
            lambda: td.SignalMatch(
                "attention_scores/0",
                "attention_distributions/1",
                td.losses.AttentionKL(),
            ),
            "'attention_distributions/1'.*twice",
        ),
        (
            lambda: td.LayerMatch("scores", td.losses.AttentionKL()),
            "no signal 'scores/0'. It has embeddings, hidden_states, att",
        ),
        (
            lambda: td.LayerMatch(
                "values", td.losses.RelationKL(4), layer_map={1: 4}
            ),
            r"teacher blocks \[4\], but the teacher has blocks 0 to 3",
        ),
        (
            lambda: td.LayerMatch(
                "values", td.losses.HiddenMSE(), projection="all"
            ),
            "projection='all'.*one of False, True, 'each'",
        ),
    ],
)
def test_what_does_not_fit(match, message):
    with pytest.raises(ValueError, match=message):
        td.Distiller(pairs.student(), pairs.teacher(), [match()])


# Layers of one's own models


def of_my_own(seed, width=4, name="mine"):
    inner_x = keras.Input((None, 3))
    inner = keras.Model(inner_x, dense(inner_x, width, "deep"), name="inner")
    inputs = {
        "features": keras.Input((None, 3), name="features"),
        "padding_mask": keras.Input((None,), name="padding_mask"),
    }
    x = dense(inner(inputs["features"]), width, "middle")
    x = keras.layers.GlobalAveragePooling1D(name="pooled")(x)
    x = dense(x * inputs["padding_mask"][:, :1], 2, "head")
    return tiny.randomize(keras.Model(inputs, x, name=name), seed)


def test_layers_by_name():
    ours, theirs = of_my_own(1), of_my_own(2, width=6)
    made = eager(
        ours,
        theirs,
        td.SignalMatch(
            "layer/deep", "layer/middle", td.losses.HiddenMSE(), projection=True
        ),
        td.SignalMatch("layer/head", "layer/head", td.losses.LogitMSE()),
    )
    features, mask = WORDS["features"], WORDS["padding_mask"]
    logs = logged(made, {"features": features, "padding_mask": mask})

    def layer(model, name, x):
        found = model.get_layer(name)
        return x @ found.kernel.numpy() + found.bias.numpy()

    deep = [
        layer(m.get_layer("inner"), "deep", features) for m in (ours, theirs)
    ]
    middle = [
        layer(m, "middle", x) for m, x in zip((ours, theirs), deep, strict=True)
    ]
    kernel = made.matches[0].projections[0].kernel.numpy()
    values = ((deep[0] @ kernel - middle[1]) ** 2).mean(-1)
    expected = [v[m > 0].mean() for v, m in zip(values, mask, strict=True)]
    np.testing.assert_allclose(
        logs["layer_deep_loss"], np.mean(expected), rtol=1e-5
    )
    heads = [
        layer(m, "head", x.mean(1))
        for m, x in zip((ours, theirs), middle, strict=True)
    ]
    np.testing.assert_allclose(
        logs["layer_head_loss"], ((heads[0] - heads[1]) ** 2).mean(), rtol=1e-5
    )


def test_layers_that_are_not_there():
    mine = of_my_own(1)
    with pytest.raises(
        ValueError, match="no layer 'deeper'.*inner.*'inner/deep'"
    ):
        tapped(mine, ["layer/deeper"])
    encoder = tiny.backbone()
    with pytest.raises(ValueError, match="2 layers 'query'.*block_0/query"):
        tapped(encoder, ["layer/query"])
    one = tapped(encoder, ["layer/block_1/query", "queries/1"])(tiny.batch())
    np.testing.assert_array_equal(one["layer/block_1/query"], one["queries/1"])
    with pytest.raises(ValueError, match="'mine' needs enc|no encoder.*Signal"):
        td.Distiller(
            mine,
            of_my_own(2),
            [td.LayerMatch("hidden_states", td.losses.HiddenMSE())],
        )


def test_layers_inside_other_layers_cannot_be_reached():
    class Outer(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.hidden = keras.layers.Dense(2, name="hidden")

        def call(self, x):
            return self.hidden(x)

    x = keras.Input((3,))
    model = keras.Model(x, Outer()(x))
    with pytest.raises(ValueError, match="does not give 'layer/hidden'.*insid"):
        tapped(model, ["layer/hidden"])


# NaN


def test_a_teacher_s_nan_weights_are_refused():
    teacher = one_headed(2)
    teacher.get_layer("start").kernel.assign(np.full((3, 5), np.nan))
    with pytest.raises(
        ValueError, match="teacher .* NaN in start/kernel: read"
    ):
        eager(one_headed(1), teacher, td.LogitMatch(KL()))


def logarithm():
    """A model that has no logarithm for some inputs."""
    x = keras.Input((3,))
    return keras.Model(x, keras.ops.log(x), name="logarithm")


HELD = r"teacher's signal is infinite or NaN.*the matches \['logits'\] compare"


def logarithm_s_student(**kwargs):
    """Distilled for a step from what has a logarithm, so Adam has moments."""
    x = keras.Input((3,))
    student = tiny.randomize(keras.Model(x, dense(x, 3, "start")))
    made = td.Distiller(
        student, logarithm(), [td.LogitMatch(td.losses.LogitMSE())]
    )
    optimizer = keras.optimizers.AdamW(0.1, use_ema=True, ema_momentum=0.5)
    made.compile(optimizer, **kwargs)
    made.fit(abs(X) + 1, batch_size=4, verbose=0)
    return made


def all_weights(made):
    return [w.numpy() for w in (*made.variables, *made.optimizer.variables)]


@pytest.mark.parametrize(
    "use, mode",
    [
        ("fit", {"jit_compile": True}),
        ("several", {"jit_compile": False}),
        ("together", {"jit_compile": False, "steps_per_execution": 2}),
        ("batch", {"run_eagerly": True}),
        ("validation", {"jit_compile": False}),
    ],
)
def test_nan_in_a_teacher_s_signal(use, mode):
    made = logarithm_s_student(**mode)
    before, bad = all_weights(made), -abs(X)
    steps = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(batch)
    )
    with pytest.raises(ValueError, match=HELD):
        if use == "fit":  # 0 has an infinite one
            made.fit(0 * X, batch_size=4, callbacks=note, verbose=0)
        elif use in ("several", "together"):
            data = np.concatenate([bad, abs(X)])
            made.fit(data, batch_size=4, shuffle=False, verbose=0)
        elif use == "batch":
            made.train_on_batch(bad)
        else:
            made.evaluate(bad, verbose=0)
    assert not steps
    assert before
    for old, new in zip(before, all_weights(made), strict=True):
        np.testing.assert_array_equal(old, new)
    # And goes on with what is finite.
    made.fit(abs(X) + 1, batch_size=4, callbacks=[note], verbose=0)
    assert len(steps) == 1
    changed = zip(before, all_weights(made), strict=True)
    assert any((old != new).any() for old, new in changed)


@needs_tensorflow
def test_nan_on_one_of_two_replicas(two_replicas):
    with two_replicas.scope():
        made = logarithm_s_student(jit_compile=False)
    before = all_weights(made)
    with pytest.raises(ValueError, match=HELD):
        made.fit(np.concatenate([-abs(X), abs(X)]), batch_size=8, verbose=0)
    for old, new in zip(before, all_weights(made), strict=True):
        np.testing.assert_array_equal(old, new)
    made.fit(abs(X) + 1, batch_size=4, verbose=0)
    changed = zip(before, all_weights(made), strict=True)
    assert any((old != new).any() for old, new in changed)


@pytest.mark.parametrize("counts", [False, True])
def test_nan_at_padding_does_not_count(counts):
    x = {
        "token_ids": keras.Input((4, 3), name="token_ids"),
        "padding_mask": keras.Input((4,), name="padding_mask"),
    }
    student = tiny.randomize(keras.Model(x, dense(x["token_ids"], 3, "start")))
    teacher = keras.Model(x, keras.ops.log(x["token_ids"]))
    match = td.LogitMatch(td.losses.LogitMSE())
    made = eager(student, teacher, match)
    inputs = {
        "token_ids": np.ones((2, 4, 3), "float32"),
        "padding_mask": np.array([[1, 1, 1, 0], [1, 1, 0, 0]], "float32"),
    }
    inputs["token_ids"][1, 1 if counts else 2] = -1
    if counts:
        with pytest.raises(ValueError, match=HELD):
            made.train_on_batch(inputs)
    else:
        assert np.isfinite(made.train_on_batch(inputs)).all()


def test_what_is_nan_of_the_student_alone_is_not_the_teacher_s():
    made = logarithm_s_student(jit_compile=False)
    made.student.get_layer("start").kernel.assign(np.full((3, 3), np.nan))
    logs = made.fit(abs(X) + 1, batch_size=4, verbose=0).history
    assert np.isnan(logs["logits_loss"][0])
