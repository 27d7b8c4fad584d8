"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from fastmlp.errors import UnwritableError
from fastmlp.system.reading import kind_of

REMEDIES = {
    errno.ENOSPC: "Make room, or name a file on another disk.",
    errno.EDQUOT: "Make room, or name a file on another disk.",
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f).",
}


def write_whole(target: Path, *parts: bytes | memoryview) -> None:
    """Write a file that is under its name only when all of it is on the disk.

    A symbolic link stays, and the file that it leads to is replaced. A file that was there keeps
    its mode, and its owner where that is allowed; its other hard links keep the older content.
    Raises UnwritableError, naming the file; what had the name before is then as it was.
    """
    with _naming(target), replacing(target) as file:
        for part in parts:
            file.write(part)


@contextmanager
def replacing(target: Path) -> Iterator[IO[bytes]]:
    """Give a new file beside `target` that takes its name at the end, or is gone after an error.

    It is synchronised before it is renamed, and the folder afterwards. Raises OSError.
    """
    real, older = _replaceable(target)
    new = _new_beside(real, 0o666 if older is None else 0o600)  # less the umask
    try:
        with new as file:
            yield file
            file.flush()
            if older is not None:
                _keep_owner_and_mode(file.fileno(), older)
            os.fsync(file.fileno())
        os.replace(new.name, real)
    except BaseException:
        with suppress(OSError):
            os.unlink(new.name)
        raise
    _synchronise(real.parent)


def check_writable(target: Path) -> Path:
    """Return the absolute path of a file that can be written; UnwritableError if it cannot be.

    Another file is written beside it, and removed: what permissions, limits and file systems
    allow is known only by trying.
    """
    with _naming(target):
        real, _ = _replaceable(target)
        new = _new_beside(real, 0o600)
        try:
            with new as file:
                file.write(b"\0")
        finally:
            os.unlink(new.name)
        return target.absolute()


def check_folder(folder: Path) -> Path:
    """Return the absolute path of a folder that new files can be written into.

    A folder that does not exist is judged by the one that it would be made in. Raises
    UnwritableError.
    """
    with _naming(folder):
        whole = _absolute(folder)
        place = next(path for path in (whole, *whole.parents) if os.path.lexists(path))
    try:
        check_writable(place / f".fastmlp-{os.urandom(6).hex()}")
    except UnwritableError as error:
        raise unwritable(folder, error) from None
    return whole


def _replaceable(target: Path) -> tuple[Path, os.stat_result | None]:
    """Return the file that a name leads to, and its status if there is one.

    Raises OSError where a file must not be replaced: it is no regular one, or read-only.
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
        raise OSError(errno.EBUSY, "what this program prints goes there")
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


def _new_beside(real: Path, mode: int) -> IO[bytes]:
    """Create the file beside `real` that will take its name; the umask narrows its mode."""
    if not real.parent.is_dir():
        raise OSError(errno.ENOENT, f"{real.parent} is no folder")
    part = real.parent / f".fastmlp-{os.urandom(6).hex()}.part"
    try:
        return open(part, "xb", opener=lambda name, flags: os.open(name, flags, mode))
    except OSError as error:
        raise OSError(error.errno, f"in {real.parent}: {error.strerror}") from None


def _keep_owner_and_mode(handle: int, older: os.stat_result) -> None:
    """Give a new file the owner, the group and the mode of the one that it will replace."""
    mode, own = stat.S_IMODE(older.st_mode) & 0o777, os.fstat(handle)
    if (own.st_uid, own.st_gid) != (older.st_uid, older.st_gid):
        try:
            os.fchown(handle, older.st_uid, older.st_gid)
        except OSError:
            try:
                os.fchown(handle, -1, older.st_gid)
            except OSError:  # another group must not get what was meant for that one
                mode = mode & 0o707 | (mode & 0o007) << 3
    with suppress(OSError):  # some file systems have no modes
        os.fchmod(handle, mode)


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Raise UnwritableError, which names the file, for every error of the system inside."""
    try:
        yield
    except UnwritableError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise unwritable(target, error) from error


def unwritable(target: Path, error: Exception) -> UnwritableError:
    """Return the error that names a file, why it cannot be written, and the remedy."""
    number, why = getattr(error, "errno", None), getattr(error, "strerror", None) or str(error)
    remedy = REMEDIES.get(number or 0, "Name another file.")
    wrapped = UnwritableError(f"{target} cannot be written: {why}. {remedy}")
    wrapped.errno, wrapped.strerror, wrapped.filename = number, why, str(target)
    return wrapped


def _synchronise(folder: Path) -> None:
    """Make a rename last through a loss of power, where the system can."""
    with suppress(OSError):  # some file systems know no such thing
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
