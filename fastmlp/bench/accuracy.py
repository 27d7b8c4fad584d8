"""Time to a test accuracy, of the training and of the whole process, over several seeds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastmlp.bench import workload
from fastmlp.bench.epochs import describe_workload, split_installed
from fastmlp.bench.limits import usable_threads
from fastmlp.bench.processes import run_in_process
from fastmlp.bench.record import Document, Keep, Say, begin_document, drop_failed, ignore
from fastmlp.system.cores import affinity

# 784-128-10, batch 32, a rate that rises to 0.5 and falls to 0: 98.1 % on MNIST in six epochs
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
    say: Say = ignore,
    keep: Keep = ignore,
    show: Keep = ignore,
    earlier: Document | None = None,
) -> Document:
    """Return the document of a run: the implementations train in turn with each seed.

    Training ends after the epochs of RECIPE, or after an epoch with the target accuracy.
    limit, keep, earlier : as for measure_epochs; show : called with the result of each process
    """
    work = workload.parse(RECIPE["workload"])
    data = describe_workload(work, workload.load(work, dataset, folder, download=True))
    here, absent = split_installed(implementations)
    threads = usable_threads(threads)
    task = {**RECIPE, "target": target, "threads": threads, "cores": affinity()[:threads]}
    task |= {"dataset": dataset, "folder": folder and str(folder)}
    settings = {**task, "seeds": seeds, "limit_seconds": limit, "data": data}
    settings |= {"implementations": here, "absent": absent}
    document = begin_document("accuracy", settings, earlier, with_limits=False)
    runs = drop_failed((earlier or {}).get("runs", []))
    document |= {"absent": absent, "runs": runs}
    done = {(run["seed"], run["implementation"]) for run in runs}
    for turn in (turn for turn in itertools.product(range(seeds), here) if turn not in done):
        seed, name = turn
        say(f"{name}, seed {seed}")
        run = run_in_process({**task, "implementation": name, "seed": seed}, limit)
        runs.append({"implementation": name, "seed": seed, **run})
        runs.sort(key=lambda run: (run["seed"], here.index(run["implementation"])))
        keep(document)
        show({"implementation": name, "seed": seed, **run})
    document["complete"] = True
    return document
