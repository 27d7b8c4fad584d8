"""How many cores this process may use: its affinity mask, and the quota of its control groups."""

from __future__ import annotations

import os
from functools import cache
from math import ceil
from pathlib import Path

CGROUP_OF_SELF = Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Return how many threads can run at once: at least 1."""
    cores, quota = len(affinity()) or os.cpu_count() or 1, _first_quota()
    return max(1, cores if quota is None else min(cores, ceil(quota)))


def affinity() -> list[int]:
    """Return the cores that this process may use; none where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def cgroup_quota() -> float | None:
    """Return the cores' worth of time that this process's control groups allow, or None.

    A group counts within each of its parents, so the least of them holds.
    """
    try:
        lines = CGROUP_OF_SELF.read_text().splitlines()
    except OSError:
        lines = []
    own = next((line[3:].strip("/") for line in lines if line.startswith("0::")), "")
    place = CGROUPS / own
    groups = [place, *place.parents] if place.is_relative_to(CGROUPS) else [CGROUPS]
    quotas = []
    for group in groups:
        try:
            quota, period = (group / "cpu.max").read_text().split()
            quotas.append(int(quota) / int(period))
        except (OSError, ValueError, ZeroDivisionError):
            continue  # no such file at the root; "max" where there is no quota
    return min(quotas, default=None)


@cache
def _first_quota() -> float | None:
    """Return the quota as it was when it was first asked for: files are slow to read."""
    return cgroup_quota()
