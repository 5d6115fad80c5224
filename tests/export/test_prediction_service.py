"""Exports behind TensorFlow Serving's protocol, called by its own stub."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from conftest import LABELS, QUESTIONS, TEXTS, softmax
from tensorflow.core.framework import tensor_pb2

grpc = pytest.importorskip("grpc")
pytest.importorskip(
    "tensorflow_serving", reason="pip install tensorflow-serving-api"
)
from tensorflow_serving.apis import (  # noqa: E402
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

SERVER = pathlib.Path(__file__).with_name("prediction_server.py")
Code = grpc.StatusCode
MILLION = 1_000_000


@pytest.fixture(scope="module")
def predict(exported, answering):
    """A function that calls a server in a process of its own."""
    command = [sys.executable, str(SERVER)]
    command += [f"tiny={exported.version}", f"qa={answering.version}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    options = [("grpc.max_receive_message_length", -1)]
    with process:
        try:
            port = int(process.stdout.readline())
            with grpc.insecure_channel(f"localhost:{port}", options) as channel:
                yield caller(channel)
            assert process.poll() is None, "the server ended by itself"
        finally:
            process.kill()


def caller(channel):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def call(signature="", model="tiny", **inputs):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = model
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            if not isinstance(value, tensor_pb2.TensorProto):
                value = tf.make_tensor_proto(value)
            request.inputs[name].CopyFrom(value)
        return outputs_of(stub.Predict(request, timeout=120))

    call.stub = stub
    return call


def outputs_of(response):
    return {
        name: tf.make_ndarray(value) for name, value in response.outputs.items()
    }


def refusal(predict, *arguments, **inputs):
    """The status that a request gets, after which the server still answers."""
    with pytest.raises(grpc.RpcError) as error:
        predict(*arguments, **inputs)
    assert predict(text=["so good"])["logits"].shape == (1, 3)
    return error.value.code()


def test_the_default_signature(predict, exported):
    outputs = predict(text=TEXTS)
    assert set(outputs) == {"logits", "probabilities", "label"}
    np.testing.assert_allclose(outputs["logits"], exported.logits, atol=1e-4)
    np.testing.assert_allclose(
        outputs["probabilities"], softmax(exported.logits), atol=1e-5
    )
    assert outputs["label"].astype(str).tolist() == [
        LABELS[best] for best in exported.logits.argmax(-1)
    ]


def test_named_signatures(predict, exported):
    outputs = predict("tokens", **exported.inputs)
    np.testing.assert_allclose(outputs["logits"], exported.logits, atol=1e-4)
    by_text = predict("embed", text=TEXTS)
    by_ids = predict("embed_tokens", **exported.inputs)
    assert set(by_text) == {"mean_embedding", "pooled_embedding"}
    for name, value in by_text.items():
        assert value.shape == (len(TEXTS), 16) and np.ptp(value) > 0.1
        np.testing.assert_allclose(value, by_ids[name], atol=1e-4)


def test_answers(predict):
    questions, contexts = zip(*QUESTIONS, strict=True)
    outputs = predict(model="qa", question=questions, context=contexts)
    for row, context in enumerate(contexts):
        first, end = outputs["start"][row], outputs["end"][row]
        assert outputs["answer"][row].decode() == context[first:end]
    assert (outputs["probability"] > 0).tolist() == [True, True, False] + [
        False,
        True,
    ]


IDS = np.ones((2, 3), "int32")


@pytest.mark.parametrize(
    "arguments,inputs,expected",
    [
        (["nothing"], {"text": ["a"]}, Code.FAILED_PRECONDITION),
        (["serving_default", "nobody"], {"text": ["a"]}, Code.NOT_FOUND),
        ([], {}, Code.INVALID_ARGUMENT),
        ([], {"texts": ["a"]}, Code.INVALID_ARGUMENT),
        ([], {"text": ["a"], "second_text": ["b"]}, Code.INVALID_ARGUMENT),
        # Wrong dtypes.
        ([], {"text": [1]}, Code.INVALID_ARGUMENT),
        ([], {"text": [0.5]}, Code.INVALID_ARGUMENT),
        (["embed_tokens"], {"token_ids": [["a"]]}, Code.INVALID_ARGUMENT),
        # Wrong ranks.
        ([], {"text": "a"}, Code.INVALID_ARGUMENT),
        ([], {"text": [["a", "b"], ["c", "d"]]}, Code.INVALID_ARGUMENT),
        (["embed"], {"text": np.full((1, 1, 1), "a")}, Code.INVALID_ARGUMENT),
        (["tokens"], {"token_ids": IDS[0]}, Code.INVALID_ARGUMENT),
        (["tokens"], {"token_ids": IDS[None]}, Code.INVALID_ARGUMENT),
        (["tokens"], {"padding_mask": IDS[0, 0]}, Code.INVALID_ARGUMENT),
        # Shapes that do not fit together, no tokens, too many of them.
        (["tokens"], {"segment_ids": IDS[:, :2]}, Code.INVALID_ARGUMENT),
        (["tokens"], {"token_ids": IDS.repeat(2, 0)}, Code.INVALID_ARGUMENT),
        (
            ["tokens"],
            dict.fromkeys(
                ["token_ids", "segment_ids", "padding_mask"], IDS[:, :0]
            ),
            Code.INVALID_ARGUMENT,
        ),
        (
            ["tokens"],
            dict.fromkeys(
                ["token_ids", "segment_ids", "padding_mask"],
                IDS.repeat(10, 1),
            ),
            Code.INVALID_ARGUMENT,
        ),
        # Words and segments that there are not.
        (["tokens"], {"token_ids": 1000 * IDS}, Code.INVALID_ARGUMENT),
        (["tokens"], {"token_ids": -1000 * IDS}, Code.INVALID_ARGUMENT),
        (["embed_tokens"], {"segment_ids": 2 * IDS}, Code.INVALID_ARGUMENT),
        (
            ["", "qa"],
            {"question": ["a", "b"], "context": ["c"]},
            Code.INVALID_ARGUMENT,
        ),
        (["", "qa"], {"question": "a", "context": "c"}, Code.INVALID_ARGUMENT),
    ],
)
def test_a_malformed_request_is_refused(predict, arguments, inputs, expected):
    if arguments and arguments[0].endswith("tokens"):
        good = ["token_ids", "segment_ids", "padding_mask"]
        inputs = {**dict.fromkeys(good, IDS), **inputs}
    assert refusal(predict, *arguments, **inputs) == expected


def test_a_tensor_that_says_more_than_it_holds(predict):
    proto = tf.make_tensor_proto(np.ones((2, 3), "int32"))
    proto.tensor_shape.dim[1].size = 7
    inputs = dict.fromkeys(["token_ids", "segment_ids", "padding_mask"], proto)
    assert refusal(predict, "tokens", **inputs) == Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "text",
    [
        "good day " * (MILLION // 9),
        "a" * MILLION,
        "\u4e2d" * (MILLION // 3),
        "!" * MILLION,
        " " * MILLION,
        b"\xff" * MILLION,
        b"\0" * MILLION,
        "e" + "\u0301" * (MILLION // 2),
    ],
    ids=["words", "letter", "ideographs", "marks", "blank", "bytes", "0", "e"],
)
def test_a_megabyte_of_text(predict, text):
    # Beyond what a model reads nothing counts; a word that long is unknown.
    short = text[:100] if len(set(text)) > 2 else text[:150]
    long, expected = (predict(text=[x])["logits"] for x in (text, short))
    np.testing.assert_allclose(long, expected, atol=1e-4)
    answer = predict(model="qa", question=["good"], context=[text])
    assert len(answer["answer"][0]) <= len(text) * 3
    assert predict(model="qa", question=[text], context=["a"])["answer"].shape


def test_ten_thousand_rows(predict, exported):
    rows = 10_000
    outputs = predict(text=TEXTS * (rows // len(TEXTS)))
    expected = np.tile(exported.logits, (rows // len(TEXTS), 1))
    np.testing.assert_allclose(outputs["logits"], expected, atol=1e-4)


def test_no_rows(predict):
    outputs = predict(text=np.array([], object))
    assert outputs["probabilities"].shape == (0, 3)
    assert outputs["label"].shape == (0,)


@pytest.mark.parametrize("model", ["tiny", "qa"])
def test_the_warm_up_is_replayed(predict, exported, answering, model):
    version = (exported if model == "tiny" else answering).version
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    asked = {}
    for record in tf.data.TFRecordDataset(str(path)):
        content = record.numpy()
        log = prediction_log_pb2.PredictionLog.FromString(content)
        assert log.WhichOneof("log_type") == "predict_log"
        # Nothing of it was written under a number that is not there.
        log.DiscardUnknownFields()
        assert log.ByteSize() == len(content)
        request = log.predict_log.request
        assert request.model_spec.name == version.parent.name
        shapes = asked.setdefault(request.model_spec.signature_name, set())
        for value in request.inputs.values():
            shapes.add(tuple(d.size for d in value.tensor_shape.dim))
        request.model_spec.name = model
        outputs = outputs_of(predict.stub.Predict(request, timeout=120))
        rows = len(tf.make_ndarray(next(iter(request.inputs.values()))))
        assert {len(value) for value in outputs.values()} == {rows}
        for value in outputs.values():
            assert value.dtype == object or np.isfinite(value).all()
    assert asked == {
        "serving_default": {(1,), (4,)},
        "embed": {(1,), (4,)},
        "tokens": {(1, 8), (1, 16), (4, 8)},
        "embed_tokens": {(1, 8), (1, 16), (4, 8)},
    }
