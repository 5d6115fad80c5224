"""Writes Hugging Face model folders for tests."""

import json

import safetensors.numpy
import tiny

CONFIG = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "vocab_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 8,
    "intermediate_size": 16,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "max_position_embeddings": 12,
    "type_vocab_size": 2,
}


def write(folder, tensors, **config):
    """A folder as `transformers` would save it."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    (folder / "vocab.txt").write_text("\n".join(tiny.WORDS) + "\n")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    return folder


def write_classifier(folder, tensors, labels, **config):
    return write(
        folder,
        {
            name if name.startswith("classifier") else f"bert.{name}": value
            for name, value in tensors.items()
        },
        architectures=["BertForSequenceClassification"],
        id2label={str(i): label for i, label in enumerate(labels)},
        **config,
    )
