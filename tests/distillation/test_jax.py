"""The same training on JAX and on TensorFlow, each in a process of its own."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pairs
import pytest
import tiny

HERE = pathlib.Path(__file__).parent
REPOSITORY = HERE.parents[1]

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="jax is not installed: `pip install jax` to run this",
)


def run(backend, weights, folder, *options, **variables):
    losses = folder / f"{backend}{''.join(options)}.json"
    path = [str(p) for p in (REPOSITORY, HERE, HERE.parent)]
    done = subprocess.run(
        [sys.executable, HERE / "jax_run.py", weights, losses, *options],
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "PYTHONPATH": os.pathsep.join(path),
            **variables,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(losses.read_text())


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jax")
    weights = folder / "weights.npz"
    models = {"student": pairs.student(), "teacher": pairs.teacher()}
    np.savez(
        weights,
        **{
            f"{whose}/{index}": weight
            for whose, model in models.items()
            for index, weight in enumerate(tiny.weights_of(model))
        },
    )
    found = {b: run(b, weights, folder) for b in ("jax", "tensorflow")}
    two = "--xla_force_host_platform_device_count=2"
    found["parallel"] = run("jax", weights, folder, "parallel", XLA_FLAGS=two)
    assert {name: run["backend"] for name, run in found.items()} == {
        "jax": "jax",
        "tensorflow": "tensorflow",
        "parallel": "jax",
    }
    return found


def test_twenty_steps_are_the_same(runs):
    ours, theirs = runs["jax"], runs["tensorflow"]
    assert len(ours["steps"]) == len(theirs["steps"]) == 20
    for one, two in zip(ours["steps"], theirs["steps"], strict=True):
        assert set(one) == set(two)
        for name in one:
            np.testing.assert_allclose(one[name], two[name], 1e-5, 1e-5)
    assert ours["steps"][-1]["loss"] < ours["steps"][0]["loss"]
    for name, value in theirs["evaluated"].items():
        np.testing.assert_allclose(ours["evaluated"][name], value, 1e-5, 1e-5)
    np.testing.assert_allclose(
        ours["predicted"], theirs["predicted"], atol=1e-4
    )
    for one, two in zip(ours["student"], theirs["student"], strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4)


def test_two_devices_are_one(runs):
    """By `keras.distribution.DataParallel`: batches of 4, 2 on each."""
    ours, theirs = runs["parallel"], runs["jax"]
    # Weights and the teacher's are on both.
    assert set(ours["devices"]) == {2}
    assert len(ours["steps"]) == len(theirs["steps"]) == 20
    logs = [[*run["steps"], run["evaluated"]] for run in (ours, theirs)]
    for one, two in zip(*logs, strict=True):
        assert set(one) == set(two)
        for name in one:
            np.testing.assert_allclose(one[name], two[name], 1e-6, 1e-6)
    for one, two in zip(ours["student"], theirs["student"], strict=True):
        np.testing.assert_allclose(one, two, 1e-6, 1e-6)
    np.testing.assert_allclose(
        ours["predicted"], theirs["predicted"], 1e-5, 1e-6
    )


def test_the_teacher_is_in_the_step_s_state(runs):
    found = runs["jax"]
    assert found["teacher_in_state"]
    # No weight of a model (the smallest has 3 numbers, a kernel at least 24)
    # is baked into the compiled step.
    assert found["largest_constant"] < 24
    before, after = found["changes"]
    assert abs(before - after) > 1e-3


def test_an_infinite_signal_of_the_teacher_moves_nothing(runs):
    found = runs["jax"]
    assert "signal is infinite or NaN" in found["told"]
    assert "['logits']" in found["told"]
    assert found["held"]
    assert found["goes_on"]
