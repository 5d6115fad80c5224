"""All formats of a saved student, and whether they are the same model still.

`python -m tf_distill.export PRESET --to saved_model,litert --out FOLDER`;
`--help` says more. A command: nothing imports it, so it may use the benchmark,
which imports this package.
"""

import argparse
import os
import pathlib
import sys

LITERT = {
    "litert": None,
    "litert_float16": "float16",
    "litert_int8_dynamic": "int8_dynamic",
    "litert_int8": "int8",
}
FORMATS = ("saved_model", *LITERT, "hugging_face")


def main(arguments=None):
    """Reads the command line, exports, and reports."""
    parser = _parser()
    arguments = parser.parse_args(arguments)
    # Before they are loaded: TensorFlow's remarks on the processor help nobody.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        _run(arguments)
    except (ImportError, OSError, ValueError) as error:
        parser.error(str(error))


def _run(arguments):
    from tf_distill.export.command_texts import command_texts
    from tf_distill.export.student_preset import read_student

    model = read_student(arguments.preset)
    # What may be missing is found before the first export.
    tables = command_texts(model, arguments)
    for_int8 = None
    if "litert_int8" in arguments.to:
        calibration = tables.get("calibration")
        for_int8 = _for_int8(model, calibration, arguments.preset)
    if "dev" in tables:
        _check_report(arguments.to)
    pairs = arguments.second_text is not None or any(
        table.second_texts is not None for table in tables.values()
    )
    paths = {}
    for form in arguments.to:
        _say(f"exporting {form}")
        paths[form] = _export(form, model, for_int8, pairs, arguments)
        print(paths[form])
    if "dev" in tables:
        _report(model, paths, tables["dev"], arguments)


def _report(model, paths, dev, arguments):
    from tf_distill.benchmark.parity import (
        measure_parity,
        parity_table,
        write_parity,
    )

    result = measure_parity(
        model,
        arguments.preset,
        paths,
        dev,
        rounds=arguments.rounds,
        length=arguments.length,
        say=_say,
    )
    write_parity(result, arguments.out)
    print(parity_table(result))


def _check_report(forms):
    """Loads what the report needs of an extra: scores, picture, LiteRT."""
    from tf_distill.extras import needs_extra

    with needs_extra("recipes"):
        import matplotlib.figure  # noqa: F401
        import sklearn.metrics  # noqa: F401

        if any(form in LITERT for form in forms):
            import ai_edge_litert.interpreter  # noqa: F401


def _export(form, model, for_int8, pairs, arguments):
    """Writes one format and gives its path."""
    from tf_distill import export

    name = arguments.name or arguments.preset.resolve().name
    if form == "saved_model":
        pairs = {"pairs": True} if pairs else {}
        return export.saved_model(model, arguments.out / name, **pairs)
    if form == "hugging_face":
        return export.hugging_face(model, arguments.out / f"{name}_hf")
    quantization, options = LITERT[form], {}
    if quantization == "int8":
        model, options = for_int8
    suffix = form.removeprefix("litert")
    path = arguments.out / f"{name}{suffix}.tflite"
    return export.litert(model, path, quantization=quantization, **options)


def _for_int8(model, calibration, preset):
    """A model with the ranges it was saved with, or what they come from."""
    from tf_distill.compression.quantization_aware import plain_copy
    from tf_distill.compression.saved_ranges import has_ranges, with_ranges

    if has_ranges(preset):
        return with_ranges(plain_copy(model), preset), {}
    if calibration is None:
        raise ValueError(
            "litert_int8 of a student that did not train with int8's rounding "
            "needs --calibration: a file of texts as it will see them."
        )
    from tf_distill.data import BucketedBatches, encode

    preprocessor = model.preprocessor
    encoded = encode(
        calibration,
        preprocessor.tokenizer,
        max_length=preprocessor.sequence_length,
    )
    batches = BucketedBatches(encoded, batch_size=32, shuffle=False)
    return model, {"calibration": batches}


def _say(line):
    print(line, file=sys.stderr, flush=True)


def _formats(text):
    names = list(dict.fromkeys(text.split(",")))
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"{', '.join(unknown)}: not among {', '.join(FORMATS)}"
        )
    return names


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m tf_distill.export",
        description="Exports a saved student, and with --dev or --task reports "
        "for every format the difference from Keras, the score, the size, the "
        "latency at one and two threads and the operations: a table, "
        "parity.json and parity.png.",
    )
    parser.add_argument(
        "preset",
        type=pathlib.Path,
        help="the folder that `student.save_to_preset` wrote",
    )
    parser.add_argument(
        "--to",
        type=_formats,
        required=True,
        metavar="A,B",
        help=", ".join(FORMATS),
    )
    parser.add_argument(
        "--out", type=pathlib.Path, required=True, help="the folder to write to"
    )
    parser.add_argument(
        "--name", help="of the exports; by default the preset's"
    )
    parser.add_argument(
        "--dev", type=pathlib.Path, help="a .csv, .tsv or .jsonl file to score"
    )
    parser.add_argument(
        "--calibration",
        type=pathlib.Path,
        help="such a file of a hundred texts or more, for litert_int8",
    )
    for name, default in (
        ("text", "text"),
        ("second-text", None),
        ("label", "label"),
    ):
        parser.add_argument(
            f"--{name}",
            default=default,
            metavar="COLUMN",
            help=f"of the files (default {default})",
        )
    parser.add_argument(
        "--task",
        help="a task of GLUE that the student is of: its dev texts in place of "
        "--dev, training texts in place of --calibration",
    )
    parser.add_argument(
        "--data",
        type=pathlib.Path,
        help="the folder of GLUE's files (default: TensorFlow Datasets')",
    )
    parser.add_argument(
        "--rounds", type=int, default=50, help="timed predictions (default 50)"
    )
    parser.add_argument(
        "--length", type=int, default=128, help="tokens of these (default 128)"
    )
    return parser


if __name__ == "__main__":
    main()
