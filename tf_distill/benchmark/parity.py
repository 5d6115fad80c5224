"""Whether every format of a student is the same model still, and its cost.

Letters: N examples, C classes.
"""

import json
import pathlib

import numpy as np

from tf_distill.benchmark.format_latencies import latencies_in_new_process
from tf_distill.benchmark.machine import describe_machine
from tf_distill.benchmark.plain_table import plain_table
from tf_distill.benchmark.predictions import (
    KERAS,
    keras_predictor,
    predictor_of,
)
from tf_distill.export.litert_file import litert_ops


def measure_parity(
    model,
    preset,
    paths,
    table,
    *,
    threads=(1, 2),
    rounds=50,
    length=128,
    say=lambda line: None,
):
    """Compares every format with Keras, and times them all in turn.

    Args:
        model: a text classifier with its preprocessor, in float32.
        preset: the folder that it was read from.
        paths: dict of what `tf_distill.export` wrote of it, by format:
            "saved_model" a version folder, "hugging_face" a folder, and files
            "litert…".
        table: `tf_distill.data.Table` with labels, N examples.
        threads: how many, each in a process of its own; none to time nothing.
        rounds: int, timed predictions of each at batch 1.
        length: int, their tokens; at most the model's positions.
        say: function of a line about what is going on.

    Returns:
        dict of `machine`, `settings` and `rows`, a list of dicts: `format`,
        `path`, `bytes`, `max_difference`, `mean_difference` (of the logits'
        or scores' absolute values), the scores, `median_ms` and `p95_ms` (of
        each number of threads, if there are any) and `ops`.
    """
    length = min(length, model.backbone.max_sequence_length)
    batches = _batches(model, table)
    predictors = {
        form: predictor_of(form, path, model) for form, path in paths.items()
    }
    say(f"Keras: {len(table.texts)} examples")
    expected = _predictions(keras_predictor(model), batches)
    rows = [_row(KERAS, preset, expected, expected, model, table)]
    for form, predict in predictors.items():
        say(f"{form}: {len(table.texts)} examples")
        found = _predictions(predict, batches)
        rows.append(_row(form, paths[form], found, expected, model, table))
    for count in threads:
        say(f"timing {rounds} rounds of all, threads: {count}")
        times = latencies_in_new_process(
            {KERAS: preset, **paths},
            threads=count,
            rounds=rounds,
            length=length,
        )
        for row in rows:
            for name, value in times[row["format"]].items():
                row.setdefault(name, {})[str(count)] = value
    settings = {
        "rounds": rounds,
        "length": length,
        "examples": len(table.texts),
    }
    return {"machine": describe_machine(), "settings": settings, "rows": rows}


def parity_table(result):
    """What `measure_parity` returns as text."""
    first = result["rows"][0]
    scores = [
        name for name in ("accuracy", "macro_f1", "pearson") if name in first
    ]
    counts = list(first.get("median_ms", ()))
    header = ["format", "max diff", "mean diff", *scores, "MB"]
    for count in counts:
        header += [f"ms, {count} thr.", "p95"]
    lines = []
    for row in result["rows"]:
        cells = [row["format"]]
        cells += [
            f"{row[n]:.1e}" for n in ("max_difference", "mean_difference")
        ]
        cells += [f"{row[name]:.4f}" for name in scores]
        cells += [f"{row['bytes'] / 1e6:.2f}"]
        for count in counts:
            cells += [f"{row[n][count]:.2f}" for n in ("median_ms", "p95_ms")]
        lines.append(cells)
    operations = [
        f"{row['format']}: "
        + ", ".join(f"{n} {c}" for n, c in row["ops"].items())
        for row in result["rows"]
        if row["ops"]
    ]
    settings = result["settings"]
    note = f"{settings['examples']} examples"
    if counts:
        note += (
            f"; batch 1, {settings['length']} tokens, {settings['rounds']} "
            "rounds in turn"
        )
    note += "."
    return "\n".join([plain_table(header, lines), "", note, *operations])


def _batches(model, table):
    from tf_distill.data import BucketedBatches, encode

    preprocessor = model.preprocessor
    encoded = encode(
        table, preprocessor.tokenizer, max_length=preprocessor.sequence_length
    )
    return BucketedBatches(encoded, batch_size=32, shuffle=False)


def _predictions(predict, batches):
    """Logits, `(N, C)`, or scores, `(N, 1)`, in the examples' order."""
    found = []
    for index in range(len(batches)):
        batch = batches[index]
        inputs = batch[0] if isinstance(batch, tuple) else batch
        outputs = predict(inputs)
        if isinstance(outputs, dict):
            outputs = outputs.get("logits", outputs.get("score"))
        found.append(np.asarray(outputs))
    found = batches.restore(np.concatenate(found))
    return found.reshape(len(found), -1)


def _row(form, path, found, expected, model, table):
    difference = np.abs(found - expected)
    return {
        "format": form,
        "path": str(path),
        "bytes": size_of(path),
        "max_difference": float(difference.max()),
        "mean_difference": float(difference.mean()),
        **_scores(found, model, table),
        "ops": _operations(form, path),
    }


def _scores(found, model, table):
    from tf_distill.metrics import text_predictions, text_scores

    task = getattr(model, "task", "classification")
    labels = np.asarray(table.labels)
    if task == "regression":
        labels = labels.reshape(-1)
    return text_scores(task, labels, text_predictions(task, found))


def size_of(path):
    """Bytes of a file or of a folder's files, one of two names counted once."""
    path = pathlib.Path(path)
    files = path.rglob("*") if path.is_dir() else [path]
    stats = [file.stat() for file in files if file.is_file()]
    return sum({(s.st_dev, s.st_ino): s.st_size for s in stats}.values())


def _operations(form, path):
    """The operations of a format and how many of each, if it is a graph."""
    if form.startswith("litert"):
        return litert_ops(path)
    if form != "saved_model":
        return {}
    import collections

    from tensorflow.core.protobuf import saved_model_pb2

    content = pathlib.Path(path, "saved_model.pb").read_bytes()
    graphs = saved_model_pb2.SavedModel.FromString(content).meta_graphs
    counts = collections.Counter(
        node.op
        for graph in graphs
        for function in graph.graph_def.library.function
        for node in function.node_def
    )
    return dict(sorted(counts.items()))


def write_parity(result, folder):
    """Writes `parity.json`, `parity.txt` and, of times, `parity.png`."""
    from tf_distill.benchmark.parity_picture import draw_parity
    from tf_distill.export.publish import publish_file

    folder = pathlib.Path(folder)
    publish_file(
        folder / "parity.json", json.dumps(result, indent=2).encode() + b"\n"
    )
    publish_file(folder / "parity.txt", parity_table(result).encode() + b"\n")
    if "median_ms" in result["rows"][0]:
        draw_parity(folder / "parity.png", result)
