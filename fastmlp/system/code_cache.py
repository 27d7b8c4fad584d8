"""Machine code on disk: a file for each function and signature, with a digest of its content.

A file is the SHA-256 of its key and its content, then the content. The digest protects against
damage, not against attacks; `code_folder` does that.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from fastmlp.system.code_folder import (
    fault_of,
    kernel_folder,
    prune,
    touch,
    warn_not_kept,
    warn_once,
)
from fastmlp.system.paths import make_folder

DIGEST_BYTES = hashlib.sha256().digest_size
MOST_BYTES = 1 << 28  # of a file


class KernelCache:
    """The machine code of one function on disk, for each kind of arguments."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def write(self, arguments: Any, content: bytes) -> None:
        """Save the code for the types of some arguments, or warn once that it cannot be saved."""
        folder = kernel_folder()
        if folder is None:
            return
        key, path = self._place(folder, arguments)
        try:
            _replace(path, _digest(key, content) + content)
        except OSError as error:
            warn_not_kept(
                f"cannot write to {folder} ({error.strerror or error})",
                "free some space there, or set FASTMLP_CACHE to a folder that can be written",
            )
        else:
            prune(folder)

    def read(self, arguments: Any) -> bytes | None:
        """Return the code for the types of some arguments, or None if its file is not valid."""
        folder = kernel_folder()
        if folder is None:
            return None
        key, path = self._place(folder, arguments)
        try:
            with open(path, "rb", opener=_open_at_once) as file:
                status = os.fstat(file.fileno())
                fault = fault_of(status)
                is_plain = stat.S_ISREG(status.st_mode) and status.st_size <= MOST_BYTES
                data = file.read() if fault is None and is_plain else b""
        except OSError:  # if saving the new code fails too, that gives a warning
            return None
        content = data[DIGEST_BYTES:]
        if data[:DIGEST_BYTES] != _digest(key, content):
            what = f"{path} {fault or 'is not what was written'}"
            text = f"a compiled kernel is compiled again, and its file replaced: {what}. If this "
            warn_once("damaged", f"{text}happens again, check the disk.")
            return None
        touch(folder)
        return content

    def _place(self, folder: Path, arguments: Any) -> tuple[bytes, Path]:
        """Return the key of the code for some types, and its file."""
        function = self.function
        names = (folder.name, function.__module__, function.__qualname__, *map(str, arguments))
        key = "\n".join(names).encode()
        name = f"{function.__name__}.{hashlib.sha256(key).hexdigest()[:16]}.code"
        return key, folder / name


def _digest(key: bytes, content: bytes) -> bytes:
    """Return the SHA-256 of a key and a content; the key prevents that files are exchanged."""
    digest = hashlib.sha256(key + b"\0")
    digest.update(content)
    return digest.digest()


def _open_at_once(path: str, flags: int) -> int:
    """Open a file; do not wait for a writer if it is a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _replace(path: Path, data: bytes) -> None:
    """Write a file, readable by this user only, that gets its name only when it is complete.

    It is not synchronised with the disk: after damage by a loss of power it is compiled again.
    """
    make_folder(path.parent)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise
