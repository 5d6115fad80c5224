"""What a teacher cache was made from, so that a stale one is refused."""

import hashlib
import json

import numpy as np
from keras import ops

from tf_distill.whole_file import write_whole

# What a layer's configuration says that its output, in inference mode and
# given its weights, does not depend on.
_WITHOUT_EFFECT = ("name", "trainable", "seed", "rate", "dropout")


def teacher_fingerprint(model, name=None):
    """Hashes of a model's weights and of its layers' settings.

    Args:
        model: functional `keras.Model`.
        name: str, the teacher's, where there are several.

    Returns:
        dict of `teacher weights` and `teacher layers`; neither depends on
        names of layers and weights, which Keras numbers.

    Example:
        >>> import keras
        >>> from tf_distill.distillation import cache_fingerprint
        >>> x = keras.Input((2,))
        >>> dense = keras.layers.Dense(1)
        >>> model = keras.Model(x, dense(x))
        >>> one = cache_fingerprint.teacher_fingerprint(model)
        >>> _ = dense.bias.assign([3.0])
        >>> two = cache_fingerprint.teacher_fingerprint(model)
        >>> [name for name in one if one[name] != two[name]]
        ['teacher weights']
    """
    arrays = (  # one at a time: all of them are a second teacher in memory
        ops.convert_to_numpy(weight)
        for weight in model.weights
        if "seed" not in weight.name  # dropout's: it moves as somebody trains
    )
    whose = f"teacher {name}" if name else "teacher"
    return {
        f"{whose} weights": hash_of(arrays),
        f"{whose} layers": hash_of([_text(_structure(model))]),
    }


def hash_of(arrays):
    """Of an iterable's contents, shapes and dtypes; short, to be read."""
    found = hashlib.sha256()
    for array in arrays:
        array = np.asarray(array, order="C")
        found.update(f"{array.dtype} {array.shape};".encode())
        found.update(array.reshape(-1).view("uint8"))
    return found.hexdigest()[:16]


def key_of(fingerprint):
    """One string for a fingerprint."""
    return hashlib.sha256(_text(fingerprint).tobytes()).hexdigest()


def check_contents(path, contents):
    """Raises if a cache was made from something else.

    Args:
        path: `pathlib.Path` of the file that says what; it may be missing.
        contents: dict, what the cache should be made from.

    Returns:
        bool, whether the file is there.

    Raises:
        ValueError: it says something else (says what), or is damaged.
    """
    if not path.exists():
        return False
    try:
        then = json.loads(path.read_text())
    except ValueError:
        raise ValueError(
            f"{path} is damaged. Delete this file alone and call `build`: the "
            "shards that fit are kept."
        ) from None
    now = json.loads(json.dumps(contents))  # a tuple comes back as a list
    different = [
        f"{name} was {then.get(name)} and is {now.get(name)}"
        for name in dict.fromkeys([*then, *now])
        if then.get(name) != now.get(name)
    ]
    if different:
        raise ValueError(
            f"{path.parent} is a teacher cache of something else: "
            f"{'; '.join(different)}. Use another folder, or delete this one."
        )
    return True


def write_contents(path, contents):
    """Writes what a cache is made from, whole or not at all."""
    write_whole(path, json.dumps(contents, indent=1).encode())


def _text(value):
    """A value as JSON, in bytes; what JSON has not, by its type."""
    text = json.dumps(
        value, sort_keys=True, default=lambda x: type(x).__qualname__
    )
    return np.frombuffer(text.encode(), dtype="uint8")


def _structure(operation):
    """Classes and settings of the layers of a model, in its order."""
    inner = getattr(operation, "operations", None)
    if inner is not None:
        return [_structure(layer) for layer in inner]
    try:
        config = operation.get_config()
    except Exception:  # one that Keras cannot describe
        config = {}
    return [type(operation).__qualname__, _with_effect(config)]


def _with_effect(config):
    if isinstance(config, dict):
        return {
            str(key): _with_effect(value)
            for key, value in config.items()
            if key not in _WITHOUT_EFFECT
            and not str(key).endswith(
                ("initializer", "regularizer", "constraint")
            )
        }
    if isinstance(config, (list, tuple)):
        return [_with_effect(value) for value in config]
    return config
