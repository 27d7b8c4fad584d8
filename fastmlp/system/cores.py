"""How many threads this process may use: its affinity mask, quotas, and Numba's own setting."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from fastmlp.errors import refuse

CGROUP_OF_SELF = Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")
MOST_THREADS = 1024
LARGE_TEAM = 64  # the largest team whose bits are tested


def usable_cores() -> int:
    """Return how many threads can run at once: at least 1.

    A quota is rounded to the nearest whole number: a thread that runs for less than half of each
    period delays the others more than it helps.
    """
    cores, quota = len(affinity()) or os.cpu_count() or 1, _first_quota()
    return max(1, cores if quota is None else min(cores, int(quota + 0.5)))


def useful_threads(most: int) -> int:
    """Return how many of the `most` threads that a user allows are of use; more take memory."""
    return min(most, max(LARGE_TEAM, os.cpu_count() or 1))


def affinity() -> list[int]:
    """Return the cores that this process may use; an empty list if the system has no such mask."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def may_compile() -> bool:
    """Return whether NUMBA_DISABLE_JIT allows Numba to compile."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")


def check_numba_settings() -> None:
    """Raise ArgumentError if Numba may not compile, or its number of threads is none."""
    if not may_compile():
        rule, got = "must not be set where code is compiled", os.environ["NUMBA_DISABLE_JIT"]
        raise refuse("NUMBA_DISABLE_JIT", rule, repr(got), "Unset it.")
    value = os.environ.get("NUMBA_NUM_THREADS")
    if value is None:
        return
    try:
        fits = 1 <= int(value) <= MOST_THREADS
    except ValueError:
        fits = False
    if not fits:
        rule = f"must be a whole number from 1 to {MOST_THREADS}"
        raise refuse("NUMBA_NUM_THREADS", rule, repr(value), "Unset it to use all cores.")


def cgroup_quota() -> float | None:
    """Return how many cores the control groups of this process allow, or None.

    The limit of each parent group applies too, so this is the lowest of them. Both versions of
    control groups are read, as a machine may have both.
    """
    quotas = [quota for group in control_groups() for quota in _quotas(group) if quota > 0]
    return min(quotas, default=None)


def control_groups() -> Iterator[Path]:
    """Yield the folders of this process's control groups of cores and memory, and their parents.

    A line of CGROUP_OF_SELF is "number:controllers:path"; version 2 has one line, "0::path". In a
    container the path may be that of the host; then only the root of the tree exists.
    """
    try:
        lines = CGROUP_OF_SELF.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    v1 = {"cpu", "cpu,cpuacct", "cpuacct,cpu"}
    own = {"unified": Path(), "": Path(), "memory": Path(), **dict.fromkeys(v1, Path())}
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        group = Path(path.strip("/"))
        if not controllers:
            own[""] = own["unified"] = group
        elif "cpu" in controllers.split(","):
            own |= dict.fromkeys({*v1, controllers}, group)
        elif controllers == "memory":
            own["memory"] = group
    for mount, group in own.items():
        for part in (group, *group.parents):
            yield CGROUPS / mount / part


def _quotas(group: Path) -> Iterator[float]:
    """Yield the quota of a group, in cores, from the files of each version that exist."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            quota, period = " ".join((group / name).read_text() for name in names).split()
            yield int(quota) / int(period)
        except (OSError, ValueError, ZeroDivisionError):
            continue  # no such file, or no quota, which version 2 writes as "max"


@cache
def _first_quota() -> float | None:
    """Return the quota as first read: reading the files each time would be slow."""
    return cgroup_quota()
