"""A batch of data, as the Distiller hands it on.

Letters: B batch.
"""

import types
import typing

from keras import ops, tree

from tf_distill.losses.base import ExampleLoss, check_one_an_example

# The entry of a batch's inputs that a teacher cache writes.
TEACHER = "teacher"


class Batch(typing.NamedTuple):
    """Labels with the teacher's signals beside them."""

    labels: typing.Any
    signals: typing.Any


def needed(model, inputs):
    """Of a batch, the inputs that a model has.

    Args:
        model: functional `keras.Model`.
        inputs: what the batch holds, a dict of tensors or a tensor.

    Raises:
        ValueError: the batch lacks an input.
    """
    if not isinstance(inputs, dict) or not isinstance(model.input, dict):
        return inputs
    missing = sorted(set(model.input) - set(inputs))
    if missing:
        raise ValueError(
            f"{model.name!r} needs the inputs {missing}, but the batch has "
            f"{sorted(inputs)}."
        )
    return {name: inputs[name] for name in model.input}


def split_signals(inputs, names):
    """Of a batch from a teacher cache, the inputs and the teacher's signals.

    Args:
        inputs: what the batch holds, a dict of tensors or a tensor.
        names: the signals that are needed.

    Returns:
        tuple of the inputs and a dict of signals, None if there are none.

    Raises:
        ValueError: the batch has signals, but not all that are needed.
    """
    if not isinstance(inputs, dict) or TEACHER not in inputs:
        return inputs, None
    inputs = dict(inputs)
    signals = inputs.pop(TEACHER)
    missing = sorted(set(names) - set(signals))
    if missing:
        raise ValueError(
            f"The teacher cache lacks the signals {missing}; it has "
            f"{sorted(signals)}. Build one with `distiller.teacher_signals`."
        )
    return inputs, signals


def one_an_example(sample_weight):
    """A sample weight as float32, `(B,)`, or None where there is none.

    Args:
        sample_weight: `(B,)`, `(B, 1)`, or None.

    Raises:
        ValueError: there is more than one number an example.
    """
    weights = tree.flatten(sample_weight)
    if not weights or weights[0] is None:
        return None
    check_one_an_example(weights)
    return ops.cast(ops.reshape(weights[0], (-1,)), "float32")


def check_label_weights(loss, outputs, sample_weight):
    """Raises where Keras would lay one weight a row along the tokens.

    Keras multiplies a loss' values, `(B, T)`, by a weight, `(B,)`, as NumPy
    would: an error, or where B is T the weights of other rows.

    Args:
        loss: what was compiled: a loss, a name, or a structure of such.
        outputs: the student's, a tensor or a structure.
        sample_weight: `(B,)` or of more axes, a structure of such, or None.

    Raises:
        ValueError: a loss on labels of tokens is Keras' own, and a weight
            `(B,)`.
    """
    losses, outputs = tree.flatten(loss), tree.flatten(outputs)
    if len(losses) != len(outputs):
        losses = losses * len(outputs)  # one of all, or an error of Keras'
    by_token = any(
        len(output.shape) > 2
        and not isinstance(one, (ExampleLoss, types.NoneType))
        for one, output in zip(losses, outputs, strict=False)
    )
    weights = [w for w in tree.flatten(sample_weight) if w is not None]
    if by_token and any(len(weight.shape) == 1 for weight in weights):
        raise ValueError(
            "The `sample_weight` (or `class_weight`) is one number a row, "
            "(B,), but the loss on labels has one value a token, (B, T), along "
            "which Keras would lay it. Give it as (B, 1), or compile a loss "
            "of tf_distill.losses, such as MaskedLMCrossEntropy, which takes "
            "the mean of a row first."
        )
