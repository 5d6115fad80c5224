"""Files that appear whole or not at all."""

import contextlib
import errno
import os
import pathlib
import shutil
import socket
import uuid

from tf_distill.whole_file import is_alive

TEMPORARY_PREFIX = ".unfinished-"


def publish_version(folder, write, version=None):
    """Fills a temporary folder and renames it to the next version.

    Args:
        folder: the model's folder; made if it is not there.
        write: function of a path, an existing empty folder to fill.
        version: int, above zero; None for the highest version + 1.

    Returns:
        Path of `folder/<version>`.

    Raises:
        ValueError: `folder` is a file or cannot be written to, its disk is
            full, or it has that version.

    Example:
        >>> import tempfile
        >>> model = pathlib.Path(tempfile.mkdtemp(), "model")
        >>> publish_version(model, lambda path: None).name
        '1'
        >>> publish_version(model, lambda path: None).name
        '2'
    """
    folder = pathlib.Path(folder)
    _check_version(folder, version)
    temporary = folder / _temporary_name()
    with _nothing_left_behind(folder, [temporary]):
        temporary.mkdir()
        write(temporary)
        if version is None:
            return _renamed_to_next_version(temporary, folder)
        return _renamed_to_version(temporary, folder, version)


def publish_folder(folder, write):
    """Fills a temporary folder and renames it to its place.

    Args:
        folder: the place; there is nothing yet, or an empty folder.
        write: function of a path, an existing empty folder to fill.

    Returns:
        Path of the folder.

    Raises:
        ValueError: the folder is a file, cannot be written to, or holds
            something already.

    Example:
        >>> import tempfile
        >>> publish_folder(pathlib.Path(tempfile.mkdtemp(), "model"),
        ...                lambda path: None).name
        'model'
    """
    folder = pathlib.Path(folder)
    temporary = folder.parent / _temporary_name()
    with _nothing_left_behind(folder.parent, [temporary], folder):
        if folder.is_dir() and any(folder.iterdir()):
            raise ValueError(
                f"{str(folder)!r} holds something already: give a new folder, "
                "or remove it."
            )
        temporary.mkdir()
        write(temporary)
        os.rename(temporary, folder)
    return folder


def publish_file(path, content):
    """Writes a file beside its place and moves it there.

    Args:
        path: the file; its folder is made if it is not there.
        content: bytes.

    Returns:
        The path.

    Raises:
        ValueError: the folder is a file or cannot be written to.
    """
    publish_files({path: content})
    return pathlib.Path(path)


def publish_files(contents):
    """Writes the files of one thing beside their places, and moves them there.

    The last one says that the thing is there: an older one of its name goes
    first and the new one comes last, so that whoever finds it finds it with
    the files that belong to it, even if this process is killed.

    Args:
        contents: dict of bytes by path, all in one folder, which is made if it
            is not there.

    Raises:
        ValueError: the folder is a file, cannot be written to, or its disk is
            full; then nothing of it is left.

    Example:
        >>> import tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> publish_files({folder / "words.txt": b"a", folder / "model": b"b"})
        >>> sorted(path.name for path in folder.iterdir())
        ['model', 'words.txt']
    """
    contents = {pathlib.Path(path): x for path, x in contents.items()}
    *first, last = contents
    temporaries = {path: last.parent / _temporary_name() for path in contents}
    with _nothing_left_behind(last.parent, temporaries.values(), last):
        for path, temporary in temporaries.items():
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, f"{path.name}: a folder")
            temporary.write_bytes(contents[path])
        if first:
            last.unlink(missing_ok=True)
        for path, temporary in temporaries.items():
            os.replace(temporary, path)


@contextlib.contextmanager
def _nothing_left_behind(folder, temporaries, place=None):
    """Makes a folder; where what follows fails, removes what is new in it.

    Args:
        folder: path.
        temporaries: paths in it.
        place: path that an error speaks of, by default the folder.

    Raises:
        ValueError: the system refused something.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_unfinished(folder)
        yield
    except BaseException as error:
        for temporary in temporaries:
            _remove(temporary)
        for path in new:
            with contextlib.suppress(OSError):  # not made, or not empty
                path.rmdir()
        if isinstance(error, OSError):
            raise _unusable(place or folder, error) from error
        raise


def _unusable(path, error):
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ValueError(
            f"cannot write to {str(path)!r} ({error.strerror}): make room, or "
            "give a folder on another disk. Nothing was left behind."
        )
    return ValueError(
        f"cannot write to {str(path)!r} ({error.strerror}): give a folder "
        "that can be made or written to, and that is not a file."
    )


def _temporary_name():
    # Host and process say whether whoever made it may still be at it.
    host = socket.gethostname()
    return f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-{os.getpid()}-{host}"


def _remove_unfinished(folder):
    """Removes what exports that were killed on this machine left behind."""
    for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
        made_by = path.name[len(TEMPORARY_PREFIX) :].split("-", 2)
        if len(made_by) < 3 or not made_by[1].isdecimal():
            continue  # not made here
        _, process, host = made_by
        if host == socket.gethostname() and not is_alive(int(process)):
            _remove(path)


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _check_version(folder, version):
    if version is None:
        return
    if type(version) is not int or version < 1:
        raise ValueError(
            f"version {version!r} must be a whole number above zero."
        )
    if (folder / str(version)).exists():
        raise ValueError(
            f"{str(folder / str(version))!r} is there already, and a server "
            "may run it: leave `version` out for the next, or remove it."
        )


def _renamed_to_version(temporary, folder, version):
    place = folder / str(version)
    try:
        os.rename(temporary, place)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            _check_version(folder, version)
        raise
    return place


def _renamed_to_next_version(temporary, folder):
    while True:
        versions = [
            int(path.name) for path in folder.iterdir() if path.name.isdecimal()
        ]
        version = folder / str(max(versions, default=0) + 1)
        try:
            # Of two exporters only one can rename to a name: the other one
            # finds the folder in use and takes the next.
            os.rename(temporary, version)
            return version
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
