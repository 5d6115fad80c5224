"""BERT's names: in Hugging Face's checkpoints and in KerasHub's."""

_BLOCK = (
    ("query", "attention.self.query"),
    ("key", "attention.self.key"),
    ("value", "attention.self.value"),
    ("attention_output", "attention.output.dense"),
    ("attention_output_layer_norm", "attention.output.LayerNorm"),
    ("intermediate", "intermediate.dense"),
    ("output", "output.dense"),
    ("output_layer_norm", "output.LayerNorm"),
)

# What a BERT checkpoint may hold beside the encoder. `position_ids` is a
# constant that old versions of transformers saved.
HUGGING_FACE_HEADS = ("cls.", "classifier.", "qa_outputs.")
HUGGING_FACE_IGNORED = ("embeddings.position_ids",)
HUGGING_FACE_CLASSIFIER = [
    ("logits/kernel", "classifier.weight", True),
    ("logits/bias", "classifier.bias", False),
]


def hugging_face_arguments(config):
    """Constructor arguments of `BertBackbone` from a Hugging Face config.

    Args:
        config: dict, the content of `config.json`.

    Raises:
        ValueError: the config is of another architecture, or asks for a
            computation that this encoder does not have.

    Example:
        >>> from tf_distill.checkpoints.bert import hugging_face_arguments
        >>> hugging_face_arguments({"model_type": "roberta"})
        Traceback (most recent call last):
        ...
        ValueError: The checkpoint is a 'roberta', but only 'bert' ...
    """
    if config.get("model_type") != "bert":
        raise ValueError(
            f"The checkpoint is a {config.get('model_type')!r}, but only "
            "'bert' can be read into a BERT."
        )
    positions = config.get("position_embedding_type", "absolute")
    if positions != "absolute":
        raise ValueError(
            f"The checkpoint has {positions!r} position embeddings; this "
            "encoder has 'absolute' ones."
        )
    epsilon = config.get("layer_norm_eps", 1e-12)
    if epsilon != 1e-12:
        raise ValueError(
            f"The checkpoint's layer_norm_eps is {epsilon}; the layer "
            "normalizations of this encoder have 1e-12."
        )
    activations = {
        "gelu": "gelu",
        "gelu_new": "gelu_approximate",
        "gelu_pytorch_tanh": "gelu_approximate",
        "relu": "relu",
    }
    activation = config.get("hidden_act", "gelu")
    if activation not in activations:
        raise ValueError(
            f"The checkpoint's activation {activation!r} is not one of "
            f"{', '.join(activations)}."
        )
    return {
        "vocabulary_size": config["vocab_size"],
        "num_layers": config["num_hidden_layers"],
        "num_heads": config["num_attention_heads"],
        "hidden_dim": config["hidden_size"],
        "intermediate_dim": config["intermediate_size"],
        "activation": activations[activation],
        "dropout": config.get("hidden_dropout_prob", 0.1),
        "max_sequence_length": config.get("max_position_embeddings", 512),
        "num_segments": config.get("type_vocab_size", 2),
    }


def hugging_face_names(num_layers):
    """The encoder's name map, without the `bert.` that some files begin with.

    Example:
        >>> from tf_distill.checkpoints.bert import hugging_face_names
        >>> hugging_face_names(1)[5][:2]
        ('pooler/kernel', 'pooler.dense.weight')
    """
    names = [
        ("token_embedding/embeddings", "embeddings.word_embeddings.weight"),
        (
            "position_embedding/position_embeddings",
            "embeddings.position_embeddings.weight",
        ),
        (
            "segment_embedding/embeddings",
            "embeddings.token_type_embeddings.weight",
        ),
    ]
    names = [(ours, theirs, False) for ours, theirs in names]
    names += _layer("embeddings_layer_norm", "embeddings.LayerNorm")
    names += _layer("pooler", "pooler.dense")
    for index in range(num_layers):
        for ours, theirs in _BLOCK:
            names += _layer(
                f"block_{index}/{ours}", f"encoder.layer.{index}.{theirs}"
            )
    return names


def _layer(ours, theirs):
    if ours.endswith("layer_norm"):
        return [
            (f"{ours}/gamma", f"{theirs}.weight", False),
            (f"{ours}/beta", f"{theirs}.bias", False),
        ]
    return [
        (f"{ours}/kernel", f"{theirs}.weight", True),
        (f"{ours}/bias", f"{theirs}.bias", False),
    ]


def keras_hub_tensors(backbone):
    """The weights of a `keras_hub.models.BertBackbone` under the names above.

    Args:
        backbone: `keras_hub.models.BertBackbone`.

    Returns:
        dict of NumPy arrays by Hugging Face's names and in its layout.
    """
    embeddings = {
        "word": backbone.token_embedding.embeddings,
        "position": backbone.position_embedding.position_embeddings,
        "token_type": backbone.segment_embedding.embeddings,
    }
    tensors = {
        f"embeddings.{name}_embeddings.weight": value.numpy()
        for name, value in embeddings.items()
    }
    layers = {
        "embeddings.LayerNorm": backbone.embeddings_layer_norm,
        "pooler.dense": backbone.pooled_dense,
    }
    for index, block in enumerate(backbone.transformer_layers):
        attention = block._self_attention_layer
        layers.update(
            {
                f"encoder.layer.{index}.{name}": layer
                for name, layer in {
                    "attention.self.query": attention.query_dense,
                    "attention.self.key": attention.key_dense,
                    "attention.self.value": attention.value_dense,
                    "attention.output.dense": attention.output_dense,
                    "attention.output.LayerNorm": (
                        block._self_attention_layer_norm
                    ),
                    "intermediate.dense": block._feedforward_intermediate_dense,
                    "output.dense": block._feedforward_output_dense,
                    "output.LayerNorm": block._feedforward_layer_norm,
                }.items()
            }
        )
    for name, layer in layers.items():
        if name.endswith("LayerNorm"):
            tensors[f"{name}.weight"] = layer.gamma.numpy()
            tensors[f"{name}.bias"] = layer.beta.numpy()
        else:
            # KerasHub splits heads: (D, H, d), (H, d) and (H, d, D).
            bias = layer.bias.numpy().reshape(-1)
            kernel = layer.kernel.numpy().reshape(-1, bias.size)
            tensors[f"{name}.weight"] = kernel.T
            tensors[f"{name}.bias"] = bias
    return tensors
