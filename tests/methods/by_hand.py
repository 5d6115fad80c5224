"""The losses of the papers in NumPy, one value an example, from inner tensors.

Letters: B batch, T tokens, H heads, d width of a head, D width, P positions.
"""

import keras
import numpy as np
import tiny

from tf_distill.distillation import tapped

LENGTHS = (3, 5, 2, 5)
POSITIONS = np.array([[0, 2, 1], [4, 1, 0], [1, 0, 0], [3, 2, 4]])
MASKED = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]])
WORDS = np.where(MASKED, POSITIONS + 7, -100)


class Data:
    """Ten steps an epoch; for stages that are built, but not run."""

    def __len__(self):
        return 10


def masked_batch():
    """Inputs of a masked language model; its labels are `WORDS`."""
    return {
        **tiny.batch(LENGTHS),
        "mask_positions": POSITIONS.astype("int32"),
        "mask_weights": MASKED.astype("int32"),
    }


def built(stage):
    """The stage's model, without graphs: they take longer than a few steps."""
    model = stage.build()
    model.run_eagerly = True
    return model


def evaluated(model, x, y=None):
    """All that a Distiller logs of one batch, in inference mode."""
    return model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)


def total(model, x, y=None):
    """What a Distiller finds on one batch, in inference mode."""
    return evaluated(model, x, y)["loss"]


def signals(model, inputs, *names):
    """Inner tensors and the output, float64, by name."""
    needed = {name: inputs[name] for name in model.input}
    found = tapped(model, names)(needed, training=False)
    return keras.tree.map_structure(
        lambda x: keras.ops.convert_to_numpy(x).astype("float64"), found
    )


def each(function, mask, *tensors):
    """Of every example, a function of its valid tokens' rows."""
    rows = zip(mask > 0, *tensors, strict=True)
    return np.array([function(*(x[m] for x in rest)) for m, *rest in rows])


def mse(mask, theirs, ours):
    return each(lambda t, s: ((t - s) ** 2).mean(), mask, theirs, ours)


def cosine(mask, theirs, ours):
    def one(t, s):
        lengths = np.linalg.norm(t, axis=-1) * np.linalg.norm(s, axis=-1)
        return (1 - (t * s).sum(-1) / lengths).mean()

    return each(one, mask, theirs, ours)


def kl(theirs, ours, temperature=1.0):
    """Of the last axis, times T²."""
    p, log_p, log_q = (
        f(x / temperature)
        for f, x in (
            (tiny.softmax, theirs),
            (tiny.log_softmax, theirs),
            (tiny.log_softmax, ours),
        )
    )
    return (p * (log_p - log_q)).sum(-1) * temperature**2


def soft_cross_entropy(theirs, ours, temperature=1.0):
    target = tiny.softmax(theirs / temperature)
    return -(target * tiny.log_softmax(ours / temperature)).sum(-1) * (
        temperature**2
    )


def over_words(values, counted=MASKED):
    """Mean of `(B, P)` over the positions that count."""
    return (values * counted).sum(-1) / counted.sum(-1)


def word_cross_entropy(logits):
    labels = np.maximum(WORDS, 0)[..., None]
    picked = np.take_along_axis(tiny.log_softmax(logits), labels, -1)[..., 0]
    return over_words(-picked)


def label_cross_entropy(logits, labels):
    return -tiny.log_softmax(logits)[np.arange(len(labels)), labels]


def attention_kl(mask, theirs, ours):
    """Scores `(B, H, T, T)`; padded keys and queries are cut out."""
    values = []
    for m, t, s in zip(mask > 0, theirs, ours, strict=True):
        values.append(kl(t[:, m][:, :, m], s[:, m][:, :, m]).mean())
    return np.array(values)


def relation_kl(mask, theirs, ours, num_heads):
    """Tensors `(B, T, D)`, of other widths for teacher and student."""

    def relations(x):  # (T, D) to (H, T, T)
        heads = x.reshape(len(x), num_heads, -1).transpose(1, 0, 2)
        return heads @ heads.transpose(0, 2, 1) / np.sqrt(heads.shape[-1])

    return each(
        lambda t, s: kl(relations(t), relations(s)).mean(), mask, theirs, ours
    )


def moved(model, before):
    """Ids of the weights that training has changed."""
    return {
        id(weight)
        for weight, old in zip(model.weights, before, strict=True)
        if not np.array_equal(keras.ops.convert_to_numpy(weight), old)
    }


def ids(*layers):
    """Of all weights; their paths repeat from block to block."""
    return {id(weight) for layer in layers for weight in layer.weights}
