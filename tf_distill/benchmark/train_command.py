"""The command line of `python -m tf_distill.benchmark train`."""

import argparse
import pathlib

from tf_distill.benchmark.command_arguments import (
    DTYPES,
    add_peer_python,
    at_least_one,
    dtypes,
    say,
)
from tf_distill.benchmark.train import measure_training, training_table
from tf_distill.benchmark.workloads import (
    ENVIRONMENTS,
    WORKLOADS,
    chosen_workloads,
)


def add_train_command(commands):
    """Adds it to the subcommands of `argparse`."""
    parser = commands.add_parser(
        "train",
        help="training steps beside peers and the machine's matrix products",
        description="Seconds, memory and share of the machine's matrix "
        "products of training steps, ourselves and peers in turn: "
        + "; ".join(f"{key}: {x.title}" for key, x in WORKLOADS.items())
        + ". 'e' is ea and ec. Some GB of memory for each side, some minutes "
        "for each workload.",
    )
    parser.set_defaults(run=_train)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--workloads",
        type=_workloads,
        default=list(WORKLOADS),
        metavar="A,B",
        help="by default all",
    )
    parser.add_argument(
        "--dtype",
        type=dtypes,
        default=DTYPES,
        metavar="A,B",
        help="float32, bfloat16 or, as by default, both",
    )
    _add_numbers(parser)
    parser.add_argument(
        "--data",
        type=_lengths,
        metavar="FILE",
        help="true lengths of sentences in tokens, [CLS] and [SEP] among "
        "them, one a line; by default drawn: log-normal, median 11, sigma 0.6",
    )
    add_peer_python(parser, ENVIRONMENTS)
    parser.add_argument(
        "--small", action="store_true", help="tiny models, to try it out"
    )


def _add_numbers(parser):
    for name, default, text in (
        ("--rounds", 5, "timed turns of each side (default 5)"),
        ("--steps", 2, "steps of a turn (default 2); of c it is an epoch"),
        ("--threads", None, "of each process; by default as libraries choose"),
        ("--sentences", 256, "of an epoch of c (default 256)"),
        ("--blocks", None, "of IB-BERT and MobileBERT in d (default 24)"),
    ):
        parser.add_argument(
            name, type=at_least_one, default=default, metavar="N", help=text
        )


def _train(arguments):
    rows = measure_training(
        arguments.workloads,
        dtypes=arguments.dtype,
        rounds=arguments.rounds,
        steps=arguments.steps,
        threads=arguments.threads,
        pythons=dict(arguments.peer_python),
        small=arguments.small,
        say=say,
        sentences=arguments.sentences,
        lengths=arguments.data,
        blocks=arguments.blocks,
    )
    return rows, training_table


def _workloads(text):
    try:
        return chosen_workloads(text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _lengths(file):
    try:
        numbers = [int(x) for x in pathlib.Path(file).read_text().split()]
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{file}: {error}") from None
    if not numbers or min(numbers) < 1:
        raise argparse.ArgumentTypeError(
            f"{file}: must have a length of at least 1 on each line"
        )
    return numbers
