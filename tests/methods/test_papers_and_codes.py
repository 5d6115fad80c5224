"""What a paper says beside what its published code computes, in numbers.

The differences that a loss alone shows are beside the losses' tests.
"""

import encoders
import keras
import numpy as np
import pairs
import pytest
import tiny
from by_hand import (
    MASKED,
    POSITIONS,
    WORDS,
    Data,
    built,
    cosine,
    each,
    kl,
    masked_batch,
    mse,
    over_words,
    signals,
    soft_cross_entropy,
    total,
    word_cross_entropy,
)

import tf_distill as td
from tf_distill.distillation import tapped
from tf_distill.methods import distil_bert, mobile_bert, tiny_bert
from tf_distill.methods.distillation_stage import adamw
from tf_distill.optimizers import Lamb

INPUTS = tiny.batch()
MASK = INPUTS["padding_mask"]
HIDDEN = ("hidden_states/0", "hidden_states/1")


# TinyBERT


def inner(student, teacher, seeds=(0, 1)):
    """The intermediate stage's Distiller, its matrices random."""
    stage, _ = tiny_bert.task(student, teacher, Data())
    made = built(stage)
    for seed, match in zip(seeds, made.matches[:2], strict=True):
        tiny.randomize(match.projections[0], seed)
    return made


def logged(made, *names):
    logs = made.evaluate(INPUTS, batch_size=4, verbose=0, return_dict=True)
    return sum(logs[f"{name}_loss"] for name in names)


def by_matrices(student, theirs, embeddings, hidden, bias=0.0):
    """Equations 8 and 9 by hand, of a teacher twice as deep."""
    ours = signals(student, INPUTS, "embeddings", *HIDDEN)
    pairs_of = [("embeddings", "embeddings", embeddings)]
    pairs_of += [
        (f"hidden_states/{i}", f"hidden_states/{2 * i + 1}", hidden)
        for i in (0, 1)
    ]
    return sum(
        mse(MASK, theirs[t], ours[s] @ kernel + bias).mean()
        for s, t, kernel in pairs_of
    )


DEEP = ("embeddings", "hidden_states/1", "hidden_states/3")


def test_tiny_bert_s_code_has_one_dense_layer_with_a_bias():
    """The paper's W_e and W_h are two matrices without one."""
    student, teacher = pairs.student(), pairs.teacher()
    theirs = signals(teacher, INPUTS, *DEEP)
    made = inner(student, teacher)
    kernels = [m.projections[0].kernel.numpy() for m in made.matches[:2]]
    paper = by_matrices(student, theirs, *kernels)
    code = by_matrices(
        student, theirs, kernels[1], kernels[1], bias=np.linspace(-1, 1, 12)
    )
    assert abs(code - paper) > 0.1
    found = logged(made, "embeddings", "hidden_states")
    np.testing.assert_allclose(found, paper, rtol=1e-5)
    # Equal matrices give what the code has while its bias is 0, as at first.
    found = logged(
        inner(student, teacher, (1, 1)), "embeddings", "hidden_states"
    )
    code = by_matrices(student, theirs, kernels[1], kernels[1])
    np.testing.assert_allclose(found, code, rtol=1e-5)


def test_tiny_bert_s_code_leaves_dropout_on_in_the_teacher():
    """A mistake: neither of its scripts calls `teacher.eval()`."""
    student, teacher = pairs.student(), pairs.teacher(dropout=0.5)
    made = inner(student, teacher)
    kernels = [m.projections[0].kernel.numpy() for m in made.matches[:2]]
    paper = by_matrices(student, signals(teacher, INPUTS, *DEEP), *kernels)
    dropped = tapped(teacher, DEEP)(INPUTS, training=True)
    dropped = {name: np.asarray(x, "float64") for name, x in dropped.items()}
    code = by_matrices(student, dropped, *kernels)
    assert abs(code - paper) > 0.1
    # In a training step, where the student's dropout (here none) is on.
    made.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    logs = made.train_on_batch(INPUTS, return_dict=True)
    found = logs["embeddings_loss"] + logs["hidden_states_loss"]
    np.testing.assert_allclose(found, paper, rtol=1e-5)


def test_tiny_bert_s_code_takes_the_gold_score():
    """And leaves its teacher out, where scores are to be learnt."""
    scores = np.array([0.5, 5.0, 2.25, 0.0], "float32")
    cls = td.models.TinyBertTextClassifier
    student = tiny.classifier(1, num_classes=1, cls=cls)
    teacher = tiny.classifier(2, num_classes=1)
    ours, theirs = (
        signals(m, INPUTS)["output"][:, 0] for m in (student, teacher)
    )
    distilled = ((ours - theirs) ** 2).mean()
    code = ((ours - scores) ** 2).mean()
    assert abs(code - distilled) > 0.1
    _, stage = tiny_bert.task(student, teacher, Data())
    found = total(built(stage), INPUTS, scores)
    np.testing.assert_allclose(found, distilled, rtol=1e-5)
    # What the code does is to train on the labels.
    student.compile(run_eagerly=True)
    found = student.evaluate(INPUTS, scores, verbose=0, return_dict=True)
    np.testing.assert_allclose(found["loss"], code, rtol=1e-5)


@pytest.mark.parametrize("scaled", [None, False, True])
def test_tiny_bert_has_no_squared_temperature(scaled):
    """Neither eq. 10 nor the code, which divides by the classes; `scaled`."""
    student, teacher = tiny.classifier(1), tiny.classifier(2, num_layers=4)
    ours, theirs = (signals(m, INPUTS)["output"] for m in (student, teacher))
    paper = soft_cross_entropy(theirs, ours, 2.0).mean() / 4
    target = tiny.softmax(theirs / 2)
    code = -(target * tiny.log_softmax(ours / 2)).mean()
    np.testing.assert_allclose(paper, 3 * code, rtol=1e-9)
    given = {} if scaled is None else {"scaled": scaled}
    _, stage = tiny_bert.task(
        student, teacher, Data(), temperature=2.0, **given
    )
    expected = 4 * paper if scaled else paper
    np.testing.assert_allclose(total(built(stage), INPUTS), expected, rtol=1e-5)


def bert_adam(weight, gradients, rate):
    """TinyBERT's code: each weight's gradient clipped, no bias corrected."""
    m = v = np.zeros_like(weight)
    for gradient in gradients:
        clipped = gradient / max(1.0, np.linalg.norm(gradient))
        m = 0.9 * m + 0.1 * clipped
        v = 0.999 * v + 0.001 * clipped**2
        update = m / (np.sqrt(v) + 1e-6) + 0.01 * weight
        weight = weight - rate * update
    return weight


def adam(weights, gradients, rate):
    """Ours: all gradients clipped together, and Kingma and Ba's correction."""
    weights = [w.copy() for w in weights]
    m, v = ([np.zeros_like(w) for w in weights] for _ in "mv")
    for t, both in enumerate(zip(*gradients, strict=True), start=1):
        norm = np.sqrt(sum((g**2).sum() for g in both))
        for i, gradient in enumerate(both):
            clipped = gradient / max(1.0, norm)
            m[i] = 0.9 * m[i] + 0.1 * clipped
            v[i] = 0.999 * v[i] + 0.001 * clipped**2
            correction = np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            update = correction * m[i] / (np.sqrt(v[i]) + 1e-6)
            weights[i] -= rate * (update + 0.01 * weights[i])
    return weights


def test_tiny_bert_s_code_corrects_no_bias_and_clips_each_weight():
    generator = np.random.default_rng(0)
    start = generator.normal(size=(2, 3, 2))
    # Of unlike lengths, so that clipping both together shrinks the small one.
    gradients = generator.normal(size=(2, 4, 3, 2)) * [[[[9.0]]], [[[0.1]]]]
    gradients[:, 2:] *= 0.01

    def trained(optimizer):
        made = [keras.Variable(x, name="kernel") for x in start]
        for both in zip(*gradients, strict=True):
            optimizer.apply([g.astype("float32") for g in both], made)
        return [v.numpy() for v in made]

    code = [bert_adam(w, g, 0.1) for w, g in zip(start, gradients, strict=True)]
    paper = adam(start, gradients, 0.1)
    assert min(abs(a - b).max() for a, b in zip(code, paper, strict=True)) > 0.1
    found = trained(adamw(0.1, warmup=None)(4))
    np.testing.assert_allclose(found, paper, rtol=1e-4, atol=1e-5)
    # As a `make_optimizer` may return it.
    optimizer = Lamb(
        0.1,
        bias_correction=False,
        weight_decay=0.01,
        epsilon=1e-6,
        clipnorm=1.0,
    )
    optimizer.exclude_from_layer_adaptation(var_names=[""])
    np.testing.assert_allclose(trained(optimizer), code, rtol=1e-4, atol=1e-5)


def test_tiny_bert_s_code_has_other_learning_rates():
    """General: 5e-5, not BERT's. Intermediate: constant, no warm-up."""

    def rates(stage, steps=(0, 10, 20, 200)):
        schedule = stage.build().optimizer._learning_rate
        if not callable(schedule):
            return [float(schedule)] * len(steps)
        return [float(schedule(step)) for step in steps]

    student, teacher = tiny.classifier(1), tiny.classifier(2, num_layers=4)
    (paper,) = tiny_bert.general(student, teacher, Data())
    (code,) = tiny_bert.general(student, teacher, Data(), learning_rate=5e-5)
    assert [max(rates(x, range(30))) for x in (paper, code)] == pytest.approx(
        [1e-4, 5e-5], rel=1e-6
    )
    paper, _ = tiny_bert.task(student, teacher, Data())
    make = adamw(5e-5, warmup=None)
    code, _ = tiny_bert.task(student, teacher, Data(), make_optimizer=make)
    expected = [0.0, 2.5e-5, 5e-5, 0.0]
    assert rates(paper) == pytest.approx(expected, abs=1e-10)
    assert rates(code) == pytest.approx([5e-5] * 4, rel=1e-6)


# MobileBERT


def mobile_models(**student):
    made = (
        td.models.MobileBertMaskedLM(
            encoders.mobile_bert(**{"attention_dropout": 0.0, **sizes})
        )
        for sizes in (student, encoders.IB_BERT)
    )
    return [tiny.randomize(model, seed) for seed, model in enumerate(made, 1)]


def progressive(student, teacher):
    return mobile_bert.pre_training(student, teacher, Data(), initialize=False)


def test_mobile_bert_s_feature_maps_whole_and_taken_apart():
    """Equation 4 of the paper, and what paper and code train by instead."""
    student, teacher = mobile_models()
    inputs, mask = masked_batch(), masked_batch()["padding_mask"]
    ours, theirs = (
        signals(m, inputs, "hidden_states/1")["hidden_states/1"]
        for m in (student, teacher)
    )

    def apart(t, s):
        unit = [
            (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)
            for x in (t, s)
        ]
        value = 100 * ((unit[0] - unit[1]) ** 2).mean()
        value += 5000 * ((t.mean(-1) - s.mean(-1)) ** 2).mean()
        return value + 5 * np.abs(t.var(-1) - s.var(-1)).mean()

    equation_4 = mse(mask, theirs, ours).mean()
    code = each(apart, mask, theirs, ours).mean() / 2  # two blocks
    assert code > 10 * equation_4
    matches = mobile_bert.transfer_matches([1], 2)[:3]
    whole = td.LayerMatch(
        "hidden_states", td.losses.HiddenMSE(), layer_map={1: 1}
    )
    for losses, expected in (([whole], equation_4), (matches, code)):
        made = td.Distiller(student, teacher, losses)
        made.compile(run_eagerly=True)
        np.testing.assert_allclose(total(made, inputs), expected, rtol=2e-5)


def test_mobile_bert_s_keras_code_divides_by_the_blocks_so_far():
    """The first code by all blocks, as ours does; of 2 by 1, then by 2."""
    student, teacher = mobile_models()
    inputs = masked_batch()
    stages = progressive(student, teacher)
    weights = (100.0, 5000.0, 5.0, 1.0)
    names = ("feature_maps", "means", "variances", "attention")
    for block, stage in enumerate(stages[:2]):
        logs = built(stage).evaluate(
            inputs, batch_size=4, verbose=0, return_dict=True
        )
        terms = [logs[f"{name}_loss"] for name in names]
        whole = np.dot(weights, terms)
        first_code, keras_code = whole / 2, whole / (block + 1)
        np.testing.assert_allclose(logs["loss"], first_code, rtol=1e-5)
        assert keras_code == pytest.approx((2, 1)[block] * first_code)


def test_mobile_bert_s_code_transfers_without_dropout():
    """Its stage 1 has `is_training=False`; here the student's own counts."""
    losses = {}
    for dropout in (0.5, 0.0):
        student, teacher = mobile_models(attention_dropout=dropout)
        made = built(progressive(student, teacher)[1])
        code = total(made, masked_batch())  # in inference mode
        made.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
        logs = made.train_on_batch(masked_batch(), return_dict=True)
        losses[dropout] = (logs["loss"], code)
    ours, code = losses[0.5]
    assert abs(ours - code) > 1e-2 * code
    np.testing.assert_allclose(*losses[0.0], rtol=1e-6)
    assert losses[0.0][1] == code  # by the argument `attention_dropout`


# DistilBERT


def distil_models():
    student = td.models.DistilBertMaskedLM(encoders.distil_bert())
    teacher = td.models.BertMaskedLM(tiny.backbone(seed=2, num_layers=4))
    return tiny.randomize(student, 1), tiny.randomize(teacher, 2)


def distil_terms(student, teacher, inputs, counted):
    """Soft labels and cosine, one value each, by hand."""
    ours = signals(student, inputs, "hidden_states/1")
    theirs = signals(teacher, inputs, "hidden_states/3")
    soft = over_words(kl(theirs["output"], ours["output"], 2.0), counted)
    last = cosine(MASK, theirs["hidden_states/3"], ours["hidden_states/1"])
    return soft.mean(), last.mean(), ours["output"]


def test_distil_bert_s_soft_labels_at_all_tokens_or_at_masked_words():
    """The code's default, and its `--restrict_ce_to_mask`."""
    student, teacher = distil_models()
    everywhere = np.tile(np.arange(5, dtype="int32"), (4, 1))
    words = np.full((4, 5), -100)
    for row, column in zip(*np.nonzero(MASKED), strict=True):
        words[row, POSITIONS[row, column]] = WORDS[row, column]
    all_tokens = {
        **masked_batch(),
        "mask_positions": everywhere,
        "mask_weights": MASK,
    }
    found = []
    for inputs, labels, counted in (
        (all_tokens, words, MASK),
        (masked_batch(), WORDS, MASKED),
    ):
        soft, last, _ = distil_terms(student, teacher, inputs, counted)
        (stage,) = distil_bert.pre_training(
            student, teacher, Data(), masked_lm_weight=0.0, initialize=False
        )
        expected = 5 * soft + last
        value = total(built(stage), inputs, labels)
        np.testing.assert_allclose(value, expected, rtol=1e-5)
        found.append(expected)
    assert abs(found[0] - found[1]) > 1e-2


def test_distil_bert_s_readme_has_other_weights_than_its_checkpoint():
    """5, 2 and 1 by default; the README's 0.33 each by argument."""
    student, teacher = distil_models()
    soft, last, logits = distil_terms(student, teacher, masked_batch(), MASKED)
    hard = word_cross_entropy(logits).mean()
    names = ("soft_weight", "masked_lm_weight", "cosine_weight")
    readme = dict.fromkeys(names, 0.33)
    values = []
    for given, weights in (({}, (5, 2, 1)), (readme, [0.33] * 3)):
        (stage,) = distil_bert.pre_training(
            student, teacher, Data(), initialize=False, **given
        )
        expected = np.dot(weights, (soft, hard, last))
        found = total(built(stage), masked_batch(), WORDS)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        values.append(expected)
    assert values[0] > 2 * values[1]
