"""The named architectures' sizes and speeds, beside what their papers print.

`python -m tf_distill.benchmark sizes`, `… latency`, `… serving`, `… train`,
`… data` and `… growth`; `--help` says more.
"""

import argparse
import json
import os
import sys

from tf_distill.benchmark.data_command import add_data_command
from tf_distill.benchmark.growth_command import add_growth_command
from tf_distill.benchmark.machine import describe_machine
from tf_distill.benchmark.serving_command import add_serving_command
from tf_distill.benchmark.sizes import architecture_size, sizes_table
from tf_distill.benchmark.speed_ups import (
    STUDENTS,
    measure_speed_ups,
    speed_ups_table,
)
from tf_distill.benchmark.sts_b import read_pairs
from tf_distill.benchmark.train_command import add_train_command

LONGEST = 512  # positions of every named architecture


def main(arguments=None):
    """Reads the command line, measures, and prints a table or JSON."""
    parser = _parser()
    arguments = parser.parse_args(arguments)
    # Before they are loaded: TensorFlow's remarks on the processor help nobody.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        result, text = arguments.run(arguments)
    except _Misuse as error:
        parser.error(str(error))
    print(json.dumps(result, indent=2) if arguments.json else text(result))
    if isinstance(result, list) and arguments.run is not _sizes:
        # The rows are all that the JSON of these has.
        _say(_machine_line(describe_machine()))


class _Misuse(Exception):
    """What whoever called the command can mend."""


def _sizes(arguments):
    names = _known(arguments.models)
    sizes = []
    for index, name in enumerate(names):
        _say(f"Counting {name}, {index + 1} of {len(names)}")
        sizes.append(architecture_size(name))
    return sizes, sizes_table


def _latency(arguments):
    names = _known(arguments.models)
    pairs = None
    if arguments.stsb is not None:
        try:
            pairs = read_pairs(arguments.stsb)
        except (OSError, ValueError) as error:
            raise _Misuse(f"--stsb: {error}") from error
    if arguments.threads is not None:
        _set_threads(arguments.threads)
    machine = describe_machine()
    settings = {
        "batch": arguments.batch,
        "length": arguments.length,
        "threads": arguments.threads or machine["cores"],
        "rounds": arguments.rounds,
    }
    result = measure_speed_ups(names, pairs=pairs, say=_say, **settings)
    settings["weights"] = "random"
    return {"machine": machine, "settings": settings, **result}, _latency_text


def _latency_text(result):
    machine, settings = result["machine"], result["settings"]
    return (
        f"{speed_ups_table(result)}\n\n"
        f"Random weights; batch {settings['batch']}, {settings['length']} "
        f"tokens, {settings['threads']} threads, {settings['rounds']} rounds "
        "in turn.\nSpeed-ups are over BERT-base on the same backend; the "
        "papers' are of other machines.\n"
        f"{_machine_line(machine)}"
    )


def _machine_line(machine):
    return (
        f"{machine['processor']}, {machine['cores']} cores; TensorFlow "
        f"{machine['tensorflow']}, Keras {machine['keras']}, LiteRT "
        f"{machine['ai-edge-litert']};\ncommit {machine['commit']}."
    )


def _known(names):
    """The names, each once; all there are for None."""
    from tf_distill.models.architectures import ARCHITECTURES, architecture

    names = list(dict.fromkeys(ARCHITECTURES if names is None else names))
    for name in names:
        try:
            architecture(name)
        except ValueError as error:
            raise _Misuse(f"--models: {error}") from error
    return names


def _set_threads(threads):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    # Or operations that do not wait for each other would run beside them.
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _say(line):
    print(line, file=sys.stderr, flush=True)


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m tf_distill.benchmark",
        description="The named architectures' sizes and speeds, beside what "
        "their papers print.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    sizes = commands.add_parser(
        "sizes",
        help="parameters and FLOPs",
        description="Parameters and FLOPs of the named architectures, counted "
        "from the models; a minute for all of them.",
    )
    sizes.set_defaults(run=_sizes)
    latency = commands.add_parser(
        "latency",
        help="latency in Keras, SavedModel and LiteRT",
        description="Latency and speed-up over BERT-base in Keras, SavedModel "
        "and LiteRT (float32, int8), with random weights, all models in turn; "
        "some minutes, and some GB of memory and of temporary files.",
    )
    latency.set_defaults(run=_latency, models=STUDENTS)
    for command in (sizes, latency):
        command.add_argument(
            "--json", action="store_true", help="print JSON, not a table"
        )
        command.add_argument(
            "--models",
            type=lambda text: text.split(","),
            metavar="A,B",
            help="named architectures; by default "
            + ("all" if command is sizes else ", ".join(STUDENTS)),
        )
    _add_latency_arguments(latency)
    add_serving_command(commands)
    add_train_command(commands)
    add_data_command(commands)
    add_growth_command(commands)
    return parser


def _add_latency_arguments(parser):
    def number(name, default, low, high, text):
        parser.add_argument(
            name,
            type=_whole_number(low, high),
            default=default,
            metavar="N",
            help=text if default is None else f"{text} (default {default})",
        )

    number("--batch", 1, 1, None, "texts at once")
    number("--length", 128, 3, LONGEST, "tokens of a text")
    number("--rounds", 50, 1, None, "timed predictions of each")
    number("--threads", None, 1, None, "threads; by default as many as cores")
    parser.add_argument(
        "--stsb",
        metavar="FILE",
        help="time also a pass over GLUE's STS-B at batch 1, say its dev.tsv: "
        "DistilBERT's own measure. A word counts as one token",
    )


def _whole_number(low, high):
    def read(text):
        number = int(text)
        if number < low or (high is not None and number > high):
            limits = f"at least {low}" if high is None else f"{low} to {high}"
            raise argparse.ArgumentTypeError(f"must be {limits}, not {text}")
        return number

    read.__name__ = "whole number"  # argparse: "invalid whole number value"
    return read


if __name__ == "__main__":
    main()
