"""The line that says how far a recipe's step is."""

import glue_recipes_data as tiny_glue
import pytest


@pytest.fixture
def recipe():
    return tiny_glue.recipe("progress_line")


class Clock:
    """Stands for `time`; a second passes with every look at it."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        self.now += 1.0
        return self.now


def test_a_line_says_how_far_and_how_long(recipe, monkeypatch, capsys):
    """Of ten items, one a second, from the third second on."""
    monkeypatch.setattr(recipe, "time", Clock())
    monkeypatch.setattr(recipe, "on_terminal", lambda: True)
    line = recipe.ProgressLine("scoring", 10)
    for done in range(1, 5):
        line.show(done)
    line.end()
    shown = capsys.readouterr().out.replace("\033[K", "").split("\r")
    assert shown == [
        "",
        "scoring: 20%, 8 s left",
        "scoring: 30%, 7 s left",
        "scoring: 40%, 6 s left",
        "",
    ]
    line.end()
    assert capsys.readouterr().out == ""  # there is nothing to clear


def test_a_line_a_minute_where_nobody_watches(recipe, monkeypatch, capsys):
    monkeypatch.setattr(recipe, "time", Clock())
    monkeypatch.setattr(recipe, "on_terminal", lambda: False)
    items = list(range(150))
    assert list(recipe.progress(items, "timing")) == items
    assert capsys.readouterr().out.splitlines() == [
        "timing: 40%, 90 s left",
        "timing: 80%, 30 s left",
    ]
