import encoders
import keras_hub
import numpy as np
import pytest
import tiny

from tf_distill.distillation import initialize_from_teacher
from tf_distill.distillation.initialization import evenly_spaced
from tf_distill.models import DistilBertTextClassifier, TinyBertTextClassifier


def same(layer, other):
    return all(
        np.array_equal(ours.numpy(), theirs.numpy())
        for ours, theirs in zip(layer.weights, other.weights, strict=True)
    )


def test_evenly_spaced_is_distil_bert_s():
    assert evenly_spaced(6, 12) == [0, 2, 4, 7, 9, 11]
    assert evenly_spaced(3, 6) == [0, 2, 5]
    assert evenly_spaced(1, 12) == [0]
    assert evenly_spaced(4, 4) == [0, 1, 2, 3]


@pytest.mark.parametrize("blocks", [None, [3, 1]])
def test_what_is_copied(blocks):
    teacher = tiny.classifier(seed=1, num_layers=4)
    student = tiny.classifier(seed=2, num_layers=2)
    report = initialize_from_teacher(student, teacher, blocks)
    ours, theirs = student.backbone, teacher.backbone
    for block, source in zip(ours.blocks, blocks or [0, 3], strict=True):
        assert same(block, theirs.blocks[source])
    for name in (
        "token_embedding",
        "position_embedding",
        "segment_embedding",
        "embeddings_layer_norm",
        "pooler",
    ):
        assert same(ours.get_layer(name), theirs.get_layer(name))
        assert name in report.copied
    assert same(student.head, teacher.head)
    source = (blocks or [0, 3])[1]
    assert f"block_{source} → block_1" in report.copied
    assert report.kept == ()
    assert len(report.copied) == 5 + 2 + 1
    assert "Kept: nothing." in str(report)
    # Copied, not shared.
    student.head.bias.assign(student.head.bias + 1.0)
    assert not same(student.head, teacher.head)


def test_all_blocks_of_an_equal_make_an_equal():
    teacher, student = tiny.classifier(seed=1), tiny.classifier(seed=2)
    inputs = tiny.batch()
    assert not np.allclose(student(inputs), teacher(inputs))
    initialize_from_teacher(student, teacher)
    np.testing.assert_array_equal(student(inputs), teacher(inputs))


@pytest.mark.parametrize(
    "change", [{"num_classes": 2}, {"cls": TinyBertTextClassifier}]
)
def test_another_head_is_kept(change):
    teacher = tiny.classifier(seed=1)
    student = tiny.classifier(seed=2, **change)
    before = tiny.weights_of(student.head)
    report = initialize_from_teacher(student, teacher)
    tiny.assert_same_weights(before, tiny.weights_of(student.head))
    assert report.kept == ("head",)
    assert "Kept: head." in str(report)


def test_an_encoder_as_teacher_or_student():
    teacher, student = tiny.classifier(seed=1), tiny.backbone(seed=2)
    assert "head" not in initialize_from_teacher(student, teacher).copied
    assert same(student.blocks[1], teacher.backbone.blocks[1])
    task = tiny.classifier(seed=3)
    assert initialize_from_teacher(task, student).kept == ("head",)
    assert same(task.backbone, student)


@pytest.mark.parametrize(
    ("sizes", "blocks", "message"),
    [
        ({}, [0, 2], "0 to 1"),
        ({}, [0, -1], "0 to 1"),
        ({}, [0], "needs 2 teacher blocks"),
        ({"hidden_dim": 4}, None, "block_0.*not of the teacher's sizes"),
        ({"intermediate_dim": 4}, None, "block_0"),
        ({"vocabulary_size": 21}, None, "token_embedding"),
        ({"max_sequence_length": 9}, None, "position_embedding"),
        # The same shapes, but the numbers mean something else.
        ({"num_heads": 4}, None, "heads"),
    ],
)
def test_what_does_not_fit_copies_nothing(sizes, blocks, message):
    teacher, student = tiny.classifier(seed=1), tiny.classifier(seed=2, **sizes)
    before = tiny.weights_of(student)
    with pytest.raises(ValueError, match=message):
        initialize_from_teacher(student, teacher, blocks)
    tiny.assert_same_weights(before, tiny.weights_of(student))


def test_keras_hub_s_encoder_must_be_read_into_ours():
    theirs = keras_hub.models.BertBackbone(**tiny.SIZES)
    with pytest.raises(ValueError, match="BertBackbone.from_preset"):
        initialize_from_teacher(tiny.backbone(), theirs)


def test_a_distil_bert_s_head_is_two_layers():
    teacher, student = (
        tiny.randomize(
            DistilBertTextClassifier(encoders.distil_bert(), num_classes=2),
            seed,
        )
        for seed in (2, 1)
    )
    report = initialize_from_teacher(student, teacher)
    assert "head" in report.copied
    tiny.assert_same_weights(tiny.weights_of(student), tiny.weights_of(teacher))


def test_blocks_of_another_normalization():
    with pytest.raises(ValueError, match="'no_norm' and the teacher's 'layer_"):
        initialize_from_teacher(
            encoders.mobile_bert(),
            encoders.mobile_bert(normalization="layer_norm"),
        )


def test_a_teacher_without_what_the_student_has():
    before = tiny.weights_of(student := tiny.backbone())
    with pytest.raises(ValueError, match="has no segment_embedding, pooler to"):
        initialize_from_teacher(student, encoders.distil_bert())
    tiny.assert_same_weights(before, tiny.weights_of(student))
