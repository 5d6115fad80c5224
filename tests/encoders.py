"""Tiny DistilBERTs and MobileBERTs, their checkpoints, and both in NumPy.

Letters: B batch, T tokens, D hidden width.
"""

import numpy as np
import tiny

from tf_distill import models

DISTIL_CONFIG = {
    "architectures": ["DistilBertModel"],
    "model_type": "distilbert",
    "vocab_size": 20,
    "n_layers": 2,
    "n_heads": 2,
    "dim": 8,
    "hidden_dim": 16,
    "activation": "gelu",
    "dropout": 0.1,
    "attention_dropout": 0.1,
    "seq_classif_dropout": 0.2,
    "max_position_embeddings": 12,
}
MOBILE_CONFIG = {
    "architectures": ["MobileBertModel"],
    "model_type": "mobilebert",
    "vocab_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 8,
    "intermediate_size": 6,
    "intra_bottleneck_size": 4,
    "embedding_size": 3,
    "num_feedforward_networks": 3,
    "key_query_shared_bottleneck": True,
    "use_bottleneck_attention": False,
    "normalization_type": "no_norm",
    "hidden_act": "relu",
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.1,
    "max_position_embeddings": 12,
    "type_vocab_size": 2,
    "classifier_activation": False,
}
MOBILE_SIZES = {
    "vocabulary_size": 20,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 6,
    "bottleneck_dim": 4,
    "embedding_dim": 3,
    "num_feed_forward": 3,
    "max_sequence_length": 12,
}
IB_BERT = {
    "bottleneck_dim": 12,
    "intermediate_dim": 24,
    "num_feed_forward": 1,
    "attention_input": "hidden_states",
    "normalization": "layer_norm",
    "activation": "gelu",
}

_DISTIL_NAMES = {
    "encoder.": "transformer.",
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}


def distil_bert(seed=0, **sizes):
    return tiny.randomize(
        models.DistilBertBackbone(**{**tiny.SIZES, **sizes}), seed
    )


def mobile_bert(seed=0, **sizes):
    return tiny.randomize(
        models.MobileBertBackbone(**{**MOBILE_SIZES, **sizes}), seed
    )


def distil_tensors(seed=0):
    """Random weights of a DistilBERT under Hugging Face's names."""
    tensors = {}
    for name, value in tiny.hugging_face_tensors(seed).items():
        if name.startswith("pooler.") or "token_type" in name:
            continue
        for ours, theirs in _DISTIL_NAMES.items():
            name = name.replace(ours, theirs)
        tensors[name] = value
    return tensors


def numpy_distil_bert(tensors, inputs):
    """A BERT whose segments are zero; see `tiny.numpy_bert`."""
    bert = {
        "embeddings.token_type_embeddings.weight": np.zeros((2, 8)),
        "pooler.dense.weight": np.zeros((8, 8)),
        "pooler.dense.bias": np.zeros(8),
    }
    for name, value in tensors.items():
        # Backwards, the longest name first.
        for ours, theirs in sorted(
            _DISTIL_NAMES.items(), key=lambda pair: -len(pair[1])
        ):
            if theirs in name:
                name = name.replace(theirs, ours)
                if ours != "encoder.":
                    break
        name = name.replace("transformer.", "encoder.")
        bert[name] = value
    segments = np.zeros_like(inputs["token_ids"])
    return tiny.numpy_bert(bert, {**inputs, "segment_ids": segments})


def mobile_tensors(
    seed=0,
    *,
    width=8,
    bottleneck=4,
    inner=6,
    embedding=3,
    num_feed_forward=3,
    attention_input="shared_bottleneck",
):
    """Random weights of a MobileBERT under Hugging Face's names."""
    generator = np.random.default_rng(seed)
    tensors = {}

    def normal(*shape):
        return generator.normal(0.0, 0.3, shape).astype("float32")

    def dense(name, inputs, outputs):
        tensors[f"{name}.weight"] = normal(outputs, inputs)
        tensors[f"{name}.bias"] = normal(outputs)

    def norm(name, outputs):
        tensors[f"{name}.weight"] = 1 + normal(outputs)
        tensors[f"{name}.bias"] = normal(outputs)

    def dense_and_norm(name, inputs, outputs):
        dense(f"{name}.dense", inputs, outputs)
        norm(f"{name}.LayerNorm", outputs)

    tensors["embeddings.word_embeddings.weight"] = normal(20, embedding)
    tensors["embeddings.position_embeddings.weight"] = normal(12, width)
    tensors["embeddings.token_type_embeddings.weight"] = normal(2, width)
    dense("embeddings.embedding_transformation", 3 * embedding, width)
    norm("embeddings.LayerNorm", width)
    asked = bottleneck if attention_input != "hidden_states" else width
    valued = bottleneck if attention_input == "bottleneck" else width
    for index in range(2):
        layer = f"encoder.layer.{index}"
        dense_and_norm(f"{layer}.bottleneck.input", width, bottleneck)
        if attention_input == "shared_bottleneck":
            dense_and_norm(f"{layer}.bottleneck.attention", width, bottleneck)
        dense(f"{layer}.attention.self.query", asked, bottleneck)
        dense(f"{layer}.attention.self.key", asked, bottleneck)
        dense(f"{layer}.attention.self.value", valued, bottleneck)
        dense_and_norm(f"{layer}.attention.output", bottleneck, bottleneck)
        networks = [f".ffn.{i}" for i in range(num_feed_forward - 1)] + [""]
        for network in networks:
            dense(f"{layer}{network}.intermediate.dense", bottleneck, inner)
            dense_and_norm(f"{layer}{network}.output", inner, bottleneck)
        dense_and_norm(f"{layer}.output.bottleneck", bottleneck, width)
    return tensors


def numpy_mobile_bert(tensors, inputs, layer_norm=False, activation=None):
    """MobileBERT's forward pass in float64, from Hugging Face's names.

    Written after the paper's figure and Hugging Face's names alone; which
    input the attention has is read off the names and shapes. Returns a dict
    under the names of `tf_distill.distillation.tapped`.
    """
    w = {name: t.astype("float64") for name, t in tensors.items()}
    mask = inputs["padding_mask"]

    def dense(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x, name):
        if layer_norm:
            x = x - x.mean(-1, keepdims=True)
            x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-12)
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    def activate(x):
        return activation(x) if activation else np.maximum(x, 0)

    words = w["embeddings.word_embeddings.weight"][inputs["token_ids"]]
    trigrams = np.zeros((*words.shape[:2], 3 * words.shape[2]))
    for row, sentence in enumerate(words):
        for t in range(len(sentence)):
            nothing = np.zeros(words.shape[2])
            following = sentence[t + 1] if t + 1 < len(sentence) else nothing
            previous = sentence[t - 1] if t else nothing
            trigrams[row, t] = [*following, *sentence[t], *previous]
    x = dense(trigrams, "embeddings.embedding_transformation")
    x = x + w["embeddings.position_embeddings.weight"][: x.shape[1]]
    x = x + w["embeddings.token_type_embeddings.weight"][inputs["segment_ids"]]
    x = norm(x, "embeddings.LayerNorm")
    found = {"embeddings": x}
    for index in range(2):
        layer = f"encoder.layer.{index}"
        narrow = norm(
            dense(x, f"{layer}.bottleneck.input.dense"),
            f"{layer}.bottleneck.input.LayerNorm",
        )
        if f"{layer}.bottleneck.attention.dense.weight" in w:
            asked = norm(
                dense(x, f"{layer}.bottleneck.attention.dense"),
                f"{layer}.bottleneck.attention.LayerNorm",
            )
            valued = x
        elif w[f"{layer}.attention.self.query.weight"].shape[1] == x.shape[-1]:
            asked = valued = x
        else:
            asked = valued = narrow
        query = dense(asked, f"{layer}.attention.self.query")
        key = dense(asked, f"{layer}.attention.self.key")
        value = dense(valued, f"{layer}.attention.self.value")
        scores, context = tiny.attention(query, key, value, mask, 2)
        y = norm(
            dense(context, f"{layer}.attention.output.dense") + narrow,
            f"{layer}.attention.output.LayerNorm",
        )
        number = 0
        while f"{layer}.ffn.{number}.output.dense.weight" in w:
            ffn = f"{layer}.ffn.{number}"
            inner = activate(dense(y, f"{ffn}.intermediate.dense"))
            y = norm(
                dense(inner, f"{ffn}.output.dense") + y,
                f"{ffn}.output.LayerNorm",
            )
            number += 1
        inner = activate(dense(y, f"{layer}.intermediate.dense"))
        y = norm(
            dense(inner, f"{layer}.output.dense") + y,
            f"{layer}.output.LayerNorm",
        )
        x = norm(
            dense(y, f"{layer}.output.bottleneck.dense") + x,
            f"{layer}.output.bottleneck.LayerNorm",
        )
        found |= {
            f"queries/{index}": query,
            f"keys/{index}": key,
            f"values/{index}": value,
            f"attention_scores/{index}": scores,
            f"hidden_states/{index}": x,
        }
    return found
