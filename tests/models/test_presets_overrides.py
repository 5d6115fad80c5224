"""Arguments beside a checkpoint's weights: those that change their meaning."""

import sys
from pathlib import Path

import encoders
import keras_hub
import numpy as np
import pytest
import tiny

from tf_distill import models
from tf_distill.export import hugging_face

sys.path.append(str(Path(__file__).parents[1] / "checkpoints"))
import folders  # noqa: E402

CHANGES = {
    "attention_input": "bottleneck",
    "num_feed_forward": 2,
    "normalization": "layer_norm",
    "num_heads": 4,
    "embedding_dim": 2,
    "num_segments": 3,
    "max_sequence_length": 11,
    "vocabulary_size": 21,
}


@pytest.fixture(scope="module")
def mobile_bert(tmp_path_factory):
    """As wide inside as outside: its kernels fit each other's places."""
    folder = tmp_path_factory.mktemp("mobile_bert")
    ours = encoders.mobile_bert(bottleneck_dim=8, intermediate_dim=8)
    ours.save_to_preset(folder)
    return folder, ours


@pytest.mark.parametrize("name", CHANGES)
def test_a_keras_preset_s_weights_for_another_encoder(mobile_bert, name):
    folder, ours = mobile_bert
    value = CHANGES[name]
    with pytest.raises(ValueError) as error:
        models.MobileBertBackbone.from_preset(folder, **{name: value})
    message = str(error.value)
    saved = getattr(ours, name)
    assert f"{name} is {saved!r} there, but {value!r} was passed" in message
    assert str(folder) in message
    assert "`load_weights=False`" in message


def test_what_they_mean_alike(mobile_bert):
    folder, ours = mobile_bert
    changes = {
        "activation": "gelu",
        "attention_dropout": 0.3,
        "mask_rule": "replace",
        "mask_value": -6.0,
        "num_heads": 2,
        "attention_input": "shared_bottleneck",
    }
    again = models.MobileBertBackbone.from_preset(folder, **changes)
    tiny.assert_same_weights(tiny.weights_of(ours), tiny.weights_of(again))
    assert {name: getattr(again, name) for name in changes} == changes


def test_random_weights_may_be_any_encoder_s(mobile_bert):
    folder, _ = mobile_bert
    again = models.MobileBertBackbone.from_preset(folder, False, **CHANGES)
    assert {name: getattr(again, name) for name in CHANGES} == CHANGES


@pytest.mark.parametrize("kind", ["keras", "keras_hub", "hugging_face"])
def test_heads_are_not_in_the_weights(tmp_path, kind):
    if kind == "keras":
        tiny.backbone().save_to_preset(tmp_path)
    elif kind == "keras_hub":
        keras_hub.models.BertTextClassifier(
            keras_hub.models.BertBackbone(**tiny.SIZES),
            num_classes=2,
            preprocessor=tiny.preprocessor(),
        ).save_to_preset(tmp_path)
    else:
        folders.write(tmp_path, tiny.hugging_face_tensors())
    for cls, further in (
        (models.BertBackbone, {}),
        (models.BertTextClassifier, {"num_classes": 2, "preprocessor": None}),
    ):
        with pytest.raises(ValueError, match="num_heads is 2 there, but 8 was"):
            cls.from_preset(tmp_path, num_heads=8, **further)
        cls.from_preset(tmp_path, False, num_heads=8, **further)


def test_a_keras_preset_s_head_for_another(tmp_path):
    ours = models.BertMaskedLM(tiny.backbone())
    ours.save_to_preset(tmp_path)
    with pytest.raises(ValueError, match="next_sentence is False there, but T"):
        models.BertMaskedLM.from_preset(tmp_path, next_sentence=True)
    again = models.BertMaskedLM.from_preset(tmp_path, False, next_sentence=True)
    assert again.next_sentence


def test_a_pooler_between_encoder_and_head(tmp_path):
    ours = models.MobileBertTextClassifier(
        encoders.mobile_bert(), 2, classifier_activation=True
    )
    ours.save_to_preset(tmp_path / "keras")
    tokenizer = tiny.preprocessor().tokenizer
    hugging_face(ours, tmp_path / "theirs", tokenizer=tokenizer)
    load = models.MobileBertTextClassifier.from_preset
    for folder in (tmp_path / "keras", tmp_path / "theirs"):
        with pytest.raises(ValueError, match="classifier_activation is True"):
            load(folder, classifier_activation=False)
        # A new head may read what it likes.
        again = load(folder, num_classes=2, classifier_activation=False)
        np.testing.assert_array_equal(
            again.backbone.token_embedding.embeddings,
            ours.backbone.token_embedding.embeddings,
        )
