import sys
from pathlib import Path

import encoders
import numpy as np
import pytest
import tiny

from tf_distill.models import MobileBertTextClassifier

sys.path.append(str(Path(__file__).parents[1] / "checkpoints"))
import folders  # noqa: E402

CONFIG = {
    **encoders.MOBILE_CONFIG,
    "architectures": ["MobileBertForSequenceClassification"],
    "id2label": {"0": "bad", "1": "good"},
}


def head_tensors(pooler):
    head = np.random.default_rng(9)
    tensors = {
        "classifier.weight": head.normal(size=(2, 8)).astype("float32"),
        "classifier.bias": head.normal(size=2).astype("float32"),
    }
    if pooler:
        tensors["mobilebert.pooler.dense.weight"] = head.normal(
            0.0, 0.1, (8, 8)
        ).astype("float32")
        tensors["mobilebert.pooler.dense.bias"] = head.normal(size=8).astype(
            "float32"
        )
    return tensors


def write(folder, pooler, **config):
    encoder = {
        f"mobilebert.{name}": value
        for name, value in encoders.mobile_tensors().items()
    }
    head = head_tensors(pooler)
    config = {**CONFIG, "classifier_activation": pooler, **config}
    folders.write(folder, {**encoder, **head}, **config)
    return head


@pytest.mark.parametrize("pooler", [False, True])
def test_a_fine_tuned_hugging_face_folder(tmp_path, pooler):
    head = write(tmp_path, pooler, classifier_dropout=0.4)
    ours = MobileBertTextClassifier.from_preset(tmp_path)
    assert ours.label_names == ["bad", "good"]
    assert ours.head_dropout.rate == 0.4
    inputs = tiny.batch((1, 7, 4, 9), width=11)
    x = encoders.numpy_mobile_bert(encoders.mobile_tensors(), inputs)
    x = x["hidden_states/1"][:, 0]
    if pooler:
        x = x @ head["mobilebert.pooler.dense.weight"].T
        x = np.tanh(x + head["mobilebert.pooler.dense.bias"])
    expected = x @ head["classifier.weight"].T + head["classifier.bias"]
    np.testing.assert_allclose(ours(inputs), expected, rtol=1e-4, atol=5e-5)
    prepared, _ = ours.preprocessor(((["the cat"], ["sat"]), [0]))
    assert list(prepared["segment_ids"][0][:7]) == [0, 0, 0, 0, 1, 1, 0]


def test_a_new_head_keeps_the_pooler(tmp_path):
    head = write(tmp_path, pooler=True)
    ours = MobileBertTextClassifier.from_preset(tmp_path, num_classes=5)
    np.testing.assert_array_equal(
        ours.get_layer("pooler").kernel,
        head["mobilebert.pooler.dense.weight"].T,
    )
    assert ours.output_shape == (None, 5)
    without = MobileBertTextClassifier.from_preset(
        tmp_path, num_classes=2, classifier_activation=False
    )
    assert "pooler" not in [layer.name for layer in without.layers]


def test_a_pooler_that_is_missing(tmp_path):
    write(tmp_path, pooler=False, classifier_activation=True)
    with pytest.raises(ValueError, match="pooler.dense.weight: missing"):
        MobileBertTextClassifier.from_preset(tmp_path)


def test_arguments_go_to_the_encoder_or_the_head():
    ours = MobileBertTextClassifier.from_preset(
        "ib_bert_large_24l_512d",
        load_weights=False,
        num_classes=2,
        classifier_activation=True,
        dropout=0.4,
        vocabulary_size=20,
        num_layers=1,
        hidden_dim=8,
        bottleneck_dim=12,
        intermediate_dim=12,
    )
    assert ours.head_dropout.rate == 0.4
    assert ours.get_layer("pooler").kernel.shape == (8, 8)
    assert ours.backbone.dropout == 0.1
    with pytest.raises(ValueError, match="Unknown arguments: pooler"):
        MobileBertTextClassifier.from_preset(
            "mobile_bert_24l_512d",
            load_weights=False,
            num_classes=2,
            pooler=True,
        )
