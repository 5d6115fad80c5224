"""What the preprocessors of token classifiers have in common.

Letters: B batch, W words of the longest row, T tokens.
"""

import sys

import keras
import numpy as np

from tf_distill.models.word_labels import (
    NO_LABEL,
    align,
    are_of_rows,
    are_words,
    check_lengths,
    class_indices,
    padded,
    text_of,
)


class TokenClassifierPreprocessor:
    """Mixin: beside texts, rows of words with a label each.

    A word's label becomes that of its first piece. Its other pieces, [CLS],
    [SEP], padding and words without a label get -100, which the loss and the
    accuracy of a token classifier leave out. What is too long is cut at its
    end. Comes before a KerasHub preprocessor, to which texts are left.

    Where a `tf.data` pipeline finds an error, TensorFlow hands on another;
    `refused` then has the one that was raised, which `fit` raises again.
    """

    has_segments = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.refused = []

    def call(self, x, y=None, sample_weight=None):
        if not are_words(x):
            return super().call(x, y, sample_weight)
        tokenizer = self.tokenizer
        if tokenizer.sequence_length is not None or not tokenizer.split:
            raise ValueError(
                "A tokenizer that pads, or does not split texts, cannot cut "
                "words: make it with sequence_length=None and split=True."
            )
        # One number a row weighs a whole row, whatever its tokens.
        whole = sample_weight is not None and are_of_rows(sample_weight)
        weights = None if whole else sample_weight
        pack = self._pack_tensors if _in_graph() else self._pack_arrays
        ids, labels, aligned = pack(x, y, weights)
        mask = ids != tokenizer.pad_token_id
        x = {"token_ids": ids, "padding_mask": mask}
        if self.has_segments:
            x["segment_ids"] = 0 * ids
        return keras.utils.pack_x_y_sample_weight(
            x,
            None if y is None else labels,
            sample_weight if whole or sample_weight is None else aligned,
        )

    def _pack_arrays(self, x, y, weights):
        words, labels, weights = padded(x, y, weights)
        if labels is None:
            labels = np.full(words.shape, NO_LABEL)
        if weights is None:
            weights = np.ones(words.shape)
        flat = [text_of(word) for word in words.reshape(-1)]
        pieces = self.tokenizer(flat) if flat else []
        counts = [len(row) for row in pieces]
        ids = np.array([i for row in pieces for i in row], "int32")
        found = self._align(words, ids, counts, labels, weights)
        return [keras.ops.convert_to_tensor(each) for each in found]

    def _pack_tensors(self, x, y, weights):
        tf = sys.modules["tensorflow"]
        words, lengths = _filled_up(x)
        labels, weights = (
            (tf.fill(tf.shape(words), value), lengths)
            if each is None
            else _filled_up(each)
            for each, value in ((y, NO_LABEL), (weights, 1.0))
        )
        pieces = self.tokenizer(tf.reshape(words, [-1]))

        def run(words, ids, counts, lengths, labels, weights, *others):
            for other in others:
                check_lengths(lengths, other)
            return self._align(words, ids, counts, labels, weights)

        found = _in_numpy(
            run,
            [words, pieces.flat_values, pieces.row_lengths(), lengths]
            + [labels[0], weights[0], labels[1], weights[1]],
            ["int32", "int32", "float32"],
            self.refused,
        )
        for each in found:
            each.set_shape((x.shape[0], self.sequence_length))
        return found

    def _align(self, words, ids, counts, labels, weights):
        tokenizer = self.tokenizer
        special = (
            tokenizer.start_token_id,
            tokenizer.end_token_id,
            tokenizer.pad_token_id,
        )
        return align(
            words, ids, counts, labels, weights, self.sequence_length, special
        )


def _filled_up(rows):
    """A ragged tensor's rows, or others, as `(B, W)`, and how long they are."""
    tf = sys.modules["tensorflow"]
    if not isinstance(rows, tf.RaggedTensor):
        shape = tf.shape(rows, "int64")
        return rows, tf.repeat(shape[1:2], shape[0])
    strings = rows.dtype == tf.string
    fill = "" if strings else tf.cast(NO_LABEL, rows.dtype)
    return rows.to_tensor(fill), rows.row_lengths()


def check_takes_words(task):
    """Raises where a task has no preprocessor of words.

    Args:
        task: `TokenClassifier`.

    Raises:
        ValueError: it has none, or one of texts alone, as KerasHub's are.
    """
    if not isinstance(task.preprocessor, TokenClassifierPreprocessor):
        needed = task.preprocessor_cls.__name__
        raise ValueError(
            f"Rows of words need a {needed}, but the `preprocessor` is a "
            f"{type(task.preprocessor).__name__}: set `task.preprocessor = "
            f"{needed}(tokenizer, sequence_length=...)`."
        )


def with_numbers(x, y, sample_weight, num_classes, names, refused):
    """Words with labels that are numbers of classes, in a pipeline too.

    Args:
        x, y, sample_weight: as the preprocessor takes words; `y` may be names.
        num_classes: int.
        names: list of as many str, or None.
        refused: list, to which an error in a `tf.data` pipeline is added.

    Returns:
        A tuple of the three.

    Raises:
        ValueError: there is no such class, or not one label a word.
    """
    if not _in_graph():
        x, y, sample_weight = padded(x, y, sample_weight)
        return x, class_indices(y, num_classes, names), sample_weight
    tf = sys.modules["tensorflow"]

    def numbers(labels):
        found = _in_numpy(
            lambda labels: class_indices(labels, num_classes, names),
            [labels],
            "int32",
            refused,
        )
        return tf.ensure_shape(found, labels.shape)

    return x, tf.ragged.map_flat_values(numbers, y), sample_weight


def _in_numpy(function, inputs, dtypes, refused):
    """Calls a function of arrays in a graph, and notes what it raises."""
    tf = sys.modules["tensorflow"]

    @tf.autograph.experimental.do_not_convert
    def run(*arrays):
        try:
            return function(*arrays)
        except ValueError as error:
            refused.append(error)
            raise

    return tf.numpy_function(run, inputs, dtypes)


def _in_graph():
    tf = sys.modules.get("tensorflow")
    return tf is not None and not tf.executing_eagerly()
