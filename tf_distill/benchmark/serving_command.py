"""The command line of `python -m tf_distill.benchmark serving`."""

from tf_distill.benchmark.command_arguments import (
    add_peer_python,
    at_least_one,
    say,
)
from tf_distill.benchmark.serving import (
    ENVIRONMENTS,
    measure_serving,
    serving_table,
)

DEFAULT = ("tiny_bert_4l_312d",)


def add_serving_command(commands):
    """Adds `serving` to the subcommands of `argparse`."""
    parser = commands.add_parser(
        "serving",
        help="predictions of our exports beside KerasHub, PyTorch, onnxruntime",
        description="Seconds, memory and differences of predictions: Keras, "
        "SavedModel of ids and of raw text, LiteRT in float32 and int8, and "
        "peers, all in turn, each in a process of its own.",
    )
    parser.set_defaults(run=_serving, parser=parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--models",
        type=lambda text: text.split(","),
        default=DEFAULT,
        metavar="A,B",
        help=f"named architectures; by default {DEFAULT[0]}",
    )
    for name, default, text in (
        ("--batch", 1, "texts at once (default 1)"),
        ("--length", 128, "tokens of a text (default 128)"),
        ("--rounds", 20, "timed turns of each (default 20)"),
        # The first of them finds the caches full of another's weights.
        ("--steps", 20, "predictions of a turn (default 20)"),
        ("--threads", None, "of each process; by default as many as cores"),
    ):
        parser.add_argument(
            name, type=at_least_one, default=default, metavar="N", help=text
        )
    add_peer_python(parser, ENVIRONMENTS)
    parser.add_argument(
        "--small", action="store_true", help="tiny encoders, to try it out"
    )


def _serving(arguments):
    from tf_distill.models.architectures import architecture

    try:
        for name in arguments.models:
            architecture(name)
    except ValueError as error:
        arguments.parser.error(str(error))
    rows = measure_serving(
        arguments.models,
        batch=arguments.batch,
        length=arguments.length,
        rounds=arguments.rounds,
        steps=arguments.steps,
        threads=arguments.threads,
        pythons=dict(arguments.peer_python),
        small=arguments.small,
        say=say,
    )
    return rows, serving_table
