import itertools
import sys

import keras_hub
import numpy as np
import pytest

from tf_distill.data import encode, read_table

PIECES = ["[UNK]", "[MASK]", "[CLS]", "##s", "car", "self", "driv", "##ing"]
PIECES += ["[SEP]", "!", "a", "b", "c", "d", "e", "caf", "##e", "[PAD]", "#"]
TEXTS = [
    "Self driving cars!",
    "",
    "café #cars a\u00a0b 中 \ufffd\U0001f600 unknown",
    "a b c d e " * 20,
    "a\0b [SEP] c\r\nd",
    "x" * 300,
    "car",
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "vocab.txt"
    path.write_text("\n".join(PIECES) + "\n")
    return keras_hub.models.BertTokenizer(str(path), lowercase=True)


def preprocessed(texts, tokenizer, max_length):
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(
        tokenizer, sequence_length=max_length
    )
    # By name: a tuple alone would be taken for inputs and labels.
    return {k: np.asarray(v) for k, v in preprocessor(x=texts).items()}


def assert_same(encoded, expected, max_length):
    padded = encoded.pad(np.arange(len(encoded)), max_length)
    assert padded.keys() == expected.keys()
    for name, array in padded.items():
        assert array.dtype == np.int32
        np.testing.assert_array_equal(array, expected[name], name)


@pytest.mark.parametrize("max_length", [3, 4, 16, 128])
def test_single_texts_as_keras_hub_packs_them(tokenizer, max_length):
    encoded = encode(TEXTS, tokenizer, max_length=max_length)
    expected = preprocessed(TEXTS, tokenizer, max_length)
    assert_same(encoded, expected, max_length)
    lengths = expected["padding_mask"].sum(axis=1)
    np.testing.assert_array_equal(encoded.lengths, lengths)
    assert encoded.token_ids.dtype == np.int32
    assert encoded.offsets.dtype == np.int64


def test_stripped_accents_as_keras_hub_strips_them():
    stripping = keras_hub.models.BertTokenizer(
        PIECES, lowercase=True, strip_accents=True
    )
    texts = [*TEXTS, "CAFÉ cafe\u0301 \u0301", "\u1e09 中\u0301é"]
    encoded = encode(texts, stripping, max_length=16)
    assert_same(encoded, preprocessed(texts, stripping, 16), 16)
    row = encoded.token_ids[slice(*encoded.offsets[-3:-1])]
    pieces = [PIECES[i] for i in row]
    assert pieces == ["[CLS]", *["caf", "##e"] * 2, "[SEP]"]


@pytest.mark.parametrize("max_length", [5, 6, 9, 10, 64])
def test_pairs_as_keras_hub_packs_them(tokenizer, max_length):
    texts = ["a " * n for n in range(8)] + TEXTS
    pairs = list(itertools.product(texts, texts[::-1]))
    first, second = map(list, zip(*pairs, strict=True))
    encoded = encode(
        first, tokenizer, max_length=max_length, second_texts=second
    )
    expected = preprocessed((first, second), tokenizer, max_length)
    # An empty second text still has its [SEP], which belongs to segment 1.
    assert_same(encoded, expected, max_length)


def test_more_texts_than_a_chunk_holds(tokenizer, monkeypatch):
    # The function hides its module, of the same name, from the package.
    module = sys.modules["tf_distill.data.encode"]
    monkeypatch.setattr(module, "_CHUNK", 3)
    encoded = encode(TEXTS, tokenizer, max_length=16)
    assert_same(encoded, preprocessed(TEXTS, tokenizer, 16), 16)


def test_table_of_pairs(tokenizer, tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("a,b\ncar,a b\nself,c\n")
    table = read_table(path, "a", second_text="b")
    encoded = encode(table, tokenizer, max_length=8)
    expected = preprocessed((["car", "self"], ["a b", "c"]), tokenizer, 8)
    assert_same(encoded, expected, 8)
    with pytest.raises(ValueError, match="second_texts was given"):
        encode(table, tokenizer, max_length=8, second_texts=["a", "b"])


def test_tokenizer_still_works_outside_and_in_tf_data(tokenizer):
    import tensorflow as tf

    fresh = keras_hub.models.BertTokenizer(
        tokenizer.get_vocabulary(), lowercase=True
    )
    encode(["cars"], fresh, max_length=8)
    expected = [PIECES.index("car"), PIECES.index("##s")]
    assert list(fresh("cars")) == expected
    dataset = tf.data.Dataset.from_tensors(["cars"]).map(fresh)
    assert next(iter(dataset)).to_list() == [expected]


def test_take(tokenizer):
    encoded = encode(TEXTS, tokenizer, max_length=16)
    rows = np.array([5, 0, 0, 3])
    taken = encoded.take(rows)
    assert len(taken) == 4
    expected = encoded.pad(rows, 16)
    for name, array in taken.pad(np.arange(4), 16).items():
        np.testing.assert_array_equal(array, expected[name])
    assert len(encoded.take([])) == 0
    for call in (encoded.take, lambda rows: encoded.pad(rows, 16)):
        with pytest.raises(ValueError, match=r"got bool: .*np.flatnonzero"):
            call(encoded.lengths > 3)


def test_padding_too_short_is_refused(tokenizer):
    encoded = encode(["car", "a b c d"], tokenizer, max_length=16)
    with pytest.raises(ValueError, match=r"length=5: row 1 has 6 tokens"):
        encoded.pad([0, 1], 5)


def test_bad_arguments(tokenizer):
    with pytest.raises(ValueError, match="at least 3"):
        encode(["a"], tokenizer, max_length=2)
    with pytest.raises(ValueError, match="at least 5"):
        encode(["a"], tokenizer, max_length=4, second_texts=["b"])
    with pytest.raises(ValueError, match="1 texts but 2 second_texts"):
        encode(["a"], tokenizer, max_length=8, second_texts=["b", "c"])
    with pytest.raises(ValueError, match="a list of texts"):
        encode("a", tokenizer, max_length=8)
    padding = keras_hub.models.BertTokenizer(
        tokenizer.get_vocabulary(), sequence_length=8
    )
    with pytest.raises(ValueError, match="sequence_length=8"):
        encode(["a"], padding, max_length=8)
