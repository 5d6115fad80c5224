import collections
import time

import numpy as np
import pytest

from tf_distill.data import (
    NEAR_DUPLICATE_JACCARD,
    group_near_duplicates,
    normalise,
    split_by_group,
    splits,
)

TWEET = (
    "the first self driving car drove past my house this morning and nobody "
    "sat behind the wheel"
)


@pytest.mark.parametrize(
    "copy",
    [
        f"RT @ann: {TWEET}",
        f"rt @ann RT @bob_1: {TWEET} http://t.co/abc?x=1",
        f"@ann @bob: {TWEET.upper()}!!! www.example.org/a",
        TWEET.replace("self driving", "#self-driving").replace("and", "and\n"),
        TWEET.replace("car", "\uff43\uff41\uff52"),  # full-width letters
    ],
)
def test_normalise_drops_what_copies_add(copy):
    assert normalise(copy) == TWEET


def test_normalise_keeps_what_tells_texts_apart():
    assert normalise("Don\u2019t &amp; can't #Go_2 r@b") == "dont cant go 2 r b"
    assert normalise("art @ann") == "art"
    assert normalise("\U0001f600 ") != normalise("\U0001f621")
    assert normalise("@ann") == "@ann"
    assert normalise("car\u3067\u3059") == "car \u3067 \u3059"
    assert normalise("") == ""


def test_near_duplicates_meet_and_others_do_not():
    words = TWEET.split()
    texts = [
        TWEET,
        " ".join(words[:-4]) + "…",
        "wow " + TWEET,
        TWEET.replace("morning", "evening"),
        "the self driving car will never pass my house",
        "\U0001f600",
        "\U0001f600\U0001f600",
        TWEET + "!",
    ]
    assert group_near_duplicates(texts).tolist() == [0, 0, 0, 0, 1, 2, 3, 0]


def test_groups_are_transitive():
    words = [f"word{i}" for i in range(14)]
    texts = [" ".join(words[i : i + 10]) for i in (0, 4, 2)]
    # The first two share too little; both are near the third.
    assert len(set(group_near_duplicates(texts[:2]))) == 2
    assert group_near_duplicates(texts).tolist() == [0, 0, 0]


@pytest.mark.parametrize("count", [2, 5, 8, 11, 14, 17, 20, 62])
def test_pairs_exactly_at_the_threshold_meet(count, monkeypatch):
    monkeypatch.setattr(splits, "_QUOTED_WORDS", 1000)  # the shorter is
    # n words have 2 n - 1 features: all of the shorter text's are 3 / 5 of the
    # longer's, whose rarest are all its own.
    longer = (5 * (2 * count - 1) // 3 + 1) // 2
    assert 5 * (2 * count - 1) == 3 * (2 * longer - 1)
    words = [f"w{i}" for i in range(longer + 1)]
    texts = [" ".join(words[:n]) for n in (count, longer)]
    assert group_near_duplicates(texts).tolist() == [0, 0]
    texts = [" ".join(words[:n]) for n in (count, longer + 1)]
    assert group_near_duplicates(texts).tolist() == [0, 1]


def shingles(text):
    words = normalise(text).split()
    return {(w,) for w in words} | {
        (words[i], words[i + 1]) for i in range(len(words) - 1)
    }


def random_texts(generator, count, vocabulary):
    """Texts in which many a pair lies near the threshold."""
    words = np.array([f"w{i}" for i in range(vocabulary)])
    texts = []
    for _ in range(count):
        if texts and generator.random() < 0.6:
            text = texts[generator.integers(len(texts))].split()
            for _ in range(generator.integers(5)):
                text[generator.integers(len(text))] = generator.choice(words)
            texts.append(" ".join(text[: generator.integers(1, 30)]))
        else:
            length = generator.integers(1, 25)
            texts.append(" ".join(generator.choice(words, length)))
    return texts


@pytest.mark.parametrize("seed", range(3))
def test_groups_are_the_components_found_by_comparing_all_pairs(seed):
    texts = random_texts(np.random.default_rng(seed), 300, 60)
    sets = [shingles(text) for text in texts]

    def quotes(a, b):
        """Whether a's words stand in b, one after the other."""
        a, b = a.split(), b.split()
        return len(a) >= 5 and any(
            b[i : i + len(a)] == a for i in range(len(b) - len(a) + 1)
        )

    neighbours = collections.defaultdict(set)
    for i, a in enumerate(sets):
        for j, b in enumerate(sets):
            # In whole numbers, for a threshold of 3 / 5.
            near = 5 * len(a & b) >= 3 * len(a | b)
            if near or quotes(texts[i], texts[j]) or quotes(texts[j], texts[i]):
                neighbours[i].add(j)
    assert NEAR_DUPLICATE_JACCARD == 3 / 5
    expected, seen = [-1] * len(texts), 0
    for i in range(len(texts)):
        if expected[i] < 0:
            reached = [i]
            for j in reached:
                if expected[j] < 0:
                    expected[j] = seen
                    reached += neighbours[j]
            seen += 1
    assert 1 < seen < len(texts)
    assert group_near_duplicates(texts).tolist() == expected


COMMENT = "this is what I have been saying for years to whoever would listen"


@pytest.mark.parametrize(
    "first, second",
    [
        ("I am not a deflater!", f'"@bob: I am not a deflater" {COMMENT}'),
        (f"{COMMENT} RT @ann: {TWEET}", TWEET),
        # Two comments on a tweet that is not there itself.
        (
            f"{COMMENT} RT @ann: I am not a deflater",
            "no MT @bob I am not a deflater",
        ),
        (
            f"{COMMENT} \u201c@ann: not a deflater he says",
            "wrong RT @bob not a deflater he says",
        ),
    ],
)
def test_quotes_meet_what_they_quote(first, second):
    assert len(shingles(first) & shingles(second)) < 0.6 * len(
        shingles(first) | shingles(second)
    )
    assert group_near_duplicates([first, second, "other"]).tolist() == [0, 0, 1]
    assert group_near_duplicates(["other", second, first]).tolist() == [0, 1, 1]


def test_a_few_words_in_common_are_no_quote():
    texts = [
        "not a car man",
        f"{COMMENT} not a car man",
        "so, not a car man, is he",
    ]
    assert group_near_duplicates(texts).tolist() == [0, 1, 2]
    # Whole words only, and in their order.
    texts = [
        "we are not a car",
        f"{COMMENT} we are not a carpet",
        "car a not are we",
    ]
    assert group_near_duplicates(texts).tolist() == [0, 1, 2]


def test_many_copies_are_fast():
    texts = [f"RT @user{i}: {TWEET}" for i in range(10_000)]
    start = time.perf_counter()
    assert not group_near_duplicates(texts).any()
    assert time.perf_counter() - start < 10


def test_split_keeps_groups_whole_and_classes_even():
    generator = np.random.default_rng(0)
    groups = generator.zipf(1.8, 2000) % 700
    labels = (groups * 7 % 10 < 3).astype("int32")
    fractions = [0.8, 0.1, 0.1]
    parts = split_by_group(groups, fractions, seed=1, labels=labels)
    together = np.concatenate(parts)
    assert sorted(together) == list(range(2000))
    owners = [set(groups[rows]) for rows in parts]
    assert not owners[0] & owners[1] | owners[0] & owners[2]
    assert not owners[1] & owners[2]
    for rows in parts:
        assert (np.diff(rows) > 0).all()


def test_split_sizes_classes_and_seed():
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 1500, 3000)
    labels = generator.choice(3, 3000, p=[0.7, 0.25, 0.05])
    fractions = np.array([0.7, 0.2, 0.1])
    parts = split_by_group(groups, fractions, seed=3, labels=labels)
    sizes = np.array([len(rows) for rows in parts])
    np.testing.assert_allclose(sizes, fractions * 3000, atol=5)
    for rows in parts:
        np.testing.assert_allclose(
            np.bincount(labels[rows]) / len(rows),
            np.bincount(labels) / 3000,
            atol=0.015,
        )
    again = split_by_group(groups, fractions, seed=3, labels=labels)
    other = split_by_group(groups, fractions, seed=4, labels=labels)
    assert all(map(np.array_equal, parts, again))
    assert not np.array_equal(parts[0], other[0])
    # Test rows are drawn from everywhere, not only from one end.
    assert abs(np.mean(parts[2]) - 1500) < 200


@pytest.mark.parametrize("kind", ["multilabel", "scores"])
def test_split_spreads_other_labels(kind):
    generator = np.random.default_rng(0)
    if kind == "multilabel":
        labels = (generator.random((1000, 4)) < 0.1).astype("float32")
    else:
        labels = generator.exponential(size=1000).astype("float32")
    parts = split_by_group(np.arange(1000), [0.9, 0.1], 0, labels)
    assert [len(rows) for rows in parts] == pytest.approx([900, 100], abs=3)
    np.testing.assert_allclose(
        labels[parts[1]].mean(0), labels.mean(0), atol=0.12, rtol=0.12
    )


def test_bad_splits():
    groups = np.arange(10)
    with pytest.raises(ValueError, match="sum to 1"):
        split_by_group(groups, [0.5, 0.4], 0)
    with pytest.raises(ValueError, match="positive"):
        split_by_group(groups, [1.2, -0.2], 0)
    with pytest.raises(ValueError, match="9 labels for 10"):
        split_by_group(groups, [0.5, 0.5], 0, labels=np.zeros(9, "int32"))
    with pytest.raises(ValueError, match="1 groups"):
        split_by_group(np.zeros(10), [0.5, 0.5], 0)
