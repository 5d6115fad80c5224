"""What the papers print of the named architectures, to be put beside them."""

import dataclasses

_DISTIL = "Sanh et al. 2019, table 3"
_TINY = "Jiao et al. 2020, table 1"
_TURC = "Turc et al. 2019"
_MOBILE = "Sun et al. 2020, tables 1 and 4"
_WANG = "Wang et al. 2020"


@dataclasses.dataclass(frozen=True)
class PaperFigures:
    """What a paper prints of an architecture.

    Attributes:
        parameters: str, millions, to the digit that is printed.
        flops: str, billions, likewise; None where nobody prints them.
        speed_up: float, the latency of BERT-base over this one's; None
            where nobody prints it. On a GPU in TinyBERT's paper, on a
            processor in DistilBERT's, on a phone in MobileBERT's.
        source: the paper, and its table.
        note: what has to be known to compare, or an empty string.
    """

    parameters: str
    flops: str | None
    speed_up: float | None
    source: str
    note: str = ""


_AS_TABLE_1 = (
    "The paper prints what its table 1 makes, mobile_bert_paper_24l_512d; the "
    "published configuration has a bottleneck of their own for queries and "
    "keys, which is smaller."
)
_BY_PROJECTION = (
    "14,492,976 with a projection of 312 to 768 in place of pooler and heads "
    "would be 14.5M too."
)

PAPER_FIGURES = {
    "bert_tiny_2l_128d": PaperFigures("4.4", None, None, _TURC),
    "bert_mini_4l_256d": PaperFigures("11.2", None, None, _TURC),
    "bert_small_4l_512d": PaperFigures(
        "29.2",
        "3.4",
        5.7,
        _TINY,
        "29,157,632 with pooler and a projection of 512 to 768, as TinyBERT's "
        "losses have it, would be 29.2M.",
    ),
    "bert_medium_8l_512d": PaperFigures("41", None, None, _TURC),
    "bert_base_12l_768d": PaperFigures(
        "109",
        "22.5",
        1.0,
        f"{_TINY}; {_MOBILE}",
        "DistilBERT's table prints 110M, which is with pooler and heads.",
    ),
    "bert_large_24l_1024d": PaperFigures("334", None, None, _MOBILE),
    "bert_3l_768d": PaperFigures(
        "45.3",
        "5.7",
        None,
        _MOBILE,
        "Nothing lies between the encoder and what it is with its pooler.",
    ),
    "bert_4l_768d": PaperFigures("52.2", "7.6", 3.0, _TINY),
    "bert_6l_768d": PaperFigures(
        "67.0",
        "11.3",
        2.0,
        _TINY,
        "MobileBERT's table prints 66.5M, which no way of counting gives.",
    ),
    "bert_4l_312d": PaperFigures("14.5", "1.2", 9.4, _TINY, _BY_PROJECTION),
    "distil_bert_4l_768d": PaperFigures("52.2", "7.6", 3.0, _TINY),
    "distil_bert_6l_768d": PaperFigures(
        "66",
        "11.3",
        1.63,
        f"{_DISTIL}; FLOPs: {_TINY}",
        "TinyBERT's table prints 67.0M and 2.0x, which are a BERT's of 6 "
        "layers; MobileBERT's 62.2M, which no way of counting gives.",
    ),
    "tiny_bert_4l_312d": PaperFigures(
        "14.5",
        "1.2",
        9.4,
        _TINY,
        _BY_PROJECTION,
    ),
    "tiny_bert_6l_768d": PaperFigures("67.0", "11.3", 2.0, _TINY),
    "mini_lm_6l_384d": PaperFigures(
        "22", None, None, _WANG, "22.6M, cut off instead of rounded."
    ),
    "mini_lm_12l_384d": PaperFigures("33", None, None, _WANG),
    "mobile_bert_24l_512d": PaperFigures(
        "25.3", "5.7", 5.5, _MOBILE, _AS_TABLE_1
    ),
    "mobile_bert_paper_24l_512d": PaperFigures(
        "25.3",
        "5.7",
        5.5,
        _MOBILE,
        "25.36M cut off instead of rounded; or 25,296,640, without the norms.",
    ),
    "mobile_bert_tiny_24l_512d": PaperFigures(
        "15.1",
        "3.1",
        8.6,
        _MOBILE,
        "No way of counting the published configuration gives 15.1M.",
    ),
    "mobile_bert_without_opt_24l_512d": PaperFigures(
        "25.3", "5.7", 1.8, _MOBILE, _AS_TABLE_1
    ),
    "ib_bert_large_24l_512d": PaperFigures(
        "293",
        None,
        None,
        _MOBILE,
        "293,773,568 without biases and norms, cut off instead of rounded.",
    ),
}
