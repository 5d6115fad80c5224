"""int8 and pruning of a tiny student, by the recipe."""

import json
import pathlib
import random
import sys
import types

import numpy as np
import pytest
import tiny

from tf_distill import export
from tf_distill.compression import sparsity
from tf_distill.compression.saved_ranges import has_ranges
from tf_distill.data import read_glue
from tf_distill.export.student_preset import read_student

pytest.importorskip(
    "tensorflow_model_optimization", reason="the extra `compression`"
)
sys.path.append(str(pathlib.Path(__file__).parents[2] / "recipes"))
import compress_student  # noqa: E402


@pytest.fixture
def files(tmp_path):
    """A student, a teacher that is another model, and texts."""
    draw = random.Random(0)
    for name, seed in (("student", 1), ("teacher", 2)):
        model = tiny.classifier(
            seed,
            preprocessor=tiny.preprocessor(),
            label_names=["x", "y", "z"],
            num_layers=1,
        )
        model.save_to_preset(str(tmp_path / name))
    for split in ("train", "dev"):
        lines = ["sentence\tlabel"]
        for _ in range(24):
            words = draw.choices(tiny.WORDS[5:19], k=draw.randint(1, 6))
            lines.append(f"{' '.join(words)}\t{draw.choice('xyz')}")
        (tmp_path / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path


def config(files, method, **options):
    return compress_student.Config(
        student=files / "student",
        teacher=files / "teacher",
        train=files / "train.tsv",
        dev=files / "dev.tsv",
        method=method,
        run=files / "run",
        batch_size=8,
        **options,
    )


def rows_of(files):
    results = json.loads((files / "run" / "results.json").read_text())
    return {row["format"]: row for row in results["rows"]}


def test_pruned(files, capsys):
    given = config(files, "pruned", sparsity=0.75, epochs=3, learning_rate=0.01)
    compress_student.main(given)
    pruned = read_student(files / "run" / "student")
    assert sparsity(pruned) == pytest.approx(0.75, abs=0.01)
    rows = rows_of(files)
    assert list(rows) == [
        "keras",
        "litert",
        "litert_pruned",
        "litert_pruned_int8_dynamic",
    ]
    # The first two are the student as it came, the others what it became.
    assert rows["litert"]["max_difference"] < 1e-4
    inputs = tiny.batch()
    found = export.run_litert(files / "run" / "litert_pruned.tflite", [inputs])
    expected = np.asarray(pruned(inputs, training=False))
    np.testing.assert_allclose(found["logits"], expected, atol=1e-4)
    before = read_student(files / "student")(inputs, training=False)
    assert np.abs(before - expected).max() > 0.1
    teacher = read_student(files / "teacher")(inputs, training=False)
    assert np.abs(teacher - expected).mean() < np.abs(teacher - before).mean()
    assert 0 <= rows["litert_pruned"]["accuracy"] <= 1

    # Once done, nothing is done again.
    (files / "dev.tsv").touch()
    times = {p: p.stat().st_mtime for p in (files / "run").rglob("*.tflite")}
    capsys.readouterr()
    compress_student.main(given)
    assert "litert_pruned_int8_dynamic" in capsys.readouterr().out
    assert times == {p: p.stat().st_mtime for p in times}


@pytest.mark.slow
def test_int8(files):
    compress_student.main(config(files, "int8", learning_rate=0.01))
    assert has_ranges(files / "run" / "student")
    rows = rows_of(files)
    assert list(rows)[-2:] == ["litert_int8", "litert_int8_trained"]
    for form in list(rows)[-2:]:
        assert rows[form]["ops"]["FULLY_CONNECTED int8"] > 4
    assert rows["litert_int8"]["max_difference"] < 1.0


def test_texts_of_glue_and_of_ones_own(tmp_path):
    """A student has SST-2's classes as `read_glue` names them."""
    folder = tmp_path / "SST-2"
    folder.mkdir()
    lines = ["sentence\tlabel", "so good\t1", "so bad\t0", "good\t1"]
    for split in ("train", "dev"):
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    dev = read_glue("SST-2", "dev", tmp_path)
    names = [*dev.label_names][::-1]
    student = types.SimpleNamespace(label_names=names, task="classification")
    given = {"student": tmp_path, "teacher": tmp_path}
    by_task = compress_student.Config(task="sst2", data=tmp_path, **given)
    table, found = compress_student.read_tables(by_task, student)
    assert table.texts == ["so good", "so bad", "good"]
    classes = [names[label] for label in found.labels]
    assert classes == ["positive", "negative", "positive"]
    # As its own files call them.
    student.label_names = ["1", "0"]
    train, dev = folder / "train.tsv", folder / "dev.tsv"
    by_files = compress_student.Config(train=train, dev=dev, **given)
    table, found = compress_student.read_tables(by_files, student)
    assert table.labels is None and found.labels.tolist() == [0, 1, 0]
    for config in (by_task, by_files):
        compress_student.check(config)
    for texts in ({}, {"train": train}, {"task": "SST-2", "dev": dev}):
        with pytest.raises(ValueError, match="--task.*--train and --dev"):
            compress_student.check(compress_student.Config(**texts, **given))


def test_what_does_not_belong_together(files):
    with pytest.raises(ValueError, match="--sparsity 1.5 must lie between"):
        compress_student.main(config(files, "pruned", sparsity=1.5))
    model = tiny.classifier(preprocessor=tiny.preprocessor(), num_classes=2)
    model.save_to_preset(str(files / "two"))
    (files / "teacher").rename(files / "other")
    (files / "two").rename(files / "teacher")
    with pytest.raises(ValueError, match="has 2 outputs, --student .* 3: give"):
        compress_student.main(config(files, "pruned"))
    assert not (files / "run" / "results.json").exists()
