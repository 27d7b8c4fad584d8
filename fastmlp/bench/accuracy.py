"""Time to an accuracy: the same recipe for all, seed by seed, training alone and whole process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastmlp.bench import workload
from fastmlp.bench.environment import environment
from fastmlp.bench.epochs import in_a_process, split_installed
from fastmlp.cores import affinity
from fastmlp.kernels.launch import available_threads

# 784-128-10, batch 32, a rate that rises to 0.5 and falls again: 98.1 % on MNIST in six epochs
RECIPE: dict[str, Any] = {"workload": "784-128-10/32", "learning_rate": 0.5, "epochs": 6}


def measure_accuracy(
    implementations: Sequence[str],
    *,
    target: float = 0.98,
    seeds: int = 5,
    threads: int | None = None,
    dataset: str = "mnist",
    folder: Path | None = None,
    limit: float = 300.0,
    say: Callable[[str], object] = lambda line: None,
) -> dict[str, Any]:
    """Return the document of a run: each implementation trains with each seed, in turn.

    It trains for the epochs of RECIPE, or until the target is reached at the end of one.
    """
    workload.load(workload.named(RECIPE["workload"]), dataset, folder, download=True)
    here, absent = split_installed(implementations)
    threads = threads or available_threads()
    task = {**RECIPE, "target": target, "threads": threads, "cores": affinity()[:threads]}
    task |= {"dataset": dataset, "folder": folder and str(folder)}
    surroundings, runs = environment(), []
    for seed in range(seeds):
        for name in here:
            say(f"{name}, seed {seed}")
            run = in_a_process({**task, "implementation": name, "seed": seed}, limit)
            runs.append({"implementation": name, "seed": seed, **run})
    return {
        "kind": "accuracy",
        "environment": surroundings,
        "settings": {**task, "seeds": seeds},
        "absent": absent,
        "runs": runs,
    }
