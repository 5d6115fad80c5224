"""What cannot be distributed over several devices, told beforehand."""

import contextlib


def check_scope(model, parts):
    """Raises where a model is used with others of another strategy's scope.

    Args:
        model: `keras.Model` just made, which belongs to the strategy in whose
            scope that was.
        parts: models that it is to run in its steps.

    Raises:
        ValueError: one was built outside that scope.
    """
    strategy = _strategy(model)
    if strategy is None:
        return
    created_inside = strategy.extended.variable_created_in_scope
    for part in parts:
        outside = [v for v in part.variables if not created_inside(v.value)]
        if outside:
            raise ValueError(
                f"{part.name!r} was built outside the scope of the "
                f"{type(strategy).__name__} that {model.name!r} belongs to: "
                f"{outside[0].path} has no copy on each of its devices. Build "
                "or load student, teacher and Distiller under the same "
                "`with strategy.scope():`."
            )


def build_optimizer(model):
    """Makes the variables of a compiled model's optimizer, if it has not any.

    Keras would make them within the first step, which TensorFlow then traces
    a second time.

    Args:
        model: compiled `keras.Model`, with its weights.

    Raises:
        ValueError: see `check_accumulation`; an optimizer may choose parts only
            now.
    """
    optimizer, strategy = model.optimizer, _strategy(model)
    if optimizer is None:
        return
    if not optimizer.built and model.trainable_variables:
        with strategy.scope() if strategy else contextlib.nullcontext():
            optimizer.build(model.trainable_variables)
    check_accumulation(model)


def check_accumulation(model):
    """Raises where a compiled model accumulates gradients on several replicas.

    Keras' optimizers apply what is accumulated within a condition, in which
    replicas cannot be brought together: it would fail in the first step.

    Args:
        model: compiled `keras.Model`.

    Raises:
        ValueError: it does.
    """
    strategy = _strategy(model)
    if strategy is None or strategy.num_replicas_in_sync == 1:
        return
    found = [x.gradient_accumulation_steps for x in _all(model.optimizer)]
    steps = [number for number in found if number]
    if steps:
        raise ValueError(
            f"The optimizer has `gradient_accumulation_steps={max(steps)}`, "
            "which Keras cannot do on the "
            f"{strategy.num_replicas_in_sync} replicas of a "
            f"{type(strategy).__name__}: use larger batches instead, or one "
            "device."
        )


def _strategy(model):
    """A model's TensorFlow distribution strategy; None on other backends."""
    return getattr(model, "distribute_strategy", None)


def _all(optimizer):
    """An optimizer and those that it is made of."""
    yield optimizer
    inner = getattr(optimizer, "inner_optimizer", None)
    for part in (*getattr(optimizer, "optimizers", ()), inner):
        if part is not None:
            yield from _all(part)
