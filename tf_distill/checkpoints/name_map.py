"""Moves named tensors into a model's variables, and out of them."""

import numpy as np


def variable_at(model, path):
    """The variable at a path of layer names, such as `block_0/query/kernel`.

    Args:
        model: `keras.Model`, built.
        path: layer names joined by `/`, then the variable's attribute.

    Raises:
        ValueError: there is no such layer or variable, or it is quantized.

    Example:
        >>> import keras
        >>> from tf_distill.checkpoints import variable_at
        >>> inputs = keras.Input((2,))
        >>> model = keras.Model(inputs, keras.layers.Dense(3, name="a")(inputs))
        >>> tuple(variable_at(model, "a/kernel").shape)
        (2, 3)
    """
    *layers, attribute = path.split("/")
    layer = model
    for name in layers:
        layer = layer.get_layer(name)
    variable = getattr(layer, attribute, None)
    if variable is None:
        raise ValueError(f"{layer.name!r} has no variable {attribute!r}.")
    if "int" in str(variable.dtype):
        raise ValueError(
            f"{path} of {model.name!r} is {variable.dtype}, as `quantize` "
            "leaves it, and no checkpoint has such weights: read into the "
            "model, or write it, before it is quantized."
        )
    return variable


class MisfitError(ValueError):
    """Weights that do not fit a model: all that is wrong with them at once.

    Args:
        model: `keras.Model`.
        source: where the weights are from.
        problems: list of str, one a tensor, also an attribute.
    """

    def __init__(self, model, source, problems):
        super().__init__(
            f"The weights in {source} do not fit {type(model).__name__} "
            f"{model.name!r}:\n  " + "\n  ".join(sorted(problems)) + "\n"
            "Check that the sizes in its config are those of the weights."
        )
        self.problems = list(problems)


def assign(model, tensors, name_map, *, source, ignore=()):
    """Assigns tensors to variables by a name map.

    Nothing is assigned before every tensor has been found to fit, and every
    tensor to have a place.

    Args:
        model: `keras.Model`, built.
        tensors: dict of NumPy arrays by their name in the source.
        name_map: list of `(our path, their name, transpose)`.
        source: the file's name, for messages.
        ignore: beginnings of their names that have no place in this model,
            such as another task's head.

    Raises:
        MisfitError: a tensor is missing, left over, of the wrong shape, of
            whole numbers or not finite. All such tensors are listed at once.

    Example:
        >>> import keras, numpy as np
        >>> from tf_distill.checkpoints import assign
        >>> inputs = keras.Input((2,))
        >>> model = keras.Model(inputs, keras.layers.Dense(
        ...     3, use_bias=False, name="a")(inputs))
        >>> assign(model, {"a.weight": np.ones((3, 2))},
        ...        [("a/kernel", "a.weight", True)], source="example")
        >>> float(model.get_layer("a").kernel[0, 0])
        1.0
    """
    problems, assignments = [], []
    for path, name, transpose in name_map:
        if name not in tensors:
            problems.append(f"{name}: missing, needed for {path}")
            continue
        value = np.asarray(tensors[name])
        value = value.T if transpose else value
        variable = variable_at(model, path)
        if tuple(value.shape) != tuple(variable.shape):
            problems.append(
                f"{name}: shape {tuple(value.shape)}, but {path} has "
                f"{tuple(variable.shape)}"
            )
        elif value.dtype.kind != "f" and value.dtype.name != "bfloat16":
            problems.append(f"{name}: of {value.dtype}, which no weight is")
        elif not is_finite(value):
            problems.append(f"{name}: holds NaN or infinity")
        else:
            assignments.append((variable, value))
    known = {name for _, name, _ in name_map}
    problems += [
        f"{name}: left over, has no place in this model"
        for name in tensors
        if name not in known and not name.startswith(tuple(ignore))
    ]
    if problems:
        raise MisfitError(model, source, problems)
    for variable, value in assignments:
        variable.assign(value)


def tensors_of(model, name_map):
    """The weights that a name map names, under their names and in float32.

    The inverse of `assign`.

    Args:
        model: `keras.Model`, built.
        name_map: list of `(our path, their name, transpose)`.

    Returns:
        dict of contiguous float32 NumPy arrays by their name.

    Example:
        >>> import keras
        >>> from tf_distill.checkpoints import tensors_of
        >>> inputs = keras.Input((2,))
        >>> model = keras.Model(inputs, keras.layers.Dense(3, name="a")(inputs))
        >>> found = tensors_of(model, [("a/kernel", "a.weight", True)])
        >>> found["a.weight"].shape
        (3, 2)
    """
    tensors = {}
    for path, name, transpose in name_map:
        value = variable_at(model, path).numpy().astype("float32")
        # safetensors writes memory as it lies, which a transpose leaves.
        tensors[name] = np.ascontiguousarray(value.T if transpose else value)
    return tensors


def is_finite(value):
    """Whether all numbers are finite in float32, in which weights are kept.

    Example:
        >>> import numpy as np
        >>> from tf_distill.checkpoints.name_map import is_finite
        >>> is_finite(np.array([1.0, 1e300]))
        False
    """
    with np.errstate(over="ignore"):  # float64 that float32 cannot hold
        return bool(np.isfinite(value.astype("float32", copy=False)).all())
