"""The parity report: its numbers found by hand, its table and picture."""

import json
import os
import sys

import numpy as np
import pytest
import tiny

from tf_distill import export, models
from tf_distill.benchmark import parity
from tf_distill.data import Table, read_glue
from tf_distill.export.__main__ import main
from tf_distill.export.glue_texts import glue_texts
from tf_distill.export.student_preset import read_student

TEXTS = ["the cat sat", "a big red dog ran", "good", "one two small cats"]
LABELS = [0, 2, 1, 1]


def student(num_classes=3, label_names=("x", "y", "z")):
    task = models.BertTextClassifier(
        tiny.backbone(num_layers=1),
        num_classes=num_classes,
        preprocessor=tiny.preprocessor(),
        label_names=list(label_names),
    )
    return tiny.randomize(task)


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parity") / "tiny"
    student().save_to_preset(str(folder))
    return folder


@pytest.fixture
def dev(tmp_path):
    path = tmp_path / "dev.tsv"
    rows = [f"{t}\t{'xyz'[k]}" for t, k in zip(TEXTS, LABELS, strict=True)]
    path.write_text("\n".join(["text\tlabel", *rows]) + "\n")
    return path


def times(paths, *, threads, rounds, length):
    """Latencies as if measured: of each format another."""
    return {
        form: {"median_ms": threads + index, "p95_ms": 2.0 * threads + index}
        for index, form in enumerate(paths)
    }


def test_report(preset, tmp_path, monkeypatch):
    monkeypatch.setattr(parity, "latencies_in_new_process", times)
    model = read_student(preset)
    table = Table(TEXTS, None, np.array(LABELS), ("x", "y", "z"), "dev.tsv")
    path = export.litert(
        model, tmp_path / "tiny.tflite", quantization="int8_dynamic"
    )
    result = parity.measure_parity(
        model, preset, {"litert_int8_dynamic": path}, table, rounds=3, length=99
    )
    keras, lite = result["rows"]
    inputs = model.preprocessor(TEXTS)
    expected = np.asarray(model(inputs, training=False))
    found = export.run_litert(path, [inputs])["logits"]
    # Batches of another length round otherwise.
    difference = np.abs(found - expected)
    assert lite["max_difference"] == pytest.approx(difference.max(), rel=0.5)
    assert 0 < lite["mean_difference"] < lite["max_difference"]
    assert keras["max_difference"] == keras["mean_difference"] == 0
    right = np.mean(expected.argmax(-1) == LABELS)
    assert keras["accuracy"] == pytest.approx(right)
    assert lite["bytes"] == path.stat().st_size
    assert lite["median_ms"] == {"1": 2, "2": 3}
    assert lite["p95_ms"] == {"1": 3.0, "2": 5.0}
    assert "GATHER int8" in lite["ops"] or "GATHER float32" in lite["ops"]
    assert result["settings"] == {"rounds": 3, "length": 12, "examples": 4}

    parity.write_parity(result, tmp_path)
    assert json.loads((tmp_path / "parity.json").read_text()) == result
    assert (tmp_path / "parity.png").read_bytes()[1:4] == b"PNG"
    lines = (tmp_path / "parity.txt").read_text().splitlines()
    assert lines[0].split()[:3] == ["format", "max", "diff"]
    assert lines[3].split()[0] == "litert_int8_dynamic"
    assert f"{lite['max_difference']:.1e}" in lines[3].split()


def test_a_file_of_two_names_counts_once(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "d").write_bytes(b"12")
    assert parity.size_of(tmp_path) == 7
    assert parity.size_of(tmp_path / "a") == 5


@pytest.mark.parametrize(
    "arguments,message",
    [
        (["--to", "onnx"], "onnx: not among saved_model"),
        (["--to", "litert_int8"], "needs --calibration"),
        (["--to", "litert", "--dev", "no.tsv"], "no.tsv"),
        (["--to", "litert", "--text", "body", "--dev", "DEV"], "'body'"),
    ],
)
def test_misuse(preset, dev, tmp_path, capsys, arguments, message):
    arguments = [str(dev) if a == "DEV" else a for a in arguments]
    out = tmp_path / "out"
    with pytest.raises(SystemExit):
        main([str(preset), "--out", str(out), *arguments])
    assert message in capsys.readouterr().err
    assert not out.exists()


def exports(monkeypatch):
    """Lets exports and the report be told of instead of made."""
    made = []

    def tell(kind):
        return lambda model, path, **options: made.append((kind, options))

    for kind in ("saved_model", "litert", "hugging_face"):
        monkeypatch.setattr(export, kind, tell(kind))
    monkeypatch.setattr(
        parity, "measure_parity", lambda *a, **options: made.append(a[3])
    )
    monkeypatch.setattr(parity, "write_parity", lambda *a: None)
    monkeypatch.setattr(parity, "parity_table", lambda *a: "")
    return made


def test_what_is_missing_is_said_before_the_first_export(
    preset, dev, tmp_path, monkeypatch, capsys
):
    made = exports(monkeypatch)
    command = [str(preset), "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit):
        main([*command, "--to", "litert,litert_int8"])
    assert "needs --calibration" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(SystemExit):
        main([*command, "--to", "hugging_face", "--dev", str(dev)])
    assert 'pip install -e ".[recipes]"' in capsys.readouterr().err
    assert not made


def test_a_student_of_glue(tmp_path, monkeypatch, capsys):
    """Its classes are those of the task's files, which call them 0 and 1."""
    made = exports(monkeypatch)
    (tmp_path / "SST-2").mkdir()
    lines = ["so good\t1", "so bad\t0", "good\t1"]
    for split, count in (("dev", 1), ("train", 200)):
        content = "\n".join(["sentence\tlabel", *(count * lines)])
        (tmp_path / "SST-2" / f"{split}.tsv").write_text(content)
    names = read_glue("SST-2", "dev", tmp_path).label_names[::-1]
    model = student(num_classes=2, label_names=[*names])
    model.save_to_preset(str(tmp_path / "preset"))
    command = [str(tmp_path / "preset"), "--out", str(tmp_path), "--to"]
    command += ["litert_int8", "--data", str(tmp_path), "--task"]
    main([*command, "SST-2"])
    (kind, options), dev = made
    assert kind == "litert" and options["quantization"] == "int8"
    assert len(options["calibration"].encoded) == 300  # every second one
    assert [names[label] for label in dev.labels] == [
        "positive",
        "negative",
        "positive",
    ]
    with pytest.raises(SystemExit):
        main([*command, "SST-2", "--dev", "dev.tsv"])
    assert "--dev beside --task" in capsys.readouterr().err
    for task, message in (
        ("STS-B", "'negative'], but STS-B has scores"),
        ("RTE", "the classes of this data are .'entailment'"),
        ("AX", "AX has no split 'dev'"),
    ):
        with pytest.raises(ValueError, match=message):
            glue_texts(model, task, "dev", tmp_path)


def test_not_a_preset(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--to", "litert", "--out", str(tmp_path / "a")])
    assert "is not a preset of a task" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command(preset, dev, tmp_path, capsys):
    """All formats, each loaded again, and timed in new processes."""
    main(
        [
            str(preset),
            "--to",
            "saved_model,litert,litert_float16,litert_int8_dynamic,"
            "litert_int8,hugging_face",
            "--out",
            str(tmp_path),
            "--dev",
            str(dev),
            "--calibration",
            str(dev),
            "--rounds",
            "2",
            "--length",
            "8",
        ]
    )
    rows = json.loads((tmp_path / "parity.json").read_text())["rows"]
    found = {row["format"]: row for row in rows}
    assert list(found) == [
        "keras",
        "saved_model",
        "litert",
        "litert_float16",
        "litert_int8_dynamic",
        "litert_int8",
        "hugging_face",
    ]
    assert found["saved_model"]["max_difference"] < 1e-4
    assert found["litert"]["max_difference"] < 1e-3
    assert found["hugging_face"]["max_difference"] < 1e-5
    assert 1e-6 < found["litert_float16"]["max_difference"] < 0.02
    assert 1e-4 < found["litert_int8"]["max_difference"] < 0.5
    assert found["litert_int8"]["ops"]["FULLY_CONNECTED int8"] > 4
    for row in rows:
        for count in ("1", "2"):
            assert 0 < row["median_ms"][count] <= row["p95_ms"][count]
    assert "litert_int8" in capsys.readouterr().out
