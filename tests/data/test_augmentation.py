import collections

import keras_hub
import numpy as np
import pytest
import tiny

from tf_distill import models
from tf_distill.data import Augmenter, Glove, Table
from tf_distill.data.augmentation_candidates import MaskedLMCandidates
from tf_distill.data.augmentation_words import replaceable_words

WORDS = tiny.WORDS
TEXTS = [
    "The Cat sat, a dog ran.",
    "big cats and a red cat",
    "",
    "blue dog one two small bad good red big",
]


@pytest.fixture(scope="module")
def tokenizer():
    return keras_hub.models.BertTokenizer(WORDS, lowercase=True)


@pytest.fixture(scope="module")
def masked_lm():
    backbone = models.BertBackbone(
        **{**tiny.SIZES, "max_sequence_length": 48, "dropout": 0.0}
    )
    return tiny.randomize(models.BertMaskedLM(backbone), 3)


@pytest.fixture(scope="module")
def glove():
    vectors = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Glove(["cats", "dogs", ",", "cows", "mice", "x1"], vectors)


def best_by_hand(masked_lm, own, masked, place, count):
    """One word of one text, from ids and logits."""
    with_masks = [4 if i in masked else token for i, token in enumerate(own)]
    row = [2, *with_masks, 3, *own, 3]
    segments = [0] * (len(own) + 2) + [1] * (len(own) + 1)
    logits = masked_lm(
        {
            "token_ids": np.array([row]),
            "segment_ids": np.array([segments]),
            "padding_mask": np.ones((1, len(row)), "int32"),
            "mask_positions": np.array([[1 + place]]),
        },
        training=False,
    )[0, 0]
    order = np.argsort(-np.asarray(logits))
    words = [WORDS[i] for i in order if i != own[place]]
    return [word for word in words if word.isalpha()][:count]


def ids_of(words):
    return [WORDS.index(word) for word in words.split()]


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_candidates_are_those_of_one_call_a_word(
    tokenizer, masked_lm, batch_size
):
    find = MaskedLMCandidates(tokenizer, masked_lm, 4, batch_size=batch_size)
    found = find(TEXTS, [replaceable_words(text) for text in TEXTS])
    # "The", "a" and "and" are stop words; "cats" is cat and ##s.
    words = [["Cat", "sat", "dog", "ran"], ["big", "red", "cat"], []]
    for text, own, expected in zip(
        TEXTS, found, [*words, TEXTS[3].split()], strict=True
    ):
        assert [text[slice(*span)] for span in own] == expected
    own = ids_of("the cat sat [UNK] a dog ran [UNK]")
    for span, place in {(4, 7): 1, (8, 11): 2, (15, 18): 5}.items():
        by_hand = best_by_hand(masked_lm, own, {place}, place, 4)
        assert found[0][span] == by_hand
    own = ids_of("big cat ##s [UNK] a red cat")
    assert found[1][19, 22] == best_by_hand(masked_lm, own, {6}, 6, 4)


def test_candidates_are_the_original_s_as_in_the_code_not_the_copy_s(
    tokenizer, masked_lm
):
    """Algorithm 1 of the paper reads what it has replaced before."""
    find = MaskedLMCandidates(tokenizer, masked_lm, 4)
    (found,) = find(TEXTS[3:], [replaceable_words(TEXTS[3])])
    spans, own = replaceable_words(TEXTS[3]), ids_of(TEXTS[3])
    differ = 0
    for place in range(1, len(own)):
        code = best_by_hand(masked_lm, own, {place}, place, 4)
        copy = [WORDS.index(found[s][0]) for s in spans[:place]] + own[place:]
        paper = best_by_hand(masked_lm, copy, {place}, place, 4)
        assert found[spans[place]] == code
        differ += paper != code
    assert differ


def test_second_texts_of_the_code_stand_beside_one_first(glove):
    """Its rows are changed in place: 1 first, the last; here the pair's own."""
    firsts, seconds = ["cats", "dogs", "mice"], ["cows", "x1"]
    row, code = ["cats", "cows"], []
    for column, texts in enumerate((firsts, seconds)):
        for text in texts:
            row[column] = text
            code.append(tuple(row))
    beside_a_copied_second = {a for a, b in code if b == "x1"}
    assert beside_a_copied_second == {"mice"}
    augmenter = Augmenter(None, None, glove, candidates=3, replaced=0.5)
    copies = list(augmenter.augment(table(["cats"], ["cows"]), 60))
    seconds = {second for _, _, second in copies} - {"cows"}
    assert seconds
    for second in seconds:
        assert len({a for _, a, b in copies if b == second}) > 1


def test_several_words_masked_at_once(tokenizer, masked_lm):
    find = MaskedLMCandidates(tokenizer, masked_lm, 3, masked_share=0.25)
    (found,) = find(TEXTS[3:], [replaceable_words(TEXTS[3])])
    own, spans = ids_of(TEXTS[3]), replaceable_words(TEXTS[3])
    # Two of nine at once, so five rows, whose words are five apart.
    for place, span in enumerate(spans):
        masked = {p for p in range(9) if p % 5 == place % 5}
        assert found[span] == best_by_hand(masked_lm, own, masked, place, 3)


def test_words_too_far_behind_have_no_candidates(tokenizer, masked_lm):
    text = " ".join(["red"] * 30)  # of 48 positions, 22 for each half
    find = MaskedLMCandidates(tokenizer, masked_lm, 3)
    (found,) = find([text], [replaceable_words(text)])
    assert list(found) == replaceable_words(text)[:22]


def table(texts, second_texts=None):
    return Table(texts, second_texts, None, None, "memory")


def test_a_row_depends_on_seed_and_row_only(tokenizer, masked_lm, glove):
    rows = table(TEXTS[:2] + TEXTS[3:])
    augmenter = Augmenter(tokenizer, masked_lm, glove, candidates=5, seed=1)
    whole = list(augmenter.augment(rows, 6))
    assert [row for row, *_ in whole] == sorted(row for row, *_ in whole)
    alone = list(augmenter.augment(rows.take([2]), 6, first_row=2))
    assert alone == [found for found in whole if found[0] == 2]
    assert list(augmenter.augment(rows, 6)) == whole
    other = Augmenter(tokenizer, masked_lm, glove, candidates=5, seed=2)
    assert list(other.augment(rows, 6)) != whole


def test_how_often_and_by_what(tokenizer, masked_lm, glove):
    """Words of one piece by the model's, others by their neighbours."""
    augmenter = Augmenter(
        tokenizer, masked_lm, glove, candidates=3, replaced=0.4
    )
    text = "big cats"
    ((big, cats),) = augmenter.find([text])
    assert big[0] == (0, 3) and cats[0] == (4, 8)
    assert len(big[1]) == 3 and set(cats[1]) == {"dogs", "cows", "mice"}
    drawn = collections.Counter()
    rows = augmenter.augment(table([text] * 400), 1)
    for copy in {row: (row, *texts) for row, *texts in rows}.values():
        drawn.update(zip(("first", "second"), copy[1].split(), strict=True))
    for place, original, candidates in (
        ("first", "big", big[1]),
        ("second", "cats", cats[1]),
    ):
        counts = [drawn[place, word] for word in candidates]
        assert sum(counts) + drawn[place, original] == 400
        assert 120 < sum(counts) < 200  # 160, standard deviation 10
        assert min(counts) > 30 and max(counts) < 80  # 53, 7


def test_copies_of_pairs_are_of_the_originals(glove):
    """Every copy is the original pair but for words of its own."""
    augmenter = Augmenter(None, None, glove, candidates=3, replaced=0.5)
    pairs = table(["(cats) ran, cats"], ["No Dogs: the cats."])
    copies = list(augmenter.augment(pairs, 40))
    assert copies[0] == (0, pairs.texts[0], pairs.second_texts[0])
    assert len(copies) == len(set(copies)) > 20
    candidates = glove.neighbours(["cats", "dogs"], 3)
    for _, first, second in copies:
        one, two = first.removeprefix("(").split(") ran, ")
        second = second.removeprefix("No ").removesuffix(".")
        three, four = second.split(": the ")
        for word in (one, two, four):
            assert word in ["cats", *candidates["cats"]]
        assert three in ["Dogs", *candidates["dogs"]]
    # A second text that was not touched stands beside many firsts.
    untouched = {a for _, a, b in copies if b == pairs.second_texts[0]}
    assert len(untouched) > 3


def test_text_without_words_stays(glove):
    copies = list(Augmenter(None, None, glove).augment(table(["12 !"]), 5))
    assert copies == [(0, "12 !", None)]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"glove": None}, "masked_lm.*glove"),
        ({"candidates": 0}, "candidates=0"),
        ({"replaced": 1.5}, "replaced=1.5"),
        ({"masked_share": 1.0}, "masked_share=1.0"),
    ],
)
def test_bad_arguments(glove, changes, message):
    arguments = {"tokenizer": None, "masked_lm": None, "glove": glove}
    with pytest.raises(ValueError, match=message):
        Augmenter(**{**arguments, **changes})
