"""Named architectures: an encoder's class, its arguments, and its paper.

What is an encoder in other sizes is a name here, not a class; a class stands
where the computation differs.
"""

import dataclasses
import difflib

VOCABULARY_SIZE = 30522  # English BERT's word pieces, uncased


@dataclasses.dataclass(frozen=True)
class Architecture:
    """An encoder of a paper.

    Attributes:
        backbone: the name of its class in `tf_distill.models`.
        arguments: of that class, all but the vocabulary's size.
        paper: where the arguments stand.
    """

    backbone: str
    arguments: dict
    paper: str


def _sizes(num_layers, hidden_dim, num_heads, intermediate_dim, **others):
    return {
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        "num_heads": num_heads,
        "intermediate_dim": intermediate_dim,
        **others,
    }


def _bert(*sizes, paper):
    return Architecture("BertBackbone", _sizes(*sizes), paper)


def _distil_bert(*sizes):
    return Architecture(
        "DistilBertBackbone", _sizes(*sizes), "Sanh et al. 2019"
    )


def _mobile_bert(bottleneck_dim, intermediate_dim, num_feed_forward, **others):
    """24 layers of 512 and 4 heads: all of table 1 of the paper but BERT."""
    arguments = _sizes(
        24,
        512,
        4,
        intermediate_dim,
        bottleneck_dim=bottleneck_dim,
        num_feed_forward=num_feed_forward,
        **others,
    )
    return Architecture("MobileBertBackbone", arguments, "Sun et al. 2020")


_DEVLIN = "Devlin et al. 2019"
_TURC = "Turc et al. 2019"
_PKD = "Sun et al. 2019"
_JIAO = "Jiao et al. 2020"
_WANG = "Wang et al. 2020"

ARCHITECTURES = {
    "bert_tiny_2l_128d": _bert(2, 128, 2, 512, paper=_TURC),
    "bert_mini_4l_256d": _bert(4, 256, 4, 1024, paper=_TURC),
    "bert_small_4l_512d": _bert(4, 512, 8, 2048, paper=_TURC),
    "bert_medium_8l_512d": _bert(8, 512, 8, 2048, paper=_TURC),
    "bert_base_12l_768d": _bert(12, 768, 12, 3072, paper=_DEVLIN),
    "bert_large_24l_1024d": _bert(24, 1024, 16, 4096, paper=_DEVLIN),
    "bert_3l_768d": _bert(3, 768, 12, 3072, paper=_PKD),
    "bert_4l_768d": _bert(4, 768, 12, 3072, paper=_PKD),
    "bert_6l_768d": _bert(6, 768, 12, 3072, paper=_PKD),
    # TinyBERT's BERT_TINY, pre-trained without a teacher.
    "bert_4l_312d": _bert(4, 312, 12, 1200, paper=_JIAO),
    "distil_bert_4l_768d": _distil_bert(4, 768, 12, 3072),
    "distil_bert_6l_768d": _distil_bert(6, 768, 12, 3072),
    "tiny_bert_4l_312d": _bert(4, 312, 12, 1200, paper=_JIAO),
    "tiny_bert_6l_768d": _bert(6, 768, 12, 3072, paper=_JIAO),
    "mini_lm_6l_384d": _bert(6, 384, 12, 1536, paper=_WANG),
    "mini_lm_12l_384d": _bert(12, 384, 12, 1536, paper=_WANG),
    # As released: queries and keys share a bottleneck of their own.
    "mobile_bert_24l_512d": _mobile_bert(128, 512, 4),
    # As table 1 has it, and as its 25.3M parameters count.
    "mobile_bert_paper_24l_512d": _mobile_bert(
        128, 512, 4, attention_input="hidden_states"
    ),
    "mobile_bert_tiny_24l_512d": _mobile_bert(
        128, 512, 2, attention_input="bottleneck"
    ),
    "mobile_bert_without_opt_24l_512d": _mobile_bert(
        128,
        512,
        4,
        normalization="layer_norm",
        activation="gelu_approximate",
    ),
    # The teacher: an inverted bottleneck, wider than the hidden states.
    "ib_bert_large_24l_512d": _mobile_bert(
        1024,
        4096,
        1,
        attention_input="hidden_states",
        normalization="layer_norm",
        activation="gelu_approximate",
        dropout=0.1,
    ),
}


def architecture(name):
    """The named architecture.

    Args:
        name: a key of `ARCHITECTURES`.

    Returns:
        `Architecture`.

    Raises:
        ValueError: there is no such name; says which is nearest.

    Example:
        >>> from tf_distill.models.architectures import architecture
        >>> architecture("distil_bert_6l_768d").backbone
        'DistilBertBackbone'
    """
    if name not in ARCHITECTURES:
        nearest = difflib.get_close_matches(name, ARCHITECTURES, 1, 0.0)[0]
        raise ValueError(
            f"There is no architecture {name!r}. Did you mean {nearest!r}? "
            f"Known: {', '.join(ARCHITECTURES)}."
        )
    return ARCHITECTURES[name]


def architecture_arguments(name, **overrides):
    """Constructor arguments of a named architecture.

    Args:
        name: a key of `ARCHITECTURES`.
        **overrides: arguments that replace or complete the named sizes.

    Returns:
        dict of arguments for the architecture's class; English BERT's
        vocabulary of 30,522 word pieces unless overridden.

    Raises:
        ValueError: there is no such name; says which is nearest.

    Example:
        >>> from tf_distill.models.architectures import architecture_arguments
        >>> architecture_arguments("tiny_bert_4l_312d")["hidden_dim"]
        312
    """
    arguments = architecture(name).arguments
    return {"vocabulary_size": VOCABULARY_SIZE, **arguments, **overrides}
