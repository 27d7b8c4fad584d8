"""Reading that always ends: of files, of pipes, and of what the system makes up."""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import time
from pathlib import Path
from typing import IO

MOST_PIPED = 1 << 28  # bytes
PATIENCE = 5.0  # seconds without a byte after which a pipe is given up
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def opened(path: Path) -> IO[bytes]:
    """Open a file for reading. What cannot be sought in is read to its end, once, into memory.

    Returns a file of the system for a regular file, and BytesIO for a pipe or a file of /proc.
    Raises OSError: for devices, sockets and folders, for a pipe that holds more than 256 MiB, and
    for one into which nobody writes for 5 s.
    """
    _refuse_unreadable(path, os.stat(path))  # before it is opened: that moves some devices
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        status = os.fstat(handle)
        _refuse_unreadable(path, status)
        if stat.S_ISREG(status.st_mode) and status.st_size:
            os.set_blocking(handle, True)
            return os.fdopen(handle, "rb")
        data = _drained(handle, path)
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return io.BytesIO(data)


def read_whole(path: Path, most: int = MOST_PIPED) -> bytes:
    """Return the content of a file of at most so many bytes. Raises OSError as `opened` does."""
    with opened(path) as file:
        size = file.seek(0, os.SEEK_END)
        if size > most:
            raise OSError(errno.EFBIG, f"larger than {most:,} bytes", str(path))
        file.seek(0)
        try:
            return file.read(size)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None


def kind_of(status: os.stat_result) -> str | None:
    """Return what something is that is no regular file."""
    return next((name for matches, name in KINDS if matches(status.st_mode)), None)


def _refuse_unreadable(path: Path, status: os.stat_result) -> None:
    kind = kind_of(status)
    if kind == "a folder":
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if kind not in (None, "a pipe"):
        raise OSError(errno.EINVAL, f"{kind}, not a file", str(path))


def _drained(handle: int, path: Path) -> bytes:
    """Return all that comes from a pipe, opened without blocking."""
    data, poll = bytearray(), select.poll()
    poll.register(handle, select.POLLIN)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        # without a writer a read finds the end: at first, a writer may still be to come
        if not data and not poll.poll(50):
            continue
        try:
            part = os.read(handle, 1 << 20)
        except BlockingIOError:
            poll.poll(50)
            continue
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None
        if not part:
            return bytes(data)
        data += part
        if len(data) > MOST_PIPED:
            said = f"more than {MOST_PIPED:,} bytes from a pipe; save them as a file first"
            raise OSError(errno.EFBIG, said, str(path))
        deadline = time.monotonic() + PATIENCE
    said = f"a pipe into which nobody wrote for {PATIENCE:g} s"
    raise OSError(errno.ETIMEDOUT, said, str(path))
