"""The example without TensorFlow, run where none can be imported."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tiny

from tf_distill import export, models

RECIPE = pathlib.Path(__file__, "../../../recipes/litert_inference.py")
BLOCKED = """
import runpy, sys
for name in ("tensorflow", "keras", "tf_distill"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_recipe(*arguments):
    return subprocess.run(
        [sys.executable, "-c", BLOCKED, str(RECIPE.resolve()), *arguments],
        capture_output=True,
        text=True,
    )


def outputs_of_recipe(path, *texts):
    done = run_recipe(path, *texts)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("shape", [(None, None), (1, 8)])
def test_texts_without_tensorflow(tmp_path, shape):
    pytest.importorskip("tokenizers", reason="the extra `litert`")
    names = ["bad", "größer", "so"]
    student = models.BertTextClassifier(
        tiny.backbone(),
        num_classes=3,
        preprocessor=tiny.preprocessor(),
        label_names=names,
    )
    tiny.randomize(student)
    path = str(export.litert(student, tmp_path / "a.tflite", shape=shape))
    for texts in [
        ("The cat sat",),
        ("the dogs ran good bad red blue big small",),
        ("a big dogs", "ran"),
    ]:
        x = tuple([text] for text in texts)
        inputs = student.preprocessor(x=x if len(x) > 1 else x[0])
        inputs = {name: np.asarray(ids) for name, ids in inputs.items()}
        expected = np.asarray(student(inputs, training=False))[0]
        found = outputs_of_recipe(path, *texts)
        np.testing.assert_allclose(found["logits"], expected, atol=1e-4)
        assert abs(sum(found["probabilities"]) - 1) < 1e-5
        assert found["label_names"] == names


def test_usage():
    done = run_recipe()
    assert done.returncode != 0 and not done.stdout
    assert done.stderr.startswith("usage: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("missing", ["a.tflite", "a.json"])
def test_a_missing_file(tmp_path, missing):
    for name in {"a.tflite", "a.json", "vocab.txt"} - {missing}:
        (tmp_path / name).write_text("{}")
    done = run_recipe(str(tmp_path / "a.tflite"), "text")
    assert done.returncode != 0
    assert done.stderr.startswith(f"error: {tmp_path / missing}: no such file")


def test_the_example_is_short():
    """Twenty lines of code, and no library but the two and NumPy."""
    code = RECIPE.resolve().read_text().split('"""')[2].splitlines()
    assert not any("tensorflow" in line or "keras" in line for line in code)
    statements = [x for x in code if x and x[0] not in " })"]
    assert len(statements) <= 20
