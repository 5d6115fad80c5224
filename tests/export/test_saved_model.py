import pathlib
import resource
import subprocess
import sys

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from conftest import (
    LABELS,
    TEXTS,
    VOCABULARY,
    inputs_of,
    make_backbone,
    make_preprocessor,
    make_task,
    softmax,
)
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from tf_distill import export, models
from tf_distill.export.signatures import text_functions, token_functions


@pytest.mark.parametrize("signature", ["text", "tokens"])
def test_new_process_equals_keras(exported, signature):
    outputs = exported.from_saved_model
    logits = exported.logits
    # The texts must tell a wrong row from a right one.
    assert np.ptp(logits, axis=0).min() > 0.1
    np.testing.assert_allclose(
        outputs[f"{signature}_logits"], logits, atol=1e-4
    )
    np.testing.assert_allclose(
        outputs[f"{signature}_probabilities"], softmax(logits), atol=1e-4
    )
    assert outputs[f"{signature}_label"].tolist() == [
        LABELS[best] for best in logits.argmax(-1)
    ]


def test_half_precision_is_exported_as_float32(exported):
    variables = tf.train.list_variables(
        exported.version / "variables" / "variables"
    )
    names = [name for name, _ in variables if "variables_of_model" in name]
    assert len(names) >= len(exported.model.weights)
    reader = tf.train.load_checkpoint(
        exported.version / "variables" / "variables"
    )
    types = {
        dtype.name for dtype in reader.get_variable_to_dtype_map().values()
    }
    assert "float32" in types and not {"bfloat16", "half"} & types
    graph = _graph(exported.version)
    used = {
        value.type
        for function in graph.library.function
        for node in function.node_def
        for value in node.attr.values()
    }
    assert types_pb2.DT_FLOAT in used
    assert types_pb2.DT_BFLOAT16 not in used


# TF Text registers these by the same names, arguments and results in 2.12.1,
# which is in TensorFlow Serving 2.12.0 to 2.19.1, and in 2.20.0, in 2.20.0.
SERVED = {
    "CaseFoldUTF8",
    "FastWordpieceTokenizeWithOffsets",
    "NormalizeUTF8",
    "RegexSplitWithOffsets",
}


def test_text_ops_are_those_that_servers_have(exported, answering):
    for version in (exported.version, answering.version):
        assert set(export.text_ops(version)) == SERVED - {"NormalizeUTF8"}
    stripping = text_functions(
        token_functions(answering.model, "question_answering", None),
        make_preprocessor(strip_accents=True),
        "question_answering",
        False,
    )
    graph = stripping["serving_default"].get_concrete_function().graph
    assert SERVED < _ops(graph.as_graph_def())


def test_text_ops_are_all_that_tensorflow_lacks(exported, answering):
    ops = _ops(_graph(exported.version)) | _ops(_graph(answering.version))
    program = (
        "import sys; from tensorflow.python.framework import op_def_registry; "
        "print(*[op for op in sys.argv[1:] if not op_def_registry.get(op)])"
    )
    command = [sys.executable, "-c", program, *sorted(ops)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == export.text_ops(exported.version)


def test_text_ops_of_no_export(tmp_path):
    with pytest.raises(ValueError, match="version folder"):
        export.text_ops(tmp_path)


def test_assets(exported):
    assets = exported.version / "assets"
    tokenizer = exported.model.preprocessor.tokenizer
    vocabulary = (assets / "vocab.txt").read_text("utf-8").splitlines()
    assert vocabulary == tokenizer.get_vocabulary()
    assert (assets / "label_names.txt").read_text().split() == LABELS


def test_a_batch_is_as_long_as_its_longest_text(exported):
    signature = _signature(exported.version, "serving_default")
    graph = signature.graph.as_graph_def().library.function
    assert graph  # the text graph is in there
    module = tf.saved_model.load(exported.version)
    short = module.signatures["serving_default"](text=tf.constant(["day", ""]))
    alone = module.signatures["serving_default"](text=tf.constant(["day"]))
    np.testing.assert_allclose(short["logits"][:1], alone["logits"], atol=1e-6)
    none = module.signatures["serving_default"](text=tf.constant([], tf.string))
    assert none["probabilities"].shape == (0, 3)
    assert none["label"].shape == (0,)


def test_pairs(tmp_path):
    model = make_task(num_layers=1)
    version = export.saved_model(model, tmp_path, pairs=True)
    signature = _signature(version, "serving_default")
    first, second = TEXTS, TEXTS[::-1]
    outputs = signature(
        text=tf.constant(first), second_text=tf.constant(second)
    )
    inputs = inputs_of(model.preprocessor, first, second)
    assert inputs["segment_ids"].max() == 1
    logits = np.asarray(model(inputs, training=False))
    np.testing.assert_allclose(outputs["logits"], logits, atol=1e-5)
    assert not any("Trim" in op for op in export.text_ops(version))


def test_multilabel(tmp_path):
    model = make_task(num_layers=1, num_classes=2)
    version = export.saved_model(model, tmp_path, task="multilabel")
    outputs = _signature(version, "serving_default")(text=tf.constant(TEXTS))
    assert set(outputs) == {"logits", "probabilities"}
    logits = np.asarray(outputs["logits"])
    np.testing.assert_allclose(
        outputs["probabilities"], 1 / (1 + np.exp(-logits)), atol=1e-6
    )


def test_regression(tmp_path):
    model = make_task(num_layers=1, num_classes=1)
    version = export.saved_model(model, tmp_path, task="regression")
    outputs = _signature(version, "serving_default")(text=tf.constant(TEXTS))
    assert set(outputs) == {"score"}
    expected = model(inputs_of(model.preprocessor, TEXTS), training=False)
    np.testing.assert_allclose(outputs["score"], expected[:, 0], atol=1e-5)
    assert not (version / "assets" / "label_names.txt").exists()


def test_keras_hub_classifier_and_next_version(tmp_path):
    model = make_task(
        num_layers=1, classifier=keras_hub.models.BertTextClassifier
    )
    (tmp_path / "3").mkdir()
    version = export.saved_model(model, tmp_path)
    assert version == tmp_path / "4"
    outputs = _signature(version, "serving_default")(text=tf.constant(TEXTS))
    expected = model(inputs_of(model.preprocessor, TEXTS), training=False)
    np.testing.assert_allclose(outputs["logits"], expected, atol=1e-5)
    best = np.asarray(expected).argmax(-1)
    assert [int(label) for label in outputs["label"].numpy()] == best.tolist()


FULL = tf.errors.ResourceExhaustedError(None, None, "No space left; folder")


@pytest.mark.parametrize(
    "error,expected,message",
    [
        (KeyboardInterrupt("halt"), KeyboardInterrupt, "halt"),
        (OSError(28, "No space left"), ValueError, "tiny'.*left.*make room"),
        (FULL, ValueError, "tiny'.*No space left.*make room"),
        (OSError(30, "Read-only"), ValueError, "cannot write.*Read-only"),
    ],
)
def test_an_interrupted_export_leaves_nothing(
    tmp_path, monkeypatch, error, expected, message
):
    def write_and_stop(module, path, signatures):
        pathlib.Path(path, "saved_model.pb").write_bytes(b"half")
        raise error

    monkeypatch.setattr(tf.saved_model, "save", write_and_stop)
    with pytest.raises(expected, match=message):
        export.saved_model(make_task(num_layers=1), tmp_path / "tiny")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk(tmp_path):
    """TensorFlow's own writing fails, of files larger than 8 kB."""
    model = make_task(num_layers=1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        with pytest.raises(ValueError, match="cannot write to .*make room"):
            export.saved_model(model, tmp_path / "tiny")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_wrong_models(tmp_path):
    task = make_task(num_layers=1)
    distiller = keras.Sequential()
    distiller.student = task
    unbuilt = keras.Sequential([keras.layers.Dense(2)])
    bare = make_task(preprocessor=None)
    probabilities = make_task(
        classifier=keras_hub.models.BertTextClassifier, activation="softmax"
    )
    long = make_task()
    long.preprocessor.sequence_length = 17
    masked_lm = models.BertMaskedLM(task.backbone)
    fewer_words, more_words = (
        models.BertTextClassifier(
            make_backbone(num_layers=1, vocabulary_size=rows), num_classes=2
        )
        for rows in (len(VOCABULARY) + 128, len(VOCABULARY) - 1)
    )
    fewer_words.preprocessor = more_words.preprocessor = make_preprocessor()
    quantized = make_task(num_layers=1)
    quantized.backbone.blocks[0].get_layer("query").quantize("int8")
    for model, message in [
        (quantized, "quantized by Keras .* export the model as it was before"),
        (distiller, "distiller.student"),
        (unbuilt, "an unbuilt Sequential"),
        (task.backbone, "has no preprocessor.*preprocessor="),
        (masked_lm, "got BertMaskedLM. Export its encoder"),
        (fewer_words, "knows 105 words .* embeddings for 233: they do not"),
        (more_words, "knows 105 words .* embeddings for 104: they do not"),
        (bare, "has no preprocessor"),
        (probabilities, "activation=None"),
        (long, "17 tokens .* positions for 16"),
    ]:
        with pytest.raises(ValueError, match=message):
            export.saved_model(model, tmp_path / "tiny")
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments(tmp_path):
    task = make_task(num_layers=1)
    for options, message in [
        ({"label_names": ["a", "b"]}, "3 outputs, but there are 2"),
        ({"task": "regression"}, "one output .* has 3"),
        ({"task": "ranking"}, "'ranking' is not one of"),
    ]:
        with pytest.raises(ValueError, match=message):
            export.saved_model(task, tmp_path / "tiny", **options)
    score = make_task(num_classes=1)
    with pytest.raises(ValueError, match="no `label_names`"):
        export.saved_model(
            score, tmp_path / "tiny", task="regression", label_names=["a"]
        )
    assert list(tmp_path.iterdir()) == []


def _ops(graph):
    """What a graph and its functions are made of, but for their own names."""
    nodes = [*graph.node]
    nodes += [n for f in graph.library.function for n in f.node_def]
    own = {function.signature.name for function in graph.library.function}
    return {node.op for node in nodes} - own


def _graph(version):
    content = (version / "saved_model.pb").read_bytes()
    proto = saved_model_pb2.SavedModel.FromString(content)
    return proto.meta_graphs[0].graph_def


def _signature(version, name):
    loaded = tf.saved_model.load(version)
    signature = loaded.signatures[name]
    signature.loaded = loaded  # or its variables would be gone
    return signature


def test_a_version_that_fails_its_check_is_not_published(tmp_path):
    folder, seen = tmp_path / "model", []

    def check(path):
        seen.extend(child.name for child in path.iterdir())
        raise ValueError("not the same model")

    with pytest.raises(ValueError, match="not the same model"):
        export.saved_model(make_task(), folder, check=check)
    assert "saved_model.pb" in seen  # it was whole by then
    assert not folder.exists()
