"""What a model's variables are within a step on JAX."""

import contextlib

import keras


def state_scope(model, state):
    """A context in which variables have the values of a step's state.

    Args:
        model: `keras.Model`.
        state: of its step on JAX, which begins with the values of its
            trainable and its non-trainable variables; None on TensorFlow,
            where variables hold their values themselves.
    """
    if state is None:
        return contextlib.nullcontext()
    trainable, non_trainable, *_ = state
    variables = model.trainable_variables + model.non_trainable_variables
    values = zip(variables, [*trainable, *non_trainable], strict=True)
    return keras.StatelessScope(state_mapping=list(values))
