r"""Puts runs on GLUE side by side: a table like the papers', and a picture.

    python recipes/compare.py runs/distil_bert_task/* runs/tiny_bert_task/* \
        --output docs/comparison.md

A run's method is the name of the folder that it is in, as in
runs/<method>/<task>-seed<seed>, so that the runs of a variant, such as one
without one of the losses, are told from others by their folder. Writes the
Markdown that it prints, and a picture of the same name.

Scores are medians over the seeds, on dev: one a task as TinyBERT's table has it
(F1 of MRPC and QQP, Spearman of STS-B, Matthews of CoLA, else accuracy), and
their mean over the tasks that all methods were run on. Each student is compared
with its control on the same rows and seeds: of a task a bootstrap over both, of
the mean Student's t over the seeds.
"""

import collections
import dataclasses
import pathlib
from typing import Annotated

import tyro
from finished_runs import check, common_tasks, lines_of, median, read, tasks_of


@dataclasses.dataclass(frozen=True)
class Config:
    """Puts runs on GLUE side by side: a table, and a picture."""

    runs: Annotated[tuple[pathlib.Path, ...], tyro.conf.Positional]
    """Folders of finished runs."""
    output: pathlib.Path = pathlib.Path("runs/compare.md")
    """Where the table goes; the picture goes beside it."""
    resamples: int = 1000
    """Draws of each bootstrap."""


def main(config):
    """Reads the runs, writes table and picture."""
    from tf_distill.export.publish import publish_file

    runs = [read(run) for run in config.runs]
    check(runs)
    text = "\n\n".join(
        [
            about(runs),
            score_table(runs),
            difference_table(runs, config.resamples),
        ]
    )
    publish_file(config.output, (text + "\n").encode())
    draw(runs, config.output.with_suffix(".png"))
    print(text)


# --- The tables --------------------------------------------------------------


def about(runs):
    """Which seeds, and how many rows."""
    seeds = {
        task: sorted({run.seed for run in runs if run.task == task})
        for task in tasks_of(runs)
    }
    rows = {run.task: len(run.predictions["labels"]) for run in runs}
    listed = "; ".join(
        f"{task}: {runs_metric(runs, task)}, {rows[task]:,} rows, seeds "
        f"{', '.join(map(str, found))}"
        for task, found in seeds.items()
    )
    return f"Dev scores, medians over the seeds. {listed}."


def runs_metric(runs, task):
    """The name of a task's score."""
    return next(run.metric for run in runs if run.task == task)


def score_table(runs):
    """One line a model: scores, mean, what is kept, sizes, speed."""
    tasks, common = tasks_of(runs), common_tasks(runs)
    header = ["model", *tasks, "mean", "kept", "parameters, M", "GFLOPs"]
    header += ["FLOPs saved", "faster"]
    lines, teacher = [], None
    for method, role, own in lines_of(runs):
        medians = {task: median(own, role, task) for task in tasks}
        mean = None
        if common:
            mean = sum(medians[task] for task in common) / len(common)
        row = next(run.rows[role] for run in own if role in run.rows)
        teacher = teacher or (mean, row)
        name = method if role in ("teacher", "student") else f"{method}, labels"
        lines.append(
            [
                name,
                *(percent(medians[task]) for task in tasks),
                percent(mean),
                percent(mean and teacher[0] and mean / teacher[0], "%"),
                f"{row['parameters'] / 1e6:.2f}",
                f"{row['flops'] / 1e9:.3f}",
                f"{teacher[1]['flops'] / row['flops']:.1f}x",
                faster(teacher[1], row),
            ]
        )
    table = markdown(header, lines)
    if len(common) < len(tasks):
        listed = ", ".join(common) or "no task"
        table += f"\n\nThe mean is over {listed}, which every line has."
    other = [task for task in tasks if has_other_teachers(runs, task)]
    if other:
        table += (
            f"\n\nNot all methods had the same teacher of {', '.join(other)}: "
            "its line is the median of all, and what is kept is kept of that."
        )
    return table


def has_other_teachers(runs, task):
    """Whether the methods' teachers differ in their scores."""
    methods = {run.method for run in runs if run.task == task}
    medians = [
        median([run for run in runs if run.method == method], "teacher", task)
        for method in methods
    ]
    found = [score for score in medians if score is not None]
    return bool(found) and max(found) - min(found) > 1e-6


def percent(share, unit=""):
    """A share in points, or nothing."""
    return "" if share is None else f"{100 * share:.1f}{unit}"


def faster(teacher, row):
    """The speed-up over the teacher, where both were timed."""
    times = [r.get("latency_ms") for r in (teacher, row)]
    return f"{times[0] / times[1]:.1f}x" if all(times) else ""


def difference_table(runs, resamples):
    """One line a method: the student less its control, in points."""
    tasks = tasks_of(runs)
    lines = []
    for method, role, own in lines_of(runs):
        if role != "control":
            continue
        cells = [task_difference(own, task, resamples) for task in tasks]
        lines.append([method, *cells, mean_difference(own, common_tasks(own))])
    if not lines:
        return "No run has a control."
    title = "Student less control, points, with 95 % intervals:"
    return f"{title}\n\n" + markdown(["method", *tasks, "mean"], lines)


def task_difference(runs, task, resamples):
    """The mean over the seeds, and a bootstrap over rows and seeds."""
    import numpy as np

    import tf_distill as td

    runs = [r for r in runs if r.task == task and "control" in r.predictions]
    if not runs:
        return ""
    names = runs[0].predictions["label_names"]
    metric = runs[0].metric

    def score(labels, predictions):
        if task == "IMDb":
            return td.metrics.accuracy(labels, predictions)
        found = td.metrics.glue_scores(
            task, labels, predictions, label_names=names
        )
        return found[metric]

    students, controls = (
        np.stack([run.predictions[role] for run in runs])
        for role in ("student", "control")
    )
    found = td.metrics.paired_interval(
        score,
        runs[0].predictions["labels"],
        students,
        controls,
        resamples=resamples,
    )
    return interval(*found)


def mean_difference(runs, tasks):
    """The mean over tasks, and Student's t over the seeds."""
    import numpy as np
    import scipy.stats

    by_seed = collections.defaultdict(dict)
    for run in runs:
        if run.task in tasks and "control" in run.rows:
            difference = run.scores("student") - run.scores("control")
            by_seed[run.seed][run.task] = difference
    whole = [d for d in by_seed.values() if set(d) == set(tasks)]
    if not tasks or not whole:
        return ""
    means = np.array([sum(d.values()) / len(d) for d in whole])
    if len(means) < 2:
        return f"{100 * means[0]:+.1f} (one seed)"
    error = means.std(ddof=1) / len(means) ** 0.5
    half = scipy.stats.t.ppf(0.975, len(means) - 1) * error
    mean = means.mean()
    return interval(mean, mean - half, mean + half)


def interval(mean, low, high):
    """In points."""
    return f"{100 * mean:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def markdown(header, lines):
    """A table."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join(
        f"| {' | '.join(line)} |" for line in [header, rule, *lines]
    )


# --- The picture -------------------------------------------------------------


def draw(runs, path):
    """Every line's scores by task: a bar at the median, a dot a seed."""
    import matplotlib.figure

    lines, tasks = lines_of(runs), tasks_of(runs)
    figure = matplotlib.figure.Figure(
        figsize=(2 + 1.8 * len(tasks), 4), layout="constrained"
    )
    axis = figure.subplots()
    width = 0.8 / len(lines)
    for index, (method, role, own) in enumerate(lines):
        name = f"{method}, labels" if role == "control" else method
        where = [t - 0.4 + (index + 0.5) * width for t in range(len(tasks))]
        heights = [100 * (median(own, role, task) or 0) for task in tasks]
        alpha = 0.35 if role == "control" else 0.8
        axis.bar(where, heights, width, label=name, alpha=alpha)
        for place, task in zip(where, tasks, strict=True):
            scores = [run.scores(role) for run in own if run.task == task]
            scores = [100 * s for s in scores if s is not None]
            axis.plot([place] * len(scores), scores, "k.", markersize=4)
    axis.set_xticks(range(len(tasks)), tasks)
    axis.set_ylabel("dev score")
    axis.legend(frameon=False, fontsize="small", ncols=2)
    temporary = path.with_suffix(".tmp.png")
    figure.savefig(temporary, dpi=120)
    temporary.replace(path)


if __name__ == "__main__":
    try:
        main(tyro.cli(Config))
    except (ValueError, OSError) as mistake:
        raise SystemExit(f"error: {mistake}") from None
