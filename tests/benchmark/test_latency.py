import pytest
import tiny

from tf_distill import export, models
from tf_distill.benchmark import (
    callable_of,
    keras_callable,
    measure_latency,
    saved_model_callable,
)
from tf_distill.benchmark.predictions import keras_predictor


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves when told to."""

    class Clock:
        now = 100.0

        def advance(self, milliseconds):
            self.now += milliseconds / 1e3

    clock = Clock()
    monkeypatch.setattr("time.perf_counter", lambda: clock.now)
    return clock


def test_functions_take_turns(clock):
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in "AB"}
    measure_latency(functions, rounds=3, warmup=2)
    assert calls == ["A", "B"] * 5


def test_median_and_p95_in_milliseconds(clock):
    # The first two, the warm-up, must not count.
    slow = iter([1000, 1000, *range(1, 22)])
    times = measure_latency(
        {
            "slow": lambda: clock.advance(next(slow)),
            "even": lambda: clock.advance(3),
        },
        rounds=21,
        warmup=2,
    )
    assert times["slow"].median == pytest.approx(11)
    assert times["slow"].p95 == pytest.approx(20)
    assert times["slow"].rounds == 21
    assert times["even"].median == pytest.approx(3)


def test_no_rounds():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        measure_latency({}, rounds=0)


def test_ready_made_callables_give_the_same_prediction(tmp_path):
    """Of a model that has no segments; test_speed_ups has one with them."""
    classifier = models.DistilBertTextClassifier
    tokenizer = classifier.preprocessor_cls.tokenizer_cls(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "day"]
    )
    model = classifier(
        classifier.backbone_cls(
            vocabulary_size=6,
            num_layers=1,
            num_heads=1,
            hidden_dim=8,
            intermediate_dim=8,
        ),
        num_classes=2,
        preprocessor=classifier.preprocessor_cls(tokenizer, sequence_length=12),
    )
    tiny.randomize(model)
    version = export.saved_model(model, tmp_path / "tiny")
    lite = export.litert(model, tmp_path / "tiny.tflite")
    expected = keras_callable(model, batch=2, length=5)()
    assert expected.shape == (2, 2)
    for other in [
        callable_of(version, batch=2, length=5),
        callable_of(str(lite), batch=2, length=5, threads=1),
    ]:
        assert other()["logits"] == pytest.approx(expected, abs=1e-5)
    from_text = saved_model_callable(version, texts=["day", "", "night"])
    assert from_text()["logits"].shape == (3, 2)


def test_what_is_not_there_is_not_timed(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.tflite is not there"):
        callable_of(tmp_path / "gone.tflite")


def test_a_predictor_takes_inputs_of_any_shape():
    model = tiny.classifier()
    predict = keras_predictor(model)
    for lengths in [(3, 5, 2), (4,)]:
        inputs = tiny.batch(lengths)
        expected = model(inputs, training=False).numpy()
        assert predict(inputs) == pytest.approx(expected, abs=1e-5)


def test_an_encoder_can_be_timed_too():
    outputs = keras_callable(tiny.backbone(), batch=2, length=5)()
    assert outputs["sequence_output"].shape == (2, 5, 8)
