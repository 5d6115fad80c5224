import keras
import keras_hub
import tiny

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
