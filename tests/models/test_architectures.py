import keras
import pytest

from tf_distill.models import ARCHITECTURES, BertBackbone
from tf_distill.models.architectures import architecture_arguments

# Of an encoder with its pooler, English vocabulary of 30,522, 512 positions
# and two segments, worked out from the papers' sizes:
# 4(D² + D) + 2DI + I + D + 4D a block, and (30522 + 512 + 2 + 2)D + D² + D.
COUNTS = {
    "bert_tiny_2l_128d": 4_385_920,
    "bert_mini_4l_256d": 11_170_560,
    "bert_small_4l_512d": 28_763_648,
    "bert_medium_8l_512d": 41_373_184,
    "bert_base_12l_768d": 109_482_240,
    "bert_large_24l_1024d": 335_141_888,
    "bert_3l_768d": 45_691_392,
    "bert_4l_768d": 52_779_264,
    "bert_6l_768d": 66_955_008,
    "tiny_bert_4l_312d": 14_350_248,
    "tiny_bert_6l_768d": 66_955_008,
    "mini_lm_6l_384d": 22_713_216,
    "mini_lm_12l_384d": 33_360_000,
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameters_are_the_papers(name):
    # Shapes only: to draw 335 million random numbers takes long.
    with keras.StatelessScope(initialize_variables=False):
        backbone = BertBackbone.from_preset(name, load_weights=False)
    assert backbone.count_params() == COUNTS[name]


def test_overrides_replace_the_sizes():
    arguments = architecture_arguments("bert_tiny_2l_128d", num_layers=1)
    assert arguments["num_layers"] == 1
    assert arguments["hidden_dim"] == 128
    assert arguments["vocabulary_size"] == 30522


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("tinybert_4l_312d", "tiny_bert_4l_312d"),
        ("bert_base", "bert_base_12l_768d"),
        ("bert-6l-768d", "bert_6l_768d"),
    ],
)
def test_a_misspelt_name_gets_the_nearest(wrong, right):
    with pytest.raises(ValueError, match=f"Did you mean '{right}'"):
        architecture_arguments(wrong)
