"""What a teacher cache was made from, so that a stale one is refused."""

import hashlib
import json

from keras import ops

from tf_distill.distillation.model_structure import structure_hash
from tf_distill.distillation.plain_values import as_bytes, hash_of
from tf_distill.whole_file import write_whole


def teacher_fingerprint(model, name=None):
    """Hashes of a model's weights, and of its layers and their connections.

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
        f"{whose} layers": structure_hash(model, in_training=False),
    }


def key_of(fingerprint):
    """One string for a fingerprint."""
    return hashlib.sha256(as_bytes(fingerprint)).hexdigest()


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
