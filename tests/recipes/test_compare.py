"""The comparison, of run folders written by hand."""

import json

import glue_recipes_data as tiny_glue
import numpy as np
import pytest


def write_run(folder, task, seed, predictions, labels, metric, **row):
    folder.mkdir(parents=True)
    rows = []
    for role, found in predictions.items():
        score = float((found == labels).mean())
        sizes = {"teacher": 4e6}.get(role, 1e6)
        rows.append(
            {
                "name": role,
                "role": role,
                metric: score,
                "parameters": sizes,
                "flops": 1000 * sizes,
                **row,
            }
        )
    config = {
        "task": task,
        "seed": seed,
        "scored_on": ["dev"],
        "label_names": ["entailment", "not_entailment"]
        if task == "RTE"
        else ["negative", "positive"],
    }
    content = {"config": config, "rows": rows}
    (folder / "results.json").write_text(json.dumps(content))
    arrays = {f"dev/{role}": found for role, found in predictions.items()}
    np.savez(folder / "predictions.npz", **arrays, **{"dev/labels": labels})
    return folder


@pytest.fixture
def runs(tmp_path):
    """Teachers of 90 % and 80 %; students lose 5, 10 or 15 rows of 100."""
    made = []
    for task, worse in (("RTE", 20), ("SST-2", 10)):
        labels = np.arange(100) % 2
        for seed, lost in enumerate((5, 10, 15)):
            wrong = {"teacher": worse, "student": worse + lost, "control": 40}
            predictions = {
                role: np.where(np.arange(100) < number, 1 - labels, labels)
                for role, number in wrong.items()
            }
            folder = tmp_path / "thin" / f"{task}-seed{seed}"
            made.append(
                write_run(folder, task, seed, predictions, labels, "accuracy")
            )
    return made


def compare(runs, tmp_path, **others):
    module = tiny_glue.recipe("compare")
    output = tmp_path / "out" / "table.md"
    module.main(module.Config(tuple(runs), output, resamples=200, **others))
    return output


def cells(text, first):
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if row[0] == first]


def test_medians_means_and_what_is_kept(runs, tmp_path):
    output = compare(runs, tmp_path)
    text = output.read_text()
    (teacher,) = cells(text, "teacher")
    assert teacher[1:5] == ["90.0", "80.0", "85.0", "100.0%"]
    student, difference = cells(text, "thin")
    # 65, 70, 75 and 75, 80, 85: medians 70 and 80, of 85 kept 75.
    assert student[1:5] == ["80.0", "70.0", "75.0", "88.2%"]
    assert student[5:] == ["1.00", "1.000", "4.0x", ""]
    (control,) = cells(text, "thin, labels")
    assert control[1:4] == ["60.0", "60.0", "60.0"]
    # 15, 20, 25 and 5, 10, 15: means over both tasks 10, 15, 20, whose
    # standard deviation is 5: 4.3027 * 5 / sqrt(3) is 12.4.
    assert difference[3] == "+15.0 (+2.6 to +27.4)"
    mean, low, high = (
        float(x)
        for x in difference[1]
        .replace("to", "")
        .replace("(", "")
        .replace(")", "")
        .split()
    )
    assert mean == 20.0 and low < 16 and high > 24
    assert "RTE: accuracy, 100 rows, seeds 0, 1, 2" in text
    assert "same teacher" not in text
    assert output.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_a_method_without_a_task_is_told(runs, tmp_path):
    other = tmp_path / "pkd" / "RTE-seed0"
    labels = np.arange(100) % 2
    predictions = {"teacher": labels, "student": labels}
    write_run(other, "RTE", 0, predictions, labels, "accuracy", latency_ms=2.0)
    text = compare([*runs, other], tmp_path).read_text()
    assert "The mean is over RTE, which every line has." in text
    # Its teacher made no mistake, that of the others 20.
    assert "Not all methods had the same teacher of RTE: " in text
    (row,) = cells(text, "pkd")
    assert row[1:3] == ["", "100.0"]
    assert len(cells(text, "pkd, labels")) == 0


def test_what_cannot_be_compared(runs, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty has no results.json"):
        compare([*runs, tmp_path / "empty"], tmp_path)
    with pytest.raises(ValueError, match="two runs of .*thin.*RTE"):
        compare([*runs, runs[0]], tmp_path)
    labels = np.arange(90) % 2
    other = write_run(
        tmp_path / "x" / "y", "RTE", 0, {"teacher": labels}, labels, "accuracy"
    )
    with pytest.raises(ValueError, match="RTE were scored on different rows"):
        compare([*runs, other], tmp_path)
    assert not (tmp_path / "out").exists()
