"""Times the formats of a student in a process with so many threads.

    python -m tf_distill.benchmark.format_latencies JOB.json

A process of its own, because TensorFlow's threads are set before it starts.
"""

import dataclasses
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile


def latencies_in_new_process(paths, *, threads, rounds=50, length=128):
    """Times the formats of a student in turn, at batch 1.

    Args:
        paths: dict of files and folders by format, as for
            `tf_distill.benchmark.parity.measure_parity`, with "keras" the
            preset.
        threads: int, of each prediction.
        rounds: int, timed predictions of each.
        length: int, tokens of the text.

    Returns:
        dict by format of dicts of `median_ms` and `p95_ms`.

    Raises:
        RuntimeError: the process failed; ends with what it wrote last.
    """
    job = {
        "paths": {form: str(path) for form, path in paths.items()},
        "threads": threads,
        "rounds": rounds,
        "length": length,
    }
    with tempfile.TemporaryDirectory() as folder:
        job["result"] = str(pathlib.Path(folder, "result.json"))
        file = pathlib.Path(folder, "job.json")
        file.write_text(json.dumps(job))
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(file)],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"timing with {threads} threads failed with exit status "
                f"{done.returncode}:\n{done.stderr[-2000:]}"
            )
        return json.loads(pathlib.Path(job["result"]).read_text())


def main(file):
    """Does the job that a file describes, and writes its result."""
    job = json.loads(pathlib.Path(file).read_text())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(job["threads"])
    # Or operations that do not wait for each other would run beside them.
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from tf_distill.benchmark.latency import measure_latency
    from tf_distill.benchmark.predictions import (
        KERAS,
        predictor_of,
        token_inputs,
    )
    from tf_distill.export.student_preset import read_student

    model = read_student(job["paths"].pop(KERAS))
    paths = {KERAS: None, **job["paths"]}
    predictors = {
        # A graph's shapes are known beforehand, as a service would.
        form: predictor_of(
            form, path, model, job["threads"], (1, job["length"])
        )
        for form, path in paths.items()
    }
    inputs = token_inputs(1, job["length"])
    times = measure_latency(
        {
            form: functools.partial(predict, inputs)
            for form, predict in predictors.items()
        },
        job["rounds"],
    )
    result = {
        form: {"median_ms": time["median"], "p95_ms": time["p95"]}
        for form, time in (
            (form, dataclasses.asdict(time)) for form, time in times.items()
        )
    }
    pathlib.Path(job["result"]).write_text(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1])
