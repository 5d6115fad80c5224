import operator
import sys
from pathlib import Path

import keras_hub
import numpy as np
import pytest
import tiny

from tf_distill.models import (
    BertBackbone,
    BertTextClassifier,
    TinyBertTextClassifier,
)

sys.path.append(str(Path(__file__).parents[1] / "checkpoints"))
import folders  # noqa: E402

LABELS = ["bad", "so-so", "good"]


@pytest.fixture
def tensors():
    return tiny.hugging_face_tensors(num_classes=3)


def test_a_fine_tuned_hugging_face_folder(tmp_path, tensors):
    folders.write_classifier(tmp_path, tensors, LABELS)
    ours = BertTextClassifier.from_preset(tmp_path)
    assert ours.label_names == LABELS
    inputs = tiny.batch((1, 7, 4, 9), width=11)
    pooled = tiny.numpy_bert(tensors, inputs)["pooled_output"]
    expected = pooled @ tensors["classifier.weight"].T
    expected += tensors["classifier.bias"]
    np.testing.assert_allclose(ours(inputs), expected, atol=2e-5)
    # Raw text goes through the folder's own words.
    tokenizer = ours.preprocessor.tokenizer
    assert list(tokenizer.get_vocabulary()) == tiny.WORDS
    prepared = ours.preprocessor(["The CAT sat"])
    words = [tiny.WORDS[i] for i in prepared["token_ids"][0][:5]]
    assert words == ["[CLS]", "the", "cat", "sat", "[SEP]"]
    assert prepared["token_ids"].shape == (1, 12)  # all its positions


def test_a_cased_folder(tmp_path, tensors):
    folders.write_classifier(tmp_path, tensors, LABELS)
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    ours = BertTextClassifier.from_preset(tmp_path)
    assert ours.preprocessor(["CAT"])["token_ids"][0, 1] == 1  # [UNK]


def test_a_new_head_on_a_fine_tuned_folder(tmp_path, tensors):
    folders.write_classifier(tmp_path, tensors, LABELS)
    ours = BertTextClassifier.from_preset(tmp_path, num_classes=5)
    assert ours.output_shape == (None, 5)
    assert ours.label_names is None
    np.testing.assert_array_equal(
        ours.backbone.token_embedding.embeddings,
        tensors["embeddings.word_embeddings.weight"],
    )


def test_random_weights_in_a_folder_s_sizes(tmp_path, tensors):
    folders.write_classifier(tmp_path, tensors, LABELS)
    (tmp_path / "model.safetensors").unlink()
    ours = BertTextClassifier.from_preset(tmp_path, load_weights=False)
    assert ours.output_shape == (None, 3)
    assert ours.backbone.vocabulary_size == 20


def test_an_encoder_of_hugging_face_has_no_head(tmp_path):
    folders.write(tmp_path, tiny.hugging_face_tensors())
    with pytest.raises(ValueError, match="pass `num_classes`"):
        BertTextClassifier.from_preset(tmp_path)
    ours = BertTextClassifier.from_preset(tmp_path, num_classes=2)
    assert ours.output_shape == (None, 2)


def test_a_head_that_does_not_fit_its_labels(tmp_path, tensors):
    folders.write_classifier(tmp_path, tensors, ["only", "two"])
    with pytest.raises(ValueError, match=r"classifier.weight: shape \(8, 3\)"):
        BertTextClassifier.from_preset(tmp_path)


def test_a_head_that_is_missing(tmp_path):
    folders.write_classifier(tmp_path, tiny.hugging_face_tensors(), LABELS)
    with pytest.raises(ValueError, match="classifier.weight: missing"):
        BertTextClassifier.from_preset(tmp_path)


def test_a_masked_language_model_has_no_pooler(tmp_path):
    tensors = tiny.hugging_face_tensors()
    del tensors["pooler.dense.weight"], tensors["pooler.dense.bias"]
    tensors["cls.predictions.bias"] = np.zeros(20, "float32")
    tensors["embeddings.position_ids"] = np.arange(12)[None]
    folders.write(tmp_path, tensors, architectures=["BertForMaskedLM"])
    for load in (
        lambda: BertBackbone.from_preset(tmp_path),
        lambda: BertTextClassifier.from_preset(tmp_path, num_classes=2),
    ):
        with pytest.warns(UserWarning, match="no pooler.*random") as record:
            model = load()
        # The warning points at the line that loads.
        assert record[0].filename == __file__
        encoder = getattr(model, "backbone", model)
        inputs = tiny.batch((5, 5))
        np.testing.assert_allclose(
            encoder(inputs)["sequence_output"],
            tiny.numpy_bert(
                {
                    **tensors,
                    "pooler.dense.weight": np.zeros((8, 8)),
                    "pooler.dense.bias": np.zeros(8),
                },
                inputs,
            )["sequence_output"],
            atol=2e-5,
        )


def test_half_a_pooler_is_no_masked_language_model(tmp_path):
    tensors = tiny.hugging_face_tensors()
    del tensors["pooler.dense.bias"]
    folders.write(tmp_path, tensors)
    with pytest.raises(ValueError, match="pooler.dense.bias: missing"):
        BertBackbone.from_preset(tmp_path)


def test_sizes_that_are_not_the_weights(tmp_path):
    folders.write(tmp_path, tiny.hugging_face_tensors(), num_hidden_layers=1)
    with pytest.raises(
        ValueError, match=r"layer\.1\.output\.dense\.bias: left over"
    ):
        BertBackbone.from_preset(tmp_path)


def test_another_kind_of_model(tmp_path):
    folders.write(tmp_path, {}, model_type="roberta")
    for cls in (BertBackbone, BertTextClassifier):
        with pytest.raises(ValueError, match="is a 'roberta'"):
            cls.from_preset(tmp_path, **_classes(cls))


def _classes(cls):
    return {"num_classes": 2} if cls is BertTextClassifier else {}


@pytest.mark.parametrize("cls", [BertBackbone, BertTextClassifier])
def test_names_of_nothing(tmp_path, cls):
    classes = _classes(cls)
    with pytest.raises(ValueError, match="names an architecture and has no we"):
        cls.from_preset("bert_tiny_2l_128d", **classes)
    with pytest.raises(
        ValueError, match="'nope' is neither a folder here nor a"
    ):
        cls.from_preset("nope")  # which comes before a number of classes
    with pytest.raises(ValueError, match="Did you mean 'tiny_bert_4l_312d'"):
        cls.from_preset("tinybert_4l_312d", **classes)
    with pytest.raises(ValueError, match="There is no folder ./nowhere"):
        cls.from_preset("./nowhere", **classes)
    with pytest.raises(ValueError, match="has no config.json"):
        cls.from_preset(tmp_path, **classes)


def test_a_named_architecture_needs_its_classes():
    with pytest.raises(ValueError, match="pass `num_classes`"):
        BertTextClassifier.from_preset("bert_tiny_2l_128d", load_weights=False)


def test_arguments_go_to_the_encoder_or_the_head():
    ours = BertTextClassifier.from_preset(
        "bert_tiny_2l_128d",
        load_weights=False,
        num_classes=2,
        label_names=["no", "yes"],
        dropout=0.4,
        name="mine",
        vocabulary_size=20,
        num_layers=1,
    )
    assert ours.name == "mine"
    assert ours.label_names == ["no", "yes"]
    assert ours.head_dropout.rate == 0.4
    assert ours.backbone.vocabulary_size == 20
    assert len(ours.backbone.blocks) == 1


def _write_keras(folder, **task):
    tiny.classifier(preprocessor=tiny.preprocessor(), **task).save_to_preset(
        folder
    )


def _write_keras_hub(folder):
    keras_hub.models.BertTextClassifier(
        keras_hub.models.BertBackbone(**tiny.SIZES),
        num_classes=3,
        preprocessor=tiny.preprocessor(),
    ).save_to_preset(folder)


def _write_hugging_face(folder):
    tensors = tiny.hugging_face_tensors(num_classes=3)
    folders.write_classifier(folder, tensors, LABELS)


WRITERS = [_write_keras, _write_keras_hub, _write_hugging_face]


@pytest.mark.parametrize("write", WRITERS)
def test_other_sizes_with_random_weights(tmp_path, write):
    write(tmp_path)
    sizes = {"num_layers": 1, "hidden_dim": 4, "intermediate_dim": 6}
    encoder = BertBackbone.from_preset(tmp_path, load_weights=False, **sizes)
    ours = BertTextClassifier.from_preset(tmp_path, load_weights=False, **sizes)
    expected = tiny.classifier(**sizes)
    shapes = [weight.shape for weight in expected.weights]
    assert [weight.shape for weight in ours.weights] == shapes
    shapes = [weight.shape for weight in expected.backbone.weights]
    assert [weight.shape for weight in encoder.weights] == shapes
    assert ours(ours.preprocessor(["the cat"])).shape == (1, 3)
    # They are new, not the preset's.
    again = BertTextClassifier.from_preset(tmp_path, load_weights=False)
    saved = BertTextClassifier.from_preset(tmp_path)
    for name in ("head", "backbone.pooler"):
        kernels = [operator.attrgetter(name)(m).kernel for m in (again, saved)]
        assert not np.allclose(*kernels)


@pytest.mark.parametrize("write", WRITERS)
def test_other_sizes_than_the_weights(tmp_path, write):
    write(tmp_path)
    for cls in (BertBackbone, BertTextClassifier):
        with pytest.raises(ValueError, match="do not fit"):
            cls.from_preset(tmp_path, num_layers=1)


@pytest.mark.parametrize("write", [*WRITERS, None])
def test_an_argument_that_there_is_not(tmp_path, write):
    preset = "bert_tiny_2l_128d"
    if write:
        write(preset := tmp_path)
    for cls in (BertBackbone, BertTextClassifier):
        with pytest.raises(ValueError, match="arguments: num_layer. Known"):
            cls.from_preset(
                preset, load_weights=False, num_layer=1, **_classes(cls)
            )
    with pytest.raises(ValueError, match="Known are .*num_classes"):
        BertTextClassifier.from_preset(preset, num_clases=2)


def test_what_is_not_a_size_may_differ_from_a_keras_preset(tmp_path):
    _write_keras(tmp_path, label_names=LABELS)
    saved = BertTextClassifier.from_preset(tmp_path)
    ours = BertTextClassifier.from_preset(
        tmp_path, activation="relu", trainable=False
    )
    assert ours.backbone.activation == "relu"
    assert not ours.backbone.trainable
    assert ours.label_names == LABELS
    tiny.assert_same_weights(tiny.weights_of(saved), tiny.weights_of(ours))


def test_an_encoder_s_keras_preset_under_a_head_and_arguments(tmp_path):
    encoder = tiny.backbone()
    encoder.save_to_preset(tmp_path)
    ours = BertTextClassifier.from_preset(
        tmp_path, num_classes=2, preprocessor=None, activation="relu"
    )
    assert ours.backbone.activation == "relu"
    tiny.assert_same_weights(
        tiny.weights_of(encoder), tiny.weights_of(ours.backbone)
    )


def test_another_number_of_classes_drops_the_label_names(tmp_path):
    _write_keras(tmp_path, label_names=LABELS)
    load = BertTextClassifier.from_preset
    ours = load(tmp_path, num_classes=2)
    assert (ours.num_classes, ours.label_names) == (2, None)
    assert load(tmp_path, num_classes=3).label_names == LABELS
    names = ["no", "yes"]
    ours = load(tmp_path, num_classes=2, label_names=names)
    assert ours.label_names == names


@pytest.mark.parametrize("write", WRITERS)
def test_a_tiny_bert_takes_no_bert_s_head(tmp_path, write):
    write(tmp_path)
    for load_weights in (True, False):
        with pytest.raises(
            ValueError, match="no classification head of this.*`num_classes`"
        ):
            TinyBertTextClassifier.from_preset(tmp_path, load_weights)
    saved = BertTextClassifier.from_preset(tmp_path)
    ours = TinyBertTextClassifier.from_preset(tmp_path, num_classes=3)
    tiny.assert_same_weights(
        tiny.weights_of(saved.backbone), tiny.weights_of(ours.backbone)
    )
    assert not np.allclose(ours.head.kernel, saved.head.kernel)
    np.testing.assert_array_equal(ours.head.bias, np.zeros(3))
    text = ["the cat sat"]
    np.testing.assert_array_equal(
        ours.preprocessor(text)["token_ids"],
        saved.preprocessor(text)["token_ids"],
    )


def test_a_preset_of_mixed_precision(tmp_path):
    mixed = tiny.classifier(dtype="mixed_bfloat16")
    mixed.save_to_preset(tmp_path)
    for cls, found in (
        (BertBackbone, lambda x: x.weights),
        (BertTextClassifier, lambda x: x.backbone.weights),
    ):
        plain = cls.from_preset(tmp_path)
        assert plain.dtype_policy.name == "float32"
        assert {w.dtype for w in found(plain)} == {"float32"}
        for a, b in zip(found(plain), mixed.backbone.weights, strict=True):
            np.testing.assert_array_equal(a, b)
        again = cls.from_preset(tmp_path, dtype="mixed_bfloat16")
        backbone = getattr(again, "backbone", again)
        assert backbone.dtype_policy.name == "mixed_bfloat16"
