"""Words with labels, against the alignment of the `tokenizers` package."""

import functools

import heads
import keras
import keras_hub
import numpy as np
import pytest
import tiny
import tokenizers
from on_backend import needs_tensorflow

import tf_distill as td
from tf_distill import models
from tf_distill.models.word_labels import class_indices

VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] the ca ##t ##s new york".split()
VOCABULARY += [*"!.äaéx", "##x", "中", "文"]
NAMES = ["O", "B-X", "I-X"]
WORDS = [
    ["the", "cats", "!"],
    ["new york", "x", "can't", "xx", "Äxx", "中文", "nothing"],
    [],
    ["\u200d", "catxs", "é.é", "the"],
    ["x"] * 12,  # the first that is cut has a label
]
LABELS = [[0, 1, 2], [1, 2, 0, -100, 1, 2, 0], [], [1, 2, 0, 1], [0, 1, 2] * 4]
WEIGHTS = [[0.5 * i for i in range(1, 1 + len(row))] for row in WORDS]
LENGTH = 12


def preprocessor(family="Bert"):
    tokenizer = getattr(keras_hub.models, f"{family}Tokenizer")
    return getattr(models, f"{family}TokenClassifierPreprocessor")(
        tokenizer(VOCABULARY, lowercase=True), sequence_length=LENGTH
    )


def theirs(words, length):
    """Token ids and the words that they are of, None of special ones."""
    ids = {word: number for number, word in enumerate(VOCABULARY)}
    model = tokenizers.models.WordPiece(ids, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(
        lowercase=True, strip_accents=False
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = tokenizers.processors.BertProcessing(
        ("[SEP]", 3), ("[CLS]", 2)
    )
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length)
    found = tokenizer.encode_batch(words, is_pretokenized=True)
    return np.array([x.ids for x in found]), [x.word_ids for x in found]


def expected():
    """Inputs, labels and weights by the first token of each word."""
    ids, rows = theirs(WORDS, LENGTH)
    labels = np.full(ids.shape, -100)
    weights = np.zeros(ids.shape)
    for row, of_words in enumerate(rows):
        for place, word in enumerate(of_words):
            if word is not None and of_words.index(word) == place:
                labels[row, place] = LABELS[row][word]
                weights[row, place] = WEIGHTS[row][word]
    return ids, labels, weights


def ragged(rows):
    import tensorflow as tf

    return tf.ragged.constant(rows, ragged_rank=1)


def filled_up(rows):
    """`(B, W)` arrays, as they come from files and other libraries."""
    width = max(map(len, rows))
    flat = [x for row in rows for x in row]
    fill = "" if isinstance(flat[0], str) else 0.0
    fill = -100 if isinstance(flat[0], int) else fill
    return np.array([row + [fill] * (width - len(row)) for row in rows])


FORMS = {"lists": lambda rows: rows, "arrays": filled_up, "ragged": ragged}
every_form = pytest.mark.parametrize(
    "form", ["lists", "arrays", pytest.param("ragged", marks=needs_tensorflow)]
)


def assert_aligned(found):
    x, labels, weights = found
    ids, of_tokens, their_weights = expected()
    np.testing.assert_array_equal(x["token_ids"], ids)
    np.testing.assert_array_equal(np.asarray(x["padding_mask"]), ids != 0)
    np.testing.assert_array_equal(labels, of_tokens)
    np.testing.assert_allclose(weights, their_weights)


def test_there_is_something_to_align():
    ids, labels, _ = expected()
    assert ids[4].all() and ids[4, -1] == 3  # which was cut
    # No token of a character that is dropped; the word without a label.
    assert (labels >= 0).sum() == 3 + 4 + 0 + 3 + 10
    assert ((labels < 0) & (ids > 5)).sum() > 8  # further pieces


@every_form
@pytest.mark.parametrize("family", ["Bert", "DistilBert"])
def test_the_alignment_of_tokenizers(family, form):
    ours = preprocessor(family)
    data = [FORMS[form](each) for each in (WORDS, LABELS, WEIGHTS)]
    assert_aligned(ours(*data))
    x, labels = ours(*data[:2])
    np.testing.assert_array_equal(labels, expected()[1])
    np.testing.assert_array_equal(x["token_ids"], ours(x=data[0])["token_ids"])
    assert ("segment_ids" in x) == (family == "Bert")
    assert not np.any(x.get("segment_ids", 0))


@needs_tensorflow
@pytest.mark.parametrize("form", ["arrays", "ragged"])
def test_the_same_in_a_pipeline(form):
    import tensorflow as tf

    ours = preprocessor()
    data = tuple(FORMS[form](each) for each in (WORDS, LABELS, WEIGHTS))
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(5)
    (found,) = dataset.map(ours)
    assert_aligned(found)
    (found,) = dataset.map(lambda x, y, _: ours(x, y))
    np.testing.assert_array_equal(found[1], expected()[1])
    (x,) = dataset.map(lambda x, y, _: ours(x=x))
    np.testing.assert_array_equal(x["token_ids"], expected()[0])
    # One weight a row is the loss' business.
    (found,) = dataset.map(lambda x, y, _: ours(x, y, tf.range(5)))
    np.testing.assert_array_equal(found[2], np.arange(5))


def test_texts_are_left_to_keras_hub():
    texts = ["the cats !", "can't"]
    ours = preprocessor()
    plain = keras_hub.models.BertTextClassifierPreprocessor(
        ours.tokenizer, sequence_length=LENGTH
    )
    for data in ({"x": texts}, {"x": texts, "y": np.zeros((2, LENGTH))}):
        keras.tree.map_structure(
            np.testing.assert_array_equal, ours(**data), plain(**data)
        )


def classifier(**arguments):
    """A task of three named classes, on an encoder of one block."""
    given = {"preprocessor": preprocessor(), "label_names": NAMES, **arguments}
    return heads.task("BertTokenClassifier", dropout=0.0, **given)


MISTAKES = {
    "a label too few": (["the", "x"], [0], "Row 1 has 2 words, but 1 labels"),
    "a label too many": (["the"], [0, 1], "Row 1 has 1 words, but 2 labels"),
    "an empty word": (["the", "", "x"], [0, 1, 2], "Word 1 of row 1 is empty"),
    "a blank": (["the", "\u00a0"], [0, 1], "Word 1 of row 1 is empty"),
    "a label of no word": (["x", ""], [0, 1], "1 words, but a label at word 1"),
    "no such class": (["the"], [3], "label 3 is none of the 3 classes"),
    "below 0": (["the"], [-1], "label -1 is none of the 3 classes"),
    "no such name": (["the"], ["B-Y"], "'B-Y' is none of .*: O, B-X, I-X"),
    "no number": (["the"], [0.5], "must be numbers of classes"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_memory(mistake):
    words, labels, message = MISTAKES[mistake]
    # Of the row before, labels of the same kind.
    before = type(labels[0])(0) if mistake != "no such name" else "O"
    with pytest.raises(ValueError, match=message):
        classifier().preprocess_samples([["x"], words], [[before], labels])


@needs_tensorflow
def test_mistakes_in_a_pipeline():
    import tensorflow as tf

    ours = classifier()
    ours.compile(run_eagerly=True)
    for mistake, (words, labels, message) in MISTAKES.items():
        if mistake == "no number":
            continue  # TensorFlow has no number that is both
        before = "O" if mistake == "no such name" else 0
        data = ragged([["x"], words]), ragged([[before], labels])
        dataset = tf.data.Dataset.from_tensor_slices(data).batch(2)
        for use in (functools.partial(ours.fit, shuffle=False), ours.evaluate):
            with pytest.raises(ValueError, match=message):
                use(dataset, verbose=0)
        assert not ours.preprocessor.refused


def test_names_need_a_task_that_knows_them():
    with pytest.raises(ValueError, match="takes numbers.*preprocess_samples"):
        preprocessor()([["the"]], [["O"]])
    with pytest.raises(ValueError, match="no `label_names`"):
        classifier(label_names=None).preprocess_samples([["the"]], [["O"]])
    found = class_indices([["I-X", ""], ["O", "B-X"]], 3, NAMES)
    np.testing.assert_array_equal(found, [[2, -100], [0, 1]])


@pytest.mark.parametrize("labels", [None, [[0, 1], [2]]])
def test_token_ids_are_no_words(labels):
    for words in ([[2, 5], [3]], np.array([[2, 5], [3, 0]])):
        with pytest.raises(ValueError, match="Words are int.*`token_ids`"):
            classifier().preprocess_samples(words, labels)
        with pytest.raises(ValueError, match="Words are int.*`token_ids`"):
            classifier().predict(words)


def test_a_preprocessor_of_texts_is_told_from_one_of_words():
    """Tasks and presets may have KerasHub's, which cuts texts alone."""
    ours = classifier(preprocessor=tiny.preprocessor())
    assert ours.predict(["the cats !"], verbose=0).shape == (1, 8, 3)
    for labels in (None, [[0, 1]]):
        with pytest.raises(ValueError, match="is a BertText.*: set"):
            ours.preprocess_samples([["the", "cats"]], labels)
    ours.preprocessor = preprocessor()  # as it says
    x, _ = ours.preprocess_samples([["the", "cats"]], [[0, 1]])
    np.testing.assert_array_equal(x["token_ids"][0, :6], [2, 5, 6, 7, 8, 3])


@needs_tensorflow
def test_rows_without_words():
    ours = classifier()
    x, labels = ours.preprocess_samples([[], []], [[], []])
    np.testing.assert_array_equal(x["token_ids"][:, :3], [[2, 3, 0]] * 2)
    assert np.all(np.asarray(labels) == -100)
    _, labels = ours.preprocessor([[]], [[]])
    assert np.all(np.asarray(labels) == -100)
    expected = ours.predict([[], ["x"]], verbose=0)[:1]
    found = ours.predict([[]], verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    ours.compile(run_eagerly=True)
    assert ours.evaluate([[]], [[]], verbose=0) == [0.0, 0.0]


def test_rows_without_labels_and_tokenizers_that_pad():
    with pytest.raises(ValueError, match="2 rows of words, but 1 rows"):
        preprocessor()([["the"], ["x"]], [[0]])
    with pytest.raises(ValueError, match=r"shape \(2,\), but need one a word"):
        preprocessor()([["the"], ["x"]], np.array([0, 1]))
    ours = preprocessor()
    ours.tokenizer.sequence_length = 4
    with pytest.raises(ValueError, match="make it with sequence_length=None"):
        ours([["the"]], [[0]])


@needs_tensorflow
def test_fit_on_words():
    import tensorflow as tf

    ours = classifier()
    ids, labels, weights = expected()
    x = {
        "token_ids": ids,
        "segment_ids": 0 * ids,
        "padding_mask": (ids > 0).astype("int32"),
    }
    logits = np.asarray(ours(x))
    of_labels = np.maximum(labels, 0)[..., None]
    each = -np.take_along_axis(tiny.log_softmax(logits), of_labels, -1)[..., 0]
    right = logits.argmax(-1) == labels
    counted = labels >= 0
    names = [[NAMES[i] if i >= 0 else "" for i in row] for row in LABELS]
    data = {
        "numbers": (WORDS, LABELS),
        "names": (WORDS, names),
        "arrays": (filled_up(WORDS), filled_up(LABELS)),
        "forms that differ": (ragged(WORDS), LABELS),
        "weights": (WORDS, LABELS, WEIGHTS),
    }
    ours.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    for name, given in data.items():
        w = counted * (weights if name == "weights" else 1)
        wanted = (each * w).sum() / w.sum(), (right * w).sum() / w.sum()
        kwargs = {"shuffle": False, "batch_size": 5, "verbose": 0}
        if name == "weights":
            kwargs["sample_weight"] = WEIGHTS
        logs = ours.fit(*given[:2], validation_data=given, **kwargs).history
        for found in (
            (logs["loss"], logs["sparse_categorical_accuracy"]),
            (logs["val_loss"], logs["val_sparse_categorical_accuracy"]),
        ):
            np.testing.assert_allclose(np.ravel(found), wanted, rtol=1e-4)
    dataset = tf.data.Dataset.from_tensor_slices((ragged(WORDS), ragged(names)))
    found = ours.evaluate(dataset.batch(5), verbose=0)
    w = counted / counted.sum()
    wanted = (each * w).sum(), (right * w).sum()
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    for words in (WORDS, ragged(WORDS)):
        found = ours.predict(words, verbose=0)
        np.testing.assert_allclose(found, logits, rtol=1e-4, atol=1e-5)
    assert ours.predict(["the cats !"], verbose=0).shape == (1, LENGTH, 3)


@needs_tensorflow
def test_a_student_of_words():
    import tensorflow as tf

    student, teacher = classifier(), tiny.randomize(classifier(), seed=9)
    match = td.LogitMatch(td.losses.SoftCrossEntropy())
    distiller = td.Distiller(student, teacher, [match])
    loss = td.losses.MaskedLMCrossEntropy()
    distiller.compile("sgd", loss, run_eagerly=True)
    data = tf.data.Dataset.from_tensor_slices((ragged(WORDS), ragged(LABELS)))
    batches = data.batch(5).map(student.preprocess_samples)
    _, labels, _ = expected()
    logits = student.predict(WORDS, verbose=0)
    logs = distiller.evaluate(batches, verbose=0, return_dict=True)
    of_labels = np.maximum(labels, 0)[..., None]
    each = -np.take_along_axis(tiny.log_softmax(logits), of_labels, -1)[..., 0]
    counted = labels >= 0
    rows = (each * counted).sum(1) / np.maximum(counted.sum(1), 1)
    np.testing.assert_allclose(
        logs["loss"] - logs["logits_loss"], rows.mean(), rtol=1e-3
    )
