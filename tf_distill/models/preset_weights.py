"""Reads the weights of Keras' and KerasHub's presets: all, or an error.

Keras itself reads what its model asks for, leaves the rest of a file unread
and says nothing, and names neither the file nor the weights that it misses.
"""

import contextlib
import re

import keras
import numpy as np

from tf_distill.checkpoints.json_file import read_json
from tf_distill.checkpoints.name_map import MisfitError, is_finite

# What training left beside the weights: the optimizer's state, and ranges,
# which `tf_distill.compression` reads itself.
BESIDE = re.compile(r"optimizer/|(.*/)?\w+_quantizer/")


def read_encoder_weights(backbone, folder):
    """Reads an encoder's weights from a preset.

    Args:
        backbone: `keras_hub.models.Backbone` of the preset's sizes.
        folder: `pathlib.Path` of the preset.

    Raises:
        ValueError: a file is damaged or not there.
        MisfitError: a weight is missing, left over, of another shape, of
            whole numbers or not finite. All such weights are listed at once.
    """
    index, files = folder / "model.weights.h5", None
    if not index.exists() and (folder / "model.weights.json").exists():
        index = folder / "model.weights.json"
        files = _shards(index)
    _check(backbone, index, files or [index], _places(backbone, set()))
    with _naming(index):
        backbone.load_weights(index)


def read_head_weights(task, folder):
    """Reads the weights of a task that are not its encoder's from a preset.

    Args:
        task: `keras_hub.models.Task` of the preset's sizes.
        folder: `pathlib.Path` of the preset.

    Raises:
        ValueError, MisfitError: as `read_encoder_weights`.
    """
    file, seen = folder / "task.weights.h5", set()
    _places(task.backbone, seen)
    _check(task, file, [file], _places(task, seen))
    with _naming(file):
        task.load_task_weights(file)


def _shards(index):
    found = read_json(index).get("weight_map")
    names = []
    for value in found.values() if isinstance(found, dict) else ():
        names += value if isinstance(value, list) else [value]
    if not names or not all(
        isinstance(name, str) and (index.parent / name).parent == index.parent
        for name in names
    ):
        raise ValueError(
            f"{index} has no weight_map that names files beside it: it was "
            "damaged. Copy or fetch it again."
        )
    return [index.with_name(name) for name in sorted(set(names))]


def _places(model, seen):
    """What Keras would save of a model, by the names in its file.

    Args:
        model: `keras.Model`, built.
        seen: set of the ids of layers to leave out, which is added to.

    Returns:
        dict of variables.
    """
    # Keras tells the names to nobody but this store, which writes nothing
    # unless it is closed.
    from keras.src.saving import saving_lib

    store = saving_lib.NpzIOStore("", mode="w")
    saving_lib._save_state(model, store, None, "", seen)
    return {
        f"{path}/vars/{name}": variable
        for path, variables in store.contents.items()
        for name, variable in variables.items()
    }


def _check(model, source, files, places):
    """Raises where files do not hold what a model needs, and no more."""
    import h5py

    problems, found = [], set()
    for file in files:
        if not file.exists():
            raise ValueError(
                f"{file.parent} has no {file.name}: it was copied in part. "
                "Copy or fetch it again, or pass `load_weights=False` for "
                "random weights."
            )
        with _naming(file), h5py.File(file) as content:
            datasets = {}
            content.visititems(datasets.__setitem__)
            for name, dataset in datasets.items():
                if isinstance(dataset, h5py.Dataset):
                    # As Keras 2.13 called them, and Keras 3 reads them.
                    name = name.replace(
                        "_layer_checkpoint_dependencies", "layers"
                    )
                    found.add(name)
                    if not BESIDE.match(name):
                        problems += _misfit(name, dataset, places.get(name))
    problems += [
        f"{name}: missing, of the shape {tuple(places[name].shape)}"
        for name in places.keys() - found
        if not BESIDE.match(name)
    ]
    if problems:
        raise MisfitError(model, source, problems)


def _misfit(name, dataset, variable):
    """What is wrong with a dataset as the value of a variable: none or one."""
    if variable is None:
        return [f"{name}: left over, has no place in this model"]
    if dataset.shape != tuple(variable.shape):
        return [
            f"{name}: shape {dataset.shape}, but the model has "
            f"{tuple(variable.shape)}"
        ]
    dtype = keras.backend.standardize_dtype(variable.dtype)
    if not keras.backend.is_float_dtype(dtype):  # as `quantize` leaves it
        same = dataset.dtype == dtype
        return [] if same else [f"{name}: of {dataset.dtype}, not {dtype}"]
    value = _numbers(dataset)
    if value is None:
        return [f"{name}: of {dataset.dtype}, or damaged, which no weight is"]
    return [] if is_finite(value) else [f"{name}: holds NaN or infinity"]


def _numbers(dataset):
    """The values of a dataset, None if they are no floating point numbers."""
    import h5py
    import ml_dtypes

    if dataset.attrs.get("dtype") == "bfloat16":
        return np.array(dataset, dtype=ml_dtypes.bfloat16)
    # A damaged type is still called float32, but has another exponent.
    own = h5py.h5t.py_create(dataset.dtype)
    if dataset.dtype.kind != "f" or dataset.id.get_type() != own:
        return None
    return dataset[()]


@contextlib.contextmanager
def _naming(file):
    """Names the file in HDF5's errors, which do not."""
    try:
        yield
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"{file} is not a whole HDF5 file ({error}). Copy or fetch it "
            "again."
        ) from error
