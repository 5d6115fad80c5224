"""What a recipe says while it works.

Copy this file along with the recipe that you copy.
"""

import sys
import time


def on_terminal():
    """Whether somebody watches, so that a bar may be written over."""
    return sys.stdout.isatty()


class ProgressLine:
    """Shows how far something is, and how long it takes yet.

    On a terminal in a line that is written over, elsewhere in one a minute;
    not at all of what takes a second or two.

    Args:
        name: what is done.
        total: number, how far it goes.
    """

    def __init__(self, name, total):
        self.name, self.total = name, total
        self.began = self.told = time.monotonic()
        self.written = False

    def show(self, done):
        """Shows that so much of the total is done."""
        over, now = on_terminal(), time.monotonic()
        every = 0.2 if over else 60.0
        if now - self.told < every or now - self.began < 2 or not done:
            return
        left = (now - self.began) * (self.total / done - 1)
        line = f"{self.name}: {done / self.total:.0%}, {left:.0f} s left"
        print(f"\r{line}\033[K" if over else line, end="" if over else "\n")
        sys.stdout.flush()
        self.told, self.written = now, over

    def end(self):
        """Clears the line, for what is printed next."""
        if self.written:
            print("\r\033[K", end="", flush=True)
            self.written, self.told = False, 0.0  # to be shown again at once


def progress(items, name):
    """Yields the items of a sequence, with a `ProgressLine` of that name."""
    line = ProgressLine(name, len(items))
    for done, item in enumerate(items, 1):
        yield item
        line.show(done)
    line.end()


def say(text):
    """Prints a line at once, also into a file."""
    print(text, flush=True)
