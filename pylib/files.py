"""Files that are written whole or not at all, and ``.npz`` files that are read with errors that name what is wrong.

What stands in the files is decided by lanewise.evolution and the commands.
"""

import contextlib
import errno
import io
import os
import secrets
import stat
from pathlib import Path

import numpy as np

__all__ = ["check_writable", "free_name", "is_special", "read_arrays", "replacing"]


def path_of(path):
    """The path of a file as it was given; an error of what is none, such as a number, which would be an open file's."""
    try:
        found = os.fspath(path)
        if os.fsencode(found).find(0) < 0:
            return found
        raise ValueError(f"expected the path of a file; got one with a null byte, {found!r:.60}")
    except TypeError:
        raise TypeError(f"expected the path of a file; got {type(path).__name__}") from None


def _target(path):
    # where the path is a link, the file that it points to is replaced, and the link stays
    return Path(os.path.realpath(os.fsdecode(path)))


def is_special(path):
    """Whether a path is that of a device or a pipe, which is written to and has nothing to be replaced by."""
    target = _target(path)
    return target.exists() and not target.is_file() and not target.is_dir()


def _beside(target):
    # a name has 255 bytes at the most on most systems, and a character up to four
    return target.with_name(f".{target.name[:50]}.{os.getpid()}.{secrets.token_hex(4)}")


def _error(number, what, path):
    return OSError(number, what, os.fspath(path))  # of the subclass that the number stands for


def _checked_target(path):
    # where to write; an error where it is no place for a file
    given = path_of(path)
    if not given:
        raise _error(errno.ENOENT, "cannot write: expected the name of a file; got an empty one", path)
    target = _target(path)
    if target.is_dir():
        raise _error(errno.EISDIR, "cannot write: expected the name of a file; this is a folder", path)
    if os.fsdecode(given).endswith(("/", os.sep)):
        raise _error(errno.ENOENT, "cannot write: expected the name of a file; there is no such folder", path)
    if target.exists() and not os.access(target, os.W_OK):
        raise _error(errno.EACCES, "cannot write: permission denied", path)
    if not is_special(target) and not target.parent.is_dir():
        raise _error(errno.ENOENT, f"cannot write: there is no folder {target.parent}", path)
    return target


def _open_beside(beside, path):
    # permissions alone do not tell of a file system that is read-only
    try:
        return open(beside, "xb")
    except OSError as error:
        raise _error(error.errno, f"cannot write to {beside.parent}: {error.strerror}", path) from None


def check_writable(path):
    """Find out whether a file could be written, before the work that it is for.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    OSError
        That says why not. Nothing is left behind.
    """
    target = _checked_target(path)
    if is_special(target):
        return
    beside = _beside(target)
    _open_beside(beside, path).close()
    beside.unlink()


@contextlib.contextmanager
def replacing(path):
    """Write a file beside the old one, and let it take its place once it is whole.

    Parameters
    ----------
    path : path-like

    Yields
    ------
    file
        Open for bytes. If the writing fails, the old file stays as it is.
    """
    target = _checked_target(path)
    special = is_special(target)
    beside = target if special else _beside(target)
    try:
        if special:
            content = io.BytesIO()  # where a zip can go back and forth, as it cannot in a device or a pipe
            yield content
            with open(target, "wb") as file:
                file.write(content.getbuffer())
            return
        with _open_beside(beside, path) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            with contextlib.suppress(OSError):  # a file system without permissions
                os.chmod(beside, stat.S_IMODE(target.stat().st_mode))
        os.replace(beside, target)
    except OSError as error:
        if error.filename is not None:
            raise
        raise _error(error.errno, f"cannot write: {error.strerror}", path) from None  # such as of a full disk
    finally:
        if not special:
            beside.unlink(missing_ok=True)


def free_name(path, taken=os.path.lexists):
    """Find a name that is not taken: the path itself, or with the first number that makes it free.

    Parameters
    ----------
    path : Path
    taken : callable
        Whether a path is.

    Returns
    -------
    Path
        ``run.npz``, or ``run-1.npz``, ``run-2.npz`` ...
    """
    free, number = path, 0
    while taken(free):
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def _entries(file):
    # How many files a zip says at its end that it has: where a length in its directory is damaged, those that follow
    # are not seen, and would be taken for never written.
    file.seek(-min(1 << 16, file.seek(0, os.SEEK_END)), os.SEEK_END)
    tail = file.read()
    return int.from_bytes(tail[tail.rfind(b"PK\5\6"):][10:12], "little")


def read_arrays(path, kind=".npz"):
    """Read all arrays of a ``.npz``.

    Parameters
    ----------
    path : path-like
    kind : str
        What the file is called in an error.

    Returns
    -------
    dict of ndarray

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        That says what the file is instead.
    """
    with open(path_of(path), "rb") as file:
        start = file.read(6)
        file.seek(0)
        if not start.startswith(b"PK"):
            what = ("it is empty" if not start else "it is one array, as of a .npy" if start == b"\x93NUMPY" else
                    "it is another kind of file")
            raise ValueError(f"{path} is not a readable {kind} ({what})")
        try:
            with np.load(file, allow_pickle=False) as saved:
                if len(saved.files) != _entries(file):
                    raise ValueError(f"{_entries(file)} arrays were written, and {len(saved.files)} are found")
                return {name: saved[name] for name in saved.files}
        except Exception as error:  # a damaged zip raises errors with no common base
            raise ValueError(f"{path} is not a readable {kind} ({error or type(error).__name__})") from None
