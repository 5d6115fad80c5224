import numpy as np
import pytest

from tf_distill.data import Table, split_table, without_near_duplicates

NAMES = "ann bob cat dan eve fay gus hal ida jim".split()


def texts_about(names):
    return [f"{name} saw a {name}fish near {name}town" for name in names]


def test_copies_are_split_to_one_side_and_classes_evenly():
    texts = [t for text in texts_about(NAMES) for t in (text, f"RT @x: {text}")]
    labels = np.array([i // 2 % 2 for i in range(20)], "int32")
    table = Table(texts, None, labels, ("a", "b"), "a.csv")
    parts = split_table(table, (0.8, 0.2), seed=3)
    assert [len(part) for part in parts] == [16, 4]
    assert [part.labels.sum() for part in parts] == [8, 2]
    one, two = ({t.removeprefix("RT @x: ") for t in p.texts} for p in parts)
    assert not one & two and len(one | two) == 10
    with pytest.raises(ValueError, match="a.csv.*Give more text"):
        split_table(table.take([0, 1]), (0.5, 0.5))


def test_pairs_are_copies_only_if_both_texts_are():
    """One question has many answers."""
    question = "how large is the whole of the town"
    answers = texts_about(NAMES[:4])
    more = Table([question] * 4, answers, None, None, "more.tsv")
    dev = Table([question], [answers[1] + "!!"], None, None, "dev.tsv")
    left = without_near_duplicates(more, [dev])
    assert left.second_texts == [answers[0], *answers[2:]]
    assert left.texts == [question] * 3


def test_nothing_may_be_left():
    table = Table(["So good!", "so GOOD"], None, None, None, "more.txt")
    test = Table(["so good"], None, None, None, "test.txt")
    assert len(without_near_duplicates(table, [table, test])) == 0
    assert len(without_near_duplicates(table, [])) == 2
