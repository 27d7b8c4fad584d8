"""The memory of this machine."""

from __future__ import annotations

import os
from math import inf


def memory_bytes() -> float:
    """Return the size of the physical memory in bytes; infinite if the system does not say."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):  # no such function, or no such name
        return inf
