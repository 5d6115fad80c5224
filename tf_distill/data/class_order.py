"""The order of a model's classes, matched with a data set's by name."""

import re


def order_classes(classes, label_names=None):
    """Returns a data set's classes in the order of a model's.

    Two libraries number the classes of one data set differently: for MNLI,
    TinyBERT's code has contradiction first and the Hub's models have it last.
    Hence the order is only ever taken from names.

    Args:
        classes: dict from what a file calls a class to its name, such as
            `{"0": "negative", "1": "positive"}`.
        label_names: the model's classes in the order of its outputs, by either
            (in any case, with `-`, `_` or spaces); by default that of
            `classes`.

    Returns:
        The keys of `classes`, in the order of `label_names`.

    Raises:
        ValueError: if the names are not these classes.

    Example:
    >>> classes = {"0": "negative", "1": "positive"}
    >>> order_classes(classes, ["POSITIVE", "NEGATIVE"])
    ['1', '0']
    """
    if label_names is None:
        return list(classes)
    wanted = [spelling(name) for name in label_names]
    for names in (classes.values(), classes):
        found = {
            spelling(name): key
            for name, key in zip(names, classes, strict=True)
        }
        if sorted(wanted) == sorted(found):
            return [found[name] for name in wanted]
    raise ValueError(
        f"label_names={list(label_names)}: the classes of this data are "
        f"{list(classes.values())}. Which output stands for which class cannot "
        "be told; name the model's classes so, in the order of its outputs."
    )


def spelling(name):
    """A class's name, whatever its case and with `-`, `_` or spaces.

    Example:
    >>> spelling("Not-Equivalent")
    'not_equivalent'
    """
    return "_".join(re.split(r"[\s_-]+", str(name).casefold().strip()))
