"""Summarise raw samples: medians, spreads, ratios, shares of the limits, doubts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import nan
from statistics import median
from typing import Any

from fastmlp.bench import barriers
from fastmlp.bench.peers import IMPLEMENTATIONS, OWN

BASELINE = "numpy"
SIDES = (OWN, BASELINE)  # of each comparison of kernels
# If two accuracies differ by more, the implementations did not do the same work
COMPARABLE = 0.015
# A load above this share of the cores, or times that differ by more than this factor, show that
# another program was running
BUSY_LOAD, BUSY_SPREAD = 0.25, 1.3


@dataclass(frozen=True)
class Row:
    """The results of one implementation on one workload.

    seconds : of an epoch, the median over the processes; low, high : lowest and highest
    ratio : seconds divided by those of fastmlp in the same round, the median over the rounds;
        ratio_low, ratio_high : lowest and highest
    peak_share : share of the measured FMA peak, counting the operations of a dense network
    nonzero_share : the same, without those that are skipped for zero pixels; NaN if not known
    accuracy : or what else is the workload's metric
    barriers : seconds of a barrier, before and after the epochs of each process of fastmlp
    """

    name: str
    seconds: float = nan
    low: float = nan
    high: float = nan
    first_epoch: float = nan
    setup: float = nan
    samples_per_second: float = nan
    gflops: float = nan
    peak_share: float = nan
    nonzero_share: float = nan
    peak_bytes: float = nan
    accuracy: float = nan
    ratio: float = nan
    ratio_low: float = nan
    ratio_high: float = nan
    barriers: tuple[float, ...] = ()
    metric: str = "accuracy"
    comparable: bool = True
    failure: str = ""

    @property
    def is_own(self) -> bool:
        """Whether it is fastmlp."""
        return self.name == OWN


def summarise(workload: dict[str, Any], peak_flops: float) -> list[Row]:
    """Return a row for each implementation that ran a workload, in the order of the runs."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for run in workload["runs"]:
        runs.setdefault(run["implementation"], []).append(run)
    own = {run["round"]: epoch_seconds(run) for run in runs.get(OWN, []) if succeeded(run)}
    good = {name: [run for run in of if succeeded(run)] for name, of in runs.items()}
    accuracies = {name: median(run["accuracy"] for run in of) for name, of in good.items() if of}
    wanted = accuracies.get(_yardstick(accuracies), 0.0)
    return [
        _row(name, workload, good[name], own, peak_flops, accuracies[name], wanted)
        if good[name]
        else Row(name, failure=of[0]["failure"])
        for name, of in runs.items()
    ]


def _yardstick(names: Iterable[str]) -> str:
    """Return whose accuracy the others are compared with: the baseline's, or else the first's."""
    found = list(names)
    return BASELINE if BASELINE in found else next(iter(found), "")


def _row(
    name: str,
    workload: dict[str, Any],
    runs: list[dict[str, Any]],
    own: dict[int, float],
    peak_flops: float,
    accuracy: float,
    wanted: float,
) -> Row:
    medians = [epoch_seconds(run) for run in runs]
    pairs = [epoch_seconds(run) / own[run["round"]] for run in runs if run["round"] in own]
    seconds, samples = median(medians), workload["samples"]
    flops = workload["flops_per_sample"] * samples / seconds
    ratio, low, high = (median(pairs), min(pairs), max(pairs)) if pairs else [nan] * 3
    executed = workload["executed_flops_per_sample" if name == OWN else "flops_per_sample"]
    executed = nan if name in IMPLEMENTATIONS and IMPLEMENTATIONS[name].skips else executed
    return Row(
        name,
        seconds,
        min(medians),
        max(medians),
        median(run["first_epoch_seconds"] for run in runs),
        median(run["setup_seconds"] for run in runs),
        samples / seconds,
        flops / 1e9,
        flops / peak_flops,
        executed * samples / seconds / peak_flops,
        median(run["peak_bytes"] or nan for run in runs),  # null in a saved run on Windows
        accuracy,
        ratio,
        low,
        high,
        barriers=tuple(barriers.figures(runs)),
        metric=workload.get("metric", "accuracy"),
        comparable=abs(accuracy - wanted) <= COMPARABLE,
    )


def doubts(document: dict[str, Any]) -> list[str]:
    """Return the reasons to doubt the results of a run, such as a busy machine."""
    found, surroundings = [], document["environment"]
    # macOS has no affinity
    cores = len(surroundings["affinity"]) or surroundings["machine"]["cores"]
    load = surroundings["load_average"]
    if load is not None and load > BUSY_LOAD * cores:
        found.append(f"the machine was busy before the run: a load of {load:.2f} on {cores} cores")
    found += failures(document)
    if "resumed" in surroundings:
        found.append("the run was interrupted: not all rounds were measured one after another")
    for workload in document.get("workloads", []):
        rows = summarise(workload, 1.0)
        yardstick = _yardstick(row.name for row in rows if not row.failure)
        for row in rows:
            if not row.comparable:
                found.append(
                    f"{workload['name']}: {row.name} is not comparable: its {row.metric} is more "
                    f"than {100 * COMPARABLE:g} points from that of {yardstick}"
                )
            if row.high > BUSY_SPREAD * row.low:
                found.append(
                    f"{workload['name']}: processes of {row.name} took {row.low:.3g} to "
                    f"{row.high:.3g} s, so another program may have been running"
                )
    return found


def failures(document: dict[str, Any]) -> list[str]:
    """Return a line for each process that failed."""
    return [
        f"{name} failed: {run['failure']}"
        for name, run in processes(document)
        if not succeeded(run)
    ]


def has_result(document: dict[str, Any]) -> bool:
    """Return whether at least one process of a run has a result."""
    return any(succeeded(run) for _, run in processes(document))


def processes(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the result of each process of a run of any kind."""
    for workload in document.get("workloads", []):
        for run in workload["runs"]:
            yield f"{workload['name']}: {run['implementation']}", run
    for run in (*document.get("runs", []), *document.get("passes", [])):
        yield f"{run_name(run)},", run


def run_name(run: dict[str, Any]) -> str:
    """Return a name for a process of `bench accuracy` or `bench kernels`."""
    if "side" in run:
        return f"{run['side']}, round {run['round'] + 1}"
    return f"{run['implementation']}, seed {run['seed']}"


def to_target(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return, for each implementation, its times to the target, over the seeds that reached it."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for run in document["runs"]:
        runs.setdefault(run["implementation"], []).append(run)
    reached = {name: [run for run in of if run.get("reached")] for name, of in runs.items()}
    seconds = {
        name: {run["seed"]: sum(run["epoch_seconds"]) for run in of} for name, of in reached.items()
    }
    own, rows = seconds.get(OWN, {}), []
    for name, of in runs.items():
        good, training = [run for run in of if succeeded(run)], seconds[name]
        pairs = [seconds / own[seed] for seed, seconds in training.items() if seed in own]
        rows.append(
            {
                "name": name,
                "seeds": len(of),
                "reached": len(training),
                "accuracy": sum(run["accuracy"] for run in good) / max(1, len(good)),
                "training": sorted(training.values()),
                "process": sorted(run["process_seconds"] for run in reached[name]),
                "ratio": median(pairs) if pairs else nan,
                "failure": "" if good else of[0]["failure"],
            }
        )
    return rows


def epoch_seconds(run: dict[str, Any]) -> float:
    """Return the seconds of an epoch of a process, the median."""
    return float(median(run["epoch_seconds"]))


def succeeded(run: dict[str, Any]) -> bool:
    """Return whether a process has a result."""
    return not run.get("failure")
