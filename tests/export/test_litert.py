import json
import resource
import sys

import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from conftest import LABELS, VOCABULARY, make_task, softmax

from tf_distill import export, models


def test_new_process_equals_keras(exported):
    outputs = exported.from_lite
    assert set(outputs) == {"tokens_logits", "tokens_probabilities"}
    np.testing.assert_allclose(
        outputs["tokens_logits"], exported.logits, atol=1e-3
    )
    np.testing.assert_allclose(
        outputs["tokens_probabilities"], softmax(exported.logits), atol=1e-3
    )


@pytest.mark.parametrize("batch,length", [(1, 2), (3, 7), (1, 16), (2, 5)])
def test_any_batch_and_length(exported, batch, length):
    random = np.random.default_rng(0)
    mask = np.ones((batch, length), "int64")
    mask[-1, 2:] = 0
    inputs = {
        "token_ids": random.integers(5, len(VOCABULARY), (batch, length)),
        "segment_ids": np.zeros((batch, length), "int64"),
        "padding_mask": mask,
    }
    expected = export.as_float32(exported.model)(inputs, training=False)
    # Twice: a run must not remember another one's shapes.
    outputs = export.run_litert(exported.lite, [exported.inputs, inputs])
    np.testing.assert_allclose(outputs["logits"][-batch:], expected, atol=1e-3)


def test_no_custom_operations(exported):
    assert export.flex_ops(exported.lite) == []
    assert export.flex_ops(exported.int8) == []


def test_flex_ops_are_found(tmp_path):
    path = tmp_path / "flex.tflite"
    function = tf.function(
        tf.linalg.det, input_signature=[tf.TensorSpec((2, 2), "float32")]
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()]
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.SELECT_TF_OPS]
    path.write_bytes(converter.convert())
    assert "FlexMatrixDeterminant" in export.flex_ops(path)
    path.write_bytes(b"not a model")
    with pytest.raises(ValueError, match="not a .tflite file"):
        export.flex_ops(path)


def test_a_model_that_needs_flex_is_refused(tmp_path, monkeypatch):
    def named_outputs(logits, task):
        square = logits[:, :, None] * logits[:, None, :]
        return {"logits": logits + tf.linalg.det(square)[:, None]}

    # By its name the package has the function.
    module = sys.modules["tf_distill.export.litert_conversion"]
    monkeypatch.setattr(module, "named_outputs", named_outputs)
    with pytest.raises(ValueError, match="builtin.*MatrixDeterminant") as error:
        export.litert(make_task(), tmp_path / "tiny.tflite")
    assert len(str(error.value)) < 1000
    assert list(tmp_path.iterdir()) == []


def test_int8(exported):
    outputs = export.run_litert(exported.int8, [exported.inputs])
    difference = np.abs(outputs["logits"] - exported.logits).max()
    # It is quantized, and still the same model.
    assert 1e-6 < difference < 0.1 * np.ptp(exported.logits)


def test_int8_embeddings_are_quantized_too(tmp_path):
    """A student is mostly its table of embeddings: TinyBERT's is two thirds."""
    words = [f"word{i}" for i in range(20000 - len(VOCABULARY))]
    tokenizer = keras_hub.models.BertTokenizer([*VOCABULARY, *words])
    task = models.BertTextClassifier(
        models.BertBackbone(
            vocabulary_size=20000,
            num_layers=1,
            num_heads=4,
            hidden_dim=128,
            intermediate_dim=512,
            max_sequence_length=64,
        ),
        num_classes=2,
        preprocessor=keras_hub.models.BertTextClassifierPreprocessor(
            tokenizer, sequence_length=64
        ),
    )
    sizes = [
        export.litert(task, tmp_path / f"{q}.tflite", quantization=q)
        .stat()
        .st_size
        for q in (None, "int8_dynamic")
    ]
    assert sizes[0] > 4 * task.count_params()
    assert sizes[1] <= 0.28 * sizes[0]


def test_keras_hub_classifier(tmp_path):
    model = make_task(classifier=keras_hub.models.BertTextClassifier)
    path = export.litert(model, tmp_path / "hub.tflite", label_names=LABELS)
    ids = np.array([[2, 6, 9, 3, 0]])
    inputs = {
        "token_ids": ids,
        "segment_ids": 0 * ids,
        "padding_mask": (ids > 0).astype("int32"),
    }
    outputs = export.run_litert(path, [inputs], threads=1)
    expected = model(inputs, training=False)
    np.testing.assert_allclose(outputs["logits"], expected, atol=1e-3)


def test_what_a_tokenizer_needs_lies_beside(exported):
    vocabulary = exported.lite.with_name("vocab.txt").read_text("utf-8")
    assert vocabulary.splitlines() == VOCABULARY
    description = json.loads(exported.lite.with_suffix(".json").read_text())
    assert description["label_names"] == LABELS
    assert description["max_length"] == 16
    assert description["lowercase"] is True


def test_another_models_vocabulary_is_kept(tmp_path):
    (tmp_path / "vocab.txt").write_text("other\n")
    with pytest.raises(ValueError, match="vocab.txt' holds another model's"):
        export.litert(make_task(), tmp_path / "tiny.tflite")
    assert [path.name for path in tmp_path.iterdir()] == ["vocab.txt"]


def test_bad_arguments(tmp_path):
    task = make_task()
    (tmp_path / "file").touch()
    for path, options, message in [
        ("tiny.tflite", {"quantization": "int4"}, "'int4' is not None"),
        ("tiny.tflite", {"shape": (1, 99)}, "at most 16 tokens"),
        ("tiny.tflite", {"shape": (1,)}, "must be .batch, tokens."),
        ("tiny.tflite", {"quantization": "int8"}, "`calibration` is missing"),
        ("tiny.tflite", {"calibration": []}, "needs no `calibration`"),
        ("tiny.lite", {}, "must end in '.tflite'"),
        ("tiny.tflite", {"label_names": "ab"}, "3 outputs, but there are 2"),
        ("tiny.tflite", {"task": "regression"}, "has 3"),
        ("file/tiny.tflite", {}, "cannot write to"),
    ]:
        with pytest.raises(ValueError, match=message):
            export.litert(task, tmp_path / path, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_no_room_for_temporary_files(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        with pytest.raises(ValueError, match="temporary files.*TMPDIR"):
            export.litert(make_task(num_layers=1), tmp_path / "tiny.tflite")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
