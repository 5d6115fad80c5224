"""Losses on labels: the two tasks of BERT's pre-training.

They go to `compile(loss=...)`, or stand alone; a match compares with a
teacher, and takes the losses on logits for these outputs.

Letters: B batch, P predicted positions, V words.
"""

import keras
from keras import ops

from tf_distill.losses.base import ExampleLoss, mean_where


def masked_lm_cross_entropy(labels, logits, where=None):
    """Cross-entropy of the words that were masked.

    Args:
        labels: int, `(B, P)`, the words that stood there; a negative one, as
            Hugging Face's -100, does not count.
        logits: float, `(B, P, V)`.
        where: bool or 0/1, `(B, P)`, positions that count, such as a
            `mask_weights` with zeros for padded positions, or None.

    Returns:
        float32, `(B, P)`; 0 where nothing counts.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import masked_lm_cross_entropy
        >>> logits = np.log([[[1.0, 3.0], [1.0, 1.0]]])
        >>> values = masked_lm_cross_entropy(np.array([[1, -100]]), logits)
        >>> [round(float(x), 4) for x in values[0]]  # ln 4/3, and nothing
        [0.2877, 0.0]

    Reference: Devlin et al. 2019, section 3.1, task #1.
    """
    counted = _counted(labels, where)
    labels = ops.cast(ops.where(counted, labels, 0), "int32")
    scores = ops.log_softmax(ops.cast(logits, "float32"))
    picked = ops.take_along_axis(scores, labels[..., None], axis=-1)
    # Chosen, not multiplied: what does not count may be infinite.
    return ops.where(counted, -picked[..., 0], 0.0)


def next_sentence_cross_entropy(labels, logits):
    """Cross-entropy of whether the second text follows the first.

    Args:
        labels: int, `(B,)` or `(B, 1)`: 0 where it follows, 1 where it was
            drawn at random, as in BERT's code; a negative one does not count.
        logits: float, `(B, 2)`.

    Returns:
        float32, `(B,)`.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import next_sentence_cross_entropy
        >>> logits = np.log([[1.0, 3.0]])
        >>> round(float(next_sentence_cross_entropy([1], logits)[0]), 4)
        0.2877

    Reference: Devlin et al. 2019, section 3.1, task #2.
    """
    labels = ops.reshape(labels, (-1, 1))
    return masked_lm_cross_entropy(labels, logits[:, None, :])[:, 0]


def _counted(labels, where):
    counted = ops.greater_equal(labels, 0)
    return counted if where is None else counted & ops.cast(where, "bool")


@keras.saving.register_keras_serializable(package="tf_distill")
class MaskedLMCrossEntropy(ExampleLoss):
    """`masked_lm_cross_entropy` averaged over each example's masked words.

    Published codes take one mean over all masked words of a batch, in which
    examples with more of them count more; a `sample_weight` of each example's
    number of them over the mean number gives that.

    Call arguments: `y_true` are labels, negative ones not counting; `where` is
    0/1, `(B, P)`, or None. A `sample_weight` is one number an example: write
    -100 into the labels where `mask_weights` are 0.

    Raises:
        ValueError: labels and logits do not belong together.

    Example:
        >>> import keras, tf_distill as td
        >>> x = keras.Input((None, 4), name="features")
        >>> model = keras.Model(x, keras.layers.Dense(9, name="words")(x))
        >>> model.compile("sgd", loss=td.losses.MaskedLMCrossEntropy())
    """

    def check(self, labels, logits):
        """Raises unless there is a label for each position's logits."""
        known = tuple(labels.shape), tuple(logits.shape)[:-1]
        if len(known[0]) != len(known[1]) or any(
            None not in pair and pair[0] != pair[1]
            for pair in zip(*known, strict=True)
        ):
            raise ValueError(
                f"{type(self).__name__} needs a label for each row of logits, "
                f"but the labels have shape {known[0]} and the logits "
                f"{tuple(logits.shape)}."
            )

    def per_example(self, labels, logits, where=None):
        """One value an example, float32, `(B,)`."""
        values = masked_lm_cross_entropy(labels, logits, where)
        return mean_where(values, _counted(labels, where))


@keras.saving.register_keras_serializable(package="tf_distill")
class NextSentenceCrossEntropy(ExampleLoss):
    """`next_sentence_cross_entropy`, one value an example.

    Call arguments: `y_true` are labels, 0 where the second text follows.

    Raises:
        ValueError: the logits are not two an example.

    Example:
        >>> import numpy as np
        >>> from tf_distill.losses import NextSentenceCrossEntropy
        >>> logits = np.log([[1.0, 3.0]])
        >>> round(float(NextSentenceCrossEntropy()(np.array([1]), logits)), 4)
        0.2877
    """

    def check(self, labels, logits):
        """Raises unless there are a label and two logits an example."""
        if len(logits.shape) != 2 or logits.shape[-1] != 2:
            raise ValueError(
                "NextSentenceCrossEntropy needs logits of shape (B, 2), not "
                f"{tuple(logits.shape)}."
            )

    def per_example(self, labels, logits, where=None):
        """One value an example, float32, `(B,)`."""
        return next_sentence_cross_entropy(labels, logits)
