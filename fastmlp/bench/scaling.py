"""Time epochs of fastmlp alone with teams of 1, 2, 4, ... threads, each in its own process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from fastmlp.bench import barriers
from fastmlp.bench.epochs import measure_contenders
from fastmlp.bench.limits import usable_threads
from fastmlp.bench.peers import OWN
from fastmlp.bench.record import Document
from fastmlp.bench.summary import epoch_seconds, succeeded
from fastmlp.system.cores import affinity
from fastmlp.system.team_size import team_sizes


@dataclass(frozen=True)
class Team:
    """The results of a team of so many threads on one workload.

    seconds : of an epoch, the median over the processes
    speed_up : how many times as long one thread takes in the same round, the median over the rounds
    barriers : seconds of a barrier, before and after the epochs of each process
    """

    threads: int
    seconds: float = float("nan")
    speed_up: float = float("nan")
    barriers: tuple[float, ...] = ()
    failure: str = ""

    @property
    def efficiency(self) -> float:
        """The speed-up as a share of the threads."""
        return self.speed_up / self.threads


def measure_scaling(
    names: Sequence[str], *, threads: int | None = None, **options: Any
) -> Document:
    """Return the document of a run: fastmlp on some workloads, by teams whose size is fixed.

    threads : of the largest team, by default all that can run at once
    options : as for measure_contenders. Raises ArgumentError if there are fewer cores than threads.
    """
    contenders = {
        f"{size} thread{'s' * (size > 1)}": {
            "implementation": OWN,
            "threads": size,
            "cores": affinity()[:size],
            "fixed_team": True,
        }
        for size in team_sizes(usable_threads(threads))
    }
    return measure_contenders(
        "scaling", names, contenders, threads=threads, with_limits=False, **options
    )


def summarise_teams(workload: dict[str, Any]) -> list[Team]:
    """Return the results of each team on a workload, the smallest team first."""
    runs: dict[int, list[dict[str, Any]]] = {}
    for run in workload["runs"]:
        runs.setdefault(run["threads"], []).append(run)
    alone = {run["round"]: epoch_seconds(run) for run in runs.get(1, []) if succeeded(run)}
    teams = []
    for threads, of in sorted(runs.items()):
        good = [run for run in of if succeeded(run)]
        if not good:
            teams.append(Team(threads, failure=of[0]["failure"]))
            continue
        pairs = [alone[run["round"]] / epoch_seconds(run) for run in good if run["round"] in alone]
        speed_up = median(pairs) if pairs else float("nan")
        seconds = median(map(epoch_seconds, good))
        teams.append(Team(threads, seconds, speed_up, tuple(barriers.figures(good))))
    return teams
