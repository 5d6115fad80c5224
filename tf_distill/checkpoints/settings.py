"""Settings of a published config, each checked where it is read.

JSON holds anything: a size may be a string, a fraction or negative, and a
model would fail on it far from the file that says so.
"""


def size(config, name, default=None):
    """A whole number from 1.

    Args:
        config: dict, the content of `config.json`.
        name: the setting's.
        default: what holds where there is none; None if there must be one.

    Raises:
        ValueError: there is none, or it is something else.

    Example:
        >>> from tf_distill.checkpoints.settings import size
        >>> size({"hidden_size": "768"}, "hidden_size")
        Traceback (most recent call last):
        ...
        ValueError: hidden_size is '768', but must be a whole number from 1.
    """
    value = _value(config, name, default)
    if type(value) is not int or value < 1:
        raise _wrong(name, value, "a whole number from 1")
    return value


def heads(config, name, width, default=None):
    """A number of attention heads, which share a width evenly.

    Args:
        config: dict, the content of `config.json`.
        name: the setting of the heads.
        width: the setting of the width.
        default: the width where there is none; None if there must be one.

    Raises:
        ValueError: one of the two is not there or no such number, or the
            heads do not divide the width.

    Example:
        >>> from tf_distill.checkpoints.settings import heads
        >>> heads({"n_heads": 5, "dim": 8}, "n_heads", "dim")
        Traceback (most recent call last):
        ...
        ValueError: n_heads is 5, but must be a divisor of dim, which is 8.
    """
    found, whole = size(config, name), size(config, width, default)
    if whole % found:
        raise _wrong(name, found, f"a divisor of {width}, which is {whole}")
    return found


def fraction(config, name, default):
    """A number from 0 up to but not including 1, such as a dropout's rate.

    Example:
        >>> from tf_distill.checkpoints.settings import fraction
        >>> fraction({}, "hidden_dropout_prob", 0.1)
        0.1
    """
    value = _value(config, name, default)
    # NaN, which Python's JSON can hold, is not within any bounds.
    if type(value) not in (int, float) or not 0 <= value < 1:
        raise _wrong(name, value, "a number from 0 and less than 1")
    return value


def flag(config, name, default):
    """True or false.

    Example:
        >>> from tf_distill.checkpoints.settings import flag
        >>> flag({"trigram_input": False}, "trigram_input", True)
        False
    """
    value = _value(config, name, default)
    if type(value) is not bool:
        raise _wrong(name, value, "true or false")
    return value


def choice(config, name, default, choices):
    """One of several strings.

    Example:
        >>> from tf_distill.checkpoints.settings import choice
        >>> choice({"act": "silu"}, "act", "gelu", ["gelu", "relu"])
        Traceback (most recent call last):
        ...
        ValueError: act is 'silu', but must be one of gelu, relu.
    """
    value = _value(config, name, default)
    if value not in list(choices):
        raise _wrong(name, value, f"one of {', '.join(choices)}")
    return value


def _value(config, name, default):
    if name not in config and default is None:
        raise ValueError(f"{name} is missing.")
    return config.get(name, default)


def _wrong(name, value, expected):
    return ValueError(f"{name} is {value!r}, but must be {expected}.")
