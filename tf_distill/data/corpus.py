"""Documents of a corpus of text, one at a time."""

import bz2
import gzip
import itertools
import pathlib
import re
import zlib

from tf_distill.data.document import Document
from tf_distill.data.json_articles import json_articles

# A line or document of more bytes is refused, so that memory has a bound; the
# longest of Wikipedia's articles and most books have a few million.
LARGEST_DOCUMENT = 2**26
_LAYOUTS = ("blank_line", "line", "wikipedia")
_OPEN = {".gz": gzip.open, ".bz2": bz2.open}
_TITLE = re.compile(r'\btitle="(.*)">$')


def read_documents(paths, layout, *, encoding_errors="strict"):
    r"""Reads the documents of a corpus, one at a time.

    Files are decompressed and decoded line by line, so memory does not grow
    with the corpus. Lines end with a line feed, or a carriage return and one.

    Args:
        paths: a file, a folder, or a list of them. Files are `.txt`, `.gz`,
            `.bz2` or WikiExtractor's `wiki_00`; of a folder all such are read,
            of its folders too, in the order of their names.
        layout: `"blank_line"`: documents are parted by blank lines. `"line"`:
            each line is one. `"wikipedia"`: WikiExtractor's articles, between
            `<doc …>` and `</doc>`, or of its `--json`, one a line; or, without
            either, a title, a blank line and lines of text, parted by two blank
            lines.
        encoding_errors: `"replace"` turns bytes that are not UTF-8 into U+FFFD;
            `"strict"` refuses them.

    Returns:
        An iterator of `Document`. A text is the document's lines that are not
        blank, without white space at their ends; documents without are left
        out.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: if a file is not of the layout, holds no text, is cut short,
            is not UTF-8, or has a line or document of more than 64 MiB; the
            message names the file and the line, counted from 1.

    Example:
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "books.txt")
    ...     _ = path.write_text("One.\nTwo.\n\nThree.\n")
    ...     [document.text for document in read_documents(path, "blank_line")]
    ['One.\nTwo.', 'Three.']
    """
    if layout not in _LAYOUTS:
        raise ValueError(f"layout={layout!r}: expected one of {_LAYOUTS}.")
    if encoding_errors not in ("strict", "replace"):
        raise ValueError(
            f"encoding_errors={encoding_errors!r}: expected 'strict' or "
            "'replace'."
        )
    if isinstance(paths, (str, pathlib.Path)):
        paths = [paths]
    files = [file for path in paths for file in _files(pathlib.Path(path))]
    split = {
        "blank_line": _parted,
        "line": _each_line,
        "wikipedia": _wikipedia,
    }[layout]
    return _documents(files, split, encoding_errors)


def _documents(files, split, encoding_errors):
    for path in files:
        found = False
        for document in split(path, _lines(path, encoding_errors)):
            found = True
            yield document
        if not found:
            raise ValueError(f"{path} holds no text: expected a document.")


def _files(path):
    """Returns the files at a path, those of a folder sorted."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(
            f"{path}: there is no such file or folder. Check the path."
        )
    files = sorted(
        file
        for file in path.rglob("*")
        if file.is_file()
        and (
            file.suffix.lower() in (".txt", *_OPEN)
            or re.fullmatch(r"wiki_\d+", file.name)
        )
    )
    if not files:
        raise FileNotFoundError(
            f"{path} holds no .txt, .gz, .bz2 or wiki_00 files."
        )
    return files


def _lines(path, encoding_errors):
    """Yields (number, line) of a file, without the ends of lines."""
    number, mark = 0, b"\xef\xbb\xbf"
    try:
        with _OPEN.get(path.suffix.lower(), open)(path, "rb") as file:
            while data := file.readline(LARGEST_DOCUMENT + 1):
                number += 1
                if len(data) > LARGEST_DOCUMENT:
                    raise _too_long(path, number, "line")
                if number == 1:
                    data = data.removeprefix(mark)
                line = data.decode("utf-8", encoding_errors)
                yield number, line.removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}, line {number}: byte 0x{error.object[error.start]:02x} is "
            "not UTF-8. Convert it, or pass encoding_errors='replace' (of a "
            "recipe --encoding-errors replace) if the damage does not matter."
        ) from error
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f"{path}, after line {number}: it cannot be read further ({error})."
            " Fetch it again, or name it .txt if it is not compressed."
        ) from error


def _each_line(path, lines):
    for number, line in lines:
        if line.strip():
            yield Document("", line.strip(), str(path), number)


def _parted(path, lines):
    """Yields documents parted by blank lines."""
    found, start, size = [], 0, 0
    for number, line in itertools.chain(lines, [(0, "")]):
        line = line.strip()
        if line:
            start = start or number
            found.append(line)
            size = _grown(path, start, size, line)
        elif found:
            yield Document("", "\n".join(found), str(path), start)
            found, start, size = [], 0, 0


def _wikipedia(path, lines):
    """Yields WikiExtractor's articles: tagged, in JSON, or neither."""
    first = next(((n, line) for n, line in lines if line.strip()), None)
    if first is None:
        return
    articles = _titled
    if first[1].startswith("<doc "):
        articles = _tagged
    elif first[1].lstrip().startswith('{"'):
        articles = json_articles
    yield from articles(path, itertools.chain([first], lines))


def _titled(path, lines):
    """Yields articles of title, blank line and text, parted by two of them.

    A line with nothing but spaces is not blank: some articles begin with one.
    """
    title, found, start, size, blank = "", [], 0, 0, 0
    for number, line in itertools.chain(lines, [(0, ""), (0, "")]):
        text = line.strip()
        if not line:
            blank += 1
            if blank == 2:
                if found:
                    yield Document(title, "\n".join(found), str(path), start)
                title, found, start, size = "", [], 0, 0
        elif not title:
            title, start, blank = text, number, 0
        elif not (blank or found):
            raise ValueError(
                f"{path}, line {number}: expected a blank line after the title "
                f"{title[:60]!r}, got {line[:60]!r}. Articles are parted by "
                "two blank lines; for other text take layout='blank_line' or "
                "'line'."
            )
        elif text:
            blank = 0
            found.append(text)
            size = _grown(path, start, size, text)


def _tagged(path, lines):
    """Yields the articles between `<doc …>` and `</doc>`."""
    start, title, found, size = None, "", [], 0
    for number, line in lines:
        line = line.strip()
        is_opening = line.startswith("<doc ") and line.endswith(">")
        if start is None and is_opening:
            attribute = _TITLE.search(line)
            start, title = number, attribute[1] if attribute else ""
        elif line and (start is None or is_opening):
            raise ValueError(
                f"{path}, line {number}: {line[:60]!r} is "
                + ("outside" if start is None else "within")
                + " an article. Expected <doc …>, text and </doc>, in turn."
            )
        elif line == "</doc>":
            if found and found[0] == title:
                del found[0]
            if found:
                yield Document(title, "\n".join(found), str(path), start)
            start, found, size = None, [], 0
        elif line:
            found.append(line)
            size = _grown(path, start, size, line)
    if start is not None:
        raise ValueError(
            f"{path}, line {start}: the article {title!r} has no end; the file "
            "was cut short. Fetch or extract it again."
        )


def _grown(path, start, size, line):
    """Returns a document's size with one more line, if it is not too large."""
    size += len(line) + 1
    if size > LARGEST_DOCUMENT:
        raise _too_long(path, start, "document that begins here")
    return size


def _too_long(path, number, what):
    return ValueError(
        f"{path}, line {number}: the {what} is larger than "
        f"{LARGEST_DOCUMENT >> 20} MiB. Is it text, with line feeds, and the "
        "layout right?"
    )
