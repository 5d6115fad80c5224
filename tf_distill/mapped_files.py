"""Files mapped into memory, any number of which may be read in turn."""

import functools
import mmap
import os

import numpy as np

# A mapping keeps its file's descriptor, of which a process has 1024 on many
# systems, 256 on some. To map one anew took 20 to 60 microseconds in a virtual
# machine: 256 rows of 600 files 20 ms, of 10 files 2 ms (2026-11-23).
MOST_OPEN = 64


class MappedFiles:
    """The contents of files as arrays, few of which are mapped at a time.

    A file is to stay what it was when it was first read here: one that is
    mapped again, and is another by then, is refused.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "numbers")
        >>> _ = path.write_bytes(bytes([1, 2, 3]))
        >>> MappedFiles().read(path)
        array([1, 2, 3], dtype=uint8)
    """

    def __init__(self):
        self._seen = {}  # by path, what tells that it is the same file
        # Safe in threads; an array keeps its mapping, also after its turn.
        self._mapped = functools.lru_cache(MOST_OPEN)(_mapped)

    def read(self, path):
        """The bytes of a file, read-only uint8, which stay on the disk.

        Args:
            path: `pathlib.Path`.

        Raises:
            FileNotFoundError: it is not there.
            ValueError: it is empty, or not the file that was read first.
        """
        if path not in self._seen:
            self._seen[path] = _identity(os.stat(path))
        return self._mapped(path, self._seen[path])

    def forget(self, path):
        """Lets a file become another."""
        self._seen.pop(path, None)


def map_file(path):
    """The bytes of a file as `MappedFiles.read` gives them, once."""
    return MappedFiles().read(path)


def _mapped(path, identity):
    with open(path, "rb") as file:
        if _identity(os.fstat(file.fileno())) != identity:
            raise ValueError(
                f"{path} is another file than when it was first read: leave "
                "files as they are while they are used, and open them again."
            )
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(mapped, "uint8")


def _identity(status):
    return status.st_ino, status.st_size, status.st_mtime_ns
