"""Scores an export in a process of its own, as whoever serves it would.

    python -m tf_distill.export.score PATH --data FILE.npz --output OUT.npz

PATH is a SavedModel's version folder or a .tflite file. The process that runs
this loads TensorFlow (or LiteRT) alone, neither Keras nor the model's code.

Letters: N examples, B batch, T tokens, C classes.
"""

import argparse
import io
import pathlib
import subprocess
import sys
import tempfile

BATCH_SIZE = 32


def score_in_new_process(path, texts=None, encoded=None, *, timeout=None):
    """Loads an export in a new process and runs examples through it.

    Args:
        path: a SavedModel's version folder or a .tflite file.
        texts: N str (or bytes), or N pairs of them, for `serving_default`. A
            .tflite file takes no text.
        encoded: for `tokens`, N tokenized examples: an object with
            `token_ids` and `segment_ids`, flat, and `offsets`, `(N + 1,)`.
        timeout: seconds, or None to wait for as long as it takes.

    Returns:
        dict of arrays of N rows: "text_logits", "text_probabilities",
        "text_label", … from the texts, "tokens_logits", … from the ids.

    Raises:
        ValueError: neither texts nor ids, or texts for a .tflite file.
        RuntimeError: the process failed; ends with what it wrote last.
    """
    import numpy as np

    _check_data(path, texts is not None, encoded is not None)
    data = {}
    if texts is not None:
        data.update(_flat_texts(texts))
    if encoded is not None:
        data.update(
            token_ids=np.asarray(encoded.token_ids),
            segment_ids=np.asarray(encoded.segment_ids),
            offsets=np.asarray(encoded.offsets),
        )
    with tempfile.TemporaryDirectory() as folder:
        given = pathlib.Path(folder, "data.npz")
        output = pathlib.Path(folder, "output.npz")
        np.savez(given, **data)
        command = [sys.executable, "-m", "tf_distill.export.score", str(path)]
        command += ["--data", str(given), "--output", str(output)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"scoring {str(path)!r} in a new process failed with exit "
                f"status {done.returncode}:\n{done.stderr[-2000:]}"
            )
        with np.load(output) as outputs:
            return dict(outputs)


def score(path, data):
    """Runs examples through an export, in this process.

    Args:
        path: a SavedModel's version folder or a .tflite file.
        data: dict of arrays. Texts: `text_bytes`, one after the other, and
            `text_offsets`, `(N + 1,)`; `second_text_…` for pairs. Ids:
            `token_ids`, `segment_ids`, flat, and `offsets`, `(N + 1,)`.

    Returns:
        As `score_in_new_process`.
    """
    path = pathlib.Path(path)
    _check_data(path, "text_offsets" in data, "offsets" in data)
    if path.is_dir():
        text, tokens = _saved_model_signatures(path)
    else:
        from tf_distill.export.litert import litert_runner

        text, tokens = None, litert_runner(path)
    outputs = {}
    if "text_offsets" in data:
        outputs.update(_rows("text", *_text_batches(data), text))
    if "offsets" in data:
        outputs.update(_rows("tokens", *_token_batches(data), tokens))
    return outputs


def _check_data(path, has_texts, has_ids):
    path = pathlib.Path(path)
    if not path.exists():
        raise ValueError(
            f"{str(path)!r} is not there: give a version folder, for example "
            "saved_models/tiny_bert/1, or a .tflite file."
        )
    if not has_texts and not has_ids:
        raise ValueError("nothing to score: give texts, token ids or both.")
    if has_texts and path.is_file():
        raise ValueError(
            f"{str(path)!r} has no tokenizer: give token ids, not texts."
        )


def _saved_model_signatures(path):
    import tensorflow as tf

    # Registers the operations that the raw text signature is made of.
    import tensorflow_text  # noqa: F401

    loaded = tf.saved_model.load(path)
    # The signatures live only as long as what was loaded.
    text, tokens = (
        loaded.signatures[name] for name in ("serving_default", "tokens")
    )
    text.loaded = tokens.loaded = loaded

    def as_tensors(signature):
        return lambda **inputs: {
            name: value.numpy()
            for name, value in signature(
                **{name: tf.constant(x) for name, x in inputs.items()}
            ).items()
        }

    return as_tensors(text), as_tensors(tokens)


def _flat_texts(texts):
    """Bytes and offsets: NumPy's own strings lose zeros and bad UTF-8."""
    import numpy as np

    texts = list(texts)
    columns = {"text": texts}
    if texts and not isinstance(texts[0], (str, bytes)):
        first, second = zip(*texts, strict=True)
        columns = {"text": first, "second_text": second}
    flat = {}
    for name, column in columns.items():
        column = [t.encode() if isinstance(t, str) else t for t in column]
        lengths = [0, *map(len, column)]
        flat[f"{name}_bytes"] = np.frombuffer(b"".join(column), "uint8")
        flat[f"{name}_offsets"] = np.cumsum(lengths, dtype="int64")
    return flat


def _text_batches(data):
    import numpy as np

    columns = {}
    for name in ("text", "second_text"):
        if f"{name}_offsets" in data:
            content = data[f"{name}_bytes"].tobytes()
            offsets = data[f"{name}_offsets"]
            columns[name] = [
                content[start:end]
                for start, end in zip(offsets, offsets[1:], strict=False)
            ]
    order = np.argsort([len(text) for text in columns["text"]], kind="stable")
    return order, (
        {name: [texts[i] for i in rows] for name, texts in columns.items()}
        for rows in _batched(order)
    )


def _token_batches(data):
    import numpy as np

    offsets = data["offsets"]
    order = np.argsort(np.diff(offsets), kind="stable")

    def padded(rows):
        lengths = offsets[rows + 1] - offsets[rows]
        mask = np.arange(lengths.max()) < lengths[:, None]
        batch = {"padding_mask": mask.astype("int32")}
        for name in ("token_ids", "segment_ids"):
            batch[name] = np.zeros(mask.shape, "int32")
            batch[name][mask] = np.concatenate(
                [data[name][offsets[i] : offsets[i + 1]] for i in rows]
            )
        return batch

    return order, (padded(rows) for rows in _batched(order))


def _batched(order):
    for start in range(0, len(order), BATCH_SIZE):
        yield order[start : start + BATCH_SIZE]


def _rows(prefix, order, batches, run):
    """Runs batches of rows in `order` and puts the rows back in theirs."""
    import numpy as np

    outputs = [run(**batch) for batch in batches]
    rows = {}
    for name in outputs[0] if outputs else ():
        values = np.concatenate([output[name] for output in outputs])
        if values.dtype == object:
            values = np.array([value.decode() for value in values])
        rows[f"{prefix}_{name}"] = values[np.argsort(order)]
    return rows


def main(arguments=None):
    """Reads the command line and writes the output file."""
    parser = argparse.ArgumentParser(
        prog="python -m tf_distill.export.score",
        description="Scores an export in a process of its own.",
    )
    parser.add_argument("path", help="a version folder or a .tflite file")
    parser.add_argument("--data", required=True, help="npz file to read")
    parser.add_argument("--output", required=True, help="npz file to write")
    arguments = parser.parse_args(arguments)
    import numpy as np

    from tf_distill.export.publish import publish_file

    with np.load(arguments.data) as data:
        try:
            outputs = score(arguments.path, dict(data))
        except ValueError as error:
            parser.error(str(error))
    buffer = io.BytesIO()
    np.savez(buffer, **outputs)
    publish_file(arguments.output, buffer.getvalue())


if __name__ == "__main__":
    main()
