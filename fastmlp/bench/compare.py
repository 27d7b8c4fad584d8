"""Two saved runs: which differences are larger than the noise."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from fastmlp.bench.summary import SIDES, worked
from fastmlp.errors import refuse


@dataclass(frozen=True)
class Difference:
    """What was measured in both runs: its medians in seconds, and whether they truly differ.

    change : second over first, minus 1; noise : the change that the spread of the samples of
    either run allows for
    """

    name: str
    first: float
    second: float
    change: float
    noise: float

    @property
    def is_real(self) -> bool:
        """Whether the change is larger than the noise."""
        return abs(self.change) > self.noise


def compare(first: dict[str, Any], second: dict[str, Any]) -> list[Difference]:
    """Return the differences between two runs of the same kind, for all that both measured."""
    if first.get("kind") != second.get("kind"):
        kinds = f"{first.get('kind')} and {second.get('kind')}"
        raise refuse("runs", "must be of the same kind", kinds, "Compare two of a kind.")
    one, other = samples(first), samples(second)
    return [difference(name, one[name], other[name]) for name in one if name in other]


def samples(document: dict[str, Any]) -> dict[str, list[float]]:
    """Return the seconds of everything that a run measured, by name."""
    found: dict[str, list[float]] = {}
    for workload in document.get("workloads", []):
        for run in workload["runs"]:
            if worked(run):
                name = f"{workload['name']} {run['implementation']}"
                found.setdefault(name, []).extend(run["epoch_seconds"])
    for row in document.get("rows", []):
        shape = f"{row['kernel']} {row['batch']} x {row['inputs']} x {row['outputs']}"
        for side in SIDES:
            found[f"{shape} {side}"] = row[f"{side}_samples"]
    for run in document.get("runs", []):
        if worked(run):
            name = f"to the target, {run['implementation']}"
            found.setdefault(name, []).append(sum(run["epoch_seconds"]))
    return found


def difference(name: str, first: list[float], second: list[float]) -> Difference:
    """Compare two lists of seconds: the noise is how far samples lie from their median, at most."""
    middle, other = median(first), median(second)
    noise = max((max(of) - min(of)) / median(of) for of in (first, second))
    return Difference(name, middle, other, other / middle - 1, noise)
