"""The quickstart's summary over seeds, of run folders written by hand."""

import json

import glue_recipes_data as tiny_glue
import numpy as np
import pytest

ROLES = {
    "teacher": "teacher",
    "half": "student",
    "half-control": "control",
    "thin": "student",
    "thin-control": "control",
    "LiteRT int8": "export",
}


def write_run(folder, seed, wrong, exported="half", **config):
    """Of 100 texts of two classes, so many wrong of each class by model."""
    labels = np.arange(100) % 2
    wrong = {**dict.fromkeys(ROLES, 10), **wrong}
    predictions = {
        name: np.where(np.arange(100) < 2 * wrong[name], 1 - labels, labels)
        for name in ROLES
    }
    rows = [
        {
            "name": name,
            "role": role,
            "accuracy": 1 - wrong[name] / 50,
            "macro_f1": 1 - wrong[name] / 50,  # as many of either class
            "latency_ms": 1.0 + seed,
        }
        for name, role in ROLES.items()
    ]
    machine = {"cores": 2, "processor": "one", "commit": f"c{seed}"}
    config = {
        "seed": seed,
        "command": f"python recipes/quickstart.py --seed {seed}",
        "dtype": "float32",
        "exported": exported,
        "latency_threads": 2,
        "machine": machine,
        **config,
    }
    folder.mkdir()
    content = json.dumps({"config": config, "rows": rows})
    (folder / "results.json").write_text(content)
    np.savez(folder / "predictions.npz", labels=labels, **predictions)
    return folder


def summary(*runs):
    recipe = tiny_glue.recipe("summarise_quickstart")
    recipe.main(recipe.Config(runs, resamples=50))


def cells(text, first):
    """Of the first line that begins so."""
    lines = [x for x in text.splitlines() if x.startswith(f"| {first} |")]
    return [cell.strip() for cell in lines[0].strip("|").split("|")]


def test_means_over_the_seeds(tmp_path, capsys):
    wrong = {"half": 5, "LiteRT int8": 6}
    first = write_run(tmp_path / "a", 0, wrong)
    second = write_run(tmp_path / "b", 1, {"half": 7, "LiteRT int8": 7})
    summary(first, second)
    text = capsys.readouterr().out
    assert "Seeds 0, 1; 100 test rows; float32; 2 cores of one; " in text
    assert "commit c0, c1." in text
    # Of 50 of either class 5 and 7 wrong, and 10 of the others'.
    assert cells(text, "half")[1:] == ["88.00%", "88.00%", "1.50"]
    assert cells(text, "half − teacher")[1:3] == ["accuracy", "+8.00"]


@pytest.mark.parametrize("key, value", [("dtype", "float16"), ("epochs", 3)])
def test_runs_that_differ_in_more_than_the_seed(tmp_path, key, value):
    first = write_run(tmp_path / "a", 0, {}, **{key: value})
    second = write_run(tmp_path / "b", 1, {})
    for runs in ((first, second), (second, first)):
        with pytest.raises(SystemExit, match=f"differ in {key}"):
            summary(*runs)


def test_exports_of_other_students_have_no_mean(tmp_path, capsys):
    first = write_run(tmp_path / "a", 0, {})
    second = write_run(tmp_path / "b", 1, {}, exported="thin")
    summary(first, second)
    assert "int8" not in capsys.readouterr().out


def test_a_run_that_is_not_finished(tmp_path):
    with pytest.raises(SystemExit, match="is not finished"):
        summary(tmp_path)
