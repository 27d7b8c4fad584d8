"""The memory that this process may use."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from math import inf

from fastmlp.system.cores import control_groups


@cache
def memory_bytes() -> float:
    """Return the bytes of physical memory, or what the control groups of this process allow.

    It is infinite if the system does not say. It is read once, as that takes half a millisecond.
    """
    most = inf
    with suppress(AttributeError, OSError, ValueError):  # no such function, or no such name
        most = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for group in control_groups():
        for name in ("memory.max", "memory.limit_in_bytes"):  # of version 2, and of version 1
            with suppress(OSError, ValueError):  # no such file, or no limit, which is "max"
                most = min(most, int((group / name).read_text()))
    return most
