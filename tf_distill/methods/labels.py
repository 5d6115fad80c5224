"""Losses and metrics on labels, for the stages of all methods."""

import inspect

import keras
from keras import tree

from tf_distill.losses import MaskedLMCrossEntropy, NextSentenceCrossEntropy


def task_of(model):
    """What a model's outputs mean.

    Args:
        model: `keras.Model`; a text classifier of this package has a `task`.
            Others, such as KerasHub's, give a score where they have a single
            number an example, of which a softmax would always be 1.

    Returns:
        `"classification"`, `"multilabel"` or `"regression"`.

    Example:
        >>> import keras
        >>> from tf_distill.methods.labels import task_of
        >>> x = keras.Input((4,))
        >>> [task_of(keras.Model(x, keras.layers.Dense(n)(x))) for n in (1, 2)]
        ['regression', 'classification']
    """
    task = getattr(model, "task", None)
    if task is not None:
        return task
    outputs = tree.flatten(model.output)
    is_score = len(outputs) == 1 and tuple(outputs[0].shape[1:]) == (1,)
    return "regression" if is_score else "classification"


def loss_and_metric(model):
    """The loss and the metric of a model's task, as its own `compile` has.

    Args:
        model: `keras.Model`.

    Returns:
        tuple of a `keras.losses.Loss` and what `compile` takes as a metric.
    """
    task = task_of(model)
    if task == "regression":
        error = keras.metrics.RootMeanSquaredError()
        return keras.losses.MeanSquaredError(), error
    if task == "multilabel":
        # A probability of one half is a logit of zero.
        accuracy = keras.metrics.BinaryAccuracy(threshold=0.0)
        return keras.losses.BinaryCrossentropy(from_logits=True), accuracy
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return loss, "accuracy"


def label_losses(model, loss="auto", weight=1.0):
    """The losses on labels of a model's outputs.

    Args:
        model: `keras.Model` with one output or a dict of them.
        loss: what `compile` takes: a `keras.losses.Loss`, a name or a function
            of labels and outputs, which serves every output, or a dict of
            these by output. `"auto"` is that of the model's task, None is none.
        weight: float, of all outputs together, which share it.

    Returns:
        dict of `loss` and `loss_weights`, as in `compile`.

    Raises:
        ValueError: a loss is a class or makes losses.

    Example:
        >>> import keras
        >>> from tf_distill.methods.labels import label_losses
        >>> x = keras.Input((4,))
        >>> outputs = {"start": keras.layers.Dense(5)(x),
        ...            "end": keras.layers.Dense(5)(x)}
        >>> found = label_losses(keras.Model(x, outputs), weight=0.5)
        >>> found["loss_weights"]
        {'start': 0.25, 'end': 0.25}
    """
    if isinstance(loss, str) and loss == "auto":
        loss, _ = loss_and_metric(model)
    if loss is None:
        return {}
    for one in tree.flatten(loss):
        _check_loss(one)
    if not isinstance(model.output, dict):
        return {"loss": loss, "loss_weights": [weight]}
    if not isinstance(loss, dict):
        loss = dict.fromkeys(model.output, loss)
    return {
        "loss": loss,
        "loss_weights": dict.fromkeys(loss, weight / len(loss)),
    }


def masked_lm_losses(model, weight=1.0):
    """The losses of a masked language model.

    Args:
        model: `MaskedLM`, perhaps with `next_sentence`.
        weight: float, of the masked words; next sentences count in full.

    Returns:
        dict of `loss` and `loss_weights`, as in `compile`.
    """
    words = MaskedLMCrossEntropy()
    if not isinstance(model.output, dict):
        return {"loss": words, "loss_weights": [weight]}
    return {
        "loss": {
            "masked_lm": words,
            "next_sentence": NextSentenceCrossEntropy(),
        },
        "loss_weights": {"masked_lm": weight, "next_sentence": 1.0},
    }


def label_metrics(model, metrics):
    """The metrics on labels of a model's outputs.

    Args:
        model: `keras.Model` with one output or a dict of them.
        metrics: what `compile` takes: a list, for every output, or a dict of
            lists by output. `"auto"` is that of the model's task, None is none.

    Returns:
        list, or a dict of them, as in `compile`. Of a list for several outputs
        each has copies of its own: a metric counts what it is shown.

    Raises:
        ValueError: a metric has no config to be copied by.

    Example:
        >>> import keras
        >>> from tf_distill.methods.labels import label_metrics
        >>> x = keras.Input((4,))
        >>> outputs = {"start": keras.layers.Dense(5)(x),
        ...            "end": keras.layers.Dense(5)(x)}
        >>> label_metrics(keras.Model(x, outputs), "auto")
        {'start': ['accuracy'], 'end': ['accuracy']}
    """
    if isinstance(metrics, str) and metrics == "auto":
        metrics = [loss_and_metric(model)[1]]
    if isinstance(metrics, dict):
        return metrics
    metrics = list(metrics or ())
    if not metrics or not isinstance(model.output, dict):
        return metrics
    return {name: [_copy(one) for one in metrics] for name in model.output}


def _copy(metric):
    """A metric that has counted nothing; what is no object yet, as it is."""
    if not isinstance(metric, keras.metrics.Metric):
        return metric
    try:
        return metric.from_config(metric.get_config())
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The metric {metric.name!r} cannot be copied for each output, as "
            f"it is not what its config says: {error} Give its class a "
            "`get_config`, or give the class or the function itself."
        ) from error


def _check_loss(loss):
    if loss is None or isinstance(loss, (str, keras.losses.Loss)):
        return
    try:
        inspect.signature(loss).bind("labels", "outputs")
        fits = not isinstance(loss, type)
    except TypeError:
        fits = False
    if not fits:
        raise ValueError(
            f"`loss` is {loss!r}, but must be what `compile(loss=...)` takes: "
            "a loss such as `keras.losses.MeanSquaredError()`, its name, a "
            "function of labels and outputs, or a dict of these by output. "
            "Give the loss itself, not its class or a function that makes it."
        )
