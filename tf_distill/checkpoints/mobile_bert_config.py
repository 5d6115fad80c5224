"""MobileBERT's arguments from Hugging Face's config, and the reverse."""

from tf_distill.checkpoints.family import (
    activation_of,
    check_epsilon,
    check_model_type,
    hugging_face_activation,
)
from tf_distill.checkpoints.settings import choice, flag, fraction, heads, size


def hugging_face_arguments(config):
    """Constructor arguments of `MobileBertBackbone` from a config.

    Args:
        config: dict, the content of Hugging Face's `config.json`.

    Raises:
        ValueError: the config is of another architecture, or asks for a
            computation that this encoder does not have.

    Example:
        >>> from tf_distill.checkpoints.mobile_bert_config import (
        ...     hugging_face_arguments)
        >>> hugging_face_arguments({"model_type": "bert"})
        Traceback (most recent call last):
        ...
        ValueError: The checkpoint is a 'bert', but only 'mobilebert' ...
    """
    check_model_type(config, "mobilebert")
    for name in ("trigram_input", "use_bottleneck"):
        if not flag(config, name, True):
            raise ValueError(
                f"The checkpoint's {name} is false; this encoder has no "
                "MobileBERT without it."
            )
    normalization = choice(
        config, "normalization_type", "no_norm", ["no_norm", "layer_norm"]
    )
    if normalization == "layer_norm":
        # What transformers does otherwise is said in `differences.py`.
        check_epsilon(config)
    return {
        "vocabulary_size": size(config, "vocab_size"),
        "num_layers": size(config, "num_hidden_layers"),
        "num_heads": heads(
            config, "num_attention_heads", "intra_bottleneck_size", 128
        ),
        "hidden_dim": size(config, "hidden_size"),
        "intermediate_dim": size(config, "intermediate_size"),
        "bottleneck_dim": size(config, "intra_bottleneck_size", 128),
        "embedding_dim": size(config, "embedding_size", 128),
        "num_feed_forward": size(config, "num_feedforward_networks", 4),
        "attention_input": _attention_input(config),
        "normalization": normalization,
        "activation": activation_of(config.get("hidden_act", "relu")),
        "dropout": fraction(config, "hidden_dropout_prob", 0.0),
        "attention_dropout": fraction(
            config, "attention_probs_dropout_prob", 0.1
        ),
        "max_sequence_length": size(config, "max_position_embeddings", 512),
        "num_segments": size(config, "type_vocab_size", 2),
    }


def _attention_input(config):
    if flag(config, "use_bottleneck_attention", False):
        return "bottleneck"
    if flag(config, "key_query_shared_bottleneck", True):
        return "shared_bottleneck"
    return "hidden_states"


def hugging_face_config(backbone):
    """What `hugging_face_arguments` reads, from a `MobileBertBackbone`.

    Raises:
        ValueError: `transformers` has no such MobileBERT: one that masks as
            Google's first code does, or whose attention reads hidden states
            that are not as wide as the bottleneck.
    """
    if backbone.mask_rule != "add":
        raise ValueError(
            f"{backbone.name} has mask_rule={backbone.mask_rule!r}, but "
            "Hugging Face's MobileBERT adds to the scores of padding: build "
            "the encoder with mask_rule='add'; the weights fit both."
        )
    if (
        backbone.attention_input == "hidden_states"
        and backbone.hidden_dim != backbone.bottleneck_dim
    ):
        raise ValueError(
            f"The attention of {backbone.name} reads hidden states of "
            f"{backbone.hidden_dim}, but transformers makes its queries and "
            f"keys for the bottleneck's width, {backbone.bottleneck_dim}, and "
            "could not load it: neither IB-BERT nor the MobileBERT of the "
            "paper's table 1. Keep it as a Keras preset (`save_to_preset`)."
        )
    return {
        "vocab_size": backbone.vocabulary_size,
        "num_hidden_layers": backbone.num_layers,
        "num_attention_heads": backbone.num_heads,
        "hidden_size": backbone.hidden_dim,
        "intermediate_size": backbone.intermediate_dim,
        "intra_bottleneck_size": backbone.bottleneck_dim,
        "embedding_size": backbone.embedding_dim,
        "num_feedforward_networks": backbone.num_feed_forward,
        "use_bottleneck": True,
        "trigram_input": True,
        "use_bottleneck_attention": backbone.attention_input == "bottleneck",
        "key_query_shared_bottleneck": (
            backbone.attention_input == "shared_bottleneck"
        ),
        "normalization_type": backbone.normalization,
        "hidden_act": hugging_face_activation(backbone.activation),
        "hidden_dropout_prob": backbone.dropout,
        "attention_probs_dropout_prob": backbone.attention_dropout,
        "max_position_embeddings": backbone.max_sequence_length,
        "type_vocab_size": backbone.num_segments,
        "layer_norm_eps": 1e-12,
        "classifier_activation": False,
    }
