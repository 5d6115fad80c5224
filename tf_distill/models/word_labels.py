"""Labels of words, and the tokens that they become, in NumPy.

Letters: B batch, W words of the longest row, T tokens, M pieces of all words.
"""

import numpy as np

NO_LABEL = -100


def are_words(x):
    """Whether data is rows of words, not texts (nor a tuple of texts).

    Args:
        x: list of lists of str, or `(B, W)` strings of any library.
    """
    if isinstance(x, list):
        return len(x) > 0 and not isinstance(x[0], (str, bytes))
    return len(getattr(x, "shape", None) or ()) == 2


def are_of_rows(x):
    """Whether weights are one number a row, not one a word."""
    if hasattr(x, "shape"):
        return len(x.shape) == 1
    return len(x) > 0 and np.ndim(x[0]) == 0


def padded(words, labels=None, weights=None):
    """Rows of words, their labels and weights, as arrays.

    Args:
        words: lists of str, a ragged tensor, or `(B, W)`, filled up with "".
        labels: one a word, in the same form; or None.
        weights: one a word, in the same form; one a row, `(B,)`; or None.

    Returns:
        A tuple of the three: arrays, `(B, W)`, whose rows are filled up with ""
        where they are strings, with -100 where whole numbers, else with 0;
        weights of rows, and None, as they are.

    Raises:
        ValueError: a row has not as many labels, or weights, as words; or words
            are numbers.
    """
    words, lengths = _array(words)
    if not words.size:  # of no dtype
        words = words.astype(str)
    if words.dtype.kind not in "OSU":
        raise ValueError(
            f"Words are {words.dtype}, but must be str. Token ids are given in "
            "a dict, as `token_ids`, with the other inputs of the encoder."
        )
    if labels is not None:
        labels, theirs = _array(labels)
        if not labels.size:
            labels = labels.astype("int32")
        check_lengths(lengths, theirs)
    if weights is not None and not are_of_rows(weights):
        weights, theirs = _array(weights)
        check_lengths(lengths, theirs)
    return words, labels, weights


def check_lengths(words, others):
    """Raises where rows of words have not as many labels, or weights.

    Args:
        words: int, `(B,)`, how many words each row has.
        others: int, `(B,)`, how many labels or weights.
    """
    if len(words) != len(others):
        raise ValueError(
            f"{len(words)} rows of words, but {len(others)} rows of labels or "
            "weights: give one for each."
        )
    wrong = np.flatnonzero(words != others)
    if wrong.size:
        row = wrong[0]
        raise ValueError(
            f"Row {row} has {words[row]} words, but {others[row]} labels or "
            "weights: give one a word, -100 to a word without a label. Arrays "
            'are filled up alike, words with "" and labels with -100.'
        )


def class_indices(labels, num_classes, names=None):
    """Labels as numbers of classes.

    Args:
        labels: numbers of classes or names, of any shape; -100, or "", where
            there is no label.
        num_classes: int.
        names: list of as many str, or None.

    Returns:
        int32, of the same shape.

    Raises:
        ValueError: there is no such class, or names where none are known.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind in "OSU":
        return _numbers(labels, names)
    if labels.dtype.kind not in "iu":
        raise ValueError(
            f"Labels of words are {labels.dtype}, but must be numbers of "
            "classes (int) or their names."
        )
    wrong = (labels != NO_LABEL) & ((labels < 0) | (labels >= num_classes))
    if wrong.any():
        raise ValueError(
            f"The label {labels[wrong][0]} is none of the {num_classes} "
            f"classes, which count from 0. Give {NO_LABEL} to a word without "
            "a label."
        )
    return labels.astype("int32")


def align(words, ids, counts, labels, weights, length, special):
    """Packs words that are cut into pieces, with labels on the first pieces.

    Args:
        words: `(B, W)` str or bytes, "" after a row's last word.
        ids: int, `(M,)`, the pieces of all words end to end.
        counts: int, `(B * W,)`, how many of these each word has.
        labels: int, `(B, W)`, -100 where there is none.
        weights: float, `(B, W)`.
        length: int, T. What is longer is cut at its end.
        special: the ids of [CLS], [SEP] and [PAD].

    Returns:
        Token ids and labels, int32, and weights, float32, `(B, T)` each. A
        word's label and weight are its first piece's; all else has -100 and 0.

    Raises:
        ValueError: an empty word, a label without a word, or of another kind.

    Reference: Devlin et al. 2019, section 5.3.
    """
    if np.asarray(labels).dtype.kind not in "iu":
        raise ValueError(
            f"Labels of words are {labels.dtype}, but a preprocessor takes "
            "numbers of classes (int). Names are known to the task: "
            "`dataset.map(task.preprocess_samples)`, or its `fit`."
        )
    _check_words(words, labels)
    start, end, pad = special
    batch, width = words.shape
    counts = np.asarray(counts, "int64").reshape(batch, width)
    lengths = counts.sum(axis=1)
    word = np.repeat(np.arange(batch * width), counts.reshape(-1))
    row = word // max(width, 1)
    position = np.arange(len(word)) - (np.cumsum(lengths) - lengths)[row]
    is_first = np.diff(word, prepend=-1) > 0
    kept = position < length - 2
    token_ids = np.full((batch, length), pad, "int32")
    token_ids[:, 0] = start
    token_ids[row[kept], 1 + position[kept]] = np.asarray(ids)[kept]
    last = 1 + np.minimum(lengths, length - 2)
    token_ids[np.arange(batch), last] = end
    kept &= is_first
    place = row[kept], 1 + position[kept]
    of_tokens = np.full((batch, length), NO_LABEL, "int32")
    of_tokens[place] = labels.reshape(-1)[word[kept]]
    weights_of_tokens = np.zeros((batch, length), "float32")
    weights_of_tokens[place] = weights.reshape(-1)[word[kept]]
    return token_ids, of_tokens, weights_of_tokens


def text_of(word):
    """A word, str, of str or bytes."""
    return word.decode() if isinstance(word, bytes) else str(word)


def _array(rows):
    """Rows as an array, and how long they were; see `padded`."""
    if hasattr(rows, "to_list"):  # a ragged tensor
        rows = rows.to_list()
    if not isinstance(rows, (list, tuple)):
        array = np.asarray(rows)
        if array.ndim != 2:
            raise ValueError(
                f"Words have labels or weights of shape {array.shape}, but "
                "need one a word, (B, W)."
            )
        return array, np.full(len(array), array.shape[1])
    rows = [list(row) for row in rows]
    flat = np.asarray([each for row in rows for each in row])
    fill, dtype = 0, flat.dtype
    if flat.dtype.kind in "OSU":
        fill, dtype = "", object
    elif flat.dtype.kind in "iu":
        fill, dtype = NO_LABEL, "int32"
    lengths = np.array([len(row) for row in rows], "int64")
    array = np.full((len(rows), lengths.max(initial=0)), fill, dtype)
    for row, target in zip(rows, array, strict=True):
        target[: len(row)] = row
    return array, lengths


def _numbers(labels, names):
    flat = [text_of(label) for label in labels.reshape(-1)]
    if names is None:
        raise ValueError(
            f"Labels such as {flat[0]!r} are names, but the task has no "
            "`label_names`: give it some, or numbers of classes as labels."
        )
    known = {str(name): number for number, name in enumerate(names)}
    known.setdefault("", NO_LABEL)
    unknown = [label for label in flat if label not in known]
    if unknown:
        raise ValueError(
            f"The label {unknown[0]!r} is none of the task's `label_names`: "
            f"{', '.join(map(str, names))}."
        )
    return np.array([known[x] for x in flat], "int32").reshape(labels.shape)


def _check_words(words, labels):
    """Raises where a word is empty, or a label has no word."""
    real = np.array([[len(word) > 0 for word in row] for row in words], bool)
    real = real.reshape(words.shape)
    lengths = (real * np.arange(1, words.shape[1] + 1)).max(axis=1, initial=0)
    inside = np.arange(words.shape[1]) < lengths[:, None]
    for row, word in np.argwhere(inside):
        text = text_of(words[row, word])
        if not text.strip():
            raise ValueError(
                f"Word {word} of row {row} is empty, {text!r}: leave it out, "
                'with its label; "" stands after a last word only.'
            )
    wrong = np.argwhere(~inside & (labels != NO_LABEL))
    if wrong.size:
        row = wrong[0, 0]
        raise ValueError(
            f"Row {row} has {lengths[row]} words, but a label at word "
            f"{wrong[0, 1]}: fill labels up with {NO_LABEL}."
        )
