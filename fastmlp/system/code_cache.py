"""Machine code on disk: a file for each function and signature, with a digest of its content.

A file is the SHA-256 of its key and its content, then the content, which Numba pickled. Nothing is
unpickled before the digest is checked. The digest protects against damage, not against attacks;
`code_folder` does that.
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

from numba.core import serialize, sigutils
from numba.core.compiler import CompileResult

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
    """The cache of one function, with the methods that Numba's dispatchers and C functions call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    @property
    def cache_path(self) -> str | None:
        """The folder, or None; Numba shows it in its statistics."""
        folder = kernel_folder()
        return None if folder is None else str(folder)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled function for a signature; None if it must be compiled."""
        target_context.refresh()  # Numba needs this before it can load code
        content = self.content(sig)
        if content is None:
            return None
        try:
            return CompileResult._rebuild(target_context, *serialize.loads(content))
        except Exception as error:
            _warn_of_damage(f"{self.function.__name__}: {type(error).__name__}")
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save a compiled function, or warn once that it cannot be saved."""
        folder = kernel_folder()
        if folder is None:
            return
        if data.lifted or data.library.has_dynamic_globals:  # possible without optimisation
            warn_not_kept(
                f"{self.function.__name__} contains addresses that are valid only in this process",
                "unset the NUMBA_ variables that change the compiler, such as NUMBA_OPT",
            )
            return
        key, path = self._place(folder, sig)
        content = serialize.dumps(data._reduce())
        try:
            _replace(path, _digest(key, content) + content)
        except OSError as error:
            warn_not_kept(
                f"cannot write to {folder} ({error.strerror or error})",
                "free some space there, or set FASTMLP_CACHE to a folder that can be written",
            )
        else:
            prune(folder)

    def flush(self) -> None:
        """Delete the files of this function."""
        if (folder := kernel_folder()) is not None:
            for path in folder.glob(f"{self.function.__name__}.*.code"):
                with suppress(OSError):
                    path.unlink()

    def content(self, sig: Any) -> bytes | None:
        """Return the pickled function for a signature, or None if its file is not valid."""
        folder = kernel_folder()
        if folder is None:
            return None
        key, path = self._place(folder, sig)
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
            _warn_of_damage(f"{path} {fault or 'is not what was written'}")
            return None
        touch(folder)
        return content

    def _place(self, folder: Path, sig: Any) -> tuple[bytes, Path]:
        """Return the key of a signature's code, and its file."""
        function, (arguments, _) = self.function, sigutils.normalize_signature(sig)
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


def _warn_of_damage(what: str) -> None:
    warn_once(
        "damaged",
        f"a compiled kernel is compiled again, and its file replaced: {what}. If this happens "
        "again, check the disk.",
    )
