"""A model's whole training state, and files that hold one.

The state is every variable that a step reads or writes: weights, the seeds of
dropout, the optimizer's variables and the running metrics. Keras' own
`save_weights` has neither the seeds nor the metrics.
"""

import json
import zlib

import numpy as np
from keras import ops

from tf_distill.whole_file import whole_file

GROUPS = ("model", "optimizer", "metrics")


class DamagedFileError(Exception):
    """A file that cannot be read whole."""


def state_of(model, groups=GROUPS):
    """The values of a model's variables.

    Args:
        model: built `keras.Model`, with a built optimizer if that is asked for.
        groups: which to take, of `"model"`, `"optimizer"`, `"metrics"`.

    Returns:
        dict of arrays by group and number, such as `"model/0003"`.

    Example:
        >>> import keras
        >>> from tf_distill.distillation.training_state import state_of
        >>> x = keras.Input((2,))
        >>> model = keras.Model(x, keras.layers.Dense(1)(x))
        >>> sorted(state_of(model, groups=["model"]))
        ['model/0000', 'model/0001']
    """
    return {
        f"{group}/{index:04d}": np.array(ops.convert_to_numpy(variable))
        for group in groups
        for index, variable in enumerate(_variables(model, group))
    }


def set_state(model, state, groups=GROUPS):
    """Gives a model's variables the values that `state_of` took.

    Args:
        model: as for `state_of`, built in the same way as then.
        state: dict of arrays, as `state_of` returns it.
        groups: which to set.

    Raises:
        ValueError: the model has other variables. None has been set then.
    """
    pairs = []
    for group in groups:
        variables = _variables(model, group)
        names = sorted(name for name in state if name.startswith(f"{group}/"))
        shapes = [tuple(state[name].shape) for name in names]
        if shapes != [tuple(variable.shape) for variable in variables]:
            raise ValueError(
                f"The state has {len(shapes)} {group} variables, which are not "
                f"of the same number and shapes as the {len(variables)} of "
                f"{model.name!r}: build the model as it was built then."
            )
        pairs += zip(variables, (state[name] for name in names), strict=True)
    for variable, value in pairs:
        if value.dtype.kind == "V":  # NumPy's files do not know bfloat16
            current = np.array(ops.convert_to_numpy(variable))
            value = value.view(current.dtype)
        variable.assign(value)


def checksum(state):
    """A CRC of all arrays, which says whether two states are the same."""
    value = 0
    for name in sorted(state):
        value = zlib.crc32(state[name].tobytes(), value)
    return value


def write_state(path, state, header):
    """Writes a state to a file, whole or not at all.

    Args:
        path: `pathlib.Path`, in a folder that exists.
        state: dict of arrays.
        header: what JSON can hold, read back with the state.

    Raises:
        OSError: the disk is full, or the like. What was at `path` is still
            there.
    """
    header = np.frombuffer(json.dumps(header).encode(), "uint8")
    with whole_file(path) as file:
        np.savez(file, header=header, **state)


def read_state(path):
    """Reads what `write_state` wrote.

    Returns:
        tuple of the dict of arrays and the header.

    Raises:
        DamagedFileError: the file is not whole, or not such a file.
    """
    try:
        with open(path, "rb") as opened, np.load(opened) as file:
            header = json.loads(file["header"].tobytes())
            names = [name for name in file.files if name != "header"]
            return {name: file[name] for name in names}, header
    except Exception as error:  # a flipped bit can raise nearly anything
        raise DamagedFileError(f"{path}: {error}") from error


def _variables(model, group):
    if group == "model":
        return model.variables
    if group == "optimizer":
        return model.optimizer.variables
    return model.metrics_variables
