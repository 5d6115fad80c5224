import sys
from pathlib import Path

import encoders
import keras_hub
import numpy as np
import pytest
import tiny

from tf_distill.models import DistilBertTextClassifier

sys.path.append(str(Path(__file__).parents[1] / "checkpoints"))
import folders  # noqa: E402

CONFIG = {
    **encoders.DISTIL_CONFIG,
    "architectures": ["DistilBertForSequenceClassification"],
    "id2label": {"0": "bad", "1": "good"},
    "seq_classif_dropout": 0.4,
}


@pytest.fixture
def tensors():
    head = np.random.default_rng(9)
    return {
        **{
            f"distilbert.{name}": value
            for name, value in encoders.distil_tensors().items()
        },
        "pre_classifier.weight": head.normal(size=(8, 8)).astype("float32"),
        "pre_classifier.bias": head.normal(size=8).astype("float32"),
        "classifier.weight": head.normal(size=(2, 8)).astype("float32"),
        "classifier.bias": head.normal(size=2).astype("float32"),
    }


def batch(*args, **kwargs):
    inputs = tiny.batch(*args, **kwargs)
    del inputs["segment_ids"]
    return inputs


def test_a_fine_tuned_hugging_face_folder(tmp_path, tensors):
    folders.write(tmp_path, tensors, **CONFIG)
    ours = DistilBertTextClassifier.from_preset(tmp_path)
    assert ours.label_names == ["bad", "good"]
    assert ours.head_dropout.rate == 0.4
    inputs = batch((1, 7, 4, 9), width=11)
    hidden = encoders.numpy_distil_bert(encoders.distil_tensors(), inputs)
    x = hidden["sequence_output"][:, 0] @ tensors["pre_classifier.weight"].T
    x = np.maximum(x + tensors["pre_classifier.bias"], 0)
    expected = x @ tensors["classifier.weight"].T + tensors["classifier.bias"]
    np.testing.assert_allclose(ours(inputs), expected, atol=5e-5)
    # Raw text, single and pair, goes through the folder's own words.
    prepared, _ = ours.preprocessor(((["The CAT"], ["sat"]), [0]))
    assert set(prepared) == {"token_ids", "padding_mask"}
    words = [tiny.WORDS[i] for i in prepared["token_ids"][0][:6]]
    assert words == ["[CLS]", "the", "cat", "[SEP]", "sat", "[SEP]"]


def test_a_head_in_part(tmp_path, tensors):
    del tensors["pre_classifier.bias"]
    folders.write(tmp_path, tensors, **CONFIG)
    with pytest.raises(ValueError, match="pre_classifier.bias: missing"):
        DistilBertTextClassifier.from_preset(tmp_path)


def test_a_new_head(tmp_path, tensors):
    folders.write(tmp_path, tensors, **CONFIG)
    ours = DistilBertTextClassifier.from_preset(tmp_path, num_classes=5)
    assert ours.output_shape == (None, 5)
    kernel = ours.get_layer("pre_classifier").kernel
    assert not np.allclose(kernel, tensors["pre_classifier.weight"].T)


def test_against_keras_hub(tmp_path):
    preprocessor = keras_hub.models.DistilBertTextClassifierPreprocessor(
        keras_hub.models.DistilBertTokenizer(tiny.WORDS, lowercase=True),
        sequence_length=8,
    )
    theirs = keras_hub.models.DistilBertTextClassifier(
        keras_hub.models.DistilBertBackbone(**tiny.SIZES),
        num_classes=3,
        preprocessor=preprocessor,
    )
    tiny.randomize(theirs).save_to_preset(tmp_path)
    ours = DistilBertTextClassifier.from_preset(tmp_path)
    inputs = batch((1, 7, 4))
    np.testing.assert_allclose(ours(inputs), theirs(inputs), atol=1e-5)


def test_segments_in_a_batch_are_passed_by():
    ours = tiny.randomize(DistilBertTextClassifier(encoders.distil_bert(), 2))
    inputs = tiny.batch((3, 4))
    expected = ours(batch((3, 4)))
    np.testing.assert_array_equal(ours(inputs), expected)
    ours.compile(run_eagerly=True, loss="mse")
    np.testing.assert_allclose(
        ours.predict(inputs, verbose=0), expected, atol=1e-6
    )
    ours.fit(inputs, np.zeros((2, 2)), verbose=0)  # without a warning
    with pytest.raises(ValueError, match="padding_mask"):
        ours({"token_ids": inputs["token_ids"]})
