"""Write files completely or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time
from typing import IO, Any

from fastmlp.errors import UnwritableError, refuse
from fastmlp.system.interrupts import hold_interrupts
from fastmlp.system.reading import kind_of

REMEDIES = {
    errno.ENOSPC: "Free some space, or name a file on another disk.",
    errno.EDQUOT: "Free some space, or name a file on another disk.",
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f).",
}
# Errors of fsync where a file system or a sandbox does not have it; all others are of the disk
NO_FSYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


def as_path(value: Any, argument: str) -> Path:
    """Return a text or path-like object as a Path. Raises ArgumentError for anything else.

    So it does for an empty text, which names the working folder by accident.
    """
    try:
        path = Path(value)
        if "\0" in str(path) or value == "":
            raise TypeError
        return path
    except TypeError:
        rule = "must be a path, as a text or a pathlib.Path"
        raise refuse(argument, rule, repr(value), 'Pass "folder/name", for example.') from None


def write_whole(target: Path, *parts: bytes | memoryview) -> None:
    """Write a file that gets its name only when all of it is on the disk.

    If the name is a symbolic link, the file that it points to is replaced. The new file gets the
    mode of the older one, and its owner if that is allowed; other hard links keep the older
    content. Raises UnwritableError, and the older file is then unchanged.
    """
    with _naming(target), replacing(target) as file:
        for part in parts:
            file.write(part)


def append_whole(target: Path, data: bytes) -> None:
    """Append to a file, at once; after an error it has its former size. Raises UnwritableError."""
    with _naming(target), open(target, "ab", buffering=0) as file:
        size = file.tell()
        try:
            while data:
                data = data[file.write(data) :]
        except BaseException:
            file.truncate(size)
            raise


@contextmanager
def replacing(target: Path) -> Iterator[IO[bytes]]:
    """Open a new file in the folder of `target`; rename it at the end, delete it after an error.

    The file is synchronised before the rename, and the folder after it, where the file system has
    that. Raises OSError.
    """
    real, older = _find_target(target)
    new = None
    try:
        with hold_interrupts():  # otherwise the file could be there without its name
            new = _create_beside(real, 0o666 if older is None else 0o600)  # minus the umask
        with new as file:
            yield file
            file.flush()
            if older is not None:
                _keep_owner_and_mode(file.fileno(), older)
            _write_to_disk(file.fileno())
        os.replace(new.name, real)
    except BaseException:
        if new is not None:
            new.close()
            with suppress(OSError):
                os.unlink(new.name)
        raise
    _synchronise(real.parent)


def check_writable(target: Path) -> Path:
    """Return the absolute path of a file. Raises UnwritableError if it cannot be written.

    This writes another file in the same folder, and deletes it: only a trial shows what
    permissions, limits and file systems allow.
    """
    with _naming(target):
        real, _ = _find_target(target)
        with hold_interrupts():
            new = _create_beside(real, 0o600)
            try:
                with new as file:
                    file.write(b"\0")
            finally:
                os.unlink(new.name)
        return target.absolute()


def check_folder(folder: Path) -> Path:
    """Return the absolute path of a folder. Raises UnwritableError if it cannot be written to.

    If the folder does not exist, the folder in which it would be made is checked.
    """
    with _naming(folder):
        whole = _absolute(folder)
        found = (path for path in (whole, *whole.parents) if os.path.lexists(path))
        existing = next(found, whole)  # of a drive that is not there, not even the root exists
    try:
        check_writable(existing / f".fastmlp-{os.urandom(6).hex()}")
    except UnwritableError as error:
        raise unwritable(folder, error) from None
    return whole


def _find_target(target: Path) -> tuple[Path, os.stat_result | None]:
    """Return the file that a name points to, and its status if it exists.

    Raises OSError if the file must not be replaced: it is not a regular file, or it is read-only.
    """
    target = _absolute(target)
    try:
        status = os.stat(target)
    except FileNotFoundError:
        return Path(os.path.realpath(target)), None
    if kind := kind_of(status):
        raise OSError(errno.EINVAL, f"it is {kind}, not a regular file")
    real = Path(os.path.realpath(target))
    if not real.exists() or not os.path.samestat(status, os.stat(real)):
        raise OSError(errno.ENOENT, "the file was deleted")  # and is still open: /dev/fd/3
    if any(os.path.samestat(status, output) for output in _outputs()):
        raise OSError(errno.EBUSY, "this program prints to it")
    if not os.access(real, os.W_OK):
        raise OSError(errno.EACCES, "it is read-only")
    return real, status


def _absolute(path: Path) -> Path:
    try:
        return path.absolute()
    except FileNotFoundError:
        raise OSError(errno.ENOENT, "the working folder was deleted") from None


def _outputs() -> Iterator[os.stat_result]:
    """Yield the status of standard output and standard error."""
    for handle in (1, 2):
        with suppress(OSError):
            yield os.fstat(handle)


def _create_beside(real: Path, mode: int) -> IO[bytes]:
    """Create a temporary file in the folder of `real`; the umask restricts its mode."""
    if not real.parent.is_dir():
        raise OSError(errno.ENOENT, f"{real.parent} is not a folder")
    part = real.parent / f".fastmlp-{os.urandom(6).hex()}.part"
    try:
        return open(part, "xb", opener=lambda name, flags: os.open(name, flags, mode))
    except OSError as error:
        raise OSError(error.errno, f"in {real.parent}: {error.strerror}") from None


def remove_parts(folder: Path) -> None:
    """Delete the temporary files that killed processes left in a folder: those an hour old."""
    for part in folder.glob(".fastmlp-*.part"):
        with suppress(OSError):
            if time() - part.stat().st_mtime > 3600:
                part.unlink()


def _keep_owner_and_mode(handle: int, older: os.stat_result) -> None:
    """Set owner, group and mode of a new file to those of the older one, where files have these."""
    if not hasattr(os, "fchown"):
        return
    mode, own = stat.S_IMODE(older.st_mode) & 0o777, os.fstat(handle)
    if (own.st_uid, own.st_gid) != (older.st_uid, older.st_gid):
        try:
            os.fchown(handle, older.st_uid, older.st_gid)
        except OSError:
            try:
                os.fchown(handle, -1, older.st_gid)
            except OSError:  # the new group gets no more rights than all other users have
                mode = mode & 0o707 | (mode & 0o007) << 3
    with suppress(OSError):  # some file systems have no modes
        os.fchmod(handle, mode)


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Convert each system error inside to an UnwritableError that names the file."""
    try:
        yield
    except UnwritableError:
        raise
    except (OSError, ValueError) as error:  # ValueError: an impossible file name
        raise unwritable(target, error) from error


def unwritable(target: Path, error: Exception) -> UnwritableError:
    """Return the error with the file, the reason why it cannot be written, and the remedy."""
    number, why = getattr(error, "errno", None), getattr(error, "strerror", None) or str(error)
    remedy = REMEDIES.get(number or 0, "Name another file.")
    wrapped = UnwritableError(f"{target} cannot be written: {why}. {remedy}")
    wrapped.errno, wrapped.strerror, wrapped.filename = number, why, str(target)
    return wrapped


def _write_to_disk(handle: int) -> None:
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_FSYNC:
            raise


def _synchronise(folder: Path) -> None:
    """Write a folder's entries to the disk, so that a rename survives a loss of power."""
    with suppress(OSError):  # not every file system supports it
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
