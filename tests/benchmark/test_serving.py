"""The figures by hand, and tiny predictions in processes."""

import json
import types

import pytest

from tf_distill.benchmark import serving
from tf_distill.benchmark.__main__ import main

JOB = {"architecture": ["bert", {}], "batch": 2, "length": 8, "threads": 1}


def done(who, dtype, *seconds, **facts):
    side = types.SimpleNamespace(who=who, dtype=dtype)

    class Done:
        pass

    worker = Done()
    worker.side, worker.facts = side, facts
    return {worker: [{"seconds": s, "peak_bytes": 7} for s in seconds]}


def test_figures_by_hand():
    answers = {}
    for who, dtype, seconds, logits in (
        ("tf_distill, Keras", "float32", (8.0, 80.0, 6.0), [[1.0, 2.0]]),
        ("tf_distill, SavedModel", "float32", (4.0, 4.0, 4.0), [[1.0, 2.5]]),
        (serving.RAW_TEXT, "float32", (5.0, 5.0, 5.0), [[1.0, 2.0]]),
        ("tf_distill, LiteRT", "int8", (2.0, 2.0, 2.0), [[1.0, 2.0]]),
        ("KerasHub", "float32", (6.0, 6.0, 6.0), None),
        ("onnxruntime", "int8", (1.0, 1.0, 1.0), [[0.0, 2.0]]),
    ):
        facts = {"logits": logits} if logits else {}
        answers |= done(who, dtype, *seconds, flops=100, **facts)
    # A turn of two products of 50 operations in half a second: 200 a second.
    answers |= done(serving.ROOF, "float32", 0.5, 1.0, flops=50)
    rows = serving.serving_rows(JOB, answers, 2)
    found = {(row["who"], row["dtype"]): row for row in rows}
    assert len(found) == len(rows) == 6
    keras = found["tf_distill, Keras", "float32"]
    assert keras["seconds"] == 4.0
    assert (keras["fastest"], keras["slowest"]) == (3.0, 40.0)
    # The fastest of ours that takes ids is the SavedModel, of 2 s.
    assert keras["ratio_to_tf_distill"] == 2.0
    assert keras["roof_fraction"] == pytest.approx(100 / 4 / 200)
    assert found["KerasHub", "float32"]["ratio_to_tf_distill"] == 1.5
    assert found["KerasHub", "float32"]["difference"] is None
    assert found["tf_distill, SavedModel", "float32"]["difference"] == 0.5
    onnx = found["onnxruntime", "int8"]
    assert (onnx["ratio_to_tf_distill"], onnx["difference"]) == (0.5, 1.0)
    assert onnx["roof_fraction"] is None  # no products of that dtype
    raw = found[serving.RAW_TEXT, "float32"]
    assert raw["text_share"] == pytest.approx(1 - 2 / 2.5)
    assert sum("text_share" in row for row in rows) == 1
    assert json.loads(json.dumps(rows)) == rows
    text = serving.serving_table(rows)
    assert "takes 20.0 % of" in text and "2000.00 ms" in text


def test_without_us_there_is_no_ratio():
    (row,) = serving.serving_rows(JOB, done("KerasHub", "float32", 2.0), 1)
    assert row["ratio_to_tf_distill"] is row["roof_fraction"] is None
    assert "KerasHub" in serving.serving_table([row])


def test_who_takes_part():
    sides = serving.sides_of(JOB, {"onnxruntime": "/other/python"}, True)
    assert sides[0].job["form"] == "keras"  # which writes for the others
    assert sides[-1].who == serving.ROOF
    assert all(side.file.exists() for side in sides)
    other = [side.who for side in sides if side.python == "/other/python"]
    assert other == ["onnxruntime"] * 2
    assert len({(side.who, side.dtype) for side in sides}) == len(sides)


@pytest.mark.parametrize(
    "arguments,message",
    [
        (["--models", "tiny_bert"], "tiny_bert_4l_312d"),
        (["--batch", "0"], "at least 1"),
        (["--peer-python", "jax=python"], "environments are pytorch"),
        (["--peer-python", "pytorch=/no/such"], "is no program"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["serving", *arguments])
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_every_way_gives_the_same_logits(capsys):
    """As raw text, too: the words are one token each."""
    options = ["--small", "--rounds", "1", "--steps", "1", "--threads", "1"]
    main(["serving", "--json", *options, "--batch", "2", "--length", "7"])
    printed = capsys.readouterr()
    rows = {(r["who"], r["dtype"]): r for r in json.loads(printed.out)}
    missing = printed.err.count("is left out")
    assert len(rows) + missing == len(serving.SIDES), printed.err
    for (who, dtype), row in rows.items():
        assert row["seconds"] > 0
        if who != "KerasHub":
            limit = 1e-5 if dtype == "float32" else 2e-3
            assert row["difference"] < limit, who
    assert rows["tf_distill, Keras", "float32"]["roof_fraction"] > 0
