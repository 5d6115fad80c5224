import keras
import numpy as np
import pytest
import tiny

from tf_distill.layers import mobile_bert_block
from tf_distill.layers.mobile_bert_block import ATTENTION_INPUTS

X = np.random.default_rng(0).normal(size=(3, 5, 8)).astype("float32")
MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]])
IB_BERT = {
    "bottleneck_dim": 12,
    "num_feed_forward": 1,
    "attention_input": "hidden_states",
    "normalization": "layer_norm",
    "activation": "relu",
}


def block(**changes):
    arguments = {
        "bottleneck_dim": 4,
        "num_heads": 2,
        "intermediate_dim": 6,
        "attention_dropout": 0.0,
    }
    return tiny.randomize(mobile_bert_block(8, **{**arguments, **changes}))


def dense(ours, x, name):
    layer = ours.get_layer(name)
    return x @ layer.kernel.numpy() + layer.bias.numpy()


def norm(ours, x, name):
    layer = ours.get_layer(f"{name}_norm")
    if isinstance(layer, keras.layers.LayerNormalization):
        x = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)
    return x * layer.gamma.numpy() + layer.beta.numpy()


def between(ours, first, last, x):
    """What a part of a block, from one layer's output on, makes of x."""
    part = keras.Model(
        ours.get_layer(first).output, ours.get_layer(last).output
    )
    return part(x)


def enters(ours, name):
    """What a layer of a block reads."""
    layer = ours.get_layer(name)
    return np.asarray(keras.Model(ours.input, layer.input)([X, MASK]))


@pytest.mark.parametrize("normalization", ["no_norm", "layer_norm"])
def test_the_bottleneck(normalization):
    ours = block(normalization=normalization)
    found = keras.Model(ours.input, ours.get_layer("bottleneck_norm").output)
    expected = norm(ours, dense(ours, X, "bottleneck"), "bottleneck")
    assert expected.shape == (3, 5, 4)
    np.testing.assert_allclose(found([X, MASK]), expected, atol=1e-5)


def test_queries_and_keys_share_a_bottleneck_of_their_own():
    ours = block()
    shared = norm(
        ours, dense(ours, X, "key_query_bottleneck"), "key_query_bottleneck"
    )
    np.testing.assert_allclose(enters(ours, "query"), shared, atol=1e-5)
    np.testing.assert_allclose(enters(ours, "key"), shared, atol=1e-5)
    np.testing.assert_array_equal(enters(ours, "value"), X)


def test_attention_from_the_hidden_states():
    ours = block(attention_input="hidden_states")
    for role in ("query", "key", "value"):
        np.testing.assert_array_equal(enters(ours, role), X)


def test_attention_from_the_bottleneck():
    ours = block(attention_input="bottleneck")
    narrow = norm(ours, dense(ours, X, "bottleneck"), "bottleneck")
    for role in ("query", "key", "value"):
        np.testing.assert_allclose(enters(ours, role), narrow, atol=1e-5)


@pytest.mark.parametrize("num_feed_forward", [1, 2, 4])
def test_the_stack_of_feed_forward_networks(num_feed_forward):
    ours = block(num_feed_forward=num_feed_forward)
    expected = narrow = X[..., :4]
    for index in range(num_feed_forward):
        inner = dense(ours, expected, f"feed_forward_{index}_inner")
        inner = dense(
            ours, np.maximum(inner, 0), f"feed_forward_{index}_output"
        )
        expected = norm(ours, inner + expected, f"feed_forward_{index}_output")
    last = f"feed_forward_{num_feed_forward - 1}_output_norm"
    found = between(ours, "attention_output_norm", last, narrow)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match=f"feed_forward_{num_feed_forward}"):
        ours.get_layer(f"feed_forward_{num_feed_forward}_inner")


@pytest.mark.parametrize("attention_input", ATTENTION_INPUTS)
@pytest.mark.parametrize("normalization", ["no_norm", "layer_norm"])
def test_a_block_with_one_network_against_numpy(attention_input, normalization):
    ours = block(
        attention_input=attention_input,
        normalization=normalization,
        num_feed_forward=1,
    )
    narrow = norm(ours, dense(ours, X, "bottleneck"), "bottleneck")
    _, context = tiny.attention(
        *(
            dense(ours, enters(ours, role), role)
            for role in ("query", "key", "value")
        ),
        MASK,
        2,
    )
    context = dense(ours, context, "attention_output")
    x = norm(ours, context + narrow, "attention_output")
    inner = np.maximum(dense(ours, x, "feed_forward_0_inner"), 0)
    inner = dense(ours, inner, "feed_forward_0_output")
    x = norm(ours, inner + x, "feed_forward_0_output")
    expected = norm(ours, dense(ours, x, "output") + X, "output")
    np.testing.assert_allclose(ours([X, MASK]), expected, rtol=1e-5, atol=1e-5)


def test_an_inverted_bottleneck_is_wider():
    ours = block(**IB_BERT)
    assert ours.get_layer("query").kernel.shape == (8, 12)
    assert ours.get_layer("feed_forward_0_inner").kernel.shape == (12, 6)
    assert ours.get_layer("output").kernel.shape == (12, 8)
    assert ours([X, MASK]).shape == (3, 5, 8)


@pytest.mark.parametrize("mask_rule", ["add", "replace"])
def test_a_row_that_is_all_padding_is_finite(mask_rule):
    ours = block(mask_rule=mask_rule)
    assert np.isfinite(ours([X, 0 * MASK])).all()


def test_the_mask_rule_reaches_the_attention():
    attention = block(mask_value=-6.0, mask_rule="replace").get_layer(
        "attention"
    )
    assert (attention.mask_value, attention.mask_rule) == (-6.0, "replace")


def test_dropout_where_the_papers_code_has_it():
    layers = block(dropout=0.25, attention_dropout=0.5)._flatten_layers()
    rates = {
        x.name: x.rate for x in layers if isinstance(x, keras.layers.Dropout)
    }
    assert rates == {"distribution_dropout": 0.5, "output_dropout": 0.25}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_heads": 3}, "3 heads cannot share a width of 4"),
        ({"attention_input": "both"}, "'both', but must be one of shared_"),
        ({"normalization": "batch"}, "'batch', but must be one of no_norm"),
        ({"mask_rule": "none"}, "'none', but must be 'add' or 'replace'"),
    ],
)
def test_bad_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        block(**changes)
