import numpy as np
import pytest
import tensorflow as tf
from conftest import TEXTS, inputs_of, make_preprocessor

from tf_distill.export.saved_model import TEXT_OPS
from tf_distill.export.text_to_tokens import text_to_tokens


def random_texts(number, seed):
    """Letters, accents, CJK, controls, broken UTF-8 and special tokens."""
    random = np.random.default_rng(seed)
    pieces = [*"abc AB.,'\"!#\t\n\0\x01éÑßİΣǅ中日 \u200b\u0301\ufffd—😀"]
    pieces = [piece.encode() for piece in pieces]
    pieces += [b" the ", b" gooding ", b"[SEP]", b" [PAD] ", b"\xff", b"\xe4"]
    return [
        b"".join(random.choice(pieces, size=random.integers(0, 25)))
        for _ in range(number)
    ]


def graph(preprocessor, number):
    return tf.function(
        lambda *texts: text_to_tokens(preprocessor, *texts),
        input_signature=[tf.TensorSpec((None,), "string")] * number,
        autograph=False,
    )


def assert_same_but_for_padding(ours, theirs):
    longest = theirs["padding_mask"].sum(1).max()
    assert ours["token_ids"].shape == (len(theirs["token_ids"]), longest)
    assert set(ours) == set(theirs)
    for name, expected in theirs.items():
        assert ours[name].dtype == "int32"
        np.testing.assert_array_equal(ours[name], expected[:, :longest])


@pytest.mark.parametrize("strip_accents", [False, True])
def test_single_texts_are_the_preprocessors(strip_accents):
    preprocessor = make_preprocessor(strip_accents)
    texts = TEXTS + random_texts(400, seed=0)
    function = graph(preprocessor, 1)
    assert_same_but_for_padding(
        function(tf.constant(texts)), inputs_of(preprocessor, texts)
    )
    graph_def = function.get_concrete_function().graph.as_graph_def()
    ops = {n.op for f in graph_def.library.function for n in f.node_def}
    ops |= {node.op for node in graph_def.node}
    assert ("NormalizeUTF8" in ops) is strip_accents
    assert ops.intersection(TEXT_OPS) | {"NormalizeUTF8"} == set(TEXT_OPS)


@pytest.mark.parametrize("truncate", ["round_robin", "waterfall"])
def test_pairs_are_the_preprocessors(truncate):
    preprocessor = make_preprocessor(truncate=truncate)
    first = TEXTS + random_texts(400, seed=1)
    second = TEXTS[::-1] + random_texts(400, seed=2)
    assert_same_but_for_padding(
        graph(preprocessor, 2)(tf.constant(first), tf.constant(second)),
        inputs_of(preprocessor, first, second),
    )


@pytest.mark.parametrize("texts,length", [([], 2), ([""], 2), (["day"], 3)])
def test_a_batch_is_as_wide_as_its_longest(texts, length):
    tokens = graph(make_preprocessor(), 1)(tf.constant(texts, "string"))
    shapes = {tuple(value.shape) for value in tokens.values()}
    assert shapes == {(len(texts), length)}
