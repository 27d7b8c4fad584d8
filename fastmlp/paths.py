"""Where fastmlp keeps what it may delete and make again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the user's cache folder for fastmlp: `FASTMLP_CACHE` if set. Creates nothing."""
    if chosen := os.environ.get("FASTMLP_CACHE"):
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("fastmlp")
