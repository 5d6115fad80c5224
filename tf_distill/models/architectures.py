"""Named sizes of BERT: what is BERT with other sizes is a name, not a class."""

import dataclasses
import difflib


@dataclasses.dataclass(frozen=True)
class Architecture:
    """The sizes of an encoder and the paper they stand in."""

    num_layers: int
    hidden_dim: int
    num_heads: int
    intermediate_dim: int
    paper: str


_DEVLIN = "Devlin et al. 2019"
_TURC = "Turc et al. 2019"
_JIAO = "Jiao et al. 2020"
_WANG = "Wang et al. 2020"

ARCHITECTURES = {
    "bert_tiny_2l_128d": Architecture(2, 128, 2, 512, _TURC),
    "bert_mini_4l_256d": Architecture(4, 256, 4, 1024, _TURC),
    "bert_small_4l_512d": Architecture(4, 512, 8, 2048, _TURC),
    "bert_medium_8l_512d": Architecture(8, 512, 8, 2048, _TURC),
    "bert_base_12l_768d": Architecture(12, 768, 12, 3072, _DEVLIN),
    "bert_large_24l_1024d": Architecture(24, 1024, 16, 4096, _DEVLIN),
    "bert_3l_768d": Architecture(3, 768, 12, 3072, "Sun et al. 2019"),
    "bert_4l_768d": Architecture(4, 768, 12, 3072, "Sun et al. 2019"),
    "bert_6l_768d": Architecture(6, 768, 12, 3072, "Sun et al. 2019"),
    "tiny_bert_4l_312d": Architecture(4, 312, 12, 1200, _JIAO),
    "tiny_bert_6l_768d": Architecture(6, 768, 12, 3072, _JIAO),
    "mini_lm_6l_384d": Architecture(6, 384, 12, 1536, _WANG),
    "mini_lm_12l_384d": Architecture(12, 384, 12, 1536, _WANG),
}


def architecture_arguments(name, **overrides):
    """Constructor arguments of a named architecture.

    Args:
        name: a key of `ARCHITECTURES`.
        **overrides: arguments that replace or complete the named sizes.

    Returns:
        dict of arguments for `BertBackbone`; English BERT's vocabulary of
        30,522 word pieces unless overridden.

    Raises:
        ValueError: there is no such name; says which is nearest.

    Example:
        >>> from tf_distill.models.architectures import architecture_arguments
        >>> architecture_arguments("tiny_bert_4l_312d")["hidden_dim"]
        312
    """
    if name not in ARCHITECTURES:
        nearest = difflib.get_close_matches(name, ARCHITECTURES, 1, 0.0)[0]
        raise ValueError(
            f"There is no architecture {name!r}. Did you mean {nearest!r}? "
            f"Known: {', '.join(ARCHITECTURES)}."
        )
    sizes = dataclasses.asdict(ARCHITECTURES[name])
    del sizes["paper"]
    return {"vocabulary_size": 30522, **sizes, **overrides}
