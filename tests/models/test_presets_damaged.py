"""Keras presets with a file that is damaged: an error that names it."""

import json
import shutil
import subprocess
import sys

import pytest
import tiny

from tf_distill import models

CUT = {
    "config.json": "config.json is not valid JSON.*fetch it again",
    "task.json": "task.json is not valid JSON.*fetch it again",
    "preprocessor.json": "preprocessor.json is not valid JSON",
    "tokenizer.json": "tokenizer.json is not valid JSON",
    "model.weights.h5": "model.weights.h5 is not a whole HDF5.*fetch it again",
    "task.weights.h5": "task.weights.h5 is not a whole HDF5.*fetch it again",
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    ours = tiny.classifier(preprocessor=tiny.preprocessor())
    ours.save_to_preset(folder)
    return folder, ours


@pytest.fixture
def preset(saved, tmp_path):
    return shutil.copytree(saved[0], tmp_path / "preset")


def rewrite(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize("name", CUT)
def test_a_file_that_was_cut_short(preset, name):
    file = preset / name
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=CUT[name]) as error:
        models.BertTextClassifier.from_preset(preset)
    assert str(file) in str(error.value)


def test_what_is_not_read_may_be_cut_short(saved, preset):
    for name in ("model.weights.h5", "task.weights.h5"):
        (preset / name).write_bytes(b"")
    models.BertTextClassifier.from_preset(preset, load_weights=False)
    shutil.copy(saved[0] / "model.weights.h5", preset)
    again = models.BertBackbone.from_preset(preset)
    tiny.assert_same_weights(
        tiny.weights_of(saved[1].backbone), tiny.weights_of(again)
    )
    models.BertTextClassifier.from_preset(preset, num_classes=3)


@pytest.mark.parametrize("name", ["model", "task"])
def test_weights_that_are_not_there(preset, name):
    (preset / f"{name}.weights.h5").unlink()
    with pytest.raises(ValueError, match=rf"has no {name}.*\.weights\.h5"):
        models.BertTextClassifier.from_preset(preset)


@pytest.mark.parametrize("name", ["config.json", "task.json"])
@pytest.mark.parametrize("value", ["mine>Mine", 3])
def test_a_class_that_nobody_registered(preset, name, value):
    rewrite(
        preset / name, lambda content: content.update(registered_name=value)
    )
    with pytest.raises(
        ValueError, match=f"{name} is of the class {value!r}.*import the module"
    ):
        models.BertTextClassifier.from_preset(preset)


def test_a_task_of_one_s_own_in_a_new_process(preset, tmp_path):
    (tmp_path / "own_task.py").write_text(
        "import keras\n"
        "from tf_distill import models\n"
        "@keras.saving.register_keras_serializable('own')\n"
        "class OwnTask(models.BertTextClassifier):\n"
        "    pass\n"
    )
    rewrite(
        preset / "task.json",
        lambda content: content.update(registered_name="own>OwnTask"),
    )
    load = "models.BertTextClassifier.from_preset('preset')"
    lines = (
        "from tf_distill import models\n"
        f"try:\n    {load}\n"
        "except ValueError as error:\n    print(error)\n"
        f"import own_task\nprint(type({load}).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", lines],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = done.stdout.splitlines()
    assert "'own>OwnTask'" in first and "import the module" in first
    assert second == "OwnTask"


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("config.json", "num_layers"),
        ("config.json", None),
        ("task.json", "num_classes"),
        ("task.json", None),
    ],
)
def test_arguments_that_are_missing(preset, name, lost):
    def lose(content):
        if lost:
            del content["config"][lost]
        else:
            content["config"] = None

    rewrite(preset / name, lose)
    with pytest.raises(
        ValueError, match=rf"{name} lacks {lost or 'the config'} of Bert"
    ):
        models.BertTextClassifier.from_preset(preset)


def test_an_encoder_s_argument_that_its_task_lacks(preset):
    rewrite(
        preset / "task.json",
        lambda content: content["config"]["backbone"]["config"].pop(
            "hidden_dim"
        ),
    )
    with pytest.raises(
        ValueError, match="task.json lacks hidden_dim of BertBackbone"
    ):
        models.BertTextClassifier.from_preset(preset)
