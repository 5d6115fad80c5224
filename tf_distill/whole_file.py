"""Files that are written whole or not at all, and outlast a power cut."""

import contextlib
import os
import re
import socket


@contextlib.contextmanager
def whole_file(path):
    """Opens a file beside its place, and renames it into it at the end.

    It is synchronised before, its folder after: whoever finds the file finds
    all of it, whenever this process is killed or the machine stops. What a
    killed process leaves is named `.*.partial`; see `delete_unfinished`.

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
    # Host and process say whether whoever made it may still be at it.
    made_by = f"{os.getpid()}-{socket.gethostname()}"
    partial = path.with_name(f".{path.name}.{made_by}.partial")
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


def delete_unfinished(folder):
    """Deletes what processes of this machine left that were killed writing.

    What one that is alive is writing stays, as does another machine's.

    Args:
        folder: `pathlib.Path`.
    """
    host = re.escape(socket.gethostname())
    for partial in folder.glob(".*.partial"):
        made_by = re.search(rf"\.(\d+)-{host}\.partial$", partial.name)
        if made_by and not is_alive(int(made_by[1])):
            partial.unlink(missing_ok=True)


def is_alive(process):
    """Whether a process of this machine runs, by its number."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return True


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
