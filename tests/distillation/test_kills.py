"""Runs of three stages, killed at random moments and started again.

A server process has imported everything once; each attempt is a fork of it,
a process of its own that is ended by SIGKILL.
"""

import importlib.util
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

HERE = pathlib.Path(__file__).parent
STAGES = ("inner", "logits", "labels")

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL"
)


def attempt(folder, compiling):
    """The whole run, or what is left of it; in a process of its own."""
    import stage_run

    with open(os.devnull, "w") as nothing:
        sys.stdout = nothing
        stage_run.main(folder, **compiling)


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["stage_run"])
    return context


def run(processes, folder, compiling, wait=lambda process: process.join()):
    """Runs until it ends, or is killed where `wait` returns before.

    Returns:
        None if the run ended by itself, else the names of the stages of all
        steps that it had done since it was started.
    """
    folder.mkdir(exist_ok=True)
    steps = folder / "steps.txt"
    steps.write_text("")
    process = processes.Process(target=attempt, args=(folder, compiling))
    process.start()
    wait(process)
    killed = process.is_alive()
    if killed:
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    # It may have ended between the two lines above.
    if not killed or process.exitcode == 0:
        return None
    return steps.read_text().split()


def result(folder):
    with np.load(folder / "weights.npz") as file:
        return {name: file[name] for name in file.files}


def assert_same_result(folder, whole):
    found, expected = result(folder), result(whole)
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], name)


def within(folder, name, generator):
    """Waits for some of a stage's steps, and then for any moment."""
    wanted = generator.integers(1, 3)  # of 5 or 10

    def wait(process):
        while process.is_alive():
            done = (folder / "steps.txt").read_text().split()
            if done.count(name) >= wanted:
                return time.sleep(generator.uniform(0, 0.01))
            time.sleep(0.001)

    return wait


def at(seconds):
    return lambda process: process.join(seconds)


def test_three_kills(processes, tmp_path):
    """One in each stage, somewhere in or between its steps."""
    # Without graphs, which take far longer to trace than these steps to run.
    compiling = {"run_eagerly": True}
    assert run(processes, tmp_path / "whole", compiling) is None
    generator = np.random.default_rng()  # any moment will do
    folder, before = tmp_path / "run", []
    for name in STAGES:
        wait = within(folder, name, generator)
        done = run(processes, folder, compiling, wait)
        assert done is not None, f"ended before it was killed in {name!r}"
        assert not (folder / "weights.npz").exists()
        # Where it was meant to be, and from where the last one was left.
        assert done[-1] == name
        assert set(done) <= {*before, name}
        before = [name]
    assert run(processes, folder, compiling) is None
    assert set((folder / "steps.txt").read_text().split()) == {"labels"}
    assert_same_result(folder, tmp_path / "whole")


@pytest.mark.slow
def test_twenty_kills(processes, tmp_path):
    """Every other one at any time, such as in a start or between stages."""
    began = time.monotonic()
    assert run(processes, tmp_path / "whole", {}) is None
    seconds = time.monotonic() - began
    generator = np.random.default_rng()  # any moment will do
    last, number = [], 0
    while len(last) < 20:
        folder, done = tmp_path / f"run-{number}", []
        while done is not None:
            if len(last) == 20:
                done = run(processes, folder, {})
                continue
            wait = within(folder, STAGES[len(last) // 2 % 3], generator)
            if len(last) % 2:
                wait = at(generator.uniform(0, seconds / 3))
            done = run(processes, folder, {}, wait)
            # Once it has written its weights there is nothing left to lose.
            if done is not None and not (folder / "weights.npz").exists():
                last.append(done[-1] if done else "start")
        assert_same_result(folder, tmp_path / "whole")
        number += 1
    assert set(last) >= set(STAGES)


@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="jax is not installed: `pip install jax` to run this",
)
def test_goes_on_exactly_on_jax(tmp_path):
    path = [str(p) for p in (HERE.parents[1], HERE, HERE.parent)]
    done = subprocess.run(
        [sys.executable, HERE / "stages_on_jax.py", tmp_path],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "PYTHONPATH": os.pathsep.join(path),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
