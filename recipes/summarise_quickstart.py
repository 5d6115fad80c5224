"""Turns the quickstart's runs of several seeds into a Markdown table.

    python recipes/summarise_quickstart.py runs/quickstart/full-seed*

Means over the seeds, and 95 % intervals of each student's difference from its
teacher and from its control: paired bootstraps that draw the test rows and the
seeds anew.
"""

import dataclasses
import json
import pathlib
from typing import Annotated

import tyro


@dataclasses.dataclass(frozen=True)
class Config:
    """Turns the quickstart's runs of several seeds into a Markdown table."""

    runs: Annotated[tuple[pathlib.Path, ...], tyro.conf.Positional]
    """Run folders of one size and different seeds."""
    resamples: int = 1000
    """Draws of each bootstrap."""


def main(config):
    """Prints the table."""
    import numpy as np

    import tf_distill as td
    from tf_distill.export.columns import SCORES, markdown_table, used

    results = [read(run) for run in config.runs]
    settings = [result["config"] for result in results]
    may_differ = ("seed", "command", "exported", "machine", "latency_threads")
    for key in sorted(set().union(*settings) - set(may_differ)):
        values = [s.get(key) for s in settings]
        if any(value != values[0] for value in values):
            raise SystemExit(
                f"The runs differ in {key}, {values}, not only in their seed."
            )
    predictions = [np.load(run / "predictions.npz") for run in config.runs]
    labels = predictions[0]["labels"]
    if any((p["labels"] != labels).any() for p in predictions):
        raise SystemExit("The runs were not scored on the same test rows.")

    machine = settings[0]["machine"]
    print(
        f"Seeds {', '.join(str(r['config']['seed']) for r in results)}; "
        f"{len(labels):,} test rows; {settings[0]['dtype']}; "
        f"{machine['cores']} cores of {machine['processor']}; commit "
        f"{', '.join(sorted({s['machine']['commit'][:12] for s in settings}))}."
        "\n"
    )
    exported = {s["exported"] for s in settings}
    left_out = {"name", "role"}
    if len({s["latency_threads"] for s in settings}) > 1:
        left_out.add("latency_ms")  # their mean would mean nothing
    means = []
    for index, row in enumerate(results[0]["rows"]):
        if row["role"] == "export" and len(exported) > 1:
            continue  # of different students: no mean of them means anything
        rows = [result["rows"][index] for result in results]
        mean = {
            key: float(np.mean([r[key] for r in rows]))
            for key in row
            if key not in left_out
        }
        means.append({"name": row["name"], **mean})
    print(markdown_table(means))
    print(
        "\n| difference | score | points | 95 % interval |\n|---|---|---|---|"
    )
    pairs = [
        (student, other)
        for student in ("half", "thin")
        for other in ("teacher", f"{student}-control")
    ]
    if len(exported) == 1:
        pairs.append(("LiteRT int8", *exported))
    for first, second in pairs:
        for score in used(SCORES, results[0]["rows"]):
            difference, low, high = (
                100 * value
                for value in td.metrics.paired_interval(
                    getattr(td.metrics, score.key),
                    labels,
                    np.stack([p[first] for p in predictions]),
                    np.stack([p[second] for p in predictions]),
                    resamples=config.resamples,
                )
            )
            print(
                f"| {first} − {second} | {score.title} "
                f"| {difference:+.2f} | {low:+.2f} to {high:+.2f} |"
            )


def read(run):
    """A run's results."""
    path = run / "results.json"
    if not path.exists():
        raise SystemExit(f"{run} has no results.json: the run is not finished.")
    return json.loads(path.read_text())


if __name__ == "__main__":
    main(tyro.cli(Config))
