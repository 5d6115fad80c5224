"""BERT's names: in Hugging Face's checkpoints and in KerasHub's."""

from tf_distill.checkpoints.family import (
    Family,
    Head,
    activation_of,
    check_epsilon,
    check_model_type,
    hugging_face_activation,
    layer_names,
    task_of,
)
from tf_distill.checkpoints.keras_hub_layers import (
    keras_hub_blocks,
    keras_hub_layer_tensors,
    keras_hub_sizes,
)
from tf_distill.checkpoints.settings import flag, fraction, heads, size

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
    check_model_type(config, "bert")
    positions = config.get("position_embedding_type", "absolute")
    if positions != "absolute":
        raise ValueError(
            f"The checkpoint has {positions!r} position embeddings; this "
            "encoder has 'absolute' ones."
        )
    for name in ("is_decoder", "add_cross_attention"):
        if flag(config, name, False):
            raise ValueError(
                f"The checkpoint's {name} is true: it is a decoder, whose "
                "tokens do not see those after them; this is an encoder."
            )
    check_epsilon(config)
    return {
        "vocabulary_size": size(config, "vocab_size"),
        "num_layers": size(config, "num_hidden_layers"),
        "num_heads": heads(config, "num_attention_heads", "hidden_size"),
        "hidden_dim": size(config, "hidden_size"),
        "intermediate_dim": size(config, "intermediate_size"),
        "activation": activation_of(config.get("hidden_act", "gelu")),
        "dropout": fraction(config, "hidden_dropout_prob", 0.1),
        "max_sequence_length": size(config, "max_position_embeddings", 512),
        "num_segments": size(config, "type_vocab_size", 2),
    }


def hugging_face_config(backbone):
    """What `hugging_face_arguments` reads, from a `BertBackbone`."""
    return {
        "vocab_size": backbone.vocabulary_size,
        "num_hidden_layers": backbone.num_layers,
        "num_attention_heads": backbone.num_heads,
        "hidden_size": backbone.hidden_dim,
        "intermediate_size": backbone.intermediate_dim,
        "hidden_act": hugging_face_activation(backbone.activation),
        "hidden_dropout_prob": backbone.dropout,
        "attention_probs_dropout_prob": backbone.dropout,
        "max_position_embeddings": backbone.max_sequence_length,
        "type_vocab_size": backbone.num_segments,
        "layer_norm_eps": 1e-12,
        "position_embedding_type": "absolute",
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
    names += layer_names("embeddings_layer_norm", "embeddings.LayerNorm")
    names += layer_names("pooler", "pooler.dense")
    for index in range(num_layers):
        for ours, theirs in _BLOCK:
            names += layer_names(
                f"block_{index}/{ours}", f"encoder.layer.{index}.{theirs}"
            )
    return names


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
    theirs = [name for _, name in _BLOCK]
    layers |= keras_hub_blocks(backbone, "encoder.layer", theirs)
    return {**tensors, **keras_hub_layer_tensors(layers)}


def pretraining_names(masked_lm):
    """The name map of BERT's masked-LM head, and of the next sentence's.

    Args:
        masked_lm: a task with `next_sentence`.
    """
    names = [
        *layer_names("masked_lm_dense", "cls.predictions.transform.dense"),
        *layer_names(
            "masked_lm_layer_norm", "cls.predictions.transform.LayerNorm"
        ),
        ("masked_lm/bias", "cls.predictions.bias", False),
    ]
    if masked_lm.next_sentence:
        names += layer_names("next_sentence", "cls.seq_relationship")
    return names


PRETRAINING_TIED = (
    ("cls.predictions.decoder.weight", "embeddings.word_embeddings.weight"),
    ("cls.predictions.decoder.bias", "cls.predictions.bias"),
)


def classifier_dropout(config):
    """The dropout before a classifier's logits: the encoder's unless told."""
    if config.get("classifier_dropout") is None:
        return {"dropout": fraction(config, "hidden_dropout_prob", 0.1)}
    return {"dropout": fraction(config, "classifier_dropout", 0.1)}


FAMILY = Family(
    model_type="bert",
    class_name="Bert",
    arguments=hugging_face_arguments,
    config=hugging_face_config,
    names=lambda backbone: hugging_face_names(backbone.num_layers),
    heads={
        "ForSequenceClassification": Head(
            lambda task: layer_names("logits", "classifier"),
            lambda config: {**classifier_dropout(config), **task_of(config)},
            lambda task: {"classifier_dropout": task.dropout},
        ),
        "ForTokenClassification": Head(
            lambda task: layer_names("logits", "classifier"),
            classifier_dropout,
            lambda task: {"classifier_dropout": task.dropout},
        ),
        "ForQuestionAnswering": Head(
            lambda task: layer_names("logits", "qa_outputs")
        ),
        "ForMaskedLM": Head(
            pretraining_names,
            tied=PRETRAINING_TIED,
            ignored=("cls.seq_relationship.",),
        ),
    },
    head_beginnings=("cls.", "classifier.", "qa_outputs."),
    # `fit_dense` is TinyBERT's, for its training only.
    ignored=("embeddings.position_ids", "fit_dense"),
    keras_hub_arguments=lambda backbone: {
        **keras_hub_sizes(backbone),
        "num_segments": backbone.num_segments,
        "activation": "gelu_approximate",
    },
    keras_hub_tensors=keras_hub_tensors,
    keras_hub_head_tensors=lambda classifier: keras_hub_layer_tensors(
        {"classifier": classifier.output_dense}
    ),
)
