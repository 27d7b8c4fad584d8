"""Time epochs: each implementation in its own process, in turn, round by round."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fastmlp.bench import peers, workload
from fastmlp.bench.environment import load_average
from fastmlp.bench.limits import usable_threads
from fastmlp.bench.processes import run_in_process
from fastmlp.bench.record import Document, Keep, Say, begin_document, drop_failed, ignore
from fastmlp.kernels.memory.records import DENSE
from fastmlp.kernels.step.source import kind_of
from fastmlp.system.cores import affinity

QUICK = ("784-128-10/64", "784-16-16-10/10", "784-512-512-10/128/dense")


def measure_epochs(
    names: Sequence[str], implementations: Sequence[str], **options: Any
) -> Document:
    """Return the document of a run: environment, limits of the machine, settings, all samples.

    names : of workloads; implementations : those not installed are listed as absent
    options : as for measure_contenders
    """
    here, absent = split_installed(implementations)
    contenders = {name: {"implementation": name} for name in here}
    return measure_contenders("epochs", names, contenders, absent, **options)


def measure_contenders(
    kind: str,
    names: Sequence[str],
    contenders: Mapping[str, Document],
    absent: Sequence[str] = (),
    *,
    rounds: int = 3,
    epochs: int = 3,
    threads: int | None = None,
    dataset: str = "mnist",
    folder: Path | None = None,
    limit: float = 300.0,
    seed: int = 0,
    with_limits: bool = True,
    say: Say = ignore,
    keep: Keep = ignore,
    show: Keep = ignore,
    earlier: Document | None = None,
) -> Document:
    """Return the document of a run that times the epochs of some contenders in turn.

    names : of workloads; contenders : the part of the task that is a contender's own, by its name
    rounds : processes of each contender; epochs : timed in each, after some to warm up
    limit : seconds after which a process is killed, and reported as too slow
    keep : called with the document after each process; show : with each finished workload
    earlier : the document of an interrupted run; its results without failure are kept
    """
    threads = usable_threads(threads)
    works = {work.name: work for work in map(workload.parse, names)}
    data = {  # loaded first, so that errors come before the first measurement
        name: describe_workload(work, workload.load(work, dataset, folder, download=True))
        for name, work in works.items()
    }
    task = {"epochs": epochs, "threads": threads, "seed": seed, "cores": affinity()[:threads]}
    task |= {"dataset": dataset, "folder": folder and str(folder)}
    settings = {**task, "rounds": rounds, "limit_seconds": limit, "workloads": data}
    settings |= {"implementations": list(contenders), "absent": list(absent)}
    document = begin_document(kind, settings, earlier, with_limits=with_limits)
    known = {
        each["name"]: drop_failed(each["runs"]) for each in (earlier or {}).get("workloads", [])
    }
    entries = [
        {**of, "absent": lacks(works[name], contenders), "runs": known.get(name, [])}
        for name, of in data.items()
    ]
    document |= {"absent": list(absent)}
    document |= {"workloads": [entry for entry in entries if entry["runs"]]}

    def add(entry: Document, run: Document) -> None:
        entry["runs"].append(run)
        turns = list(contenders)
        entry["runs"].sort(key=lambda run: (run["round"], turns.index(run["implementation"])))
        document["workloads"] = [entry for entry in entries if entry["runs"]]
        keep(document)

    for entry in entries:
        if measure_missing(entry, contenders, rounds, task, limit, say, partial(add, entry)):
            show(entry)
    document["environment"]["load_average_after"] = load_average()
    document["complete"] = True
    return document


def measure_missing(
    entry: Document,
    contenders: Mapping[str, Document],
    rounds: int,
    task: Document,
    limit: float,
    say: Say,
    add: Keep,
) -> int:
    """Measure the missing results of a workload; return the number of processes.

    After a failure, a contender has no further rounds.
    """
    done = {(run["round"], run["implementation"]) for run in entry["runs"]}
    failed, count = set(), 0
    for turn in itertools.product(range(rounds), contenders):
        number, name = turn
        if turn in done or name in failed or name in entry["absent"]:
            continue
        say(f"{entry['name']}: {name}, round {number + 1} of {rounds}")
        own = contenders[name]
        run = run_in_process({**task, **own, "workload": entry["name"]}, limit)
        if run.get("failure"):
            failed.add(name)
        add({**own, "implementation": name, "round": number, **run})
        count += 1
    return count


def lacks(work: workload.Workload, contenders: Mapping[str, Document]) -> dict[str, str]:
    """Return what contenders that cannot train a workload lack for it, by name."""
    found = {name: peers.lack_of(own["implementation"], work) for name, own in contenders.items()}
    return {name: reason for name, reason in found.items() if reason}


def split_installed(implementations: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return two lists: the implementations that are installed, and the others."""
    here = [name for name in implementations if peers.is_installed(name)]
    return here, [name for name in implementations if name not in here]


def describe_workload(work: workload.Workload, data: Any) -> dict[str, Any]:
    """Return the description of a workload and its data.

    executed_flops_per_sample : of fastmlp, without the products that a sparse first layer skips
    crc32 : of the data, to recognise other data of the same name
    """
    import numpy as np

    images, share = data.train.images, 1.0
    if kind_of(images, len(work.sizes) - 1) != DENSE:
        pairs = images[:, : images.shape[1] // 2 * 2].reshape(len(images), -1, 2)
        share = float(pairs.any(axis=2).mean())
    sums = 0
    for array in (images, data.train.labels, data.test.images, data.test.labels):
        sums = zlib.crc32(np.ascontiguousarray(array).data, sums)
    return {
        "name": work.name,
        "samples": len(images),
        "learning_rate": work.learning_rate,
        "metric": work.metric,
        "dataset": data.name,
        "crc32": sums,
        "flops_per_sample": work.flops(),
        "executed_flops_per_sample": work.flops(share),
    }
