"""Which epoch of a stage was best."""

import math

from keras import tree

from tf_distill.distillation.compiled_metrics import metrics_of


def lowest_is_best(model, monitor, mode=None):
    """Whether a metric is best where it is lowest.

    Args:
        model: compiled `keras.Model`.
        monitor: name of a metric in its logs.
        mode: `"min"`, `"max"`, or None for what Keras says of the compiled
            metric of that name. A loss and an error are best at their lowest.

    Raises:
        ValueError: nothing says so.

    Example:
        >>> import keras
        >>> from tf_distill.distillation.monitor import lowest_is_best
        >>> x = keras.Input((2,))
        >>> model = keras.Model(x, keras.layers.Dense(1)(x))
        >>> model.compile(metrics=["mse", "accuracy"])
        >>> [lowest_is_best(model, f"val_{x}") for x in ("mse", "accuracy")]
        [True, False]
    """
    if mode is not None:
        return mode == "min"
    name = monitor.removeprefix("val_")
    for metric in _compiled_metrics(model):
        # Of several outputs after the output's name.
        if f"_{name}".endswith(f"_{getattr(metric, 'name', None)}"):
            direction = getattr(metric, "_direction", None)
            if direction is not None:
                return direction == "down"
    if "loss" in name or "error" in name:
        return True
    raise ValueError(
        f"Nobody says whether the lowest or the highest {monitor!r} is best: "
        "give the stage a `mode`, 'min' or 'max'."
    )


def best_epoch(history, monitor, lowest):
    """How many epochs were done when a metric was best, or None.

    Args:
        history: list of the logs of every epoch. Those that lack the metric
            do not count.
        monitor: name of a metric, or None.
        lowest: bool, whether it is best where it is lowest.

    Example:
        >>> from tf_distill.distillation.monitor import best_epoch
        >>> logs = [{"val_loss": 3.0}, {"val_loss": 1.0}, {"val_loss": 2.0}]
        >>> best_epoch(logs, "val_loss", lowest=True)
        2
    """
    values = {}
    for done, logs in enumerate(history, start=1):
        if monitor in logs:
            value = logs[monitor] if lowest else -logs[monitor]
            values[done] = math.inf if math.isnan(value) else value
    return min(values, key=values.get, default=None)


def _compiled_metrics(model):
    """Also those by name, of which Keras makes metrics in the first step."""
    compiled = model._compile_metrics
    if compiled is None:
        return
    given = [compiled._user_metrics, compiled._user_weighted_metrics]
    for metric in tree.flatten(given):
        try:
            yield metrics_of(metric)
        except ValueError:  # a name that only Keras knows
            continue
