import keras
import numpy as np
import pytest
import tiny

from tf_distill.checkpoints import assign, tensors_of, variable_at
from tf_distill.checkpoints.bert import hugging_face_names

QUERY = "encoder.layer.1.attention.self.query.weight"
BIAS = "encoder.layer.0.output.dense.bias"
WORDS = "embeddings.word_embeddings.weight"


def test_a_path_leads_to_a_variable():
    ours = tiny.backbone()
    kernel = ours.blocks[1].get_layer("query").kernel
    assert variable_at(ours, "block_1/query/kernel") is kernel
    with pytest.raises(ValueError, match="no variable 'weight'"):
        variable_at(ours, "block_1/query/weight")
    with pytest.raises(ValueError, match="block_7"):
        variable_at(ours, "block_7/query/kernel")


def test_all_problems_at_once_and_nothing_assigned():
    ours = tiny.backbone()
    before = tiny.weights_of(ours)
    tensors = tiny.hugging_face_tensors(seed=5)
    del tensors[BIAS]
    tensors[QUERY] = tensors[QUERY][:4]
    tensors[WORDS][3, 2] = np.nan
    tensors["pooler.dense.bias"][0] = np.inf
    tensors["encoder.layer.2.output.dense.bias"] = np.zeros(8)
    with pytest.raises(ValueError) as error:
        assign(
            ours,
            tensors,
            hugging_face_names(2),
            source="some/file",
            ignore=("cls.",),
        )
    message = str(error.value)
    assert "some/file" in message
    for line in (
        f"{BIAS}: missing, needed for block_0/output/bias",
        f"{QUERY}: shape (8, 4), but block_1/query/kernel has (8, 8)",
        f"{WORDS}: holds NaN or infinity",
        "pooler.dense.bias: holds NaN or infinity",
        "encoder.layer.2.output.dense.bias: left over",
    ):
        assert line in message
    assert message.count("\n  ") == 5
    tiny.assert_same_weights(before, tiny.weights_of(ours))


def test_what_is_ignored_is_not_left_over():
    ours = tiny.backbone()
    tensors = tiny.hugging_face_tensors(seed=5)
    tensors["cls.predictions.bias"] = np.zeros(3)
    names = hugging_face_names(2)
    with pytest.raises(ValueError, match="cls.predictions.bias: left over"):
        assign(ours, tensors, names, source="file")
    assign(ours, tensors, names, source="file", ignore=("cls.",))
    # PyTorch keeps a dense kernel as (outputs, inputs).
    np.testing.assert_array_equal(
        ours.blocks[1].get_layer("query").kernel, tensors[QUERY].T
    )


def test_half_precision_is_read_into_float32():
    inputs = keras.Input((2,))
    dense = keras.layers.Dense(3, use_bias=False, name="a")
    model = keras.Model(inputs, dense(inputs))
    value = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], "float16")
    assign(
        model, {"w": value}, [("a/kernel", "w", True)], source="half precision"
    )
    np.testing.assert_array_equal(dense.kernel, value.T.astype("float32"))


def test_what_is_quantized_is_neither_written_nor_read_into():
    inputs = keras.Input((4,))
    dense = keras.layers.Dense(3, use_bias=False, name="a")
    model = keras.Model(inputs, dense(inputs), name="mine")
    names = [("a/kernel", "w", True)]
    dense.quantize("int8")
    message = "a/kernel of 'mine' is int8.*before it is quantized"
    with pytest.raises(ValueError, match=message):
        tensors_of(model, names)
    with pytest.raises(ValueError, match=message):
        assign(model, {"w": np.ones((3, 4))}, names, source="test")
