"""Read files, pipes and files of /proc, within limits of time and memory."""

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
PATIENCE = 5.0  # seconds without a byte, after which reading a pipe fails
# Each system has some of them
OPTIONAL = "O_BINARY", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC"
FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in OPTIONAL)
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_file(path: Path) -> IO[bytes]:
    """Open a file for reading. A pipe or a file of /proc is read into memory, as BytesIO.

    Raises OSError for devices, sockets and folders, for a pipe with more than 256 MiB, and for a
    pipe that gets no data for 5 s.
    """
    _refuse_unreadable(path, os.stat(path))  # before it is opened: opening acts on some devices
    handle = os.open(path, FLAGS)
    try:
        status = os.fstat(handle)
        _refuse_unreadable(path, status)
        is_polled = hasattr(select, "poll")  # Windows has neither that nor /proc
        if not is_polled or (stat.S_ISREG(status.st_mode) and status.st_size):
            if hasattr(os, "O_NONBLOCK"):
                os.set_blocking(handle, True)
            return os.fdopen(handle, "rb")
        data = _drain(handle, path)
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return io.BytesIO(data)


def read_whole(path: Path, most: int = MOST_PIPED) -> bytes:
    """Return the content of a file of at most `most` bytes. Raises OSError, as `open_file` does."""
    with open_file(path) as file:
        size = file.seek(0, os.SEEK_END)
        if size > most:
            raise OSError(errno.EFBIG, f"larger than {most:,} bytes", str(path))
        file.seek(0)
        try:
            return file.read(size)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None


def kind_of(status: os.stat_result) -> str | None:
    """Return the kind of a file, "a folder" for example; None for a regular file."""
    return next((name for matches, name in KINDS if matches(status.st_mode)), None)


def _refuse_unreadable(path: Path, status: os.stat_result) -> None:
    kind = kind_of(status)
    if kind == "a folder":
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if kind not in (None, "a pipe"):
        raise OSError(errno.EINVAL, f"{kind}, not a file", str(path))


def _drain(handle: int, path: Path) -> bytes:
    """Return all data of a pipe that was opened without blocking."""
    data, poll = bytearray(), select.poll()
    poll.register(handle, select.POLLIN)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        # a read without a writer returns the end, but the first writer may still open the pipe
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
    said = f"a pipe that got no data for {PATIENCE:g} s"
    raise OSError(errno.ETIMEDOUT, said, str(path))
