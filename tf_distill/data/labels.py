"""Classes, sets of classes and scores from the cells of a label column.

Letters in shapes: `N` rows, `C` classes.
"""

import math
import re

import numpy as np

_LARGEST = float(np.finfo("float32").max)
_NUMBER = re.compile(r"-?\d+(\.\d*)?")
_FEW = 20  # classes that may have a row each


def parse_labels(task, places, cells, names=None):
    """Turns the cells of a label column into an array.

    Args:
        task: `"classification"`, `"multilabel"` or `"regression"`.
        places: for each of the `N` cells, the file, line and column to name in
            an error.
        cells: `N` strings, or values from JSON.
        names: the `C` classes in the order of their indices, or `None` for
            those found.

    Returns:
        A tuple of the labels (int32 `(N,)`, float32 `(N, C)` or float32 `(N,)`)
        and the names (`None` for scores).

    Raises:
        ValueError: if a cell is not a label, or the classes are too few.

    Example:
    >>> parse_labels("multilabel", ["line 2", "line 3"], ["b|a", "b"])
    (array([[1., 1.], [0., 1.]], dtype=float32), ('a', 'b'))
    """
    if task == "regression":
        scores = [_score(*item) for item in zip(places, cells, strict=True)]
        return np.array(scores, dtype="float32"), None
    split = _names if task == "multilabel" else lambda *item: [_name(*item)]
    rows = [split(*item) for item in zip(places, cells, strict=True)]
    if names is None:
        names = _classes(task, places, cells, rows)
    names = tuple(str(name) for name in names)
    fewest = 2 if task == "classification" else 1
    if len(set(names)) < max(fewest, len(names)):
        raise ValueError(
            f"{_file(places)}: the classes are {list(names)}; expected at "
            f"least {fewest} and no name twice. Is this the right label "
            "column, or the file sorted by class and cut short?"
        )
    index = {name: i for i, name in enumerate(names)}
    labels = np.zeros((len(rows), len(names)), dtype="float32")
    for row, (place, found) in enumerate(zip(places, rows, strict=True)):
        for name in found:
            if name not in index:
                raise ValueError(
                    f"{place}: unknown label {name[:60]!r}; the known ones "
                    f"are {list(names)}. Mend the label, or train on a file "
                    "that has it."
                )
            labels[row, index[name]] = 1
    if task == "classification":
        return labels.argmax(axis=1).astype("int32"), names
    return labels, names


def _classes(task, places, cells, rows):
    """The classes found, sorted; by value if all are numbers.

    Raises:
        ValueError: they are scores, joined otherwise than by "|", or as many as
            only another column's contents would be.
    """
    names = {name for row in rows for name in row}
    numbers = all(map(_NUMBER.fullmatch, names))
    one_each = all(len(row) <= 1 for row in rows)
    for place, cell, row in zip(places, cells, rows, strict=True):
        if numbers and any(float(name) % 1 for name in row):
            raise ValueError(
                f"{place}: {repr(cell)[:60]} is a number, as are all others, "
                "and no class. Read scores with task='regression'; write "
                "classes as names or whole numbers."
            )
        joined = isinstance(cell, str) and re.search("[,;]", cell)
        if task == "multilabel" and one_each and joined:
            raise ValueError(
                f"{place}: {repr(cell)[:60]} would be one label, as no line "
                "has a '|', which is what joins several. Write 'a|b', or a "
                "list in JSONL."
            )
    if task == "classification" and len(names) > max(_FEW, len(rows) // 2):
        some = [name[:60] for name in sorted(names)[:3]]
        raise ValueError(
            f"{_file(places)}: {len(names)} classes in {len(rows)} rows, such "
            f"as {some}. Is this the label column, not an id or another text?"
        )
    return sorted(names, key=(lambda n: (float(n), n)) if numbers else None)


def _file(places):
    """The file that a column is of."""
    return places[0].split(", line")[0]


def _name(place, cell):
    """Checks one class name."""
    if isinstance(cell, str) and cell.strip():
        return cell.strip()
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    found = f"{repr(cell)[:60]} is no class name"
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        found = "is empty"
    raise ValueError(
        f"{place}: the label {found}. Expected a name or a whole number; fill "
        "it in or delete the line."
    )


def _names(place, cell):
    """Splits a cell of several class names; none at all is allowed."""
    if isinstance(cell, str):
        cell = cell.split("|") if cell.strip() else []
    if not isinstance(cell, list):
        raise ValueError(
            f"{place}: expected names joined by '|', or a list, got "
            f"{repr(cell)[:60]}."
        )
    return [_name(place, name) for name in cell]


def _score(place, cell):
    """Checks one score."""
    try:
        score = math.nan if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError):
        score = math.nan
    if not abs(score) <= _LARGEST:  # so that NaN is refused too
        raise ValueError(
            f"{place}: expected a finite number for the regression label, got "
            f"{repr(cell)[:60]}. Write it with a decimal point, or delete the "
            "line."
        )
    return score
