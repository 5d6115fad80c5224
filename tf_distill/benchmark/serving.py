"""How long a prediction takes: our exports beside other ways to serve.

The same classifier of the same weights, each way in a process of its own, all
in turn. Letters: B batch, T tokens.
"""

import os
import statistics
import sys
import tempfile

from tf_distill.benchmark.plain_table import plain_table
from tf_distill.benchmark.train import ROOF, roof_rates
from tf_distill.benchmark.workers import (
    PEERS,
    Side,
    prepared,
    rounds_in_turn,
)

OURS = "tf_distill"
RAW_TEXT = f"{OURS}, SavedModel of raw text"
# Who, dtype of the products, file in `peers/`, the environment that
# `--peer-python` names (ours by default), what its job has besides.
SIDES = (
    (f"{OURS}, Keras", "float32", "tf_distill_serving", None, "keras"),
    (f"{OURS}, SavedModel", "float32", "tf_distill_serving", None, "tokens"),
    (RAW_TEXT, "float32", "tf_distill_serving", None, "text"),
    (f"{OURS}, LiteRT", "float32", "tf_distill_serving", None, "litert"),
    (f"{OURS}, LiteRT", "int8", "tf_distill_serving", None, "litert_int8"),
    ("KerasHub", "float32", "keras_hub_serving", None, None),
    ("transformers + PyTorch", "float32", "pytorch_serving", "pytorch", None),
    ("onnxruntime", "float32", "onnxruntime_serving", "onnxruntime", None),
    ("onnxruntime", "int8", "onnxruntime_serving", "onnxruntime", None),
)
ENVIRONMENTS = ("pytorch", "onnxruntime")
SMALL = {
    "vocabulary_size": 1000,
    "num_layers": 1,
    "num_heads": 2,
    "hidden_dim": 32,
    "intermediate_dim": 64,
}


def measure_serving(
    names,
    *,
    batch=1,
    length=128,
    rounds=20,
    steps=5,
    threads=None,
    pythons=None,
    small=False,
    say=lambda line: None,
):
    """Times predictions of architectures, ours and others' in turn.

    Args:
        names: keys of `tf_distill.models.ARCHITECTURES`; weights are random.
        batch: B.
        length: T, all of them tokens; as raw text so many words.
        rounds: int, timed turns of each.
        steps: int, predictions of a turn.
        threads: int, of each; by default as many as cores.
        pythons: dict of interpreters by name of `ENVIRONMENTS`; by default
            this one.
        small: bool, whether the encoders are tiny, for tests.
        say: function of a line about what is going on: also who is left out
            and why.

    Returns:
        list of dicts: `workload` ("f"), `architecture`, `batch`, `length`,
        `threads`, `who`, `dtype`, `seconds` (median, of a prediction),
        `fastest`, `slowest`, `ratio_to_tf_distill` (to our fastest way to take
        ids, of that dtype), `peak_bytes`, `roof_fraction` (of float32 matrix
        products), `difference` (largest, of a logit from Keras'; None of other
        weights) and, of raw text, `text_share`, what of the time a SavedModel
        does not take where it is given ids.
    """
    threads = threads or len(os.sched_getaffinity(0))
    rows = []
    for name in names:
        say(f"{name}: batch {batch}, {length} tokens, {threads} threads")
        with tempfile.TemporaryDirectory() as folder:
            job = {
                "architecture": [name, SMALL if small else {}],
                "batch": batch,
                "length": length,
                "threads": threads,
                "folder": folder,
            }
            sides = sides_of(job, pythons or {}, small)
            workers = prepared(sides, threads, say)
            try:
                pause = 0.0 if small else 0.3
                answers = rounds_in_turn(workers, rounds, steps, say, pause)
                rows += serving_rows(job, answers, steps)
            finally:
                for worker in workers:
                    worker.close()
    return rows


def sides_of(job, pythons, small):
    """Ourselves, who writes what the others read, first; the roof last.

    Args:
        job, pythons, small: see `measure_serving`.

    Returns:
        list of `Side`.
    """
    sides = [
        Side(
            who,
            dtype,
            PEERS / f"{file}.py",
            {**job, "dtype": dtype, "form": form},
            pythons.get(environment, sys.executable),
        )
        for who, dtype, file, environment, form in SIDES
    ]
    product = {"size": 64 if small else 2048, "dtype": "float32"}
    file = PEERS / "matrix_products.py"
    return [*sides, Side(ROOF, "float32", file, product)]


def serving_rows(job, answers, steps):
    """What was measured, as `measure_serving` returns it.

    Args:
        job: what the sides were told.
        answers: what `rounds_in_turn` returns.
        steps: int, predictions of a turn.
    """
    roofs = roof_rates(answers, steps)
    sides = [w for w in answers if w.side.who != ROOF]
    times = {
        w: [answer["seconds"] / steps for answer in answers[w]] for w in sides
    }
    seconds = {w: statistics.median(times[w]) for w in sides}
    by_name = {(w.side.who, w.side.dtype): w for w in sides}
    keras = by_name.get((f"{OURS}, Keras", "float32"))
    by_ids = by_name.get((f"{OURS}, SavedModel", "float32"))
    rows = []
    for worker in sides:
        side, median = worker.side, seconds[worker]
        ours = [
            seconds[w]
            for w in sides
            if w.side.who.startswith(OURS)
            and w.side.who != RAW_TEXT
            and w.side.dtype == side.dtype
        ]
        row = {
            "workload": "f",
            "architecture": job["architecture"][0],
            **{name: job[name] for name in ("batch", "length", "threads")},
            "who": side.who,
            "dtype": side.dtype,
            "seconds": median,
            "fastest": min(times[worker]),
            "slowest": max(times[worker]),
            "ratio_to_tf_distill": median / min(ours) if ours else None,
            "peak_bytes": max(a["peak_bytes"] for a in answers[worker]),
            "roof_fraction": None,
            "difference": keras and _difference(worker, keras),
        }
        if keras and side.dtype in roofs:
            rate = keras.facts["flops"] / median
            row["roof_fraction"] = rate / roofs[side.dtype]
        if side.who == RAW_TEXT and by_ids:
            row["text_share"] = 1 - seconds[by_ids] / median
        rows.append(row)
    return rows


def _difference(worker, keras):
    """The largest one of a logit; None of other weights."""
    import numpy as np

    if worker.facts.get("logits") is None:
        return None
    ours, theirs = (
        np.asarray(x.facts["logits"], "float64") for x in (keras, worker)
    )
    return float(np.abs(ours - theirs).max())


def serving_table(rows):
    """What `measure_serving` returns as text."""
    header = ["architecture", "batch x length", "who", "dtype", "median"]
    header += ["fastest-slowest", "ratio", "of roof", "peak", "differs"]
    lines = []
    for row in rows:
        ratio, roof = row["ratio_to_tf_distill"], row["roof_fraction"]
        difference = row["difference"]
        lines.append(
            [
                row["architecture"],
                f"{row['batch']} x {row['length']}",
                row["who"],
                row["dtype"],
                f"{1e3 * row['seconds']:.2f} ms",
                f"{1e3 * row['fastest']:.2f}-{1e3 * row['slowest']:.2f}",
                "-" if ratio is None else f"{ratio:.2f}x",
                "-" if roof is None else f"{100 * roof:.0f} %",
                f"{row['peak_bytes'] / 2**30:.2f} GiB",
                "-" if difference is None else f"{difference:.0e}",
            ]
        )
    shares = [
        f"{row['architecture']}: tokenizing raw text takes "
        f"{100 * row['text_share']:.1f} % of a prediction."
        for row in rows
        if "text_share" in row
    ]
    return "\n".join([plain_table(header, lines, left=4), *shares])
