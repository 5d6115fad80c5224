"""DistilBERT's names: in Hugging Face's checkpoints and in KerasHub's."""

from tf_distill.checkpoints.family import (
    Family,
    Head,
    activation_of,
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
from tf_distill.checkpoints.settings import fraction, heads, size

_BLOCK = (
    ("query", "attention.q_lin"),
    ("key", "attention.k_lin"),
    ("value", "attention.v_lin"),
    ("attention_output", "attention.out_lin"),
    ("attention_output_layer_norm", "sa_layer_norm"),
    ("intermediate", "ffn.lin1"),
    ("output", "ffn.lin2"),
    ("output_layer_norm", "output_layer_norm"),
)
_EMBEDDINGS = (
    ("token_embedding/embeddings", "embeddings.word_embeddings.weight"),
    (
        "position_embedding/position_embeddings",
        "embeddings.position_embeddings.weight",
    ),
)


def hugging_face_arguments(config):
    """Constructor arguments of `DistilBertBackbone` from a config.

    Args:
        config: dict, the content of Hugging Face's `config.json`.

    Raises:
        ValueError: the config is of another architecture, or asks for a
            computation that this encoder does not have.

    Example:
        >>> from tf_distill.checkpoints.distil_bert import (
        ...     hugging_face_arguments)
        >>> hugging_face_arguments({"model_type": "bert"})
        Traceback (most recent call last):
        ...
        ValueError: The checkpoint is a 'bert', but only 'distilbert' ...
    """
    check_model_type(config, "distilbert")
    return {
        "vocabulary_size": size(config, "vocab_size"),
        "num_layers": size(config, "n_layers"),
        "num_heads": heads(config, "n_heads", "dim"),
        "hidden_dim": size(config, "dim"),
        "intermediate_dim": size(config, "hidden_dim"),
        "activation": activation_of(config.get("activation", "gelu")),
        "dropout": fraction(config, "dropout", 0.1),
        "max_sequence_length": size(config, "max_position_embeddings", 512),
    }


def hugging_face_config(backbone):
    """What `hugging_face_arguments` reads, from a `DistilBertBackbone`."""
    return {
        "vocab_size": backbone.vocabulary_size,
        "n_layers": backbone.num_layers,
        "n_heads": backbone.num_heads,
        "dim": backbone.hidden_dim,
        "hidden_dim": backbone.intermediate_dim,
        "activation": hugging_face_activation(backbone.activation),
        "dropout": backbone.dropout,
        "attention_dropout": backbone.dropout,
        "max_position_embeddings": backbone.max_sequence_length,
        "sinusoidal_pos_embds": False,
    }


def hugging_face_names(num_layers):
    """The encoder's name map, without the `distilbert.` of some files.

    Example:
        >>> from tf_distill.checkpoints.distil_bert import hugging_face_names
        >>> hugging_face_names(1)[4][:2]
        ('block_0/query/kernel', 'transformer.layer.0.attention.q_lin.weight')
    """
    names = [(ours, theirs, False) for ours, theirs in _EMBEDDINGS]
    names += layer_names("embeddings_layer_norm", "embeddings.LayerNorm")
    for index in range(num_layers):
        for ours, theirs in _BLOCK:
            names += layer_names(
                f"block_{index}/{ours}", f"transformer.layer.{index}.{theirs}"
            )
    return names


def keras_hub_tensors(backbone):
    """The weights of a `keras_hub.models.DistilBertBackbone`, so named.

    Args:
        backbone: `keras_hub.models.DistilBertBackbone`.

    Returns:
        dict of NumPy arrays by Hugging Face's names and in its layout.
    """
    embeddings = backbone.embeddings
    theirs = [name for _, name in _BLOCK]
    return {
        "embeddings.word_embeddings.weight": (
            embeddings.token_embedding.embeddings.numpy()
        ),
        "embeddings.position_embeddings.weight": (
            embeddings.position_embedding.position_embeddings.numpy()
        ),
        **keras_hub_layer_tensors(
            {
                "embeddings.LayerNorm": backbone.embeddings_layer_norm,
                **keras_hub_blocks(backbone, "transformer.layer", theirs),
            }
        ),
    }


FAMILY = Family(
    model_type="distilbert",
    class_name="DistilBert",
    arguments=hugging_face_arguments,
    config=hugging_face_config,
    names=lambda backbone: hugging_face_names(backbone.num_layers),
    heads={
        "ForSequenceClassification": Head(
            lambda task: [
                *layer_names("pre_classifier", "pre_classifier"),
                *layer_names("logits", "classifier"),
            ],
            lambda config: {
                "dropout": fraction(config, "seq_classif_dropout", 0.2),
                **task_of(config),
            },
            lambda task: {"seq_classif_dropout": task.dropout},
        ),
        "ForTokenClassification": Head(
            lambda task: layer_names("logits", "classifier"),
            lambda config: {"dropout": fraction(config, "dropout", 0.1)},
        ),
        "ForQuestionAnswering": Head(
            lambda task: layer_names("logits", "qa_outputs"),
            lambda config: {"dropout": fraction(config, "qa_dropout", 0.1)},
            lambda task: {"qa_dropout": task.dropout},
        ),
        "ForMaskedLM": Head(
            lambda task: [
                *layer_names("masked_lm_dense", "vocab_transform"),
                *layer_names("masked_lm_layer_norm", "vocab_layer_norm"),
                ("masked_lm/bias", "vocab_projector.bias", False),
            ],
            tied=(
                (
                    "vocab_projector.weight",
                    "embeddings.word_embeddings.weight",
                ),
            ),
        ),
    },
    head_beginnings=("vocab_", "pre_classifier.", "classifier.", "qa_outputs."),
    keras_hub_arguments=keras_hub_sizes,
    keras_hub_tensors=keras_hub_tensors,
    keras_hub_head_tensors=lambda classifier: keras_hub_layer_tensors(
        {
            "pre_classifier": classifier.pooled_dense,
            "classifier": classifier.output_dense,
        }
    ),
)
