"""Where fastmlp keeps what it may delete and make again."""

from __future__ import annotations

import os
from pathlib import Path


def _working_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was deleted
        return None


# A relative path is one from here, wherever the program has gone by the time of its use
_STARTED_IN = _working_folder()


def cache_folder() -> Path | None:
    """Return the user's cache folder for fastmlp, `FASTMLP_CACHE` if set. Creates nothing.

    It is absolute: `~` and `~user` are expanded, and a relative path starts from the working
    folder at the import of fastmlp. None where there is no such folder: no home, for example.
    """
    try:
        if chosen := os.environ.get("FASTMLP_CACHE"):
            folder = Path(chosen).expanduser()
        else:
            from platformdirs import user_cache_path

            folder = user_cache_path("fastmlp").expanduser()
    except RuntimeError:  # from expanduser: no such user
        return None
    if folder.is_absolute():
        return folder
    return _STARTED_IN / folder if _STARTED_IN else None


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone (mode 0700).

    Raises OSError.
    """
    for path in (*reversed(folder.parents), folder):
        if not path.is_dir():
            path.mkdir(mode=0o700, exist_ok=True)
