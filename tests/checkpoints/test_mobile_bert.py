import encoders
import folders
import pytest

from tf_distill.checkpoints import mobile_bert
from tf_distill.models import MobileBertBackbone

CONFIG = encoders.MOBILE_CONFIG


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"num_feed_forward": 1, "attention_input": "hidden_states"},
        {"num_feed_forward": 2, "attention_input": "bottleneck"},
    ],
)
def test_every_weight_has_a_name_of_its_own(sizes):
    ours = encoders.mobile_bert(**sizes)
    names = mobile_bert.FAMILY.names(ours)
    theirs = [name for _, name, _ in names]
    assert sorted(theirs) == sorted(encoders.mobile_tensors(**sizes))
    assert len({ours for ours, *_ in names}) == len(names)
    assert len(names) == len(ours.weights)


def test_sizes_and_the_released_configuration_s_defaults():
    found = mobile_bert.hugging_face_arguments(CONFIG)
    assert found == {
        **encoders.MOBILE_SIZES,
        "attention_input": "shared_bottleneck",
        "normalization": "no_norm",
        "activation": "relu",
        "dropout": 0.0,
        "attention_dropout": 0.1,
        "num_segments": 2,
    }
    short = ("vocab_size", "num_hidden_layers", "num_attention_heads")
    short += ("hidden_size", "intermediate_size", "model_type")
    found = mobile_bert.hugging_face_arguments({k: CONFIG[k] for k in short})
    assert found["bottleneck_dim"] == found["embedding_dim"] == 128
    assert found["num_feed_forward"] == 4
    assert found["attention_input"] == "shared_bottleneck"


@pytest.mark.parametrize(
    ("change", "attention_input"),
    [
        ({"use_bottleneck_attention": True}, "bottleneck"),
        ({"key_query_shared_bottleneck": False}, "hidden_states"),
    ],
)
def test_what_attention_reads(change, attention_input):
    found = mobile_bert.hugging_face_arguments({**CONFIG, **change})
    assert found["attention_input"] == attention_input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "bert"}, "is a 'bert', but only 'mobilebert'"),
        ({"trigram_input": False}, "trigram_input is false"),
        ({"use_bottleneck": False}, "use_bottleneck is false"),
        ({"hidden_act": "relu6"}, "activation 'relu6' is not one of gelu"),
        (
            {"normalization_type": "layer_norm", "layer_norm_eps": 1e-5},
            "layer_norm_eps is 1e-05; .* 1e-12",
        ),
    ],
)
def test_another_computation_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        mobile_bert.hugging_face_arguments({**CONFIG, **change})


def test_no_norm_has_no_epsilon():
    mobile_bert.hugging_face_arguments({**CONFIG, "layer_norm_eps": 1e-5})


def test_networks_that_are_left_over(tmp_path):
    folders.write(
        tmp_path,
        encoders.mobile_tensors(),
        **{**CONFIG, "num_feedforward_networks": 2},
    )
    with pytest.raises(ValueError, match=r"ffn\.1\.output\.dense\.bias: left"):
        MobileBertBackbone.from_preset(tmp_path)


def test_another_normalization(tmp_path):
    folders.write(
        tmp_path,
        encoders.mobile_tensors(),
        **{**CONFIG, "normalization_type": "batch_norm"},
    )
    with pytest.raises(ValueError, match="is 'batch_norm', but must be one of"):
        MobileBertBackbone.from_preset(tmp_path)
