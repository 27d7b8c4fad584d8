"""Compare two saved runs: which differences are larger than the noise."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from statistics import median
from typing import Any

from fastmlp.bench.summary import SIDES, succeeded
from fastmlp.errors import refuse


@dataclass(frozen=True)
class Difference:
    """One measurement in both runs: the medians in seconds.

    change : second / first - 1; noise : the larger spread of the samples of the two runs, NaN if
        one of them has a single sample
    """

    name: str
    first: float
    second: float
    change: float
    noise: float

    @property
    def is_real(self) -> bool:
        """Whether the change is larger than the noise."""
        return abs(self.change) > self.noise  # never than NaN


def compare(first: dict[str, Any], second: dict[str, Any]) -> list[Difference]:
    """Return the differences between two runs of the same kind, for what both measured.

    Raises ArgumentError for runs of two kinds, data sets or targets, or with nothing in common.
    """
    if first.get("kind") != second.get("kind"):
        kinds = f"{first.get('kind')} and {second.get('kind')}"
        raise refuse("runs", "must be of the same kind", kinds, "Pass two runs of one kind.")
    for name in ("dataset", "target"):
        of = [document.get("settings", {}).get(name) for document in (first, second)]
        if None not in of and of[0] != of[1]:
            remedy = "Pass two runs of the same work."
            raise refuse("runs", f"must have the same {name}", f"{of[0]} and {of[1]}", remedy)
    one, other = samples(first), samples(second)
    if not one.keys() & other.keys():
        raise refuse("runs", "must have measured something in common", "nothing", "Pass others.")
    return [difference(name, one[name], other[name]) for name in one if name in other]


def samples(document: dict[str, Any]) -> dict[str, list[float]]:
    """Return the samples of each measurement of a run, in seconds, by name."""
    found: dict[str, list[float]] = {}
    for workload in document.get("workloads", []):
        for run in workload["runs"]:
            if succeeded(run):
                name = f"{workload['name']} {run['implementation']}"
                found.setdefault(name, []).extend(run["epoch_seconds"])
    for row in document.get("rows", []):
        shape = f"{row['kernel']} {row['batch']} x {row['inputs']} x {row['outputs']}"
        for side in SIDES:
            found[f"{shape} {side}"] = row[f"{side}_samples"]
    for run in document.get("runs", []):
        if succeeded(run) and run.get("reached", True):
            name = f"to the target, {run['implementation']}"
            found.setdefault(name, []).append(sum(run["epoch_seconds"]))
    return found


def difference(name: str, first: list[float], second: list[float]) -> Difference:
    """Compare two lists of seconds; the noise is the larger (maximum - minimum) / median."""
    middle, other = median(first), median(second)
    noise = max((max(of) - min(of)) / median(of) for of in (first, second))
    noise = noise if min(len(first), len(second)) > 1 else nan
    return Difference(name, middle, other, other / middle - 1, noise)
