"""Scores an export in a process of its own, as whoever serves it would.

    python -m tf_distill.export.score PATH --data FILE.npz --output OUT.npz

PATH is a SavedModel's version folder or a .tflite file. The process that runs
this loads TensorFlow (or LiteRT) alone, neither Keras nor the model's code.

Letters: N examples, B batch, T tokens, C classes.
"""

import argparse
import io
import pathlib
import re
import subprocess
import sys
import tempfile

from tf_distill.export.example_batches import (
    flat_texts,
    rows_of,
    text_batches,
    token_batches,
)


def score_in_new_process(path, texts=None, encoded=None, *, on_progress=None):
    """Loads an export in a new process and runs examples through it.

    Args:
        path: a SavedModel's version folder or a .tflite file.
        texts: N str (or bytes), or N pairs of them, for `serving_default`: a
            text and a second one, or a question and its context. A .tflite
            file takes no text.
        encoded: for `tokens`, N tokenized examples: an object with
            `token_ids` and `segment_ids`, flat, and `offsets`, `(N + 1,)`.
        on_progress: function of how many rows are done and how many there are,
            texts and token ids counted apart; called after every batch.

    Returns:
        dict of arrays of N rows: "text_logits", "text_probabilities",
        "text_label", … from the texts, "tokens_logits", … from the ids. What
        has a value for each token, `(N, T)` or `(N, T, C)`, is as long as the
        longest example; beyond an example's own batch it is 0, of whole numbers
        -1, of strings empty.

    Raises:
        ValueError: neither texts nor ids, or texts for a .tflite file.
        RuntimeError: the process failed, as of single texts for a model of
            pairs; ends with what it wrote last.
    """
    import numpy as np

    _check_data(path, texts is not None, encoded is not None)
    data = {}
    if texts is not None:
        data.update(flat_texts(texts))
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
        status, errors = _run(command, on_progress)
        if status != 0:
            raise RuntimeError(
                f"scoring {str(path)!r} in a new process failed with exit "
                f"status {status}:\n{errors[-2000:]}"
            )
        with np.load(output) as outputs:
            return dict(outputs)


def _run(command, on_progress):
    """Runs this file, tells what it prints; its status and its errors."""
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(
            [*command, "--progress"],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
        )
        try:
            for line in process.stdout:
                found = re.fullmatch(r"(\d+)/(\d+) rows\n", line)
                if found and on_progress is not None:
                    on_progress(*map(int, found.groups()))
        except BaseException:  # nobody waits for it any more
            process.kill()
            raise
        finally:
            status = process.wait()
            process.stdout.close()
        errors.seek(0)
        return status, errors.read()


def score(path, data, on_progress=None):
    """Runs examples through an export, in this process.

    Args:
        path: a SavedModel's version folder or a .tflite file.
        data: dict of arrays. Texts: `text_bytes`, one after the other, and
            `text_offsets`, `(N + 1,)`; `second_text_…` for pairs. Ids:
            `token_ids`, `segment_ids`, flat, and `offsets`, `(N + 1,)`.
        on_progress: see there.

    Returns:
        As `score_in_new_process`.

    Raises:
        ValueError: see there, or single texts for a model of pairs.
    """
    path = pathlib.Path(path)
    _check_data(path, "text_offsets" in data, "offsets" in data)
    if path.is_dir():
        text, tokens = _saved_model_signatures(path)
    else:
        from tf_distill.export.litert import litert_runner

        text, tokens = None, litert_runner(path)
    jobs = []
    if "text_offsets" in data:
        jobs.append(("text", *text_batches(data, text.names), text))
    if "offsets" in data:
        jobs.append(("tokens", *token_batches(data), tokens))
    done, total = 0, sum(len(order) for _, order, _, _ in jobs)

    def telling(run):
        """The same function; it says after each batch how far they all are."""

        def run_and_tell(**batch):
            nonlocal done
            found = run(**batch)
            done += len(next(iter(batch.values())))
            if on_progress is not None:
                on_progress(done, total)
            return found

        return run_and_tell

    outputs = {}
    for prefix, order, batches, run in jobs:
        outputs.update(rows_of(prefix, order, batches, telling(run)))
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
        def run(**inputs):
            inputs = {name: tf.constant(x) for name, x in inputs.items()}
            outputs = signature(**inputs)
            return {name: value.numpy() for name, value in outputs.items()}

        run.names = set(signature.structured_input_signature[1])
        return run

    return as_tensors(text), as_tensors(tokens)


def main(arguments=None):
    """Reads the command line and writes the output file."""
    parser = argparse.ArgumentParser(
        prog="python -m tf_distill.export.score",
        description="Scores an export in a process of its own.",
    )
    parser.add_argument("path", help="a version folder or a .tflite file")
    parser.add_argument("--data", required=True, help="npz file to read")
    parser.add_argument("--output", required=True, help="npz file to write")
    parser.add_argument(
        "--progress",
        action="store_true",
        help="print how many rows are done, and of how many",
    )
    arguments = parser.parse_args(arguments)
    import numpy as np

    from tf_distill.export.publish import publish_file

    def tell(done, total):
        if arguments.progress:
            print(f"{done}/{total} rows", flush=True)

    with np.load(arguments.data) as data:
        try:
            outputs = score(arguments.path, dict(data), tell)
        except ValueError as error:
            parser.error(str(error))
    buffer = io.BytesIO()
    np.savez(buffer, **outputs)
    publish_file(arguments.output, buffer.getvalue())


if __name__ == "__main__":
    main()
