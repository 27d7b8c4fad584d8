"""The cache folder: files that fastmlp can delete and create again."""

from __future__ import annotations

import os
from pathlib import Path


def _working_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was deleted
        return None


# Relative paths start from here, even if the program changes its working folder later
_STARTED_IN = _working_folder()


def cache_folder() -> Path | None:
    """Return the cache folder of the user, or `FASTMLP_CACHE` if set; None without a home folder.

    The path is absolute: `~` and `~user` are expanded, and a relative path starts from the working
    folder at the import of fastmlp. The folder is not created.
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
    """Make a folder and its missing parents, for this user only (mode 0700). Raises OSError."""
    for path in (*reversed(folder.parents), folder):
        if not path.is_dir():
            path.mkdir(mode=0o700, exist_ok=True)
