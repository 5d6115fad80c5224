import keras
import pytest

from tf_distill import models
from tf_distill.models import ARCHITECTURES, BertBackbone
from tf_distill.models.architectures import architecture_arguments

# Of an encoder as its class has it, BERT's with its pooler; English vocabulary
# of 30,522, 512 positions, two segments. From the papers' sizes: BERT
# has 4(D² + D) + 2DI + I + D + 4D a block and (30522 + 512 + 2 + 2)D + D² + D
# around them; DistilBERT that without 2D of segments and D² + D of a pooler;
# MobileBERT 4,368,128 of embeddings and 24 blocks of 842,240, 874,624 or
# 463,232; IB-BERT of 12,076,544. A layer normalization has as many as a NoNorm.
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
    "bert_4l_312d": 14_350_248,
    "distil_bert_4l_768d": 52_187_136,
    "distil_bert_6l_768d": 66_362_880,
    "tiny_bert_4l_312d": 14_350_248,
    "tiny_bert_6l_768d": 66_955_008,
    "mini_lm_6l_384d": 22_713_216,
    "mini_lm_12l_384d": 33_360_000,
    "mobile_bert_24l_512d": 24_581_888,
    "mobile_bert_paper_24l_512d": 25_359_104,
    "mobile_bert_tiny_24l_512d": 15_485_696,
    "mobile_bert_without_opt_24l_512d": 24_581_888,
    "ib_bert_large_24l_512d": 294_205_184,
}


@pytest.fixture
def forgotten():
    """Makes Keras forget variables that are still to be initialized."""
    yield
    keras.utils.clear_session()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameters_are_the_papers(name, forgotten):
    # Shapes only: to draw 335 million random numbers takes long. Keras would
    # draw them for whichever test opens the next scope, unless it forgets.
    with keras.StatelessScope(initialize_variables=False):
        cls = getattr(models, ARCHITECTURES[name].backbone)
        backbone = cls.from_preset(name, load_weights=False)
    assert backbone.count_params() == COUNTS[name]


@pytest.mark.parametrize(
    ("name", "sizes", "count"),
    [
        ("distil_bert_6l_768d", {"vocabulary_size": 28996}, 65_190_912),
        (
            "mobile_bert_24l_512d",
            # Multilingual, without 23 blocks that are alike.
            {"vocabulary_size": 119547, "num_layers": 1},
            35_977_088 - 23 * 842_240,
        ),
    ],
)
def test_parameters_with_other_words(name, sizes, count, forgotten):
    with keras.StatelessScope(initialize_variables=False):
        cls = getattr(models, ARCHITECTURES[name].backbone)
        backbone = cls.from_preset(name, load_weights=False, **sizes)
    assert backbone.count_params() == count


def test_parameters_of_distil_bert_s_heads(forgotten):
    with keras.StatelessScope(initialize_variables=False):
        backbone = models.DistilBertBackbone.from_preset(
            "distil_bert_6l_768d", load_weights=False
        )
        # An optimizer would have a variable with a value.
        classifier = models.DistilBertTextClassifier(
            backbone, num_classes=2, compile=False
        )
        answers = models.DistilBertQuestionAnswering(backbone, compile=False)
    assert classifier.count_params() == 66_955_010
    assert answers.count_params() == 66_362_880 + 1_538


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


def test_a_name_of_another_class():
    with pytest.raises(ValueError, match="is a MobileBertBackbone, not a Bert"):
        BertBackbone.from_preset("mobile_bert_24l_512d", load_weights=False)


def test_what_the_names_of_mobile_bert_say():
    def differences(name):
        released = architecture_arguments("mobile_bert_24l_512d").items()
        return dict(architecture_arguments(name).items() - released)

    assert differences("mobile_bert_paper_24l_512d") == {
        "attention_input": "hidden_states"
    }
    assert differences("mobile_bert_tiny_24l_512d") == {
        "attention_input": "bottleneck",
        "num_feed_forward": 2,
    }
    assert differences("mobile_bert_without_opt_24l_512d") == {
        "normalization": "layer_norm",
        "activation": "gelu_approximate",
    }


def test_a_thin_mobile_bert_of_three_layers():
    thin = models.MobileBertBackbone.from_preset(
        "mobile_bert_24l_512d",
        load_weights=False,
        vocabulary_size=20,
        num_layers=3,
        hidden_dim=64,
        bottleneck_dim=16,
        intermediate_dim=16,
        embedding_dim=8,
    )
    assert len(thin.blocks) == 3
    assert thin.output_shape == (None, None, 64)
    assert thin.blocks[0].get_layer("query").kernel.shape == (16, 16)
