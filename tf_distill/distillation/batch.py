"""A batch of data, as the Distiller hands it on.

Letters: B batch.
"""

import itertools
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
        sample_weight: `(B,)`, `(B, 1)`, or None; of several outputs a
            structure with one of these, the others None.

    Raises:
        ValueError: there is more than one number an example.
    """
    weights = [w for w in tree.flatten(sample_weight) if w is not None]
    if not weights:
        return None
    check_one_an_example(weights)
    return ops.cast(ops.reshape(weights[0], (-1,)), "float32")


def check_labels(loss, labels, outputs, sample_weight, names):
    """Raises where a compiled loss has no labels, or weights of other rows.

    Keras multiplies a loss' values, `(B, T)`, by a weight, `(B,)`, as NumPy
    would: an error, or where B is T the weights of other rows.

    Args:
        loss: what was compiled: a loss, a name, a structure of such, or None.
        labels: of the batch, None where there are none.
        outputs: the student's, a tensor or a structure.
        sample_weight: `(B,)` or of more axes, a structure of such, or None.
        names: list of str, the outputs', by which a dict of losses goes.

    Raises:
        ValueError: there are none for a loss; or a loss on labels of tokens
            is Keras' own, and a weight `(B,)`.
    """
    if loss is not None and labels is None:
        raise ValueError(
            "The Distiller was compiled with a `loss` on labels, but the data "
            "has no labels. Compile without `loss`, or pass batches of "
            "(inputs, labels)."
        )
    for one, output, weight in _compared(loss, outputs, sample_weight, names):
        if (
            not isinstance(one, (ExampleLoss, types.NoneType))
            and len(output.shape) > 2
            and weight is not None
            and len(weight.shape) == 1
        ):
            raise ValueError(
                "The `sample_weight` (or `class_weight`) is one number a row, "
                "(B,), but the loss on labels has one value a token, (B, T), "
                "along which Keras would lay it. Give it as (B, 1), or compile "
                "a loss of tf_distill.losses, such as MaskedLMCrossEntropy, "
                "which takes the mean of a row first."
            )


def _compared(loss, outputs, weights, names):
    """Each loss with the output and the weight that Keras gives it."""
    if isinstance(loss, dict) and isinstance(outputs, dict):
        for name in loss.keys() & outputs.keys():
            own = weights.get(name) if isinstance(weights, dict) else weights
            yield from _compared(loss[name], outputs[name], own, names)
        return
    if isinstance(loss, dict):
        loss = [loss.get(name) for name in names]
    losses, outputs = tree.flatten(loss), tree.flatten(outputs)
    if tree.is_nested(weights):
        weights = tree.flatten(weights)
    else:
        weights = [weights] * len(outputs)
    each = zip(outputs, weights, strict=False)
    if len(losses) == len(outputs):
        pairs = zip(losses, each, strict=False)
    else:  # one of all, or several of one
        pairs = itertools.product(losses, each)
    for one, (output, weight) in pairs:
        yield one, output, weight
