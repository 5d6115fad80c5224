"""What the command lines of several measurements have in common."""

import argparse
import shutil
import sys

DTYPES = ("float32", "bfloat16")


def say(line):
    """Prints a line about what is going on beside the result."""
    print(line, file=sys.stderr, flush=True)


def dtypes(text):
    """Names of dtypes, from `float32,bfloat16`."""
    names = tuple(dict.fromkeys(text.split(",")))
    if not set(names) <= set(DTYPES):
        raise argparse.ArgumentTypeError(
            f"must be of {', '.join(DTYPES)}, not {text!r}"
        )
    return names


def at_least_one(text):
    """A whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {text}")
    return number


at_least_one.__name__ = "whole number"  # argparse: "invalid whole number"


def add_peer_python(parser, names):
    """Adds `--peer-python NAME=PYTHON`, which may come several times.

    Args:
        parser: of `argparse`.
        names: of the environments that peers live in.
    """

    def read(text):
        name, _, python = text.partition("=")
        if name not in names:
            raise argparse.ArgumentTypeError(
                f"{text!r}: the environments are {', '.join(names)}"
            )
        if shutil.which(python) is None:
            raise argparse.ArgumentTypeError(f"{python!r} is no program")
        return name, python

    parser.add_argument(
        "--peer-python",
        type=read,
        action="append",
        default=[],
        metavar="NAME=PYTHON",
        help=f"a peer's environment, of {', '.join(names)}; by default this",
    )
