"""What a run has to show: a table, its numbers, two pictures."""

import csv
import json
import pathlib

from tf_distill.benchmark.point_names import name_points
from tf_distill.export.columns import COLUMNS, SCORES, used
from tf_distill.export.publish import publish_file
from tf_distill.extras import needs_extra


def print_table(rows):
    """Prints one line a model, best read side by side.

    Args:
        rows: list of dicts with `name`, `role` and any other of the keys in
            `tf_distill.export.columns.COLUMNS`.

    Raises:
        ModuleNotFoundError: rich is not installed.

    Example:
        >>> print_table([{"name": "teacher", "role": "teacher",
        ...               "accuracy": 0.5}])
        ┏...
    """
    with needs_extra("recipes"):
        import rich.console
        import rich.table

    table = rich.table.Table()
    columns = used(COLUMNS, rows)
    for column in columns:
        justify = "left" if column.key == "name" else "right"
        # In two lines, which makes for narrower columns.
        title = column.title.replace(" ", "\n")
        table.add_column(title, justify=justify, no_wrap=True)
    role = None
    for row in rows:
        if role is not None and row["role"] != role:
            table.add_section()
        role = row["role"]
        table.add_row(*(column.cell(row) for column in columns))
    # A table is read as a whole: never folded to a narrow terminal's width.
    rich.console.Console(width=200).print(table)


def write_results(path, config, rows):
    """Writes configuration and rows as `results.json`, whole or not at all.

    Args:
        path: of the file.
        config: dict that JSON can hold.
        rows: as for `print_table`.
    """
    content = json.dumps({"config": config, "rows": rows}, indent=2)
    publish_file(path, content.encode() + b"\n")


def plot_curves(path, logs, score="val_accuracy"):
    """Draws the training loss and the dev score of every model by epoch.

    Args:
        path: of the PNG file.
        logs: dict of the CSV files that `keras.callbacks.CSVLogger` wrote, by
            name of the model.
        score: column of these files, for the dev score.
    """
    figure, axes = _figure(2)
    for name, log in logs.items():
        with open(log, newline="", encoding="utf-8") as file:
            epochs = list(csv.DictReader(file))
        steps = [int(epoch["epoch"]) + 1 for epoch in epochs]
        for axis, key in zip(axes, ("loss", score), strict=True):
            if epochs and epochs[0].get(key):
                values = [float(epoch[key]) for epoch in epochs]
                axis.plot(steps, values, marker="o", label=name)
    dev_score = f"dev {_title(score.removeprefix('val_'))}"
    for axis, title in zip(axes, ("training loss", dev_score), strict=True):
        axis.set(title=title, xlabel="epoch")
        # One tick is enough, or a single epoch would have fractions of it.
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        if axis.lines:
            axis.legend(frameon=False, fontsize="small")
    _save(figure, path)


def plot_quality_against_latency(path, rows, quality="macro_f1"):
    """Draws the quality of every model against its latency.

    Args:
        path: of the PNG file.
        rows: as for `print_table`.
        quality: key of the rows, for the vertical axis.
    """
    figure, (axis,) = _figure(1)
    colours = {"teacher": "C3", "student": "C0", "control": "C7"}
    points, roles = [], set()
    for row in rows:
        if row.get("latency_ms") is None or row.get(quality) is None:
            continue
        role = row["role"]
        # A legend names a role once: it leaves out what begins with "_".
        label = f"_{role}" if role in roles else role
        roles.add(role)
        axis.scatter(
            row["latency_ms"],
            row[quality],
            color=colours.get(role, "C2"),
            label=label,
        )
        points.append((row["name"], row["latency_ms"], row[quality]))
    axis.set(xlabel="latency at batch 1, ms", ylabel=_title(quality))
    axis.margins(x=0.25, y=0.15)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_xticks(_ticks(*axis.get_xlim()))
    axis.set_xticks([], minor=True)
    if roles:
        figure.legend(loc="outside lower center", ncols=4, frameon=False)
    name_points(axis, points)
    _save(figure, path)


def _title(score):
    """What a score is called."""
    titles = {column.key: column.title for column in SCORES}
    return titles.get(score, score.replace("_", "-"))


def _ticks(low, high):
    """Round numbers for an axis of logarithms, not too near each other."""
    if high / low < 8:
        import matplotlib.ticker

        found = matplotlib.ticker.MaxNLocator(6).tick_values(low, high)
    else:
        steps = (1, 10) if high / low > 1e4 else (1, 2, 5, 10)
        found = {step * 10.0**e for e in range(-6, 9) for step in steps}
    return [tick for tick in sorted(found) if low <= tick <= high]


def _figure(columns):
    with needs_extra("recipes"):
        import matplotlib.figure

    figure = matplotlib.figure.Figure(
        figsize=(5.5 * columns, 4), layout="constrained"
    )
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def _save(figure, path):
    path = pathlib.Path(path)
    temporary = path.with_suffix(".tmp.png")
    figure.savefig(temporary, dpi=120)
    temporary.replace(path)
