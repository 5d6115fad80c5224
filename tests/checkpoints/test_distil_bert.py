import encoders
import folders
import pytest
import tiny

from tf_distill.checkpoints import distil_bert
from tf_distill.models import BertBackbone, DistilBertBackbone


def test_every_weight_has_a_name_of_its_own():
    names = distil_bert.hugging_face_names(2)
    theirs = [name for _, name, _ in names]
    assert sorted(theirs) == sorted(encoders.distil_tensors())
    assert len({ours for ours, *_ in names}) == len(names)
    assert len(names) == len(encoders.distil_bert().weights)


def test_sizes():
    assert distil_bert.hugging_face_arguments(encoders.DISTIL_CONFIG) == {
        **tiny.SIZES,
        "activation": "gelu",
        "dropout": 0.1,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "bert"}, "is a 'bert', but only 'distilbert'"),
        ({"activation": "silu"}, "activation 'silu' is not one of gelu"),
    ],
)
def test_another_computation_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        distil_bert.hugging_face_arguments({**encoders.DISTIL_CONFIG, **change})


def test_no_family_is_read_into_another(tmp_path):
    tensors = encoders.distil_tensors()
    folders.write(tmp_path, tensors, **encoders.DISTIL_CONFIG)
    with pytest.raises(ValueError, match="is a 'distilbert', but only 'bert'"):
        BertBackbone.from_preset(tmp_path)


def test_all_that_does_not_fit_is_named_at_once(tmp_path):
    tensors = encoders.distil_tensors()
    lost = "transformer.layer.1.ffn.lin2.bias"
    del tensors[lost]
    tensors["transformer.layer.2.ffn.lin2.bias"] = tensors.pop(
        "transformer.layer.0.ffn.lin1.bias"
    )
    folders.write(tmp_path, tensors, **encoders.DISTIL_CONFIG)
    with pytest.raises(ValueError) as error:
        DistilBertBackbone.from_preset(tmp_path)
    for problem in (
        f"{lost}: missing",
        "transformer.layer.0.ffn.lin1.bias: missing",
        "transformer.layer.2.ffn.lin2.bias: left over",
    ):
        assert problem in str(error.value)
