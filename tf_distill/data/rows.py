"""Rows of named cells from text files, with the line that each came from."""

import csv
import gzip
import io
import json
import re
import warnings
import zlib

_QUOTED_CELL = re.compile(r'"(?:[^"]|"")*""(?:[^"]|"")*"')


def read_rows(path, columns, *, encoding_errors="strict"):
    """Reads the named columns of a `.csv`, `.tsv`, `.jsonl` or `.txt` file.

    Args:
        path: a `pathlib.Path`; `.gz` may follow the ending.
        columns: names of columns; the one column of `.txt` has no name.
        encoding_errors: `"strict"` or `"replace"`, for bytes not UTF-8.

    Returns:
        An iterator of (line number from 1, the row's cells of `columns`).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not of its format or lacks a column.
    """
    name = path.name.lower().removesuffix(".gz")
    suffix = name[name.rfind(".") :] if "." in name else ""
    if suffix not in (".csv", ".tsv", ".jsonl", ".txt"):
        raise ValueError(
            f"{path}: the name ends in neither .csv, .tsv, .jsonl nor .txt "
            "(optionally followed by .gz), which is how the format is told. "
            "Rename or convert the file."
        )
    if suffix == ".txt" and len(columns) > 1:
        raise ValueError(
            f"{path}: a .txt file holds one unlabelled text a line; labels "
            "and pairs need named columns: use .csv, .tsv or .jsonl."
        )
    content = read_text(path, encoding_errors)
    if suffix == ".jsonl":
        return _jsonl_rows(path, content, columns)
    if suffix == ".txt":
        return ((n, [line]) for n, line in _lines(content))
    if suffix == ".tsv":
        _warn_of_quotes(path, content)
    rows = _csv_rows(path, content) if suffix == ".csv" else _tsv_rows(content)
    return _named_cells(path, rows, columns)


def read_tsv(path, columns, *, header=None, skip_broken=False):
    """Reads the named columns of a TSV file, whatever its name ends in.

    Args:
        path: a `pathlib.Path`.
        columns: names of columns.
        header: the names of all columns, of a file that does not begin with
            them.
        skip_broken: leave out lines of another number of cells than columns,
            with a warning that counts them.

    Returns:
        An iterator of (line number from 1, the row's cells of `columns`).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a column is lacking, or the lines are not of the format.
    """
    rows = _tsv_rows(read_text(path))
    return _named_cells(path, rows, columns, header, skip_broken)


def read_text(path, encoding_errors="strict"):
    """Reads a whole file as text, without its byte-order mark.

    Args:
        path: a `pathlib.Path`; what ends in `.gz` is decompressed.
        encoding_errors: `"strict"` or `"replace"`, for bytes not UTF-8.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a whole gzip file, or not UTF-8.
    """
    if encoding_errors not in ("strict", "replace"):
        raise ValueError(
            f"encoding_errors={encoding_errors!r}: expected 'strict' or "
            "'replace'."
        )
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name the file in it.")
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: there is no such file. Check the path."
        )
    data = path.read_bytes()
    if path.name.lower().endswith(".gz"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(
                f"{path} is not a whole gzip file ({error}). Fetch it again, "
                "or drop .gz from its name if it is not compressed."
            ) from error
    elif data.startswith(b"\x1f\x8b"):
        raise ValueError(
            f"{path} is compressed by gzip: add .gz to its name, or decompress "
            "it."
        )
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode("utf-8", encoding_errors)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        advice = (
            "(`iconv -f WINDOWS-1252 -t UTF-8`, if that is what it is), or "
            "pass encoding_errors='replace' (of a recipe --encoding-errors "
            "replace) if the damaged characters do not matter."
        )
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            advice = "(`iconv -f UTF-16 -t UTF-8`): it begins as UTF-16 does."
        raise ValueError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8."
            f" Save the file as UTF-8 {advice}"
        ) from error


def _lines(content):
    """Yields (number, line) for the lines that are not blank."""
    # Not `splitlines`, which also splits at characters found within texts.
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            yield number, line.removesuffix("\r")


def _tsv_rows(content):
    for number, line in enumerate(content.split("\n"), start=1):
        # A line of tabs is one of empty cells, not a blank one.
        if line.strip() or "\t" in line:
            yield number, line.removesuffix("\r").split("\t")


def _warn_of_quotes(path, content):
    """Says that a TSV file seems to have CSV's quotes, which are read as text.

    Not asked of GLUE's own files, whose form is known (`read_tsv`).
    """
    found = [
        number
        for number, cells in _tsv_rows(content)
        if any(map(_QUOTED_CELL.fullmatch, cells))
    ]
    if found:
        warnings.warn(
            f"{path}: {len(found)} lines, the first of them {found[0]}, have a "
            "cell in quotes with each quote in it doubled, as CSV writes it. A "
            ".tsv file has no quoting: they are read as part of the text. If "
            "they are not, write it without (pandas: `sep='\\t', "
            "quoting=csv.QUOTE_NONE`), or as .csv.",
            stacklevel=2,
        )


def _csv_rows(path, content):
    # newline="\n" so that line numbers count what an editor counts, although
    # a quoted cell may hold a carriage return.
    reader = csv.reader(io.StringIO(content, newline="\n"), strict=True)
    start = 1
    try:
        for row in reader:
            is_blank = not row or (len(row) == 1 and row[0].isspace())
            if not is_blank:
                yield start, row
            start = reader.line_num + 1
    except csv.Error as error:
        advice = ""
        if "field limit" in str(error):
            advice = " If the text is really so long, cut it, or use .jsonl."
        elif "new-line character" in str(error):
            advice = " Or do lines end with carriage returns? Use line feeds."
        raise ValueError(
            f"{path}, line {start}: not valid CSV ({error}). Is a double quote "
            f'left open? One within a quoted cell is written "".{advice}'
        ) from error


def _named_cells(path, rows, columns, header=None, skip_broken=False):
    if header is None:
        _, header = next(rows, (1, None))
    if header is None:
        raise ValueError(f"{path} is empty: expected a line of column names.")
    for column in columns:
        if header.count(column) != 1:
            found = "twice" if column in header else "not"
            raise ValueError(
                f"{path}, line 1: column {column!r} is {found} there. The "
                f"first line must name the columns; it has {_short(header)}. "
                "Commas part those of .csv, tabs those of .tsv."
            )
    positions = [header.index(column) for column in columns]
    broken = []
    for line, row in rows:
        if len(row) != len(header):
            if skip_broken:
                broken.append(line)
                continue
            raise ValueError(
                f"{path}, line {line}: {len(row)} cells where there are "
                f"{len(header)} columns, {list(header)}. A separator within a "
                "text needs quoting (CSV) or replacing (TSV)."
            )
        yield line, [row[position] for position in positions]
    if broken:
        warnings.warn(
            f"{path}: {len(broken)} lines, the first of them line {broken[0]}, "
            f"have not {len(header)} cells and were left out.",
            stacklevel=2,
        )


def _short(value):
    """A value to be shown; not all of it if the file is read wrongly."""
    shown = repr(value)
    return shown if len(shown) <= 300 else f"{shown[:300]} …"


def _jsonl_rows(path, content, columns):
    for number, line in _lines(content):
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(
                f"{path}, line {number}: not valid JSON ({error}). Expected "
                "one whole object a line."
            ) from error
        if not isinstance(record, dict):
            raise ValueError(
                f"{path}, line {number}: expected a JSON object such as "
                f'{{"{columns[0]}": …}}, got {line[:60]!r}.'
            )
        for column in columns:
            if column not in record:
                raise ValueError(
                    f"{path}, line {number}: no {column!r}; this line has "
                    f"{_short(list(record))}."
                )
        yield number, [record[column] for column in columns]
