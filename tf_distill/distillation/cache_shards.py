"""Rows of bytes of unequal length, in files that are whole or missing.

Letters: N rows.
"""

import contextlib
import errno
import hashlib
import itertools
import os
import shutil

import numpy as np

from tf_distill.mapped_files import MappedFiles
from tf_distill.whole_file import whole_file

_HEADER = 64  # bytes: the key of the cache and shard, the payload's checksum


class Shards:
    """The rows of a cache in files, each with a checksum.

    Rows are sorted by length, so that those of a file are padded alike, and
    lie end to end.

    Args:
        folder: `pathlib.Path`.
        key: str, what identifies the contents: a file with another key is
            not one of these.
        nbytes: int64 `(N,)`, the length of each row.
        shard_bytes: int, how long a file becomes, at least a row.
    """

    def __init__(self, folder, key, nbytes, shard_bytes):
        self.folder = folder
        self._key = key
        self._nbytes = nbytes
        order = np.argsort(nbytes, kind="stable")
        ends = np.cumsum(nbytes[order])
        starts = ends - nbytes[order]
        _, first = np.unique(starts // shard_bytes, return_index=True)
        self._rows = np.split(order, first[1:])
        self._shard_of = np.empty(len(order), "int32")
        self._offset_of = np.empty(len(order), "int64")
        for shard, rows in enumerate(self._rows):
            self._shard_of[rows] = shard
            self._offset_of[rows] = np.cumsum(nbytes[rows]) - nbytes[rows]
        self._files = MappedFiles()
        self._checked = set()  # shards found whole

    def __len__(self):
        return len(self._rows)

    def rows(self, shard):
        """The numbers of a shard's rows, in the order in which they lie."""
        return self._rows[shard]

    def size(self, shards=None):
        """How many bytes some files have, or all."""
        shards = range(len(self)) if shards is None else shards
        return sum(
            _HEADER + int(self._nbytes[self._rows[s]].sum()) for s in shards
        )

    def path(self, shard):
        """Where a shard's file is."""
        return self.folder / f"shard-{shard:05d}.bin"

    def missing(self):
        """The shards whose file is not there or not as long as it must be."""
        return [s for s in range(len(self)) if not self._has_length(s)]

    def damaged(self):
        """The shards that are missing or damaged; reads every file."""
        return [s for s in range(len(self)) if self._open(s) is None]

    def write(self, shard, rows):
        """Writes a shard's file, whole or not at all.

        Args:
            shard: its number.
            rows: list of lists of uint8 arrays, which lie end to end, in the
                order of `rows(shard)`.

        Raises:
            OSError: it could not be written; the other files are whole.
        """
        # Never joined: a copy of a shard costs as much as its checksum.
        digest = hashlib.sha256()
        for piece in itertools.chain(*rows):
            digest.update(piece)
        self._checked.discard(shard)
        self._files.forget(self.path(shard))
        with whole_file(self.path(shard)) as file:
            file.write(self._own_key(shard))
            file.write(digest.digest())
            for piece in itertools.chain(*rows):
                file.write(piece)

    def read(self, row):
        """The bytes of a row, a read-only uint8 array on the disk.

        Raises:
            ValueError: its file is missing or damaged.
        """
        shard = int(self._shard_of[row])
        contents = self._open(shard)
        if contents is None:
            raise ValueError(
                f"{self.path(shard)} is missing or damaged. Call `build` with "
                "the same batches: only this shard is computed again."
            )
        start = _HEADER + self._offset_of[row]
        return contents[start : start + self._nbytes[row]]

    def _open(self, shard):
        """A shard's file as an array, checked once, or None if it is not whole.

        The check reads the whole file, the first time that it is used.
        """
        path = self.path(shard)
        with contextlib.suppress(OSError, ValueError):
            if shard in self._checked:
                return self._files.read(path)
        self._files.forget(path)  # it may be another by now
        try:
            contents = self._files.read(path)
        except (OSError, ValueError):  # it is missing, or empty
            return None
        digest = hashlib.sha256(contents[_HEADER:]).digest()
        if contents[:_HEADER].tobytes() != self._own_key(shard) + digest:
            return None
        self._checked.add(shard)
        return contents

    def _has_length(self, shard):
        try:
            return os.path.getsize(self.path(shard)) == self.size([shard])
        except OSError:
            return False

    def _own_key(self, shard):
        return hashlib.sha256(f"{self._key} {shard}".encode()).digest()


def check_room(folder, needed):
    """Raises unless a disk has room.

    Args:
        folder: on that disk.
        needed: int, bytes.

    Raises:
        OSError: it has not; says how much there is and is needed.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            errno.ENOSPC,
            f"The teacher cache needs {amount(needed)}, but the disk of "
            f"{folder} has {amount(free)} free; nothing was computed. Choose "
            "another folder or fewer signals, or give `top_k` or "
            "dtype='float16'",
        )


def amount(nbytes):
    """A number of bytes, for people.

    Example:
        >>> from tf_distill.distillation.cache_shards import amount
        >>> amount(1_500_000), amount(20)
        ('1.5 MB', '20 bytes')
    """
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if nbytes >= size:
            return f"{nbytes / size:,.1f} {unit}"
    return f"{nbytes} bytes"
