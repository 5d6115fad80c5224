"""A file of arrays that knows what it was made from, and whether it is whole.

The format is safetensors': a header, and the arrays as they lie in memory. They
are mapped, not read, and any library that reads the format reads them.
"""

import hashlib
import json

import numpy as np

from tf_distill.mapped_files import map_file
from tf_distill.whole_file import write_whole

# The format's names for what is stored here.
_DTYPES = {"U8": "uint8", "U16": "uint16", "I32": "int32"}
_NOTES = "tf_distill"  # one entry: the order of several is not determined


class DamagedShardError(ValueError):
    """A file that is not a whole shard."""


def write_shard(path, arrays, notes):
    """Writes a shard, whole or not at all.

    Args:
        path: `pathlib.Path`.
        arrays: dict of arrays, uint8, uint16 or int32.
        notes: dict of JSON values, such as what it was made from.

    Raises:
        OSError: it could not be written.
    """
    import safetensors.numpy

    notes = {**notes, "contents": contents_of(arrays)}
    text = json.dumps(notes, sort_keys=True)
    write_whole(path, safetensors.numpy.save(arrays, metadata={_NOTES: text}))


def read_shard(path):
    """Maps a shard's arrays into memory, and checks them.

    Args:
        path: `pathlib.Path`.

    Returns:
        A tuple of a dict of arrays, read-only, and the notes.

    Raises:
        DamagedShardError: it is not as it was written.
        FileNotFoundError: it is not there.
    """
    try:
        data = map_file(path)
    except ValueError as error:  # it is empty
        raise _no_shard(path, error) from error
    return parse_shard(path, data)


def parse_shard(path, data):
    """Finds a shard's arrays in a file's bytes, and checks them.

    Args:
        path: the file, to be named in errors.
        data: uint8 array; those that are returned are views of it.

    Returns:
        As `read_shard`.

    Raises:
        DamagedShardError: it is not as it was written.
    """
    try:
        arrays, notes = _parsed(data)
        is_whole = notes["contents"] == contents_of(arrays)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise _no_shard(path, error) from error
    if not is_whole:
        raise DamagedShardError(f"{path} is damaged: its contents changed.")
    return arrays, notes


def contents_of(arrays):
    """A hash of arrays by name."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype} {array.shape};".encode())
        found.update(array.view("uint8"))
    return found.hexdigest()


def _parsed(data):
    size = int.from_bytes(data[:8].tobytes(), "little")
    if size > len(data):
        raise ValueError("it ends within its header")
    header = json.loads(data[8 : 8 + size].tobytes())
    notes = json.loads(header.pop("__metadata__")[_NOTES])
    arrays = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        dtype = np.dtype(_DTYPES[entry["dtype"]])
        shape = tuple(entry["shape"])
        if np.prod(shape) * dtype.itemsize != end - start:
            raise ValueError(f"{name} has not its length")
        found = data[8 + size + start : 8 + size + end]
        arrays[name] = found.view(dtype).reshape(shape)
    return arrays, notes


def _no_shard(path, error):
    return DamagedShardError(
        f"{path} is no whole shard of a corpus ({error!r})."
    )
