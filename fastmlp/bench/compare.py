"""Compare two saved runs: which differences are larger than the noise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from math import nan
from statistics import median
from typing import Any

from fastmlp.bench.summary import SIDES, succeeded
from fastmlp.errors import refuse

# Of the environment: what changes all times, beside the number of threads
SURROUNDINGS = ("machine", "governor", "versions", "blas")
MOST_NAMED, MOST_SHOWN = 3, 60


@dataclass(frozen=True)
class Difference:
    """One measurement in both runs: the medians in seconds, over the processes.

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

    Raises ArgumentError for runs of two kinds, targets or data, or with nothing in common.
    """
    if first.get("kind") != second.get("kind"):
        kinds = f"{first.get('kind')} and {second.get('kind')}"
        raise refuse("runs", "must be of the same kind", kinds, "Pass two runs of one kind.")
    facts = _work_of(second)
    for name, fact in _work_of(first).items():
        if None not in (fact, facts.get(name)) and fact != facts[name]:
            got, remedy = f"{fact} and {facts[name]}", "Pass two runs of the same work."
            raise refuse("runs", f"must have the same {name}", got, remedy)
    one, other = samples(first), samples(second)
    if not one.keys() & other.keys():
        raise refuse("runs", "must have measured something in common", "nothing", "Pass others.")
    return [difference(name, one[name], other[name]) for name in one if name in other]


def _work_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return the facts that runs of the same work have in common, by name; None if unknown."""
    settings = document.get("settings", {})
    facts = {name: settings.get(name) for name in ("dataset", "target")}
    for work in (*document.get("workloads", []), settings.get("data", {})):
        facts |= {f"{fact} of {work.get('name')}": work.get(fact) for fact in ("samples", "crc32")}
    return facts


def conditions(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Return a line that says in what the threads, machines and versions of two runs differ."""
    found = list(differing(_conditions_of(first), _conditions_of(second)))
    named = "; ".join(f"{name} {one} and {two}" for name, one, two in found[:MOST_NAMED])
    more = f"; and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return [f"the runs differ not only in their times: {named}{more}"] if found else []


def _conditions_of(document: dict[str, Any]) -> dict[str, Any]:
    surroundings = document.get("environment", {})
    threads = document.get("settings", {}).get("threads")
    return {"threads": threads} | {name: surroundings.get(name) for name in SURROUNDINGS}


def differing(one: Any, two: Any, name: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield the dotted name and both values, as text, of each difference."""
    if isinstance(one, dict) and isinstance(two, dict):
        for key in {**two, **one}:
            yield from differing(one.get(key), two.get(key), f"{name}.{key}" if name else key)
    elif one != two:
        yield name, _short(one), _short(two)


def _short(value: Any) -> str:
    text = "missing" if value is None else json.dumps(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]} ..."


def samples(document: dict[str, Any]) -> dict[str, list[list[float]]]:
    """Return the samples of each measurement of a run, in seconds, by name: a list a process."""
    found: dict[str, list[list[float]]] = {}
    for workload in document.get("workloads", []):
        for run in workload["runs"]:
            if succeeded(run):
                name = f"{workload['name']} {run['implementation']}"
                found.setdefault(name, []).append(run["epoch_seconds"])
    for row in document.get("rows", []):
        shape = f"{row['kernel']} {row['batch']} x {row['inputs']} x {row['outputs']}"
        for side in SIDES:
            found[f"{shape} {side}"] = [[sample] for sample in row[f"{side}_samples"]]
    for run in document.get("runs", []):
        if succeeded(run) and run.get("reached", True):
            name = f"to the target, {run['implementation']}"
            found.setdefault(name, []).append([sum(run["epoch_seconds"])])
    return found


def difference(name: str, first: list[list[float]], second: list[list[float]]) -> Difference:
    """Compare the seconds of processes: medians of their medians, as in the tables of a run.

    The noise is the larger (maximum - minimum) / median of all seconds of a run.
    """
    middle, other = (median(map(median, processes)) for processes in (first, second))
    pooled = [list(chain(*processes)) for processes in (first, second)]
    noise = max((max(of) - min(of)) / median(of) for of in pooled)
    noise = noise if min(map(len, pooled)) > 1 else nan
    return Difference(name, middle, other, other / middle - 1, noise)
