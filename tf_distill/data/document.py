"""A document of a corpus."""

from typing import NamedTuple


class Document(NamedTuple):
    """A document: its title, if it has one, its text, and where it begins."""

    title: str
    text: str
    path: str
    line: int
