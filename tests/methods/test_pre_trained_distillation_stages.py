import numpy as np
import pytest
import tiny
from by_hand import (
    WORDS,
    Data,
    built,
    ids,
    label_cross_entropy,
    masked_batch,
    moved,
    signals,
    soft_cross_entropy,
    total,
    word_cross_entropy,
)

import tf_distill as td
from tf_distill.methods.pre_trained_distillation import (
    pre_trained_distillation,
)

INPUTS = tiny.batch()
LABELS = np.array([0, 2, 1, 2])


def stages(next_sentence=False, **kwargs):
    student, teacher = tiny.classifier(1), tiny.classifier(2, num_layers=4)
    language_model = td.models.BertMaskedLM(
        student.backbone, next_sentence=next_sentence
    )
    made = pre_trained_distillation(
        language_model,
        student,
        teacher,
        corpus=Data(),
        transfer=Data(),
        **kwargs,
    )
    return student, teacher, language_model, made


def without_key_biases(student):
    """Ids of all weights but those whose gradient is a rounding error."""
    blocks = student.backbone.blocks
    biases = {id(block.get_layer("key").bias) for block in blocks}
    return ids(student) - biases


def test_three_stages_by_hand():
    student, teacher, language_model, made = stages(labelled=Data())
    assert [s.name for s in made] == [
        "pre-training",
        "distillation",
        "fine-tuning",
    ]
    batch = masked_batch()
    words = signals(language_model, batch)["output"]
    needed = {name: batch[name] for name in language_model.input}
    ours, theirs = (signals(m, INPUTS)["output"] for m in (student, teacher))
    for stage, x, y, expected in (
        (made[0], needed, WORDS, word_cross_entropy(words)),
        (made[1], INPUTS, None, soft_cross_entropy(theirs, ours)),
        (made[2], INPUTS, LABELS, label_cross_entropy(ours, LABELS)),
    ):
        model = built(stage)
        np.testing.assert_allclose(
            total(model, x, y), expected.mean(), rtol=1e-5, err_msg=stage.name
        )


def test_each_stage_trains_what_it_reaches_and_turns_no_flag():
    student, _, language_model, made = stages(labelled=Data())
    frozen, pooler = student.backbone.blocks[1], student.backbone.pooler
    frozen.trainable = False
    batch = masked_batch()
    needed = {name: batch[name] for name in language_model.input}
    counted = without_key_biases(student)
    everything = counted - ids(frozen)
    for stage, x, y, expected in (
        (made[0], needed, WORDS, everything - ids(pooler, student.head)),
        (made[1], INPUTS, None, everything),
        (made[2], INPUTS, LABELS, everything),
    ):
        model = built(stage)
        before = tiny.weights_of(student)
        # Twice: in the first step of a warm-up the learning rate is 0.
        model.fit(x, y, batch_size=2, verbose=0)
        assert moved(student, before) & counted == expected, stage.name
        flags = {id(w) for w in student.weights if not w.trainable}
        assert flags == ids(frozen), stage.name


def test_pre_training_on_next_sentences_too():
    """Which are read off the pooler."""
    student, _, language_model, made = stages(next_sentence=True)
    tiny.randomize(language_model, 3)
    inputs, follows = masked_batch(), np.array([0, 1, 1, 0])
    logits = signals(language_model, inputs)["output"]
    expected = word_cross_entropy(logits["masked_lm"])
    expected += label_cross_entropy(logits["next_sentence"], follows)
    labels = {"masked_lm": WORDS, "next_sentence": follows}
    model = built(made[0])
    found = total(model, inputs, labels)
    np.testing.assert_allclose(found, expected.mean(), rtol=1e-5)
    before = tiny.weights_of(student)
    model.fit(inputs, labels, batch_size=2, verbose=0)
    expected = without_key_biases(student) - ids(student.head)
    assert expected <= moved(student, before) <= ids(student.backbone)


def test_without_labels_there_is_no_fine_tuning():
    *_, made = stages(monitor="loss")
    assert [s.name for s in made] == ["pre-training", "distillation"]
    assert made[1].monitor == "loss"
    *_, made = stages(labelled=Data(), monitor="val_accuracy")
    assert [s.monitor for s in made] == [None, None, "val_accuracy"]


def test_models_without_a_common_encoder():
    with pytest.raises(ValueError, match="on one encoder"):
        pre_trained_distillation(
            td.models.BertMaskedLM(tiny.backbone()),
            tiny.classifier(1),
            tiny.classifier(2),
            corpus=Data(),
            transfer=Data(),
        )
