import encoders
import keras
import numpy as np
import pytest
import tiny
from by_hand import (
    WORDS,
    Data,
    attention_kl,
    built,
    cosine,
    evaluated,
    ids,
    kl,
    label_cross_entropy,
    masked_batch,
    moved,
    over_words,
    signals,
    total,
    word_cross_entropy,
)

import tf_distill as td
from tf_distill.methods import distil_bert

INPUTS = masked_batch()
MASK = INPUTS["padding_mask"]
LABELS = np.array([0, 2, 1, 2])


def models(**sizes):
    student = td.models.DistilBertMaskedLM(encoders.distil_bert(**sizes))
    teacher = td.models.BertMaskedLM(tiny.backbone(seed=2, num_layers=4))
    return tiny.randomize(student, 1), tiny.randomize(teacher, 2)


@pytest.mark.parametrize("attention", [0.0, 0.7])
def test_triple_loss_by_hand(attention):
    student, teacher = models()
    (stage,) = distil_bert.pre_training(
        student, teacher, Data(), attention_weight=attention, initialize=False
    )
    scores = [f"attention_scores/{i}" for i in range(4)]
    ours = signals(student, INPUTS, "hidden_states/1", *scores[:2])
    theirs = signals(teacher, INPUTS, "hidden_states/3", *scores)
    expected = 5 * over_words(kl(theirs["output"], ours["output"], 2.0))
    expected += 2 * word_cross_entropy(ours["output"])
    expected += cosine(MASK, theirs["hidden_states/3"], ours["hidden_states/1"])
    for s, t in ((0, 0), (1, 3)):  # the blocks that it begins with
        expected += attention * attention_kl(
            MASK, theirs[scores[t]], ours[scores[s]]
        )
    found = total(built(stage), INPUTS, WORDS)
    np.testing.assert_allclose(found, expected.mean(), rtol=1e-5)


def test_begins_with_alternate_blocks_and_trains():
    student, teacher = models()
    (stage,) = distil_bert.pre_training(
        student,
        teacher,
        Data(),
        make_optimizer=lambda steps: keras.optimizers.AdamW(),
    )
    made = built(stage)
    for ours, theirs in ((0, 0), (1, 3)):
        tiny.assert_same_weights(
            tiny.weights_of(teacher.backbone.blocks[theirs]),
            tiny.weights_of(student.backbone.blocks[ours]),
        )
    before = tiny.weights_of(student)
    made.fit(INPUTS, WORDS, batch_size=4, verbose=0)
    assert moved(student, before) == ids(student)


def test_defaults_are_the_code_s():
    (stage,) = distil_bert.pre_training(*models(), Data())
    optimizer = stage.build().optimizer
    assert stage.epochs == 3
    assert (optimizer.beta_1, optimizer.beta_2) == (0.9, 0.98)
    assert (optimizer.epsilon, optimizer.global_clipnorm) == (1e-6, 5.0)
    assert not optimizer.weight_decay
    schedule = optimizer._learning_rate
    assert (schedule.learning_rate, schedule.warmup_steps) == (5e-4, 1)


def test_second_step_by_hand():
    student, teacher = (tiny.classifier(seed) for seed in (1, 2))
    inputs = tiny.batch()
    (stage,) = distil_bert.fine_tuning(student, teacher, Data())
    ours, theirs = (signals(m, inputs)["output"] for m in (student, teacher))
    expected = 0.5 * kl(theirs, ours, 2.0)
    expected += 0.5 * label_cross_entropy(ours, LABELS)
    found = total(built(stage), inputs, LABELS)
    np.testing.assert_allclose(found, expected.mean(), rtol=1e-5)


def answers(seed):
    """A model of two outputs, as those that answer questions."""
    x = keras.Input((4,), name="features")
    outputs = {
        name: keras.layers.Dense(5, name=name)(x) for name in ("start", "end")
    }
    return tiny.randomize(keras.Model({"features": x}, outputs), seed)


FEATURES = {"features": np.random.default_rng(0).normal(size=(4, 4))}


def test_second_step_of_several_outputs():
    """As of answers: the mean over start and end, of both kinds of loss."""
    student, teacher = answers(1), answers(2)
    labels = {"start": LABELS, "end": LABELS + 1}
    (stage,) = distil_bert.fine_tuning(student, teacher, Data())
    ours, theirs = (signals(m, FEATURES)["output"] for m in (student, teacher))
    expected = sum(
        0.25 * kl(theirs[name], ours[name], 2.0)
        + 0.25 * label_cross_entropy(ours[name], labels[name])
        for name in labels
    )
    found = total(built(stage), FEATURES, labels)
    np.testing.assert_allclose(found, expected.mean(), rtol=1e-5)


def test_one_loss_and_metric_given_serve_every_output():
    """All starts are right, all ends are wrong, however often it is built."""
    student = answers(1)
    (stage,) = distil_bert.fine_tuning(
        student,
        answers(2),
        Data(),
        soft_weight=0.0,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy("right")],
    )
    logits = signals(student, FEATURES)["output"]
    labels = {name: x.argmax(-1) for name, x in logits.items()}
    labels["end"] = (labels["end"] + 1) % 5
    expected = sum(
        0.25 * label_cross_entropy(logits[name], labels[name]).mean()
        for name in labels
    )
    for _ in range(2):
        logs = evaluated(built(stage), FEATURES, labels)
        assert (logs["start_right"], logs["end_right"]) == (1.0, 0.0)
        np.testing.assert_allclose(logs["loss"], expected, rtol=1e-5)
