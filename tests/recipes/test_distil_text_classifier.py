import contextlib
import csv
import dataclasses
import fcntl
import io
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import drawn
import glue_recipes_data as tiny_glue
import keras
import keras_hub
import numpy as np
import pytest
import tiny
import tyro
from stopped import started

import tf_distill as td
from tf_distill.benchmark import report
from tf_distill.export.example_batches import flat_texts
from tf_distill.export.score import score

sys.path.append(str(Path(__file__).parents[1] / "checkpoints"))
import folders  # noqa: E402

SCRIPT = Path(__file__).parents[2] / "recipes" / "distil_text_classifier.py"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS += "the a cat dog sat ran red blue big small good bad so very".split()
FILLERS = WORDS[5:15]
# Not sorted: the data's own order would be down, up.
LABELS = ["up", "down"]


def command(*arguments):
    return [sys.executable, str(SCRIPT), *map(str, arguments)]


def run(folder, *arguments, **environment):
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        capture_output=True,
        text=True,
        timeout=3000,
    )


def sentences(count, seed):
    """Texts that say good or bad somewhere, and which."""
    draw = random.Random(seed)
    labels = [LABELS[i % 2] for i in range(count)]
    texts = [
        " ".join(
            draw.sample(FILLERS, 3)
            + [{"up": "good", "down": "bad"}[label]]
            + draw.sample(FILLERS, draw.randint(1, 4))
        )
        for label in labels
    ]
    return texts, labels


def write_csv(path, texts, labels, header=("text", "label")):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *zip(texts, labels, strict=True)])


def make_teacher(num_classes=2, label_names=None, num_heads=2):
    backbone = td.models.BertBackbone(
        vocabulary_size=len(WORDS),
        num_layers=2,
        num_heads=num_heads,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=24,
    )
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(
        keras_hub.models.BertTokenizer(WORDS), sequence_length=16
    )
    return td.models.BertTextClassifier(
        backbone,
        num_classes,
        preprocessor=preprocessor,
        label_names=label_names,
    )


@pytest.fixture(scope="module")
def trained():
    """A teacher that has learnt which word is which."""
    keras.utils.set_random_seed(0)
    model = make_teacher(label_names=LABELS)
    texts, labels = sentences(64, seed=1)
    encoded = td.data.encode(texts, model.preprocessor.tokenizer, max_length=16)
    model.compile(
        keras.optimizers.Adam(0.02),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[],
        run_eagerly=True,
    )
    inputs = encoded.pad(range(64), 16)
    indices = np.array([LABELS.index(label) for label in labels])
    model.fit(inputs, indices, batch_size=64, epochs=20, verbose=0)
    logits = np.asarray(model(inputs, training=False))
    assert (logits.argmax(-1) == indices).mean() > 0.95
    return model


@pytest.fixture(scope="module")
def teacher(tmp_path_factory, trained):
    """Its folder in Keras' format."""
    folder = tmp_path_factory.mktemp("teacher")
    trained.save_to_preset(folder)
    return folder


@pytest.fixture(scope="module")
def hub(tmp_path_factory, trained):
    """The environment in which `hf://someone/mood` is it.

    From Hugging Face's cache, as if it had been downloaded once.
    """
    home = tmp_path_factory.mktemp("hugging_face")
    repository = home / "hub" / "models--someone--mood"
    commit = "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    td.export.hugging_face(trained, repository / "snapshots" / commit)
    return {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}


def score_here(path, texts=None, encoded=None, on_progress=None):
    """`score_in_new_process`, without the process."""
    data = {} if texts is None else flat_texts(texts)
    for name in ("token_ids", "segment_ids", "offsets"):
        data[name] = getattr(encoded, name)
    return score(path, data, on_progress)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, hub, recipe):
    """A classification that Ctrl-C stopped in training; the rest in here."""
    folder = tmp_path_factory.mktemp("classification")
    write_csv(folder / "train.csv", *sentences(160, seed=2))
    write_csv(folder / "test.csv", *sentences(40, seed=3))
    arguments = ["--teacher", "hf://someone/mood", "--train", "train.csv"]
    arguments += ["--test", "test.csv", "--max-length", "16", "--control"]
    arguments += ["--epochs", "12", "--learning-rate", "0.01"]
    arguments += ["--run", "run", "--name", "mood"]
    stage = folder / "run/stages/student/01-distillation"
    third = f"{stage.relative_to(folder)}/epoch-00000[3-9]-*.npz"
    with started(command(*arguments), folder, third, **hub) as process:
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        process.wait()
    last = said.splitlines()[-1]
    assert last == "Interrupted. Run the same command again to go on."
    assert process.returncode == 1 and "Traceback" not in said
    assert not (stage / "finished.npz").exists()
    assert not (folder / "run" / "results.json").exists()
    assert not (folder / "saved_models").exists()
    (snapshot,) = Path(hub["HF_HOME"]).glob("hub/*/snapshots/*")
    output = io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(output),
        mock.patch("sys.argv", [str(SCRIPT), *arguments]),
        mock.patch(
            "huggingface_hub.snapshot_download",
            lambda name, **patterns: str(snapshot),
        ),
        # A process for each export, as in the slow tests and the quickstart's,
        # would take most of the time.
        mock.patch("tf_distill.export.score_in_new_process", score_here),
    ):
        recipe.command_line(recipe.main, recipe.Config)
    return folder, arguments, output.getvalue()


def read_results(folder):
    content = json.loads((folder / "run" / "results.json").read_text())
    return content["config"], {row["name"]: row for row in content["rows"]}


def test_it_goes_on_where_it_was_stopped(finished):
    _, _, output = finished
    # Within the student's training, not at its beginning or end.
    first = re.search("distillation: goes on in epoch ([0-9]+)", output)
    assert first and 4 <= int(first[1]) <= 12
    assert "control: 12 epochs of 144 texts." in output
    assert output.splitlines()[-1] == "run/results.json"


def test_the_scores_are_those_of_the_predictions(finished):
    folder, _, _ = finished
    config, rows = read_results(folder)
    assert config["scored_on"] == "test"
    assert [row["role"] for row in rows.values()] == [
        *("teacher", "student", "control", "export", "export", "export")
    ]
    with np.load(folder / "run" / "predictions.npz") as predictions:
        # In the order of the teacher's logits, not the alphabet's.
        expected = [LABELS.index(label) for label in sentences(40, seed=3)[1]]
        np.testing.assert_array_equal(predictions["labels"], expected)
        for name, row in rows.items():
            accuracy = (predictions[name] == expected).mean()
            assert row["accuracy"] == pytest.approx(accuracy)
            assert row["retained_accuracy"] == pytest.approx(
                accuracy / rows["teacher"]["accuracy"]
            )
    for row in rows.values():
        assert row["latency_ms"] > 0 and row["bytes"] > 0
    assert rows["student"]["parameters"] < rows["teacher"]["parameters"]
    assert rows["student"]["flops"] < 0.6 * rows["teacher"]["flops"]


def test_no_classes_are_exchanged(finished):
    folder, _, _ = finished
    _, rows = read_results(folder)
    # With the classes exchanged anywhere, one of these would be below 0.1.
    assert rows["teacher"]["accuracy"] > 0.9
    assert rows["student"]["accuracy"] > 0.85
    for name in ("SavedModel", "LiteRT"):
        assert rows[name]["accuracy"] == rows["student"]["accuracy"]


def test_the_student_reads_back_and_says_the_same(finished):
    folder, _, _ = finished
    student = td.models.BertTextClassifier.from_preset(folder / "run/student")
    assert student.label_names == LABELS
    assert student.backbone.num_layers == 1
    student.compile(jit_compile=False)
    logits = student.predict(sentences(40, seed=3)[0], verbose=0)
    with np.load(folder / "run" / "predictions.npz") as predictions:
        np.testing.assert_array_equal(
            logits.argmax(-1), predictions["SavedModel"]
        )
    version = folder / "saved_models" / "mood" / "1"
    names = (version / "assets" / "label_names.txt").read_text()
    assert names.split() == LABELS
    assert [path.name for path in version.parent.iterdir()] == ["1"]


def test_what_is_in_the_run_folder(finished):
    folder, _, _ = finished
    names = {path.name for path in (folder / "run").iterdir()}
    assert {"student.tflite", "student.int8.tflite", "vocab.txt"} <= names
    assert not [name for name in names if "partial" in name]
    assert not [name for name in names if "unfinished" in name]
    assert "| student |" in (folder / "run" / "README.md").read_text()
    with open(folder / "run" / "log.csv") as file:
        log = list(csv.DictReader(file))
    for name in ("student", "control"):
        epochs = [row for row in log if row["model"] == name]
        assert [row["epoch"] for row in epochs] == [*map(str, range(1, 13))]
        assert 0 <= float(epochs[-1]["val_macro_f1"]) <= 1
        assert any((folder / "run" / "tensorboard" / name).rglob("events*"))


def test_the_pictures_are_of_the_logs_and_the_results(
    finished, recipe, monkeypatch, tmp_path
):
    folder, _, _ = finished
    run = folder / "run"
    _, rows = read_results(folder)
    with drawn.figures(monkeypatch) as figures:
        histories = tiny_glue.recipe("run_report").histories(run)
        curves, quality = tmp_path / "curves.png", tmp_path / "quality.png"
        report.plot_curves(curves, histories, "val_macro_f1")
        report.plot_quality_against_latency(quality, list(rows.values()))
    with open(run / "log.csv") as file:
        log = list(csv.DictReader(file))
    for axis, key in zip(
        figures[0].axes, ("loss", "val_macro_f1"), strict=True
    ):
        assert drawn.lines(axis) == {
            f"{model}, {stage}": [
                [int(row["epoch"]), float(row[key])]
                for row in log
                if row["model"] == model
            ]
            for model, stage in (
                ("control", "control"),
                ("student", "distillation"),
            )
        }
    (axis,) = figures[1].axes
    assert drawn.names(axis) == set(rows)
    assert drawn.points(axis) == [
        (row["latency_ms"], row["macro_f1"]) for row in rows.values()
    ]
    # They are what the recipe drew, too.
    assert curves.read_bytes() == (run / "curves.png").read_bytes()
    drawn_there = (run / "quality_latency.png").read_bytes()
    assert quality.read_bytes() == drawn_there


def test_a_second_time_it_only_shows_the_results(finished, hub, no_tensorflow):
    folder, arguments, _ = finished
    before = (folder / "run" / "results.json").read_bytes()
    done = run(folder, *arguments, PYTHONPATH=no_tensorflow, **hub)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "run/results.json"
    assert "LiteRT int8" in done.stdout
    assert (folder / "run" / "results.json").read_bytes() == before


def test_another_configuration_is_refused(finished, hub, no_tensorflow):
    folder, arguments, _ = finished
    before = (folder / "run" / "results.json").read_bytes()
    texts, labels = sentences(40, seed=3)
    write_csv(folder / "test.csv", [*texts, "so good"], [*labels, "up"])
    for more, named in (
        ([], "another content of --test"),
        (["--seed", "1"], "seed"),
    ):
        others = {"PYTHONPATH": no_tensorflow, **hub}
        done = run(folder, *arguments, *more, **others)
        assert_refused(done, named, "--run")
    write_csv(folder / "test.csv", *sentences(40, seed=3))
    assert (folder / "run" / "results.json").read_bytes() == before


def test_a_run_folder_in_use(finished, hub, no_tensorflow):
    folder, arguments, _ = finished
    with open(folder / "run" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run(folder, *arguments, PYTHONPATH=no_tensorflow, **hub)
    assert_refused(done, "run is in use by another process", "--run")


def assert_one_version(folder):
    """Of a student of a size by name; nothing half-written is left."""
    (version,) = folder.glob("saved_models/train_bert_tiny_2l_128d_smoke/*")
    assert version.name == "1"
    left = ("unfinished", "partial")
    names = [path.name for path in folder.rglob("*")]
    assert not [name for name in names if any(x in name for x in left)]


@pytest.mark.slow
def test_pairs_with_a_score_and_more_text(tmp_path):
    """KerasHub's own encoder, JSONL, unlabelled TSV, dev from train.

    Killed when the SavedModel is there, but not the other exports.
    """
    encoder = keras_hub.models.BertBackbone(
        vocabulary_size=len(WORDS),
        num_layers=2,
        num_heads=4,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=24,
    )
    encoder.save_to_preset(tmp_path / "encoder")
    tokenizer = keras_hub.models.BertTokenizer(WORDS, lowercase=True)
    tokenizer.save_to_preset(tmp_path / "encoder")
    first, labels = sentences(80, seed=4)
    second, others = sentences(80, seed=5)
    with open(tmp_path / "train.jsonl", "w") as file:
        for row in zip(first, second, labels, strict=True):
            record = dict(zip(("q", "a", "score"), row, strict=True))
            record["score"] = 2.5 if record["score"] == "up" else -1
            file.write(json.dumps(record) + "\n")
    more = "".join(f"{a}\t{b}\n" for a, b in zip(second, first, strict=True))
    (tmp_path / "more.tsv").write_text("q\ta\n" + more)
    arguments = [
        *("--teacher", "encoder", "--train", "train.jsonl", "--text", "q"),
        *("--second-text", "a", "--label", "score", "--task", "regression"),
        *("--unlabelled", "more.tsv", "--student", "bert_tiny_2l_128d"),
        *("--max-length", "24", "--run", "run", "--smoke"),
    ]
    with started(command(*arguments), tmp_path, "saved_models/*/1"):
        pass
    assert not (tmp_path / "run" / "results.json").exists()
    done = run(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "distillation: trained already." in done.stdout
    assert "2 attention heads and the teacher 4" in done.stdout
    config, rows = read_results(tmp_path)
    assert config["scored_on"] == "dev" and config["fine_tuned_teacher"]
    assert config["rows"] == {"train": 72, "dev": 8, "student": 144}
    # Of dev's pairs, the other way round, nothing is to be learnt.
    assert "8 unlabelled texts are nearly dev's or test's" in done.stdout
    assert list(rows) == [
        *("teacher", "student", "SavedModel", "LiteRT", "LiteRT int8")
    ]
    with np.load(tmp_path / "run" / "predictions.npz") as predictions:
        assert set(predictions["labels"]) == {2.5, -1.0}
        for name, row in rows.items():
            expected = np.corrcoef(predictions["labels"], predictions[name])
            assert row["pearson"] == pytest.approx(expected[0, 1], abs=1e-5)
    student = td.models.BertTextClassifier.from_preset(tmp_path / "run/student")
    assert student.backbone.hidden_dim == 128
    assert student.backbone.vocabulary_size == len(WORDS)
    assert_one_version(tmp_path)


# --- Before anything is loaded ------------------------------------------------


@pytest.fixture(scope="module")
def no_tensorflow(tmp_path_factory):
    """For PYTHONPATH: where `import tensorflow` and `keras` fail."""
    folder = tmp_path_factory.mktemp("blocked")
    for name in ("tensorflow", "keras"):
        (folder / f"{name}.py").write_text("raise RuntimeError('too early')")
    return str(folder)


@pytest.fixture
def before_work(recipe, tmp_path, monkeypatch):
    """A function of arguments: what is said of them before any work begins."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recipe, "work", None)

    def mistake(arguments):
        config = tyro.cli(recipe.Config, args=arguments)
        with pytest.raises((ValueError, OSError)) as caught:
            recipe.main(config)
        return str(caught.value)

    return mistake


@pytest.fixture(scope="module")
def recipe():
    return tiny_glue.recipe("distil_text_classifier")


def assert_refused(done, *parts):
    assert done.returncode != 0
    assert done.stderr.startswith("error: "), done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr


def test_help_comes_at_once(tmp_path, no_tensorflow):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run(tmp_path, "--help", PYTHONPATH=no_tensorflow)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert "--second-text" in done.stdout
    # Of the processor's time, however busy the machine is.
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    assert used < 1


GOOD = b"text,label\nso good,up\nso bad,down\n"
BAD_FILES = {
    "missing column": (b"tweet,label\nso,up\n", ["line 1", "'text'", "tweet"]),
    "empty label": (GOOD + b"the cat,\n", ["line 4", "'label'", "is empty"]),
    "empty text": (GOOD + b" ,up\n", ["line 4", "'text'", "is empty"]),
    "not UTF-8": (
        GOOD + b"caf\xe9,up\n",
        ["line 4", "0xe9", "--encoding-errors replace"],
    ),
    "scores": (b"text,label\na,0.5\nb,1\n", ["line 2", "regression"]),
    "one class": (b"text,label\na,up\nb,up\n", ["['up']", "at least 2"]),
    "other classes": (GOOD + b"a,sideways\n", ["sideways", "['up', 'down']"]),
    "no rows": (b"text,label\n", ["no rows"]),
}


@pytest.mark.parametrize("fault", BAD_FILES)
def test_a_bad_training_file(tmp_path, teacher, before_work, fault):
    content, parts = BAD_FILES[fault]
    (tmp_path / "train.csv").write_bytes(content)
    mistake = before_work(["--teacher", str(teacher), "--train", "train.csv"])
    for part in ("train.csv", *parts):
        assert part in mistake
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


def test_a_mistake_on_the_command_line(tmp_path, teacher, no_tensorflow):
    """Told at once, without a traceback."""
    (tmp_path / "train.csv").write_bytes(BAD_FILES["empty label"][0])
    arguments = ["--teacher", teacher, "--train", "train.csv"]
    done = run(tmp_path, *arguments, PYTHONPATH=no_tensorflow)
    assert_refused(done, "train.csv, line 4", "is empty")
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


BAD_ARGUMENTS = {
    "no such file": (["--dev", "nowhere.csv"], ["nowhere.csv", "no such file"]),
    "unknown label": (["--test", "other.csv"], ["other.csv, line 2", "'odd'"]),
    "pairs in .txt": (
        [
            *("--train", "pairs.csv", "--dev", "pairs.csv"),
            *("--second-text", "more", "--unlabelled", "more.txt"),
        ],
        ["more.txt", ".tsv"],
    ),
    "scores of classes": (
        ["--task", "regression"],
        ["train.csv, line 2", "'label'", "'up'"],
    ),
    "no head": (["--teacher", "encoder", "--fine-tune-teacher", "False"], []),
    "mistyped": (["--teacher", "./encodr"], ["./encodr", "no such folder"]),
    "no handle": (["--teacher", "user/model"], ["hf://user/model"]),
    "three classes": (["--teacher", "three"], ["three", "3 outputs"]),
    "no checkpoint": (["--teacher", "empty"], ["empty", "config.json"]),
    "a name with a slash": (["--name", "a/b"], ["--name a/b"]),
    "a file for a folder": (["--saved-models", "more.txt"], ["more.txt"]),
    "a file for a run": (["--run", "more.txt"], ["--run more.txt is a file"]),
    "somebody's folder for a run": (["--run", "three"], ["three", "--run"]),
    "only copies": (["--unlabelled", "copy.txt"], ["copy.txt", "leave out"]),
    "too few rows to split": ([], ["Give more text"]),
}


@pytest.mark.parametrize("fault", BAD_ARGUMENTS)
def test_a_bad_argument(tmp_path, teacher, before_work, fault):
    (tmp_path / "train.csv").write_bytes(GOOD)
    (tmp_path / "other.csv").write_bytes(b"text,label\nso good,odd\n")
    (tmp_path / "more.txt").write_bytes(b"so very good\n")
    (tmp_path / "copy.txt").write_bytes(b"SO GOOD!\n")
    pairs = b"text,more,label\nso,good,up\nso,bad,down\n"
    (tmp_path / "pairs.csv").write_bytes(pairs)
    for name in ("encoder", "three", "empty"):
        (tmp_path / name).mkdir()
    config = {"architectures": ["BertModel"], "model_type": "bert"}
    (tmp_path / "encoder" / "config.json").write_text(json.dumps(config))
    config["architectures"] = ["BertForSequenceClassification"]
    config["id2label"] = {str(i): f"LABEL_{i}" for i in range(3)}
    (tmp_path / "three" / "config.json").write_text(json.dumps(config))
    before = sorted(tmp_path.rglob("*"))
    more, parts = BAD_ARGUMENTS[fault]
    arguments = ["--teacher", str(teacher), "--train", "train.csv", *more]
    if fault != "too few rows to split" and "--dev" not in more:
        arguments += ["--dev", "train.csv"]
    mistake = before_work(arguments)
    for part in parts:
        assert part in mistake
    assert sorted(tmp_path.rglob("*")) == before


# --- In this process ----------------------------------------------------------


@pytest.fixture
def config(recipe, teacher, tmp_path):
    write_csv(tmp_path / "train.csv", *sentences(40, seed=6))
    return {
        "teacher": str(teacher),
        "train": tmp_path / "train.csv",
        "name": "mood",
        "run": tmp_path / "run",
        "saved_models": tmp_path / "saved_models",
        "max_length": 16,
    }


# Of Keras, as the teacher was saved with the optimizer that trained it.
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_length": 25}, "--max-length 25.*Pass --max-length 24"),
        ({"student": "tinybert_4l_312d"}, "Did you mean 'tiny_bert_4l_312d'"),
        ({"student": "tiny_bert_4l_312d"}, "4 layers, of --teacher's 2"),
        ({"teacher": "bert_tiny_2l_128d"}, "architecture and has no weights"),
    ],
)
def test_what_the_loaded_teacher_rules_out(recipe, config, changes, message):
    before = sorted(config["train"].parent.iterdir())
    with pytest.raises(ValueError, match=message):
        recipe.main(recipe.Config(**{**config, **changes}))
    assert sorted(config["train"].parent.iterdir()) == before


def test_a_tokenizer_of_another_model(recipe, config, tmp_path):
    make_teacher(label_names=LABELS).save_to_preset(tmp_path / "other")
    (words,) = (tmp_path / "other").rglob("vocabulary.txt")
    words.write_text("\n".join([*WORDS, "one", "two"]) + "\n")
    config["teacher"] = str(tmp_path / "other")
    with pytest.raises(ValueError, match="has 21 words, but its encoder 19"):
        recipe.main(recipe.Config(**config))
    assert not config["run"].exists()


@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
def test_a_control_begins_as_its_student_and_takes_as_many_steps(
    recipe, config, monkeypatch, tmp_path
):
    """Even where the teacher was fine-tuned after the student was made."""
    (tmp_path / "more.txt").write_text("\n".join(sentences(30, seed=8)[0]))
    config = recipe.Config(
        **config,
        control=True,
        fine_tune_teacher=True,
        batch_size=8,
        epochs=2,
        unlabelled=tmp_path / "more.txt",
    )
    config.run.mkdir()
    (config.run / "precision.txt").write_text("float32")
    begun, steps, models = {}, {}, []

    def train(run, name, stages, **settings):
        (stage,) = stages
        model = stage.build()
        model = getattr(model, "student", model)
        begun[name] = model.get_weights()
        steps[name] = stage.epochs * len(stage.data)
        models.append(tiny.randomize(model, seed=len(models)))

    monkeypatch.setattr(recipe, "train", train)
    monkeypatch.setattr(recipe, "report", lambda *arguments: None)
    tables, head = recipe.read_inputs(config)
    recipe.work(config, tables, head, {"sha256": {}})
    assert list(begun) == ["teacher", "student", "control"]
    tiny.assert_same_weights(begun["student"], begun["control"])
    per_epoch = -(-len(tables["train"]) // 8)
    assert steps["student"] == 2 * -(-len(tables["student"]) // 8)
    assert steps["student"] % per_epoch  # or the next line says too little
    assert 0 <= steps["control"] - steps["student"] < per_epoch
    words = models[0].get_weights()[0]
    np.testing.assert_array_equal(words, begun["student"][0])


def test_it_tells_of_text_that_is_scored_on_and_trained_on(
    recipe, tmp_path, capsys
):
    texts = ["the cat sat down", "a big dog ran", "so very small", "red is bad"]
    others = ["RT @ann: The cat sat down!!", "blue dogs are good", "a red one"]
    write_csv(tmp_path / "train.csv", texts, "uduu")
    write_csv(tmp_path / "test.csv", others, "uud")
    tables = {
        name: td.data.read_table(tmp_path / f"{name}.csv", "text")
        for name in ("train", "test")
    }
    config = recipe.Config("t", tmp_path / "train.csv")
    recipe.warn_of_copies(config, {**tables, "dev": tables["train"]})
    assert not capsys.readouterr().out  # dev was split off
    config = dataclasses.replace(config, test=tmp_path / "test.csv")
    recipe.warn_of_copies(config, tables)
    said = capsys.readouterr().out
    assert said.startswith("Warning: 1 of the 3 texts of --test are nearly ")
    assert f"Take them out of {config.train} or {config.test}; or " in said
    config = dataclasses.replace(config, dev=config.train)
    tables = {
        **tables,
        "dev": tables["train"],
        "test": tables["test"].take([1]),
    }
    recipe.warn_of_copies(config, tables)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Warning: 4 of the 4 texts of --dev are")


def heads(recipe, tmp_path, names, **changes):
    """What becomes of the classes up and down under a teacher's names."""
    folder = tmp_path / "named"
    folder.mkdir(exist_ok=True)
    (folder / "metadata.json").write_text("{}")
    task = {"num_classes": len(names), "label_names": names}
    (folder / "task.json").write_text(json.dumps({"config": task}))
    config = recipe.Config(str(folder), Path("train.csv"), **changes)
    return recipe.teachers.match_head(config, ("down", "up"))


def test_whose_order_the_labels_have(recipe, tmp_path):
    own = heads(recipe, tmp_path, ["UP", "Down"])
    assert own.label_names == ("up", "down")
    assert not own.fine_tune and not own.order_assumed
    generic = heads(recipe, tmp_path, ["LABEL_0", "LABEL_1"])
    assert generic.label_names == ("down", "up")
    assert generic.order_assumed and not generic.new
    with pytest.raises(ValueError, match=r"'down', 'up'.*'good', 'bad'"):
        heads(recipe, tmp_path, ["good", "bad"])
    with pytest.raises(ValueError, match="2 classes.*3 outputs"):
        heads(recipe, tmp_path, ["LABEL_0", "LABEL_1", "LABEL_2"])
    with pytest.raises(ValueError, match="3 outputs.*no names.*id2label"):
        heads(recipe, tmp_path, ["LABEL_0", "LABEL_1", "LABEL_2"])
    new = heads(recipe, tmp_path, ["good", "bad"], fine_tune_teacher=True)
    assert new.new and new.label_names == ("down", "up")
    again = heads(recipe, tmp_path, ["up", "down"], fine_tune_teacher=True)
    assert again.fine_tune and not again.new


def test_a_text_of_some_of_the_classes(recipe, tmp_path, capsys):
    theirs = ["Up", "neutral", "DOWN"]
    some = heads(recipe, tmp_path, theirs)
    assert some == recipe.teachers.Head(("up", "neutral", "down"))
    assert "no ['neutral']" in capsys.readouterr().out
    new = heads(recipe, tmp_path, theirs, fine_tune_teacher=True)
    assert new.new and new.label_names == ("down", "up")
    # Where several go together, a class that none has may be unknown.
    with pytest.raises(ValueError, match="not all of the teacher"):
        heads(recipe, tmp_path, theirs, task="multilabel")
    with pytest.raises(ValueError, match="teacher's names in the file"):
        heads(recipe, tmp_path, ["up", "left", "right"])


@pytest.mark.slow
def test_several_labels(tmp_path):
    """A new head on transformers' teacher, another student, a TSV file.

    Killed in the midst of export.
    """
    tensors = tiny.hugging_face_tensors(num_classes=2)
    folders.write_classifier(tmp_path / "teacher", tensors, LABELS)
    texts, labels = sentences(60, seed=7)
    rows = [
        f"{text}\t{['', 'red', 'red|' + label][i % 3]}\n"
        for i, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    (tmp_path / "train.tsv").write_text("text\ttags\n" + "".join(rows))
    arguments = [
        *("--teacher", "teacher", "--train", "train.tsv", "--label", "tags"),
        *("--task", "multilabel", "--fine-tune-teacher", "True"),
        *("--student", "bert_tiny_2l_128d", "--control", "--smoke"),
        *("--max-length", "12", "--run", "run"),
    ]
    half_written = "saved_models/*/.unfinished-*/*.pb"
    with started(command(*arguments), tmp_path, half_written):
        pass
    assert any(tmp_path.glob(half_written))
    assert not any(tmp_path.glob("saved_models/*/1"))
    done = run(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("trained already") == 3
    assert_one_version(tmp_path)
    config, rows = read_results(tmp_path)
    assert config["label_names"] == ["down", "red", "up"]
    with np.load(tmp_path / "run" / "predictions.npz") as predictions:
        assert predictions["labels"].shape == (6, 3)
        for name, row in rows.items():
            right = (predictions[name] == predictions["labels"]).all(1)
            assert row["accuracy"] == pytest.approx(right.mean())
