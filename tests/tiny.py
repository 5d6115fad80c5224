"""Tiny models, batches and an independent BERT for tests.

Letters: B batch, T tokens, H heads, d width of a head, D = H * d.
"""

import math

import keras
import keras_hub
import numpy as np
import pytest
from keras import ops

from tf_distill import models

SIZES = {
    "vocabulary_size": 20,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 16,
    "max_sequence_length": 12,
}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS += "the a cat dog sat ran good bad red blue big small one two ##s".split()


def randomize(model, seed=0, scale=0.3):
    """Gives every weight a random value: zeros would hide a lost bias."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        if "seed" in weight.name:
            continue
        value = generator.normal(0.0, scale, weight.shape)
        if weight.name == "gamma":
            value += 1.0
        weight.assign(value.astype("float32"))
    return model


def backbone(seed=0, **sizes):
    return randomize(models.BertBackbone(**{**SIZES, **sizes}), seed)


def classifier(seed=0, num_classes=3, cls=models.BertTextClassifier, **sizes):
    """A classifier with random weights and, unless told, no dropout."""
    own = {
        name: sizes.pop(name)
        for name in ("label_names", "preprocessor", "name", "task")
        if name in sizes
    }
    dropout = sizes.pop("dropout", 0.0)
    encoder = models.BertBackbone(**{**SIZES, "dropout": dropout, **sizes})
    return randomize(cls(encoder, num_classes, dropout=dropout, **own), seed)


def preprocessor(sequence_length=8):
    pytest.importorskip(
        "tensorflow_text", reason="KerasHub's tokenizers run on TensorFlow"
    )
    return keras_hub.models.BertTextClassifierPreprocessor(
        keras_hub.models.BertTokenizer(WORDS, lowercase=True),
        sequence_length=sequence_length,
    )


def batch(lengths=(3, 5, 2, 5), width=None, seed=0):
    """Token ids, two segments and the padding mask, `(B, T)` each.

    With a length of 0 they are tensors, in which nobody looks: in arrays a row
    of padding is refused.
    """
    generator = np.random.default_rng(seed)
    lengths = np.asarray(lengths)
    longest = max(lengths.max(), 1)
    mask = np.arange(width or longest) < lengths[:, None]
    drawn = generator.integers(5, 20, (len(lengths), 64))[:, : mask.shape[1]]
    later = np.arange(mask.shape[1]) >= lengths[:, None] // 2
    inputs = {
        "token_ids": (drawn * mask).astype("int32"),
        "segment_ids": (later & mask).astype("int32"),
        "padding_mask": mask.astype("int32"),
    }
    return inputs if lengths.all() else as_tensors(inputs)


def as_tensors(inputs):
    """The same on the backend's device."""
    return {name: ops.convert_to_tensor(x) for name, x in inputs.items()}


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def gelu(x):
    """The exact GELU, by the error function."""
    return x * 0.5 * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0)))


def attention(query, key, value, mask, num_heads):
    """Scores `(B, H, T, T)` and context `(B, T, D)`, one head at a time."""
    width = query.shape[-1] // num_heads
    scores, context = [], []
    for head in range(num_heads):
        part = slice(head * width, (head + 1) * width)
        products = np.einsum("btd,bsd->bts", query[..., part], key[..., part])
        head_scores = products / math.sqrt(width)
        head_scores = head_scores + np.where(mask[:, None, :] > 0, 0.0, -1e4)
        scores.append(head_scores)
        context.append(softmax(head_scores) @ value[..., part])
    return np.stack(scores, 1), np.concatenate(context, -1)


def hugging_face_tensors(seed=0, num_classes=None, **sizes):
    """Random weights of a BERT under Hugging Face's names."""
    sizes = {**SIZES, **sizes}
    generator = np.random.default_rng(seed)

    def normal(*shape):
        return generator.normal(0.0, 0.3, shape).astype("float32")

    d, i = sizes["hidden_dim"], sizes["intermediate_dim"]
    tensors = {
        "embeddings.word_embeddings.weight": normal(
            sizes["vocabulary_size"], d
        ),
        "embeddings.position_embeddings.weight": normal(
            sizes["max_sequence_length"], d
        ),
        "embeddings.token_type_embeddings.weight": normal(2, d),
    }

    def dense(name, inputs, outputs):
        tensors[f"{name}.weight"] = normal(outputs, inputs)
        tensors[f"{name}.bias"] = normal(outputs)

    def norm(name):
        tensors[f"{name}.weight"] = 1 + normal(d)
        tensors[f"{name}.bias"] = normal(d)

    norm("embeddings.LayerNorm")
    for index in range(sizes["num_layers"]):
        layer = f"encoder.layer.{index}"
        for role in ("query", "key", "value"):
            dense(f"{layer}.attention.self.{role}", d, d)
        dense(f"{layer}.attention.output.dense", d, d)
        norm(f"{layer}.attention.output.LayerNorm")
        dense(f"{layer}.intermediate.dense", d, i)
        dense(f"{layer}.output.dense", i, d)
        norm(f"{layer}.output.LayerNorm")
    dense("pooler.dense", d, d)
    if num_classes:
        dense("classifier", d, num_classes)
    return tensors


def numpy_bert(tensors, inputs, num_layers=2, num_heads=2):
    """BERT's forward pass in float64, from Hugging Face's names.

    Returns a dict of `sequence_output`, `pooled_output`, and the inner
    tensors under the names of `tf_distill.distillation.tapped`.
    """
    tensors = {name: t.astype("float64") for name, t in tensors.items()}

    def dense(x, name):
        return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-12)
        return x * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    width = inputs["token_ids"].shape[1]
    x = tensors["embeddings.word_embeddings.weight"][inputs["token_ids"]]
    x = x + tensors["embeddings.position_embeddings.weight"][:width]
    kinds = tensors["embeddings.token_type_embeddings.weight"]
    x = norm(x + kinds[inputs["segment_ids"]], "embeddings.LayerNorm")
    found = {"embeddings": x}
    for index in range(num_layers):
        layer = f"encoder.layer.{index}"
        query, key, value = (
            dense(x, f"{layer}.attention.self.{role}")
            for role in ("query", "key", "value")
        )
        scores, context = attention(
            query, key, value, inputs["padding_mask"], num_heads
        )
        attended = norm(
            x + dense(context, f"{layer}.attention.output.dense"),
            f"{layer}.attention.output.LayerNorm",
        )
        inner = gelu(dense(attended, f"{layer}.intermediate.dense"))
        x = norm(
            attended + dense(inner, f"{layer}.output.dense"),
            f"{layer}.output.LayerNorm",
        )
        found |= {
            f"queries/{index}": query,
            f"keys/{index}": key,
            f"values/{index}": value,
            f"attention_scores/{index}": scores,
            f"context/{index}": context,
            f"hidden_states/{index}": x,
        }
    found["sequence_output"] = x
    found["pooled_output"] = np.tanh(dense(x[:, 0], "pooler.dense"))
    return found


def weights_of(model):
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


def assert_same_weights(before, after):
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def numpy_dict(outputs):
    return {k: keras.ops.convert_to_numpy(v) for k, v in outputs.items()}
