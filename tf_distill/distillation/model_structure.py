"""What a model computes, given its weights, as a hash."""

import keras
from keras import tree

from tf_distill.distillation.plain_values import (
    as_bytes,
    config_of,
    hash_of,
    plain,
)

# What the settings of a layer say that, with its weights there, decides
# nothing in training; and in inference neither.
_IN_TRAINING = "name|trainable|seed|.*initializer"
_IN_INFERENCE = f"{_IN_TRAINING}|rate|dropout|.*regularizer|.*constraint"


def structure_hash(model, in_training):
    """Of the layers, their settings, and how they are connected and called.

    Args:
        model: `keras.Model`; one that is not functional says what its
            `get_config` does.
        in_training: bool, whether dropout and regularizers count, too.

    Returns:
        str. It depends neither on the names of layers and weights, which Keras
        numbers, nor on which are trainable, nor on the class of a functional
        model.

    Example:
        >>> import keras
        >>> from tf_distill.distillation.model_structure import structure_hash
        >>> x = keras.Input((3, 2))
        >>> first, again, last = (
        ...     structure_hash(keras.Model(x, x[:, i]), in_training=False)
        ...     for i in (0, 0, -1))
        >>> first == again, first == last
        (True, False)
    """
    leave_out = _IN_TRAINING if in_training else _IN_INFERENCE
    return hash_of([as_bytes(_structure(model, leave_out))])


def _structure(operation, leave_out):
    if not hasattr(operation, "_nodes_by_depth"):
        config = plain(config_of(operation), leave_out)
        return [type(operation).__qualname__, config]
    numbers = {id(x): n for n, x in enumerate(operation.operations)}
    tensors, calls = {}, []

    def numbered(values):
        return tree.map_structure(
            lambda x: (
                f"tensor {tensors.get(id(x))}"
                if isinstance(x, keras.KerasTensor)
                else _kind_of_variable(x)
            ),
            values,
        )

    # Keras has no public way to follow a graph. From inputs to outputs:
    for _, nodes in sorted(operation._nodes_by_depth.items(), reverse=True):
        for node in nodes:
            given = numbered([node.arguments.args, node.arguments.kwargs])
            calls.append([numbers[id(node.operation)], plain(given, "")])
            for tensor in tree.flatten(node.outputs):
                tensors[id(tensor)] = len(tensors)
    return {
        "operations": [_structure(x, leave_out) for x in operation.operations],
        "calls": calls,
        "ends": [numbered(operation.input), numbered(operation.output)],
    }


def _kind_of_variable(value):
    """A variable without its value, which is one of the weights."""
    if isinstance(value, keras.Variable):
        return f"{value.dtype} {tuple(value.shape)}"
    return value
