"""Every recipe of GLUE's tasks, on tiny files and models."""

import csv
import fcntl
import json
import types

import glue_recipes_data as tiny_glue
import keras
import keras_hub
import numpy as np
import pytest

import tf_distill as td


@pytest.fixture(autouse=True, scope="module")
def eagerly():
    with tiny_glue.eagerly() as compile_for_graphs:
        yield compile_for_graphs


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("glue_recipes")
    tiny_glue.write_glue(folder / "glue")
    tiny_glue.write_encoder(folder / "bert")
    return folder


def settings(place, task, run, **others):
    return {
        "task": task,
        "data": place / "glue",
        "max_length": 32,
        "batch_size": 16,
        "run": place / run,
        **others,
    }


def fine_tune(place, task):
    module = tiny_glue.recipe("fine_tune_teacher")
    config = module.Config(
        model=str(place / "bert"),
        epochs=3,
        learning_rate=0.02,
        **settings(place, task, f"teacher-{task}"),
    )
    module.main(config)
    return config


@pytest.fixture(scope="module")
def classes(place):
    return fine_tune(place, "RTE").run


@pytest.fixture(scope="module")
def scores(place):
    return fine_tune(place, "STS-B").run


def test_a_teacher_of_pairs(place, classes):
    teacher = td.models.BertTextClassifier.from_preset(classes / "teacher")
    assert teacher.label_names == ["entailment", "not_entailment"]
    table = td.data.read_glue("RTE", "dev", place / "glue")
    tokenizer = teacher.preprocessor.tokenizer
    encoded = td.data.encode(table, tokenizer, max_length=32)
    logits = np.asarray(teacher(encoded.pad(range(20), 32), training=False))
    found, rows = tiny_glue.results(classes)
    accuracy = (logits.argmax(-1) == table.labels).mean()
    assert rows["teacher"]["accuracy"] == pytest.approx(accuracy)
    assert found["rows"] == {"train": 48, "dev": 20, "test": 2}
    lines = (classes / "submission" / "RTE.tsv").read_text().splitlines()
    assert lines[0] == "index\tprediction" and len(lines) == 3
    assert {x.split("\t")[1] for x in lines[1:]} <= set(teacher.label_names)
    names = {path.name for path in classes.iterdir()}
    expected = "config.json log.csv tensorboard stages results.json curves.png"
    assert names >= {*expected.split(), "README.md", "predictions.npz"}
    assert not [name for name in names if "partial" in name]
    with open(classes / "log.csv") as file:
        log = list(csv.DictReader(file))
    assert [row["epoch"] for row in log] == [str(i + 1) for i in range(3)]
    assert all(0 < float(row["loss"]) < 5 for row in log)
    assert float(log[-1]["val_accuracy"]) == pytest.approx(accuracy)


@pytest.mark.slow
def test_a_teacher_of_scores(place, scores):
    _, rows = tiny_glue.results(scores)
    with np.load(scores / "predictions.npz") as predictions:
        found = predictions["dev/teacher"]
        expected = np.corrcoef(found, predictions["dev/labels"])[0, 1]
    assert rows["teacher"]["pearson"] == pytest.approx(expected, abs=1e-6)
    assert (scores / "submission" / "STS-B.tsv").exists()


STUDENTS = {
    "tiny_bert_task": {
        "student": "half",
        "intermediate_epochs": 1,
        "epochs": 1,
        "control": True,
    },
    "distil_bert_task": {"epochs": 2, "control": True},
    "pkd": {"student": "2", "epochs": 1, "layer_map": "last"},
    "pre_trained_distillation": {"distillation_epochs": 1, "student": "half"},
}
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "name, task",
    [
        ("tiny_bert_task", "RTE"),
        *(pytest.param(name, "RTE", marks=SLOW) for name in [*STUDENTS][1:]),
        *(pytest.param(name, "STS-B", marks=SLOW) for name in STUDENTS),
    ],
)
def test_a_student_and_its_control(place, request, name, task):
    teacher = request.getfixturevalue({"RTE": "classes"}.get(task, "scores"))
    run = place / f"{name}-{task}"
    module = tiny_glue.recipe(name)
    config = module.Config(
        teacher=str(teacher / "teacher"),
        **STUDENTS[name],
        **settings(place, task, run.name),
    )
    module.main(config)
    found, rows = tiny_glue.results(run)
    roles = ["teacher", "student", "control"]
    assert list(rows) == roles[: 2 + config.control]
    metrics = td.data.glue_task(task).metrics
    for metric in metrics:
        _, theirs = tiny_glue.results(teacher)
        assert rows["teacher"][metric] == pytest.approx(
            theirs["teacher"][metric], abs=1e-5
        )
    with np.load(run / "predictions.npz") as predictions:
        for role in rows:
            again = td.metrics.glue_scores(
                task,
                predictions["dev/labels"],
                predictions[f"dev/{role}"],
                label_names=found["label_names"],
            )
            assert {m: rows[role][m] for m in metrics} == pytest.approx(again)
    with open(run / "log.csv") as file:
        log = list(csv.DictReader(file))
    assert {row["model"] for row in log} == {*roles[1 : 2 + config.control]}
    if config.control:  # of as many steps
        ours = [row for row in log if row["model"] == "student"]
        control = [row for row in log if row["model"] == "control"]
        assert len(ours) == len(control)
    cls = td.models.BertTextClassifier
    if name == "tiny_bert_task":
        cls = td.models.TinyBertTextClassifier
    student = cls.from_preset(run / "student")
    assert student.backbone.num_layers == (2 if name == "pkd" else 1)


@pytest.mark.slow
def test_a_cache_gives_the_same_student(place, classes, eagerly, monkeypatch):
    # To the last bit in a graph alone, which is how a cache is made.
    monkeypatch.setattr(keras.Model, "compile", eagerly)
    module = tiny_glue.recipe("distil_bert_task")
    for run, cache in (("living", None), ("cached", place / "cache")):
        module.main(
            module.Config(
                teacher=str(classes / "teacher"),
                epochs=1,
                freeze_words=True,
                cache=cache,
                **settings(place, "RTE", run),
            )
        )
    assert list((place / "cache").iterdir())
    one, two = (
        td.models.BertTextClassifier.from_preset(place / run / "student")
        for run in ("living", "cached")
    )
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    teacher = td.models.BertTextClassifier.from_preset(classes / "teacher")
    words, first = (
        np.asarray(x.backbone.token_embedding.embeddings)
        for x in (one, teacher)
    )
    np.testing.assert_array_equal(words, first)


def test_the_same_command_again_and_others(place, classes, capsys):
    module = tiny_glue.recipe("fine_tune_teacher")
    arguments = settings(place, "RTE", "teacher-RTE")
    arguments |= {"model": str(place / "bert"), "learning_rate": 0.02}
    before = (classes / "results.json").read_bytes()
    module.main(module.Config(epochs=3, **arguments))
    assert capsys.readouterr().out.endswith("results.json\n")
    with pytest.raises(ValueError, match="another epochs.*--run"):
        module.main(module.Config(epochs=7, **arguments))
    lock = open(classes / ".lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    with lock, pytest.raises(ValueError, match="in use.*--run"):
        module.main(module.Config(epochs=3, **arguments))
    assert (classes / "results.json").read_bytes() == before


@pytest.mark.slow
def test_it_goes_on_where_it_was_stopped(place, classes, monkeypatch):
    """As a whole run, after it was stopped in the midst of an epoch."""
    module = tiny_glue.recipe("distil_bert_task")

    def config(run):
        return module.Config(
            teacher=str(classes / "teacher"),
            epochs=2,
            **settings(place, "RTE", run),
        )

    module.main(config("whole"))
    steps = []

    def stop(self, batch, logs=None):
        steps.append(batch)
        if len(steps) == 5:  # of three an epoch
            raise KeyboardInterrupt

    stopped = keras.callbacks.TensorBoard
    monkeypatch.setattr(stopped, "on_train_batch_end", stop)
    with pytest.raises(KeyboardInterrupt):
        module.main(config("stopped"))
    monkeypatch.undo()
    assert not (place / "stopped" / "results.json").exists()
    module.main(config("stopped"))
    one, two = (
        np.load(place / run / "stages/student/01-fine-tuning/finished.npz")
        for run in ("whole", "stopped")
    )
    with one, two:
        names = [n for n in one.files if one[n].dtype.kind == "f"]
        assert names
        for name in names:
            np.testing.assert_array_equal(one[name], two[name])


MISTAKES = {
    "no such task": ({"task": "RTF"}, "RTE"),
    "another task's teacher": ({"task": "STS-B"}, "--teacher"),
    "no teacher": ({"teacher": "nowhere"}, "nowhere.*fine_tune_teacher"),
    "too long": ({"max_length": 64}, "--max-length 32"),
    "no such student": ({"student": "nowhere/at/all"}, "nowhere/at/all"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(place, classes, mistake):
    changes, message = MISTAKES[mistake]
    module = tiny_glue.recipe("distil_bert_task")
    arguments = settings(place, "RTE", f"mistake-{len(mistake)}", epochs=1)
    arguments["teacher"] = str(classes / "teacher")
    with pytest.raises((ValueError, OSError), match=message):
        module.main(module.Config(**{**arguments, **changes}))
    assert not (arguments["run"] / "results.json").exists()


def test_config_json_holds_what_the_files_are(place, classes):
    written = json.loads((classes / "config.json").read_text())
    assert list(written["sha256"]) == ["model"]
    assert written["recipe"] == "fine_tune_teacher"
    assert "run" not in written and written["epochs"] == 3


@pytest.mark.parametrize("words", ["same", "others", "none"])
def test_a_students_own_words(tmp_path, words):
    """An encoder of other words, as many, would learn from noise."""
    vocabulary = [*tiny_glue.WORDS]
    if words == "others":
        vocabulary[5:] = reversed(vocabulary[5:])
    encoder = tiny_glue.encoder(num_layers=1)
    encoder.save_to_preset(tmp_path)
    if words != "none":
        keras_hub.models.BertTokenizer(vocabulary).save_to_preset(tmp_path)
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(
        keras_hub.models.BertTokenizer(tiny_glue.WORDS), sequence_length=16
    )
    teacher = td.models.BertTextClassifier(
        tiny_glue.encoder(), 2, preprocessor, label_names=["no", "yes"]
    )
    config = types.SimpleNamespace(
        seed=0, freeze_words=False, student=str(tmp_path)
    )
    build = tiny_glue.recipe("students").build_student
    if words == "others":
        with pytest.raises(ValueError, match="another vocabulary"):
            build(config, teacher)
    else:
        student = build(config, teacher)
        assert student.preprocessor is preprocessor
        assert student.label_names == ["no", "yes"]
        for ours, theirs in zip(
            student.backbone.weights, encoder.weights, strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
    theirs = teacher.preprocessor.tokenizer.get_vocabulary()
    assert theirs == tiny_glue.WORDS
