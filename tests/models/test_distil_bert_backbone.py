import sys
from pathlib import Path

import encoders
import keras
import keras_hub
import numpy as np
import tiny

from tf_distill.distillation import initialize_from_teacher, tapped
from tf_distill.models import DistilBertBackbone

sys.path.append(str(Path(__file__).parents[1] / "checkpoints"))
import folders  # noqa: E402


def batch(*args, **kwargs):
    inputs = tiny.batch(*args, **kwargs)
    del inputs["segment_ids"]
    return inputs


def test_what_goes_in_and_comes_out():
    ours = encoders.distil_bert()
    assert set(ours.input) == {"token_ids", "padding_mask"}
    assert ours(batch((3, 6))).shape == (2, 6, 8)


def test_the_encoder_computes_what_its_weights_say(tmp_path):
    tensors = encoders.distil_tensors()
    for folder, prefix in (("bare", ""), ("headed", "distilbert.")):
        folders.write(
            tmp_path / folder,
            {prefix + name: value for name, value in tensors.items()},
            **encoders.DISTIL_CONFIG,
        )
        ours = DistilBertBackbone.from_preset(tmp_path / folder)
        inputs = batch((1, 7, 4, 9), width=11)
        expected = encoders.numpy_distil_bert(tensors, inputs)
        real = inputs["padding_mask"] > 0
        np.testing.assert_allclose(
            np.asarray(ours(inputs))[real],
            expected["sequence_output"][real],
            atol=2e-5,
        )
    assert ours.max_sequence_length == 12


def test_taps(tmp_path):
    tensors = encoders.distil_tensors()
    folders.write(tmp_path, tensors, **encoders.DISTIL_CONFIG)
    ours = DistilBertBackbone.from_preset(tmp_path)
    inputs = batch((5, 5))
    expected = encoders.numpy_distil_bert(tensors, inputs)
    signals = ["embeddings", "hidden_states/0", "attention_scores/1", "keys/1"]
    found = tapped(ours, signals)(inputs)
    for signal in signals:
        np.testing.assert_allclose(found[signal], expected[signal], atol=2e-5)


def test_against_keras_hub(tmp_path):
    sizes = {**tiny.SIZES, "dropout": 0.0, "max_sequence_length": 16}
    theirs = tiny.randomize(keras_hub.models.DistilBertBackbone(**sizes))
    theirs.save_to_preset(tmp_path)
    ours = DistilBertBackbone.from_preset(tmp_path)
    assert ours.activation == "gelu"
    inputs = batch((1, 7, 4, 9), width=11)
    np.testing.assert_allclose(ours(inputs), theirs(inputs), atol=1e-6)


def test_a_row_does_not_depend_on_its_padding():
    ours = encoders.distil_bert()
    narrow, wide = batch((2, 4, 1)), batch((2, 4, 1), width=11)
    wide["token_ids"] = np.where(wide["padding_mask"], wide["token_ids"], 7)
    real = narrow["padding_mask"] > 0
    np.testing.assert_allclose(
        np.asarray(ours(wide)[:, :4])[real],
        np.asarray(ours(narrow))[real],
        atol=1e-6,
    )


def test_a_row_that_is_all_padding_is_finite():
    assert np.isfinite(encoders.distil_bert()(batch((0, 4)))).all()


def test_half_precision_near_float32():
    inputs = batch((2, 4, 6, 0))
    exact = np.asarray(encoders.distil_bert(dropout=0.0)(inputs))
    found = encoders.distil_bert(dropout=0.0, dtype="mixed_bfloat16")(inputs)
    assert found.dtype == "bfloat16"
    # Normalised, of size 1, as BERT's.
    np.testing.assert_allclose(
        keras.ops.cast(found, "float32"), exact, atol=0.15
    )


def test_dropout_follows_attention_too_as_hugging_face_s_does_not():
    """It has 1 and 2 a block: of the weights and after the feed-forward."""
    ours, inputs = encoders.distil_bert(dropout=0.5), batch()
    layers = [
        x for x in ours._flatten_layers() if isinstance(x, keras.layers.Dropout)
    ]
    more = [x for x in layers if x.name == "attention_output_dropout"]
    blocks = len(ours.blocks)
    assert (len(layers), len(layers) - len(more)) == (
        1 + 3 * blocks,
        1 + 2 * blocks,
    )
    expected = np.asarray(ours(inputs))
    for layer in layers:
        layer.rate = 0.5 if layer in more else 0.0
    dropped = np.asarray(ours(inputs, training=True))
    assert abs(dropped - expected).max() > 0.1
    for layer in more:
        layer.rate = 0.0
    np.testing.assert_array_equal(ours(inputs, training=True), expected)


def test_it_begins_with_layers_of_a_bert():
    teacher = tiny.backbone(num_layers=4)
    ours = encoders.distil_bert()
    initialize_from_teacher(ours, teacher, blocks=[1, 3])
    inputs = batch((3, 5))
    segments = np.zeros_like(inputs["token_ids"])
    teacher.segment_embedding.embeddings.assign(np.zeros((2, 8)))
    signals = tapped(teacher, ["embeddings"])(
        {**inputs, "segment_ids": segments}
    )
    x = tapped(ours, ["embeddings"])(inputs)["embeddings"]
    np.testing.assert_allclose(x, signals["embeddings"], atol=1e-6)
    np.testing.assert_array_equal(
        ours.blocks[1].get_layer("value").kernel,
        teacher.blocks[3].get_layer("value").kernel,
    )


def test_round_trip_through_a_file(tmp_path):
    ours = encoders.distil_bert(activation="relu", dropout=0.2)
    inputs = batch()
    ours.save(tmp_path / "backbone.keras")
    ours.save_to_preset(tmp_path / "preset")
    for again in (
        keras.saving.load_model(tmp_path / "backbone.keras"),
        DistilBertBackbone.from_preset(tmp_path / "preset"),
        keras_hub.models.Backbone.from_preset(str(tmp_path / "preset")),
    ):
        assert type(again) is DistilBertBackbone
        assert again.get_config() == ours.get_config()
        np.testing.assert_array_equal(again(inputs), ours(inputs))
