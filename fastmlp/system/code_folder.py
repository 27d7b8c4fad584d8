"""The folder of machine code: its name, the check of its owner and mode, and its deletion.

Its files are code that runs in this process, so the folder is used only if no other user, except
root, could have written them.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np
from numba.core import config

from fastmlp.system.paths import cache_folder

RUN_TIME_SETTINGS = {
    *("NUMBA_NUM_THREADS", "NUMBA_DEFAULT_NUM_THREADS"),
    *("THREADING_LAYER", "THREADING_LAYER_PRIORITY"),
    *("CACHE_DIR", "CACHE_LOCATOR_CLASSES", "DEBUG_CACHE"),
}
REMEDY = "set FASTMLP_CACHE to a folder that can be written"
OTHERS_KEPT = 4  # the number of folders of other versions to keep
FOLDER_NAME = re.compile(r"[0-9a-f]{16}")
NUMBAS = re.compile(r".+\.nb[ic](\.tmp\.\w+)?")  # files without a digest, of earlier versions
FILE_NAME = re.compile(rf"{NUMBAS.pattern}|.+\.(code|part|done)")
_warned: set[str] = set()


def kernel_folder() -> Path | None:
    """Return the folder of machine code for this source, these settings and this processor.

    Its name is a hash of everything on which the code depends, because Numba detects neither
    changes in other files nor other compile settings. The result is None, after one warning, if
    there is no such folder, or if other users could have written to it.
    """
    try:
        folder = _folder()
    except OSError as error:  # of a zip file, or of an executable made of Python programs
        warn_not_kept(
            f"the source of fastmlp cannot be read ({error})", "install it as a folder of files"
        )
        return None
    if folder is None:
        warn_not_kept("there is no home folder, and FASTMLP_CACHE names no other one", REMEDY)
        return None
    for level in (folder.parents[1], folder.parent, folder):
        if level.exists() and not level.is_dir():
            warn_not_kept(f"{level} is not a folder", REMEDY)
            return None
        with suppress(OSError):  # a missing folder contains nothing to read
            # both a link and its target: the owner of a link could change it
            fault = fault_of(os.lstat(level)) or fault_of(os.stat(level))
            if fault:
                warn_not_kept(
                    f"these files are code that runs here, and {level} {fault}",
                    "set FASTMLP_CACHE to a folder that only you can write, or check the files in "
                    f"{level} and make it such a folder (chown -R, chmod -R go-w)",
                )
                return None
    return folder


@cache
def _folder() -> Path | None:
    """Return the folder of this process; it stays the same, even if variables change later."""
    root = cache_folder()
    return None if root is None else root / "kernels" / _salt()


def _salt() -> str:
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    # wherever compiled functions, or the formulas in them, are written
    folders = (root / part for part in ("kernels", "functions"))
    sources = [path for folder in folders for path in folder.rglob("*.py")]
    for source in sorted([*sources, root / "bench" / "phases.py"]):
        name = source.relative_to(root).as_posix()
        digest.update(name.encode() + b"\0" + source.read_bytes() + b"\0")
    # Numba reads them, from the environment and a file, before each compilation
    config.reload_config()
    settings = {
        name: repr(value)
        for name, value in vars(config).items()
        if name.isupper() and not name.startswith("CUDA") and name not in RUN_TIME_SETTINGS
    }
    settings |= {name: v for name, v in os.environ.items() if name.startswith("FASTMLP_VECTOR")}
    host = (llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())
    versions = (sys.version, np.__version__, numba.__version__, llvmlite.__version__)
    python = (sys.implementation.cache_tag, sys.flags.optimize)
    digest.update(repr((sorted(settings.items()), host, versions, python)).encode())
    return digest.hexdigest()[:16]


def fault_of(status: os.stat_result) -> str | None:
    """Return why code from a file or folder must not run, or None if it may."""
    if not hasattr(os, "geteuid"):  # a system with other permissions
        return None
    if status.st_uid not in (0, os.geteuid()):
        return f"belongs to user {status.st_uid}"
    mode = stat.S_IMODE(status.st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not stat.S_ISLNK(status.st_mode):
        return f"can be written by others (mode {mode:04o})"
    return None


@cache
def touch(folder: Path) -> None:
    """Set the time of last use of a folder, once in a process; `prune` reads it."""
    with suppress(OSError):  # `prune` deletes nothing on a read-only disk either
        os.utime(folder)


@cache
def prune(folder: Path) -> None:
    """Delete the folders of other versions, except the OTHERS_KEPT used last; once in a process.

    Folders of early versions, whose files have no digest, are all deleted.
    """
    used = []
    with suppress(OSError):
        used = [(_last_use(other, folder), other) for other in folder.parent.iterdir()]
    removable = sorted((time, other) for time, other in used if time is not None)
    old = sum(time == 0 for time, _ in removable)
    for _, other in removable[: max(old, len(removable) - OTHERS_KEPT)]:
        with suppress(OSError):  # another process removes it too
            for path in other.iterdir():
                path.unlink()
            other.rmdir()


def _last_use(other: Path, folder: Path) -> float | None:
    """Return the time of last use of a folder beside `folder`, in seconds; 0 for an early version.

    None for anything that is not a folder with only machine code that belongs to this user.
    """
    try:
        status, owner = other.lstat(), folder.stat().st_uid
        if other == folder or not FOLDER_NAME.fullmatch(other.name) or status.st_uid != owner:
            return None
        if not stat.S_ISDIR(status.st_mode):
            return None
        with os.scandir(other) as entries:
            files = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
    except OSError:
        return None
    if not all(files.values()) or not all(FILE_NAME.fullmatch(name) for name in files):
        return None
    return 0 if any(NUMBAS.fullmatch(name) for name in files) else status.st_mtime


def warn_not_kept(reason: str, remedy: str) -> None:
    """Warn that machine code is neither read nor written, why, and what to do."""
    warn_once(
        "not kept",
        f"compiled kernels are not kept: {reason}. Each process compiles them again; {remedy}.",
    )


def warn_once(kind: str, message: str) -> None:
    """Warn once in a process for each kind of problem."""
    if kind not in _warned:
        _warned.add(kind)
        warnings.warn(message, RuntimeWarning, stacklevel=2)
