"""Finished runs on GLUE and IMDb, read back and put side by side.

Copy this file and what it imports along with the recipe that you copy.
"""

import collections
import dataclasses
import json
import pathlib

import glue_runs


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run of one method, task and seed."""

    method: str
    task: str
    seed: int
    metric: str
    rows: dict
    predictions: dict

    def scores(self, role):
        """The one score of a role, or None."""
        return self.rows.get(role, {}).get(self.metric)


def read(path):
    """A finished run."""
    import numpy as np

    import tf_distill as td

    path = pathlib.Path(path)
    if not (path / "results.json").exists():
        raise ValueError(f"{path} has no results.json: it is not finished.")
    found = json.loads((path / "results.json").read_text())
    if "task" not in found["config"]:
        raise ValueError(f"{path} is not a run on a task of GLUE or IMDb.")
    task = glue_runs.find_task(found["config"]["task"])
    split = found["config"]["scored_on"][0]
    with np.load(path / "predictions.npz") as arrays:
        predictions = {
            name.partition("/")[2]: arrays[name]
            for name in arrays.files
            if name.startswith(f"{split}/")
        }
    predictions["label_names"] = found["config"]["label_names"]
    columns = td.metrics.GLUE_MEANS["tinybert"]
    name = "MNLI-m" if task.name == "MNLI" else task.name
    return Run(
        path.absolute().parent.name,
        task.name,
        found["config"]["seed"],
        columns.get(name, task.metrics[0]),
        {row["role"]: row for row in found["rows"]},
        predictions,
    )


def check(runs):
    """Raises where runs cannot be put side by side."""
    counted = collections.Counter((r.method, r.task, r.seed) for r in runs)
    twice = [key for key, count in counted.items() if count > 1]
    if twice:
        raise ValueError(
            f"There are two runs of {twice[0]} (method, task, seed): keep "
            "variants in folders of different names."
        )
    for task in tasks_of(runs):
        labels = [r.predictions["labels"] for r in runs if r.task == task]
        if any(list(other) != list(labels[0]) for other in labels):
            raise ValueError(f"Runs on {task} were scored on different rows.")


def tasks_of(runs):
    """The tasks, in GLUE's order."""
    import tf_distill as td

    known = [*td.data.GLUE_TASKS, "IMDb"]
    return [task for task in known if any(run.task == task for run in runs)]


def lines_of(runs):
    """The lines of the tables: method, role, its runs; teachers first."""
    lines = [("teacher", "teacher", runs)]
    for method in dict.fromkeys(run.method for run in runs):
        own = [run for run in runs if run.method == method]
        for role in ("student", "control"):
            if any(role in run.rows for run in own):
                lines.append((method, role, own))
    return lines


def median(runs, role, task):
    """Of a role's scores over the seeds; None without any."""
    import numpy as np

    scores = [run.scores(role) for run in runs if run.task == task]
    scores = [score for score in scores if score is not None]
    return float(np.median(scores)) if scores else None


def common_tasks(runs):
    """Those that every line has a score of."""
    return [
        task
        for task in tasks_of(runs)
        if all(
            median(own, role, task) is not None
            for _, role, own in lines_of(runs)
        )
    ]
