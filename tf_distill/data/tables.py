"""Labelled text from CSV, TSV and JSONL files, checked line by line.

Letters in shapes: `N` rows, `C` classes.
"""

import dataclasses
import pathlib

import numpy as np

from tf_distill.data.labels import parse_labels
from tf_distill.data.row_numbers import row_numbers
from tf_distill.data.rows import read_rows

_TASKS = ("classification", "multilabel", "regression")


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Texts, or pairs of texts, and their labels; made by `read_table`.

    Args:
        texts: `N` strings.
        second_texts: the second text of each pair, `N` strings; or `None`.
        labels: int32 `(N,)` class indices, float32 `(N, C)` zeros and ones for
            several labels a text, float32 `(N,)` scores, or `None`.
        label_names: the class that each index stands for, `C` strings; `None`
            for scores and, but for `read_glue`'s, for text without labels.
        path: the file that the rows come from.
    """

    texts: list[str]
    second_texts: list[str] | None
    labels: np.ndarray | None
    label_names: tuple[str, ...] | None
    path: str

    def __len__(self):
        return len(self.texts)

    def take(self, indices):
        """Returns a `Table` of the rows at `indices`, in that order.

        Raises:
            ValueError: `indices` are not whole numbers, but a mask, say.
        """
        indices = row_numbers(indices)
        second = self.second_texts
        return dataclasses.replace(
            self,
            texts=[self.texts[i] for i in indices],
            second_texts=None
            if second is None
            else [second[i] for i in indices],
            labels=None if self.labels is None else self.labels[indices],
        )

    def with_texts_of(self, other):
        """Returns a `Table` of both one's texts, without labels.

        Raises:
            ValueError: one has pairs, the other has not.
        """
        pairs = [t.second_texts for t in (self, other)]
        if (pairs[0] is None) is not (pairs[1] is None):
            raise ValueError(
                f"{self.path} and {other.path}: one has pairs of texts, the "
                "other single ones. Name the second text's column for both."
            )
        return Table(
            texts=self.texts + other.texts,
            second_texts=None if pairs[0] is None else pairs[0] + pairs[1],
            labels=None,
            label_names=None,
            path=f"{self.path} and {other.path}",
        )


def read_table(
    path,
    text,
    *,
    second_text=None,
    label=None,
    task="classification",
    label_names=None,
    encoding_errors="strict",
):
    r"""Reads a `.csv`, `.tsv`, `.jsonl` or `.txt` file, or its `.gz`.

    Columns have names: CSV and TSV files start with a line of them. A TSV file
    has no quoting (as GLUE's have none): a `"` is a character like any other.
    A `.txt` file holds one unlabelled text a line. Blank lines are skipped; one
    of separators has empty cells.

    Args:
        path: the file. UTF-8, with or without a byte-order mark.
        text: name of the column that holds the text (of no meaning for `.txt`).
        second_text: name of the column of the second text, for pairs.
        label: name of the column of the labels; `None` for unlabelled text.
        task: `"classification"`; `"multilabel"`, where a cell holds any number
            of names, joined by `|` in CSV and TSV, a list in JSONL; or
            `"regression"`.
        label_names: the classes in the order of their indices. Give the
            training file's to read the development and test files. By default
            the classes found, sorted (by value if all are whole numbers).
        encoding_errors: `"replace"` turns bytes that are not UTF-8 into U+FFFD;
            `"strict"` refuses them.

    Returns:
        A `Table`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file, or one of its lines, is not as described; the
            message names the file and the line, counted from 1.

    Example:
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "train.csv")
    ...     _ = path.write_text("tweet,mood\nso good,up\nso bad,down\n")
    ...     table = read_table(path, "tweet", label="mood")
    >>> table.texts, table.labels.tolist(), table.label_names
    (['so good', 'so bad'], [1, 0], ('down', 'up'))
    """
    if task not in _TASKS:
        raise ValueError(f"task={task!r}: expected one of {_TASKS}.")
    if label_names is not None and (label is None or task == "regression"):
        raise ValueError(
            f"label_names was given with label={label!r}, task={task!r}: only "
            "class labels have names. Leave it out."
        )
    columns = [text] + [c for c in (second_text, label) if c is not None]
    if len(set(columns)) < len(columns):
        raise ValueError(
            f"Text and label are read from the columns {columns} of {path}: "
            "name a column of its own for each."
        )
    rows = read_rows(
        pathlib.Path(path), columns, encoding_errors=encoding_errors
    )
    return table_of_rows(
        path,
        rows,
        text,
        second_text=second_text,
        label=label,
        task=task,
        label_names=label_names,
    )


def table_of_rows(
    path,
    rows,
    text,
    *,
    second_text=None,
    label=None,
    task="classification",
    label_names=None,
    allow_empty=False,
):
    """Checks the rows of a file and makes a `Table` of them.

    Args:
        path: the file, to be named in errors.
        rows: iterator of (line number, cells): the text, the second text if
            there is one, the label if there is one.
        text, second_text, label, task, label_names: as `read_table` takes them.
        allow_empty: whether a text may be empty.

    Returns:
        A `Table`.
    """
    lines, texts, second_texts, cells = [], [], [], []
    for line, row in rows:
        lines.append(line)
        texts.append(_text(path, line, text, row[0], allow_empty))
        if second_text is not None:
            second_texts.append(
                _text(path, line, second_text, row[1], allow_empty)
            )
        if label is not None:
            cells.append(row[-1])
    if not texts:
        raise ValueError(f"{path} holds no rows: expected one text or more.")
    labels = None
    if label is not None:
        places = [f"{path}, line {line}, column {label!r}" for line in lines]
        labels, label_names = parse_labels(task, places, cells, label_names)
    return Table(
        texts=texts,
        second_texts=None if second_text is None else second_texts,
        labels=labels,
        label_names=label_names,
        path=str(path),
    )


def _text(path, line, column, value, allow_empty):
    """Checks one text."""
    if not isinstance(value, str):
        raise ValueError(
            f"{path}, line {line}, column {column!r}: expected a text, got "
            f"{repr(value)[:60]}."
        )
    if not value.strip() and not allow_empty:
        raise ValueError(
            f"{path}, line {line}, column {column!r}: the text is empty. Fill "
            "it in or delete the line."
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:  # JSON can spell half a character
        raise ValueError(
            f"{path}, line {line}, column {column!r}: {value[error.start]!r} "
            "is half of a surrogate pair, not a character. Delete it."
        ) from error
    return value
