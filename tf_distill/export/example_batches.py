"""Examples as batches for an export, and its outputs as rows again.

Importing this loads not even NumPy, so that `--help` answers at once.

Letters: N examples, B batch, T tokens.
"""

BATCH_SIZE = 32


def flat_texts(texts):
    """Texts as arrays of bytes: NumPy's own strings lose zeros and bad UTF-8.

    Args:
        texts: N str (or bytes), or N pairs of them.

    Returns:
        dict of `text_bytes`, all one after the other, and `text_offsets`,
        `(N + 1,)`; of pairs `second_text_…`, too.

    Example:
        >>> from tf_distill.export.example_batches import flat_texts
        >>> flat_texts(["so", "good"])["text_offsets"].tolist()
        [0, 2, 6]
    """
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


def text_batches(data, wanted):
    """Batches for a signature that takes texts, the shortest texts first.

    Args:
        data: dict of `flat_texts`.
        wanted: set of the signature's inputs: `text` and perhaps
            `second_text`, or `question` and `context`.

    Returns:
        The examples in the batches' order, `(N,)`, and an iterable of dicts of
        lists of bytes.

    Raises:
        ValueError: single texts for a signature of pairs, or the reverse.
    """
    import numpy as np

    names = [n for n in ("text", "second_text") if f"{n}_offsets" in data]
    inputs = ("question", "context") if "question" in wanted else names
    if set(inputs) != wanted or len(inputs) != len(names):
        given = "pairs of texts" if len(names) > 1 else "single texts"
        raise ValueError(
            f"the model takes {', '.join(sorted(wanted))}, but {given} were "
            f"given: give {len(wanted)} str for each example."
        )
    columns = {}
    for name, source in zip(inputs, names, strict=True):
        content = data[f"{source}_bytes"].tobytes()
        offsets = data[f"{source}_offsets"]
        columns[name] = [
            content[start:end]
            for start, end in zip(offsets, offsets[1:], strict=False)
        ]
    order = np.argsort([len(x) for x in columns[inputs[0]]], kind="stable")
    return order, (
        {name: [texts[i] for i in rows] for name, texts in columns.items()}
        for rows in _batched(order)
    )


def token_batches(data):
    """Batches for a signature that takes ids, the shortest examples first.

    Args:
        data: dict of `token_ids`, `segment_ids`, flat, and `offsets`,
            `(N + 1,)`.

    Returns:
        The examples in the batches' order, `(N,)`, and an iterable of dicts of
        int32 arrays, `(B, T)`, T of a batch's longest example.
    """
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


def rows_of(prefix, order, batches, run):
    """Runs batches and puts the examples back into their order.

    Args:
        prefix: str, before the names of the outputs.
        order, batches: of `text_batches` or `token_batches`.
        run: function of a batch's arrays that returns a dict of arrays, `(B,
            …)` or `(B, T, …)`.

    Returns:
        dict of arrays of N rows, as long as the longest T: filled with 0, of
        whole numbers -1, of strings the empty one.
    """
    import numpy as np

    outputs = [run(**batch) for batch in batches]
    rows = {}
    for name in outputs[0] if outputs else ():
        values = _joined([output[name] for output in outputs])
        if values.dtype == object:
            texts = [value.decode() for value in values.flat]
            values = np.array(texts).reshape(values.shape)
        rows[f"{prefix}_{name}"] = values[np.argsort(order)]
    return rows


def _batched(order):
    for start in range(0, len(order), BATCH_SIZE):
        yield order[start : start + BATCH_SIZE]


def _joined(batches):
    """Batches `(B, …)` or `(B, T, …)` in one, as long as the longest T."""
    import numpy as np

    if batches[0].ndim < 2:
        return np.concatenate(batches)
    longest = max(values.shape[1] for values in batches)
    filler = {"O": b"", "i": -1}.get(batches[0].dtype.kind, 0)
    return np.concatenate(
        [
            np.pad(
                values,
                [(0, 0), (0, longest - values.shape[1])]
                + [(0, 0)] * (values.ndim - 2),
                constant_values=filler,
            )
            for values in batches
        ]
    )
