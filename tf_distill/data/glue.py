"""GLUE's tasks, from the official files or by name.

Letters in shapes: `N` rows.
"""

import dataclasses
import pathlib

import numpy as np

from tf_distill.data.class_order import order_classes
from tf_distill.data.datasets import dataset_rows
from tf_distill.data.glue_tasks import glue_task
from tf_distill.data.rows import read_tsv
from tf_distill.data.tables import table_of_rows
from tf_distill.whole_file import write_whole


def read_glue(task, split, folder=None, *, label_names=None):
    r"""Reads a split of a task of GLUE.

    Args:
        task: its name, such as `"SST-2"` or `"sst2"`.
        split: `"train"`, `"dev"` or `"test"`; for MNLI `"dev_matched"` and so
            on.
        folder: where the official files are, a folder for each task (as the
            GLUE downloads unpack), perhaps within `glue`; by default the task
            is had from TensorFlow Datasets, over the network.
        label_names: a model's classes in the order of its outputs; the labels
            are then in that order. For a model of one's own leave it out.

    Returns:
        A `Table`. A test split has no labels, though it has `label_names`:
        its predictions go into `write_glue_submission`.

    Raises:
        FileNotFoundError: if the folder does not have the file.
        ImportError: if TensorFlow Datasets is needed and not there.
        ValueError: if there is no such task or split, `label_names` are not
            its classes, or a file is not as GLUE's are; the message names the
            file and the line.

    Example:
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "CoLA", "dev.tsv")
    ...     file.parent.mkdir()
    ...     _ = file.write_text("gj04\t1\t\tHe ate.\ngj04\t0\t*\tHe eat.")
    ...     table = read_glue("CoLA", "dev", folder)
    >>> table.texts, table.labels.tolist(), table.label_names
    (['He ate.', 'He eat.'], [1, 0], ('unacceptable', 'acceptable'))
    """
    task = glue_task(task)
    if split not in task.splits:
        raise ValueError(
            f"{task.name} has no split {split!r}; it has {list(task.splits)}."
        )
    cells = None
    if label_names is not None and task.is_regression:
        raise ValueError(
            f"label_names were given, but {task.name} has scores, not classes."
        )
    if not task.is_regression:
        cells = order_classes(task.classes, label_names)
        label_names = tuple(label_names or task.classes.values())
    labelled = split not in task.submissions
    columns = task.columns + ((task.label,) if labelled else ())
    if folder is None:
        path, rows = _rows_by_name(task, split, labelled)
    else:
        path, rows = _file_rows(task, split, pathlib.Path(folder), columns)
    table = table_of_rows(
        path,
        rows,
        columns[0],
        second_text=columns[1] if len(task.columns) == 2 else None,
        label=task.label if labelled else None,
        task="regression" if task.is_regression else "classification",
        label_names=cells if labelled else None,
        allow_empty=task.damaged,
    )
    # What the file calls the classes gives way to their names.
    return dataclasses.replace(table, label_names=label_names)


def write_glue_submission(folder, task, split, table, predictions):
    """Writes predictions for a test split as GLUE's site takes them.

    Args:
        folder: where to write the file; all tasks' files together, zipped, are
            a submission.
        task: the task's name.
        split: a split without labels, such as `"test"`.
        table: what `read_glue` returned for it, of `N` rows.
        predictions: int `(N,)`, indices into `table.label_names`; for STS-B
            float `(N,)`, which are clipped to its 0 to 5.

    Returns:
        The path of the file, whose name is GLUE's.

    Raises:
        ValueError: if the split has labels, or the predictions are not of the
            table's rows and classes.
    """
    task = glue_task(task)
    if split not in task.submissions:
        raise ValueError(
            f"{task.name}'s {split!r} is not handed in: expected one of "
            f"{list(task.submissions)}. Use glue_scores where there are labels."
        )
    cells = _predicted_cells(task, table, np.asarray(predictions))
    path = pathlib.Path(folder, task.submissions[split])
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{index}\t{cell}\n" for index, cell in enumerate(cells)]
    write_whole(path, ("index\tprediction\n" + "".join(lines)).encode())
    return path


def _predicted_cells(task, table, predictions):
    """Returns what to write for each row."""
    if predictions.shape != (len(table),):
        raise ValueError(
            f"predictions has shape {predictions.shape}: expected "
            f"{(len(table),)}, one for each row of {table.path}."
        )
    if task.is_regression:
        if not np.isfinite(predictions).all():
            raise ValueError("predictions are not all finite numbers.")
        return [f"{score:.3f}" for score in np.clip(predictions, 0, 5)]
    cells = order_classes(task.classes, table.label_names)
    if (
        not np.issubdtype(predictions.dtype, np.integer)
        or not ((0 <= predictions) & (predictions < len(cells))).all()
    ):
        raise ValueError(
            f"predictions are {predictions.dtype}, from {predictions.min()} to "
            f"{predictions.max()}: expected indices of the {len(cells)} "
            "classes, as argmax over the logits gives them."
        )
    return [cells[index] for index in predictions]


def _file_rows(task, split, folder, columns):
    """Returns the path of a split's file, and its rows."""
    names = task.splits[split]
    folders = [folder / task.name, folder / "glue" / task.name]
    if task.name == "AX":  # comes as a single file, and its folder has varied
        folders += [folder / "diagnostic", folder, folder / "glue"]
    paths = [place / name for name in names for place in folders]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"{folder}: no file of {task.name}'s {split} split there. Expected "
            f"{paths[0]}" + (f", or {names[1]}." if len(names) > 1 else ".")
        )
    if path.name == "msr_paraphrase_train.txt":
        return path, _mrpc_rows(path, split, columns)
    labelled = split not in task.submissions
    return path, read_tsv(
        path,
        columns,
        header=task.header if labelled else None,
        skip_broken=task.damaged and labelled,
    )


def _mrpc_rows(path, split, columns):
    """Yields the rows of Microsoft's file that GLUE counts to a split."""
    listing = path.with_name("dev_ids.tsv")
    identifiers = ("#1 ID", "#2 ID")
    dev = read_tsv(listing, identifiers, header=identifiers)
    dev = {tuple(row) for _, row in dev}
    for line, row in read_tsv(path, (*identifiers, *columns)):
        if (tuple(row[:2]) in dev) == (split == "dev"):
            yield line, row[2:]


def _rows_by_name(task, split, labelled):
    """Returns where TensorFlow Datasets has a split, and its rows."""
    name = f"glue/{task.datasets_name}"
    split = split.replace("dev", "validation")
    found, classes = dataset_rows(name, split)
    columns = task.datasets_columns or task.columns
    # They come shuffled; `idx` is the place in GLUE's file.
    found = sorted(found, key=lambda row: row["idx"])
    cells = None
    if labelled and not task.is_regression:
        cells = order_classes(task.classes, classes["label"])

    def rows():
        for number, row in enumerate(found, start=1):
            texts = [row[column] for column in columns]
            label = row["label"]
            label = cells[label] if cells else float(label)
            yield number, texts + ([label] if labelled else [])

    return f"TensorFlow Datasets' {name}, {split}", rows()
