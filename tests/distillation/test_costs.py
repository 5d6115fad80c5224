"""What distillation takes, as ratios; to be run by hand in a quiet hour.

    python -m pytest -s -m slow tests/distillation/test_costs.py

Some minutes for each, and some GB for each side, in processes of their own as
in `python -m tf_distill.benchmark train`. The two sides of a ratio take turns,
and medians are compared; another program at work spoils them still. With
`TINY_COSTS=1` all is tiny and no ratio asserted: whether it runs at all.
"""

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import pytest
from on_backend import needs_tensorflow

import tf_distill as td
from tf_distill.benchmark.train import LIVE, OURS, measure_training
from tf_distill.benchmark.workloads import job_of
from tf_distill.distillation import tapped

HERE = pathlib.Path(__file__).parent
TINY = os.environ.get("TINY_COSTS") == "1"
ROUNDS = 1 if TINY else 5

pytestmark = [pytest.mark.slow, needs_tensorflow]


def seconds_of(workload):
    """Medians of a benchmark's workload, by who did it."""
    rows = measure_training(
        [workload], dtypes=["float32"], rounds=ROUNDS, small=TINY, say=print
    )
    for row in rows:
        assert row["same_loss"] is True, row
    return {row["who"]: row["seconds"] for row in rows}


def assert_at_most(name, ratio, most):
    print(f"{name}: {ratio:.3f}, to be at most {most}")
    assert ratio > 0
    assert TINY or ratio <= most


@pytest.mark.parametrize(
    "workload, most",
    [
        ("ea", 0.7),  # 12 layers teach 6 of their width, masked words
        ("ec", 0.4),  # and 4 of 312, an epoch of short sentences
    ],
)
def test_training_from_the_cache_beside_a_living_teacher(workload, most):
    seconds = seconds_of(workload)
    ratio = seconds[OURS] / seconds[LIVE]
    assert_at_most(f"{workload}, cached over live", ratio, most)


def test_a_cache_is_built_in_a_teacher_s_pass(tmp_path):
    from tf_distill.benchmark.peers.training_parts import Parts

    # Of fewer, what does not depend on them would count: the teacher's weights
    # are read through, half a second of BERT-base's.
    parts = Parts(job_of("c", small=TINY, sentences=1024))
    signals = parts.build().teacher_signals
    folder = tmp_path / "cache"
    cache = td.distillation.TeacherCache(folder, parts.teacher, signals)
    network = tapped(parts.teacher, [s for s in signals if s != "output"])
    network.jit_compile = False

    def build():
        shutil.rmtree(folder, ignore_errors=True)
        cache.build(parts.batches)

    def run():
        for index in range(len(parts.batches)):
            inputs, *_ = parts.batches[index]
            network.predict_on_batch(
                {name: inputs[name] for name in network.input}
            )

    build(), run()  # which trace
    seconds = {build: [], run: []}
    for _ in range(ROUNDS):
        for function, taken in seconds.items():
            start = time.perf_counter()
            function()
            taken.append(time.perf_counter() - start)
    medians = [statistics.median(taken) for taken in seconds.values()]
    ratio = medians[0] / medians[1]
    assert_at_most("a cache over a teacher's pass", ratio, 1.15)


def test_a_step_beside_keras_own_distiller():
    """Soft labels and a feature of equal widths, of 12 layers and 6."""
    seconds = seconds_of("k")
    ratio = seconds[OURS] / seconds["keras.distillation"]
    assert_at_most("our step over keras.distillation's", ratio, 1 / 1.35)


@pytest.mark.skipif(os.name != "posix", reason="no `resource` here")
def test_peak_memory():
    """Of the teacher's activations one block's, at a time, are held."""
    path = [str(p) for p in (HERE.parents[1], HERE, HERE.parent)]
    done = subprocess.run(
        [sys.executable, HERE / "memory_run.py"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    student, distilled, teacher = map(float, done.stdout.split())
    print(f"MB: {student}, with a teacher {distilled}; its own {teacher}")
    # Twelve blocks' activations against those of one at a time.
    assert teacher - student > 150
    assert distilled - student < 0.25 * (teacher - student)
