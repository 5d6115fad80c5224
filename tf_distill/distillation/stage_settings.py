"""What a stage is trained with, so that another is not taken for it."""

import re

from tf_distill.distillation.model_structure import structure_hash
from tf_distill.distillation.plain_values import config_of, hash_of, plain


def settings_of(model, data, *, fit=None, monitor=None, **others):
    """Describes a compiled model and its data in plain values.

    Args:
        model: built and compiled `keras.Model`; of a `Distiller`, its matches
            and teachers are described too.
        data: what it is trained on. If it has `settings`, a dict, these count;
            of arrays their contents, of anything else its type and number of
            batches.
        fit: dict of other arguments of `fit`. Callbacks and `verbose` do not
            count; what is validated on only where it chooses the weights.
        monitor: str, the metric that chooses them, or None.
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
        "monitor": monitor,
        "data": _contents(data),
        "fit": _fit_settings(fit or {}, monitor),
        "optimizer": _optimizer_settings(model.optimizer),
        "loss": model.loss,
        "loss_weights": _loss_weights(model),
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
        "layers": structure_hash(
            getattr(model, "student", model), in_training=True
        ),
        "variables": [
            f"{_without_numbers(v.path)} {tuple(v.shape)}"
            + (" trained" if id(v) in trained else "")
            for v in model.variables
        ],
    }
    return dict(_flat("", plain(described)))


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


def _loss_weights(model):
    # Keras keeps what `compile` was given here only.
    return getattr(model._compile_loss, "_user_loss_weights", None)


def _contents(data):
    """What tells data from other data, as far as it can be told."""
    settings = getattr(data, "settings", None)
    if settings is not None:
        return settings
    if isinstance(data, dict):
        return {name: _contents(x) for name, x in data.items()}
    is_list = isinstance(data, (list, tuple))
    if is_list and data and not isinstance(data[0], (int, float, str)):
        return [_contents(x) for x in data]
    if is_list or hasattr(data, "__array__"):
        return {"type": type(data).__name__, "contents": hash_of([data])}
    if data is None or isinstance(data, (int, float, str)):
        return data
    found = {"type": type(data).__name__}
    try:
        found["batches"] = len(data)
    except TypeError:
        pass  # of unknown length
    return found


def _fit_settings(fit, monitor):
    """Of `fit`'s arguments, those that a stage's result depends on."""
    decides_nothing = ("callbacks", "verbose")
    if not (monitor or "").startswith("val_"):
        decides_nothing += (
            "validation_data",
            "validation_steps",
            "validation_batch_size",
            "validation_freq",
        )
    return {n: _contents(x) for n, x in fit.items() if n not in decides_nothing}


def _optimizer_settings(optimizer):
    config = config_of(optimizer)
    inner = getattr(optimizer, "optimizers", ())
    return {
        "type": type(optimizer).__name__,
        **{name: x for name, x in config.items() if name != "optimizer_map"},
        "groups": [_optimizer_settings(x) for x in inner],
    }


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
