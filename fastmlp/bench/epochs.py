"""Epochs side by side: each implementation in a process of its own, in turn, round by round."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fastmlp.bench import peers, workload
from fastmlp.bench.environment import load_average
from fastmlp.bench.processes import in_a_process
from fastmlp.bench.record import Document, Keep, Say, begun, ignore, worked
from fastmlp.kernels.launch import available_threads
from fastmlp.system.cores import affinity

QUICK = ("784-128-10/64", "784-16-16-10/10", "784-512-512-10/128/dense")


def measure_epochs(
    names: Sequence[str],
    implementations: Sequence[str],
    *,
    rounds: int = 3,
    epochs: int = 3,
    threads: int | None = None,
    dataset: str = "mnist",
    folder: Path | None = None,
    limit: float = 300.0,
    seed: int = 0,
    say: Say = ignore,
    keep: Keep = ignore,
    show: Keep = ignore,
    earlier: Document | None = None,
) -> Document:
    """Return the document of a run: environment, machine limits, settings, and every sample.

    names : of workloads; implementations : those not installed are listed as absent
    rounds : processes of each; epochs : timed in each, after one that warms up
    limit : seconds after which a process is ended, and reported as too slow
    keep : receives the document after each process; show : each workload when it is finished
    earlier : the document of an interrupted run; its processes that did not fail are kept
    """
    here, absent = split_installed(implementations)
    threads = threads or available_threads()
    works = {work.name: work for work in map(workload.named, names)}
    data = {  # all of them are checked before anything is measured
        name: facts(work, workload.load(work, dataset, folder, download=True))
        for name, work in works.items()
    }
    task = {"epochs": epochs, "threads": threads, "seed": seed, "cores": affinity()[:threads]}
    task |= {"dataset": dataset, "folder": folder and str(folder)}
    settings = {**task, "rounds": rounds, "limit_seconds": limit, "workloads": data}
    settings |= {"implementations": here, "absent": absent}
    document = begun("epochs", settings, earlier)
    known = {each["name"]: worked(each["runs"]) for each in (earlier or {}).get("workloads", [])}
    entries = [{**of, "runs": known.get(name, [])} for name, of in data.items()]
    document |= {"absent": absent, "workloads": [entry for entry in entries if entry["runs"]]}

    def add(entry: Document, run: Document) -> None:
        entry["runs"].append(run)
        entry["runs"].sort(key=lambda run: (run["round"], here.index(run["implementation"])))
        document["workloads"] = [entry for entry in entries if entry["runs"]]
        keep(document)

    for entry in entries:
        if fill(entry, here, rounds, task, limit, say, partial(add, entry)):
            show(entry)
    document["environment"]["load_average_after"] = load_average()
    document["complete"] = True
    return document


def fill(
    entry: Document,
    implementations: Sequence[str],
    rounds: int,
    task: Document,
    limit: float,
    say: Say,
    add: Keep,
) -> int:
    """Measure what a workload lacks; return how many processes that took.

    An implementation that failed has no further rounds.
    """
    done = {(run["round"], run["implementation"]) for run in entry["runs"]}
    failed, count = set(), 0
    for turn in itertools.product(range(rounds), implementations):
        number, own = turn
        if turn in done or own in failed:
            continue
        say(f"{entry['name']}: {own}, round {number + 1} of {rounds}")
        run = in_a_process({**task, "implementation": own, "workload": entry["name"]}, limit)
        if run.get("failure"):
            failed.add(own)
        add({"implementation": own, "round": number, **run})
        count += 1
    return count


def split_installed(implementations: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return which of some implementations are installed, and which are not."""
    here = [name for name in implementations if peers.is_installed(name)]
    return here, [name for name in implementations if name not in here]


def facts(work: workload.Workload, data: Any) -> dict[str, Any]:
    """Return the facts of a workload, and the work that a sparse first layer leaves of it.

    crc32 : of the data, which tells them from others under the same name
    """
    import numpy as np

    images, share = data.train.images, 1.0
    if images.dtype == np.uint8:
        pairs = images[:, : images.shape[1] // 2 * 2].reshape(len(images), -1, 2)
        share = float(pairs.any(axis=2).mean())
    sums = 0
    for array in (images, data.train.labels, data.test.images, data.test.labels):
        sums = zlib.crc32(np.ascontiguousarray(array).data, sums)
    return {
        "name": work.name,
        "samples": len(images),
        "learning_rate": work.learning_rate,
        "dataset": data.name,
        "crc32": sums,
        "flops_per_sample": work.flops(),
        "executed_flops_per_sample": work.flops(share),
    }
