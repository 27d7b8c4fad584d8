"""The barriers of a run: their times, and which rounds had near cores.

A barrier takes longer between cores that are far from each other. A virtual machine may move its
cores at any time, so fastmlp's processes measure a barrier right before and after their epochs.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import mean
from typing import Any

# The cores of a round are near each other if a barrier takes less
NEAR_SECONDS = 0.12e-6
# Barriers whose times differ by more than this factor are not of the same cores
CHANGED = 1.6


def figures(runs: Iterable[dict[str, Any]]) -> list[float]:
    """Return the seconds of all barriers that some processes measured."""
    return [seconds for run in runs for seconds in run.get("barrier_seconds") or []]


def have_changed(seconds: Iterable[float]) -> bool:
    """Return whether barriers took so different times that cores must have moved."""
    found = list(seconds)
    return bool(found) and max(found) > CHANGED * min(found)


def near_and_far(workload: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a workload's near and far rounds: each as a workload with only the runs of these.

    A round is near if the mean of its barriers is below NEAR_SECONDS. Rounds without barriers are
    left out, and so is a part without rounds.
    """
    measured: dict[int, list[float]] = {}
    for run in workload["runs"]:
        measured.setdefault(run["round"], []).extend(figures([run]))
    parts: dict[str, dict[str, Any]] = {}
    for run in workload["runs"]:
        if seconds := measured[run["round"]]:
            name = "near" if mean(seconds) < NEAR_SECONDS else "far"
            parts.setdefault(name, {**workload, "runs": []})["runs"].append(run)
    return {name: parts[name] for name in ("near", "far") if name in parts}
