"""Files that are written whole or not at all, and outlast a power cut."""

import contextlib
import os


@contextlib.contextmanager
def whole_file(path):
    """Opens a file beside its place, and renames it into it at the end.

    It is synchronised before, its folder after: whoever finds the file finds
    all of it, whenever this process is killed or the machine stops. What a
    killed process leaves is named `.*.partial`.

    Args:
        path: `pathlib.Path`, in a folder that exists.

    Yields:
        The file, to be written to in bytes.

    Raises:
        OSError: the disk is full, or the like. What was at `path` is still
            there.

    Example:
        >>> import pathlib, tempfile
        >>> from tf_distill.whole_file import whole_file
        >>> path = pathlib.Path(tempfile.mkdtemp(), "words.txt")
        >>> with whole_file(path) as file:
        ...     _ = file.write(b"a")
        ...     path.exists()
        False
        >>> path.read_bytes()
        b'a'
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        _synchronise(path.parent)
    except OSError as error:
        raise OSError(
            error.errno,
            f"{path} could not be written: {error.strerror}. What was written "
            "before it is whole: make room and run again",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write_whole(path, data):
    """Writes bytes to a file, see `whole_file`."""
    with whole_file(path) as file:
        file.write(data)


def _synchronise(folder):
    """Makes a renaming last through a power cut, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
