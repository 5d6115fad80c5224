"""Tiny tasks of every family, their heads' checkpoints, and heads in NumPy.

Letters: B batch, T tokens, P masked positions, D hidden width, E width of an
embedding, V words.
"""

import functools

import encoders
import numpy as np
import tiny

from tf_distill import models

BACKBONES = {
    "Bert": tiny.backbone,
    "DistilBert": encoders.distil_bert,
    "MobileBert": encoders.mobile_bert,
}
CASES = {
    f"{family}{kind}": (family, kind, arguments)
    for family in BACKBONES
    for kind, arguments in (
        ("MaskedLM", {}),
        ("QuestionAnswering", {"dropout": 0.3}),
        ("TokenClassifier", {"num_classes": 3, "dropout": 0.3}),
    )
}
PRETRAINING = {
    "BertPreTraining": ("Bert", "MaskedLM", {"next_sentence": True}),
    "MobileBertPreTraining": (
        "MobileBert",
        "MaskedLM",
        {"next_sentence": True},
    ),
    "MobileBertPooledPreTraining": (
        "MobileBert",
        "MaskedLM",
        {"next_sentence": True, "classifier_activation": True},
    ),
}
CASES |= PRETRAINING
CLASSIFIER = {
    "num_classes": 3,
    "dropout": 0.3,
    "label_names": ["a", "b", "c"],
    "task": "multilabel",
}
CLASSIFIERS = {
    f"{family}TextClassifier": (family, "TextClassifier", CLASSIFIER)
    for family in ("Bert", "DistilBert", "MobileBert")
}
CLASSIFIERS["TinyBertTextClassifier"] = (
    "TinyBert",
    "TextClassifier",
    # Its head has none.
    {key: x for key, x in CLASSIFIER.items() if key != "dropout"},
)
CLASSIFIERS["MobileBertPooledTextClassifier"] = (
    "MobileBert",
    "TextClassifier",
    {**CLASSIFIER, "classifier_activation": True},
)
CASES |= CLASSIFIERS


def task(case, dtype=None, **others):
    """A task of a case with random weights, on an encoder of one block."""
    family, kind, arguments = CASES[case]
    cls = getattr(models, f"{family}{kind}")
    build = BACKBONES[family.removeprefix("Tiny")]
    encoder = build(num_layers=1, dtype=dtype, dropout=0.0)
    return tiny.randomize(cls(encoder, **{**arguments, **others}), seed=3)


@functools.cache
def shared(case):
    """The same, built once for all tests that leave it as it is."""
    return task(case)


def batch(task, lengths=(3, 5, 2, 5), width=None, seed=0):
    """What a task reads; the masked positions are within the shortest row."""
    inputs = tiny.batch(lengths, width, seed)
    generator = np.random.default_rng(seed)
    inputs["mask_positions"] = generator.integers(
        0, max(min(lengths), 1), (len(lengths), 3)
    ).astype("int32")
    inputs = {name: inputs[name] for name in task.input}
    return inputs if all(lengths) else tiny.as_tensors(inputs)


def outputs_of(task, inputs):
    """The outputs by name, a single one under `output`, as NumPy arrays."""
    outputs = task(inputs)
    if not isinstance(outputs, dict):
        outputs = {"output": outputs}
    return tiny.numpy_dict(outputs)


def encoder_tensors(family):
    if family == "Bert":
        return tiny.hugging_face_tensors()
    if family == "DistilBert":
        return encoders.distil_tensors()
    return encoders.mobile_tensors()


def numpy_encoder(family, tensors, inputs):
    """The last hidden states and, of BERT, the pooled [CLS]."""
    if family == "Bert":
        found = tiny.numpy_bert(tensors, inputs)
        return found["sequence_output"], found["pooled_output"]
    if family == "DistilBert":
        return encoders.numpy_distil_bert(tensors, inputs)[
            "sequence_output"
        ], None
    found = encoders.numpy_mobile_bert(tensors, inputs)
    return found["hidden_states/1"], None


def head_tensors(case):
    """Random weights of a head under Hugging Face's names; D is 8, V 20."""
    family, kind, arguments = CASES[case]
    generator = np.random.default_rng(5)

    def normal(*shape):
        return generator.normal(0.0, 0.5, shape).astype("float32")

    def linear(name, outputs):
        return {f"{name}.weight": normal(outputs, 8), f"{name}.bias": normal(8)}

    if kind == "TokenClassifier":
        return {
            "classifier.weight": normal(3, 8),
            "classifier.bias": normal(3),
        }
    if kind == "QuestionAnswering":
        return {
            "qa_outputs.weight": normal(2, 8),
            "qa_outputs.bias": normal(2),
        }
    if family == "DistilBert":
        return {
            **linear("vocab_transform", 8),
            "vocab_layer_norm.weight": 1 + normal(8),
            "vocab_layer_norm.bias": normal(8),
            "vocab_projector.bias": normal(20),
        }
    tensors = {
        **linear("cls.predictions.transform.dense", 8),
        "cls.predictions.transform.LayerNorm.weight": 1 + normal(8),
        "cls.predictions.transform.LayerNorm.bias": normal(8),
        "cls.predictions.bias": normal(20),
        # Every pre-trained BERT has these, whatever reads it.
        "cls.seq_relationship.weight": normal(2, 8),
        "cls.seq_relationship.bias": normal(2),
    }
    if family == "MobileBert":
        tensors["cls.predictions.dense.weight"] = normal(8 - 3, 20)
    if arguments.get("classifier_activation"):
        tensors["pooler.dense.weight"] = 0.2 * normal(8, 8)
        tensors["pooler.dense.bias"] = normal(8)
    return tensors


def numpy_head(case, tensors, hidden, pooled, inputs):
    """A head's outputs in float64, from Hugging Face's names."""
    family, kind, arguments = CASES[case]
    w = {name: t.astype("float64") for name, t in tensors.items()}

    def dense(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    if kind == "TokenClassifier":
        return {"output": dense(hidden, "classifier")}
    if kind == "QuestionAnswering":
        logits = dense(hidden, "qa_outputs")
        logits[inputs["padding_mask"] == 0] = -10000.0
        return {"start": logits[..., 0], "end": logits[..., 1]}
    rows = np.arange(len(hidden))[:, None]
    x = hidden[rows, inputs["mask_positions"]]
    if family == "DistilBert":
        x, norm = dense(x, "vocab_transform"), "vocab_layer_norm"
        bias = w["vocab_projector.bias"]
    else:
        x = dense(x, "cls.predictions.transform.dense")
        norm = "cls.predictions.transform.LayerNorm"
        bias = w["cls.predictions.bias"]
    x = np.maximum(x, 0) if family == "MobileBert" else tiny.gelu(x)
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-12)
    x = x * w[f"{norm}.weight"] + w[f"{norm}.bias"]
    words = w["embeddings.word_embeddings.weight"].T  # (E, V)
    if family == "MobileBert":
        words = np.concatenate([words, w["cls.predictions.dense.weight"]])
    logits = x @ words + bias
    if not arguments.get("next_sentence"):
        return {"output": logits}
    if pooled is None:
        pooled = hidden[:, 0]
        if arguments.get("classifier_activation"):
            pooled = np.tanh(dense(pooled, "pooler.dense"))
    return {
        "masked_lm": logits,
        "next_sentence": dense(pooled, "cls.seq_relationship"),
    }
