"""Articles as WikiExtractor's `--json` writes them, one a line."""

import json

from tf_distill.data.document import Document


def json_articles(path, lines):
    """Yields the articles of lines of JSON objects.

    Args:
        path: the file, to be named in errors.
        lines: iterator of (line number, line).

    Returns:
        An iterator of `Document`; articles without text are left out.

    Raises:
        ValueError: a line is not an object with a title and a text.
    """
    for number, line in lines:
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            title, text = record["title"].strip(), record["text"].strip()
            text.encode()  # JSON can spell half a character
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path}, line {number}: {line[:60]!r} is no article of "
                "WikiExtractor's --json, an object a line with a title and a "
                f"text ({type(error).__name__}: {error})."
            ) from error
        found = [part.strip() for part in text.split("\n") if part.strip()]
        if found and found[0] == title:
            del found[0]
        if found:
            yield Document(title, "\n".join(found), str(path), number)
