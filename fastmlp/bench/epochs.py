"""Epochs side by side: each implementation in a process of its own, in turn, round by round."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from fastmlp.bench import peers, workload
from fastmlp.bench.environment import environment
from fastmlp.bench.limits import measure_limits
from fastmlp.cores import affinity
from fastmlp.kernels.launch import available_threads

Say = Callable[[str], object]
QUICK = ("784-128-10/64", "784-16-16-10/10", "784-512-512-10/128/dense")
# Libraries that make threads of their own ask these how many
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


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
    say: Say = lambda line: None,
) -> dict[str, Any]:
    """Return the document of a run: environment, machine limits, settings, and every sample.

    names : of workloads; implementations : those not installed are listed as absent
    rounds : processes of each; epochs : timed in each, after one that warms up
    limit : seconds after which a process is ended, and reported as too slow
    """
    here, absent = split_installed(implementations)
    threads = threads or available_threads()
    task = {"epochs": epochs, "threads": threads, "seed": seed, "cores": affinity()[:threads]}
    task |= {"dataset": dataset, "folder": folder and str(folder)}
    document: dict[str, Any] = {
        "kind": "epochs",
        "environment": environment(),
        "limits": measure_limits(threads),
        "settings": {**task, "rounds": rounds, "limit_seconds": limit},
        "absent": absent,
        "workloads": [],
    }
    for name in names:
        work, runs = workload.named(name), []
        data = workload.load(work, dataset, folder, download=True)
        too_slow: set[str] = set()
        for round_number in range(rounds):
            for own in (each for each in here if each not in too_slow):
                say(f"{work.name}: {own}, round {round_number + 1} of {rounds}")
                run = in_a_process({**task, "implementation": own, "workload": work.name}, limit)
                runs.append({"implementation": own, "round": round_number, **run})
                if run.get("failure"):
                    too_slow.add(own)
        document["workloads"].append({**facts(work, data), "runs": runs})
    document["environment"]["load_average_after"] = environment()["load_average"]
    return document


def split_installed(implementations: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return which of some implementations are installed, and which are not."""
    here = [name for name in implementations if peers.is_installed(name)]
    return here, [name for name in implementations if name not in here]


def facts(work: workload.Workload, data: Any) -> dict[str, Any]:
    """Return what a workload asks of any implementation, and what a sparse first layer leaves."""
    import numpy as np

    images, share = data.train.images, 1.0
    if images.dtype == np.uint8:
        pairs = images[:, : images.shape[1] // 2 * 2].reshape(len(images), -1, 2)
        share = float(pairs.any(axis=2).mean())
    return {
        "name": work.name,
        "samples": len(images),
        "learning_rate": work.learning_rate,
        "dataset": data.name,
        "flops_per_sample": work.flops(),
        "executed_flops_per_sample": work.flops(share),
    }


def in_a_process(task: dict[str, Any], limit: float) -> dict[str, Any]:
    """Do a task in a fresh process; return what it measured, or why it failed."""
    threads = {name: str(task["threads"]) for name in THREAD_VARIABLES}
    if task.get("side") == "fastmlp":  # which checks by NumPy, whose threads would stay and spin
        threads = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "fastmlp.bench.child", json.dumps(task)]
    began = perf_counter()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit, env=os.environ | threads
        )
    except subprocess.TimeoutExpired:
        return {"failure": f"took more than {limit:g} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return {"failure": lines[-1]}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**result, "process_seconds": perf_counter() - began}
