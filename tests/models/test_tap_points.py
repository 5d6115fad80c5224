import heads
import keras
import keras_hub
import pytest
import tiny

import tf_distill as td
from tf_distill.models.tap_points import tap_points


def test_a_task_s_are_its_encoder_s():
    task = tiny.classifier()
    points = tap_points(task)
    assert points == tap_points(task.backbone)
    assert points.embeddings is task.backbone.embeddings_dropout
    assert [block.name for block in points.blocks] == ["block_0", "block_1"]
    for block, attention in zip(points.blocks, points.attention, strict=True):
        assert attention is block.get_layer("attention")


def test_keras_hub_s_hide_their_attention():
    theirs = keras_hub.models.BertBackbone(**tiny.SIZES)
    points = tap_points(theirs)
    assert points.blocks == tuple(theirs.transformer_layers)
    assert points.embeddings is theirs.embeddings_dropout
    assert points.attention == ()


def test_what_is_no_encoder_has_none():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    assert tap_points(model) is None


@pytest.mark.parametrize("family", heads.BACKBONES)
def test_a_path_is_of_one_variable(family):
    # Learning rates are chosen, and broken weights named, by it.
    paths = [weight.path for weight in heads.BACKBONES[family]().weights]
    assert len(set(paths)) == len(paths)
    assert "block_1/query/kernel" in paths


def test_a_method_s_teacher_without_an_encoder_that_is_known():
    student = tiny.backbone()
    dense = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="has no encoder of a known kind"):
        td.methods.distil_bert.pre_training(student, dense, None)
    theirs = keras_hub.models.BertBackbone(**tiny.SIZES)
    with pytest.raises(ValueError, match="hides its attention: save it"):
        td.methods.mini_lm.version_2(student, theirs, None)
