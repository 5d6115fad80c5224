"""Tables of which no text stands on both sides, not even nearly."""

import numpy as np

from tf_distill.data.splits import group_near_duplicates, split_by_group


def split_table(table, fractions, seed=0):
    """Splits a table at random; near-duplicates stay on one side.

    Args:
        table: `Table`.
        fractions: the share of the rows to put in each part; they sum to 1.
        seed: int; the same seed, the same split.

    Returns:
        A list of tables, with the classes spread evenly.

    Raises:
        ValueError: the rows are too few for so many parts.

    Example:
    >>> from tf_distill.data import Table, split_table
    >>> texts = ["so good!", "So good", "bad", "why?"]
    >>> table = Table(texts, None, None, None, "texts.txt")
    >>> parts = split_table(table, (0.5, 0.5))
    >>> sorted(sorted(part.texts) for part in parts)
    [['So good', 'so good!'], ['bad', 'why?']]
    """
    groups = group_near_duplicates(_whole_texts(table))
    try:
        parts = split_by_group(groups, fractions, seed, table.labels)
    except ValueError as error:
        raise ValueError(f"{table.path}: {error}") from None
    return [table.take(rows) for rows in parts]


def without_near_duplicates(table, held_out):
    """Leaves out the rows that stand, nearly, in text that is to score.

    Args:
        table: `Table`, such as unlabelled text to train on.
        held_out: list of tables, such as the development and test text. Where
            `table` has pairs, these have, too.

    Returns:
        A `Table` of the other rows, in their order; it may be empty.

    Example:
    >>> from tf_distill.data import Table, without_near_duplicates
    >>> more = Table(["So good!!", "why?"], None, None, None, "more.txt")
    >>> test = Table(["so good"], None, None, None, "test.txt")
    >>> without_near_duplicates(more, [test]).texts
    ['why?']
    """
    texts = _whole_texts(table)
    held_out = [text for other in held_out for text in _whole_texts(other)]
    groups = group_near_duplicates([*texts, *held_out])
    copies = np.isin(groups[: len(texts)], groups[len(texts) :])
    return table.take(np.flatnonzero(~copies))


def _whole_texts(table):
    """Each text, or both of a pair: one question may have many answers."""
    if table.second_texts is None:
        return table.texts
    pairs = zip(table.texts, table.second_texts, strict=True)
    return [" ".join(pair) for pair in pairs]
