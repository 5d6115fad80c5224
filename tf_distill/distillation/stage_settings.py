"""What a stage is trained with, so that another is not taken for it."""

import dataclasses
import re

import numpy as np


def settings_of(model, data, **others):
    """Describes a compiled model and its data in plain values.

    Args:
        model: built and compiled `keras.Model`; of a `Distiller`, its matches
            and teachers are described too.
        data: what it is trained on. If it has `settings`, a dict, these count;
            otherwise its type and number of batches.
        **others: further values; a dict counts by its items.

    Returns:
        dict of JSON values by dotted name.

    Example:
        >>> import keras
        >>> from tf_distill.distillation.stage_settings import settings_of
        >>> x = keras.Input((2,))
        >>> model = keras.Model(x, keras.layers.Dense(1)(x))
        >>> model.compile(keras.optimizers.SGD(0.5), "mse")
        >>> found = settings_of(model, None, epochs=3)
        >>> found["epochs"], found["loss"], found["optimizer.learning_rate"]
        (3, 'mse', 0.5)
    """
    trained = {id(v) for v in model.trainable_variables}
    teachers = getattr(model, "_teachers", None)
    described = {
        **others,
        "data": _data_settings(data),
        "optimizer": _optimizer_settings(model.optimizer),
        "loss": model.loss,
        "terms": {
            match.name: {
                "weight": match.weight,
                "projection": match.projection,
                "pairs": [" ← ".join(pair) for pair in match.pairs],
                "loss": match.loss,
            }
            for match in getattr(model, "matches", ())
        },
        **(teachers.fingerprint if teachers else {}),
        "variables": [
            f"{_without_numbers(v.path)} {tuple(v.shape)}"
            + (" trained" if id(v) in trained else "")
            for v in model.variables
        ],
    }
    return dict(_flat("", _plain(described)))


def differences(then, now):
    """What two descriptions differ in, a line each.

    Example:
        >>> from tf_distill.distillation.stage_settings import differences
        >>> differences({"epochs": 3, "seed": 0}, {"epochs": 5, "seed": 0})
        ['epochs was 3 and is 5']
    """
    return [
        f"{name} was {then.get(name, 'not set')} and is "
        f"{now.get(name, 'not set')}"
        for name in dict.fromkeys([*then, *now])
        if then.get(name) != now.get(name)
    ]


def _data_settings(data):
    settings = getattr(data, "settings", None)
    if settings is not None:
        return settings
    found = {"type": type(data).__name__}
    try:
        found["batches"] = len(data)
    except TypeError:
        pass  # of unknown length
    return found


def _optimizer_settings(optimizer):
    try:
        config = optimizer.get_config()
    except Exception:  # one made of functions, which Keras cannot describe
        config = {}
    inner = getattr(optimizer, "optimizers", ())
    return {
        "type": type(optimizer).__name__,
        **{name: x for name, x in config.items() if name != "optimizer_map"},
        "groups": [_optimizer_settings(x) for x in inner],
    }


def _plain(value):
    """A value as JSON has it."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        # Keras numbers the names that it gives: they say nothing.
        return {str(k): _plain(x) for k, x in value.items() if k != "name"}
    if isinstance(value, (list, tuple)):
        return [_plain(x) for x in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if hasattr(value, "get_config"):
        return {"type": type(value).__name__, **_plain(value.get_config())}
    if isinstance(value, type) or callable(value):
        return getattr(value, "__qualname__", type(value).__name__)
    return str(value)


def _flat(name, value):
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list) and value:
        items = enumerate(value)
    else:
        yield name, None if isinstance(value, dict) else value
        return
    for key, inner in items:
        yield from _flat(f"{name}.{key}" if name else str(key), inner)


def _without_numbers(path):
    """A variable's path without the numbers that Keras gives to names."""
    return re.sub(r"_\d+(?=/|$)", "", path)
