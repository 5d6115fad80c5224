"""How long training steps take, beside peers and what the machine can do.

Ourselves and every peer are processes of their own, set up before and told in
turn to run some steps; one more multiplies matrices, which is the roof.
"""

import statistics
import sys
import tempfile

from tf_distill.benchmark.plain_table import plain_table
from tf_distill.benchmark.workers import (
    PEERS as FOLDER,
)
from tf_distill.benchmark.workers import (
    Side,
    prepared,
    rounds_in_turn,
)
from tf_distill.benchmark.workloads import PEERS, WORKLOADS, job_of

OURS = "tf_distill"
LIVE = "tf_distill, living teacher"
ROOF = "matrix products"
# How far a peer's loss may be from ours, relatively, and still be the same
# work: rounding; in bfloat16 also of what is kept in it.
TOLERANCES = {"float32": 1e-3, "bfloat16": 5e-2}


def measure_training(
    keys,
    *,
    dtypes=("float32", "bfloat16"),
    rounds=5,
    steps=2,
    threads=None,
    pythons=None,
    small=False,
    say=lambda line: None,
    **job,
):
    """Times workloads: ourselves, peers and matrix products in turn.

    Args:
        keys: of `tf_distill.benchmark.workloads.WORKLOADS`.
        dtypes: of `"float32"` and `"bfloat16"`; each peer in each.
        rounds: int, timed turns of each.
        steps: int, of a turn; a turn of sentences is one epoch.
        threads: int, of each process; by default what libraries take.
        pythons: dict of interpreters by name of a peer's environment; by
            default this one.
        small: bool, whether all is tiny, for tests.
        say: function of a line about what is going on: also who is left out
            and why, and each side's loss.
        **job: further arguments of `job_of`.

    Returns:
        list of dicts: `workload`, `who`, `dtype`, `seconds` (median, of a step
        or an epoch), `ratio_to_tf_distill` (how many times as long as we
        take, in that dtype; None without us), `peak_bytes` (of the process,
        while timed), `roof_fraction` (operations needed in that time, over
        what matrix products alone reach in that dtype), and besides
        `fastest` and `slowest` (seconds), `ratio_to_best` (to our best
        dtype), `loss` (of one batch, before any step) and `same_loss`.
    """
    rows = []
    for key in keys:
        say(f"{key}: {WORKLOADS[key].title}")
        with tempfile.TemporaryDirectory() as folder:
            description = {
                **job_of(key, small=small, **job),
                "folder": folder,
            }
            sides = sides_of(key, description, dtypes, pythons or {}, small)
            workers = prepared(sides, threads, say)
            try:
                turns = steps if description["lengths"] is None else 1
                answers = rounds_in_turn(
                    workers, rounds, turns, say, pause=0.0 if small else 0.3
                )
                rows += rows_of(key, answers, turns)
            finally:
                for worker in workers:
                    worker.close()
    for row in rows:
        if row["who"] != ROOF and row["same_loss"] is False:
            say(
                f"{row['workload']}: {row['who']} ({row['dtype']}) has a loss "
                f"of {row['loss']:.6g}, which is not ours: it did other work."
            )
    return rows


def sides_of(key, job, dtypes, pythons, small):
    """Who takes part in a workload: ourselves first, matrix products last.

    Args:
        key: of `WORKLOADS`.
        job: what `job_of` returns, and `folder`.
        dtypes, pythons, small: see `measure_training`.

    Returns:
        list of `Side`.
    """
    sides = []
    for index, dtype in enumerate(dtypes):
        ours = {**job, "dtype": dtype, "write": index == 0}
        file = FOLDER / "tf_distill_loop.py"
        sides.append(Side(OURS, dtype, file, ours))
        if job["cached"]:
            live = {**ours, "cached": False, "write": False}
            sides.append(Side(LIVE, dtype, file, live))
    for name in WORKLOADS[key].peers:
        peer = PEERS[name]
        python = pythons.get(peer.environment, sys.executable)
        for dtype in dtypes:
            theirs = {**job, **peer.options, "dtype": dtype, "write": False}
            file = FOLDER / peer.file
            sides.append(Side(peer.who, dtype, file, theirs, python))
    size = {"size": 64 if small else 2048}
    for dtype in dtypes:
        product = {**size, "dtype": dtype}
        file = FOLDER / "matrix_products.py"
        sides.append(Side(ROOF, dtype, file, product))
        if "pytorch" in pythons:
            file = FOLDER / "pytorch_products.py"
            sides.append(Side(ROOF, dtype, file, product, pythons["pytorch"]))
    return sides


def rows_of(key, answers, steps):
    """What was measured of a workload, as `measure_training` returns it.

    Args:
        key: of the workload.
        answers: what `rounds_in_turn` returns.
        steps: int, of a turn.
    """
    roofs = roof_rates(answers, steps)
    sides = [w for w in answers if w.side.who != ROOF]
    seconds = {
        w: statistics.median(a["seconds"] / steps for a in answers[w])
        for w in sides
    }
    ours = {w.side.dtype: w for w in sides if w.side.who == OURS}
    best = min((seconds[w] for w in ours.values()), default=None)
    rows = []
    for worker in sides:
        side, time = worker.side, seconds[worker]
        mine = ours.get(side.dtype)
        # What is needed is the same for all but those that ask no teacher.
        flops = worker.facts.get("flops", mine and mine.facts["flops"])
        loss = worker.facts["loss"]
        rows.append(
            {
                "workload": key,
                "who": side.who,
                "dtype": side.dtype,
                "seconds": time,
                "ratio_to_tf_distill": mine and time / seconds[mine],
                "peak_bytes": max(a["peak_bytes"] for a in answers[worker]),
                "roof_fraction": flops
                and side.dtype in roofs
                and flops / time / roofs[side.dtype]
                or None,
                "fastest": min(a["seconds"] / steps for a in answers[worker]),
                "slowest": max(a["seconds"] / steps for a in answers[worker]),
                "ratio_to_best": best and time / best,
                "loss": loss,
                "same_loss": mine
                and _same(loss, mine.facts["loss"], side.dtype),
            }
        )
    return rows


def roof_rates(answers, steps):
    """Operations a second of matrix products, the best of each dtype.

    Args:
        answers: what `rounds_in_turn` returns.
        steps: int, of a turn.

    Returns:
        dict of floats by dtype.
    """
    roofs = {}
    for worker, found in answers.items():
        if worker.side.who == ROOF:
            fastest = min(a["seconds"] for a in found) / steps
            rate = worker.facts["flops"] / fastest
            dtype = worker.side.dtype
            roofs[dtype] = max(rate, roofs.get(dtype, 0.0))
    return roofs


def _same(loss, ours, dtype):
    return bool(abs(loss - ours) <= TOLERANCES[dtype] * abs(ours))


def training_table(rows):
    """What `measure_training` returns as text."""
    header = ["workload", "who", "dtype", "median", "fastest-slowest"]
    header += ["ratio", "to best", "peak", "of roof", "loss"]
    lines = []
    for row in rows:
        spread = f"{row['fastest']:.3g}-{row['slowest']:.3g} s"
        loss = f"{row['loss']:.6g}"
        lines.append(
            [
                row["workload"],
                row["who"],
                row["dtype"],
                f"{row['seconds']:.3g} s",
                spread,
                _times(row["ratio_to_tf_distill"]),
                _times(row["ratio_to_best"]),
                f"{row['peak_bytes'] / 2**30:.2f} GiB",
                _percent(row["roof_fraction"]),
                loss if row["same_loss"] is not False else f"{loss} (other)",
            ]
        )
    return plain_table(header, lines, left=3)


def _times(ratio):
    return "-" if ratio is None else f"{ratio:.2f}x"


def _percent(fraction):
    return "-" if fraction is None else f"{100 * fraction:.0f} %"
