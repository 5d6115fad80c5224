"""What is in a picture."""

import contextlib

import matplotlib.figure


@contextlib.contextmanager
def figures(monkeypatch):
    """A list of the figures that are saved meanwhile."""
    saved, savefig = [], matplotlib.figure.Figure.savefig

    def keep(self, *arguments, **options):
        saved.append(self)
        savefig(self, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(matplotlib.figure.Figure, "savefig", keep)
        yield saved


def lines(axis):
    """The points of every line, by its label."""
    return {line.get_label(): line.get_xydata().tolist() for line in axis.lines}


def points(axis):
    """The points that stand alone, in the order in which they were drawn."""
    return [tuple(dots.get_offsets().data[0]) for dots in axis.collections]


def names(axis):
    """The words that are written on it."""
    return {text.get_text() for text in axis.texts}
