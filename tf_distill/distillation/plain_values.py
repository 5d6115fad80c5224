"""Values as JSON has them, so that two of them can be compared later."""

import dataclasses
import hashlib
import json
import re

import numpy as np


def plain(value, leave_out="name"):
    """A value as JSON has it, without what says nothing of it.

    Args:
        value: anything; of an array a hash is left, of an object its type and
            what its `get_config` says.
        leave_out: regular expression of the keys of dicts to leave out. Keras
            numbers the names that it gives: they say nothing, but for that of
            a dtype policy, which is what it is.

    Example:
        >>> import keras
        >>> from tf_distill.distillation.plain_values import plain
        >>> plain({"name": "dense_3", "rate": 0.5, "rows": slice(2)})
        {'rate': 0.5, 'rows': ['slice', None, 2, None]}
        >>> plain(keras.dtype_policies.serialize(
        ...     keras.DTypePolicy("mixed_float16")))
        'mixed_float16'
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        config = value.get("config")
        if value.get("class_name") == "DTypePolicy" and config:
            return config["name"]
        return {
            str(key): plain(x, leave_out)
            for key, x in value.items()
            if not re.fullmatch(leave_out, str(key))
        }
    if isinstance(value, (list, tuple)):
        return [plain(x, leave_out) for x in value]
    if isinstance(value, slice):
        ends = value.start, value.stop, value.step
        return ["slice", *(plain(x, leave_out) for x in ends)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value), leave_out)
    if hasattr(value, "get_config"):
        config = plain(config_of(value), leave_out)
        return {"type": type(value).__name__, **config}
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        return hash_of([array]) if array.shape else array.tolist()
    return _by_its_name(value)


def config_of(value):
    """What a Keras object says of itself, a dict; {} where it cannot."""
    try:
        return value.get_config()
    except Exception:  # one made of functions, which Keras cannot describe
        return {}


def hash_of(arrays):
    """Of an iterable's contents, shapes and dtypes; short, to be read."""
    found = hashlib.sha256()
    for array in arrays:
        array = np.asarray(array, order="C")
        found.update(f"{array.dtype} {array.shape};".encode())
        if array.dtype == object:  # texts, or whatever: not its addresses
            array = as_bytes(array.tolist())
        found.update(array.reshape(-1).view("uint8"))
    return found.hexdigest()[:16]


def as_bytes(value):
    """JSON values as an array of their text, uint8."""
    text = json.dumps(value, sort_keys=True, default=str)
    return np.frombuffer(text.encode(), dtype="uint8")


def _by_its_name(value):
    kind = type(value)
    if isinstance(value, type) or callable(value):
        return getattr(value, "__qualname__", kind.__name__)
    if kind.__repr__ is object.__repr__ and kind.__str__ is object.__str__:
        return kind.__qualname__  # else its address
    return str(value)
