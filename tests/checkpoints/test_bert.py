import keras_hub
import pytest
import tiny

from tf_distill.checkpoints import bert

CONFIG = {
    "model_type": "bert",
    "vocab_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 8,
    "intermediate_size": 16,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "roberta"}, "is a 'roberta', but only 'bert'"),
        ({"model_type": None}, "is a None"),
        (
            {"position_embedding_type": "relative_key"},
            "'relative_key' position embeddings",
        ),
        ({"layer_norm_eps": 1e-5}, "layer_norm_eps is 1e-05; .* 1e-12"),
        ({"hidden_act": "silu"}, "activation 'silu' is not one of gelu"),
        ({"is_decoder": True}, "is_decoder is true: it is a decoder"),
        ({"add_cross_attention": True}, "add_cross_attention is true"),
    ],
)
def test_another_computation_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        bert.hugging_face_arguments({**CONFIG, **change})


def test_sizes_and_defaults():
    config = {**CONFIG, "layer_norm_eps": 1e-12}
    assert bert.hugging_face_arguments(CONFIG) == {
        **tiny.SIZES,
        "activation": "gelu",
        "dropout": 0.1,
        "max_sequence_length": 512,
        "num_segments": 2,
    }
    assert bert.hugging_face_arguments(config) == bert.hugging_face_arguments(
        CONFIG
    )


def test_every_weight_has_a_name_of_its_own():
    names = bert.hugging_face_names(2)
    theirs = [name for _, name, _ in names]
    assert sorted(theirs) == sorted(tiny.hugging_face_tensors())
    assert len({ours for ours, *_ in names}) == len(names)
    assert len(names) == len(tiny.backbone().weights)


def test_keras_hub_s_weights_in_hugging_face_s_layout():
    theirs = tiny.randomize(keras_hub.models.BertBackbone(**tiny.SIZES))
    expected = tiny.hugging_face_tensors()
    found = bert.keras_hub_tensors(theirs)
    assert {name: value.shape for name, value in found.items()} == {
        name: value.shape for name, value in expected.items()
    }
