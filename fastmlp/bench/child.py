"""The process of one measurement: its argument is a task as JSON, it prints the result as JSON.

python -m fastmlp.bench.child '{"implementation": "numpy", "workload": "784-128-10/64", ...}'
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from contextlib import suppress
from math import isnan, nan
from pathlib import Path
from time import perf_counter
from typing import Any

BEGAN = perf_counter()
# Training before the timed epochs: until the processor has reached its clock, epochs of a small
# table take 10 to 20 % longer (AMD Zen 5)
WARM_UP_SECONDS = 0.25
# Steps after which a mean with beta = 0.999, as Adam's, hardly depends on how many there were
SETTLED = 3000


def main() -> None:
    """Do the task in the argument, and print one line of JSON."""
    task = json.loads(sys.argv[1])
    end_with_the_parent()
    if hasattr(os, "sched_setaffinity") and task["cores"]:
        os.sched_setaffinity(0, task["cores"])
    if "kernels" in task:
        from fastmlp.bench.kernel_child import measure_side

        result = measure_side(task)
    elif "blas" in task:
        result = {"blas": describe_blas()}
    else:
        result = train_to_target(task) if "target" in task else time_epochs(task)
    result["peak_bytes"] = read_peak_bytes()
    sys.stdout.write(json.dumps(result) + "\n")


def end_with_the_parent() -> None:
    """Let the system kill this process when its parent is killed; Linux only.

    Otherwise it would continue, and disturb the next measurement.
    """
    parent_death_signal = 1  # PR_SET_PDEATHSIG
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL)


def describe_blas() -> list[dict[str, Any]]:
    """Return the BLAS libraries of NumPy, and the kernels that each has selected."""
    import numpy  # noqa: F401, loads them
    from threadpoolctl import threadpool_info

    facts = ("internal_api", "version", "architecture", "threading_layer")
    found = [library for library in threadpool_info() if library["user_api"] == "blas"]
    return [{fact: library.get(fact) for fact in facts} for library in found]


def read_peak_bytes() -> float:
    """Return the peak memory of this process in bytes; NaN on Windows."""
    # VmHWM, as getrusage also counts the peak of the parent before the fork
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    try:
        import resource
    except ImportError:
        return nan
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else 1024 * size


def time_epochs(task: dict[str, Any]) -> dict[str, Any]:
    """Train for some epochs, and time each; the first, which compiles, is returned separately.

    Between these are WARM_UP_SECONDS of epochs, in orders of their own, whose rates are 0: they
    change no weights, only an optimiser's state. If it remembers many steps, there are SETTLED
    steps or more, so that their number does not matter. Where an epoch is a single step, many are
    timed as one, and divided by their number.
    """
    import numpy as np

    peer, data, work = make_peer(task)
    set_up, samples = perf_counter() - BEGAN, len(data.train)
    passes: int = work.passes
    rates = np.full(passes * -(-samples // work.batch_size), work.learning_rate)
    rng, other = (np.random.default_rng([task["seed"], k]) for k in (0, 1))

    def run_epoch(rng: Any, rates: Any) -> float:
        order = np.concatenate([rng.permutation(samples) for _ in range(passes)])
        began = perf_counter()
        peer.epoch(order, rates)
        return (perf_counter() - began) / passes

    first = run_epoch(rng, rates)
    measure_barrier(task)  # loads its kernel
    warm = perf_counter() + WARM_UP_SECONDS
    left = 0 if work.optimizer in ("sgd", "momentum", "nesterov") else SETTLED
    while perf_counter() < warm or left > 0:
        run_epoch(other, 0 * rates)
        left -= len(rates)
    before = measure_barrier(task)
    seconds = [run_epoch(rng, rates) for _ in range(task["epochs"])]
    return {
        "setup_seconds": set_up,
        "first_epoch_seconds": first * passes,
        "epoch_seconds": seconds,
        "barrier_seconds": before + measure_barrier(task),
        "accuracy": measure_accuracy(peer, data),
    }


def train_to_target(task: dict[str, Any]) -> dict[str, Any]:
    """Train until the test accuracy reaches the target; the evaluation is not timed."""
    import numpy as np

    from fastmlp.training.schedules import linear, step_rates

    peer, data, work = make_peer(task)
    rng, seconds, reached = np.random.default_rng(task["seed"]), [], 0.0
    steps = -(-len(data.train) // work.batch_size)
    began = perf_counter()
    peer.epoch(np.arange(len(data.train)), np.zeros(steps))  # compiles and encodes; rates of 0
    warm_up = perf_counter() - began
    for epoch in range(task["epochs"]):
        order = rng.permutation(len(data.train))
        rates = step_rates(linear, task["learning_rate"], epoch, task["epochs"], steps)
        began = perf_counter()
        peer.epoch(order, rates)
        seconds.append(perf_counter() - began)
        reached = measure_accuracy(peer, data)
        if reached >= task["target"]:
            break
    return {
        "warm_up_seconds": warm_up,
        "epoch_seconds": seconds,
        "accuracy": reached,
        "reached": reached >= task["target"],
    }


def measure_accuracy(peer: Any, data: Any) -> float:
    """Return the main metric of the test data: the accuracy, or R2 of a regression."""
    from fastmlp.functions import metrics_of
    from fastmlp.reference.engine import blas_threads

    peer.read()
    with blas_threads(1):  # more would disturb the peer's next epoch
        judged = peer.network.evaluate(data.test.images, data.test.labels, "numpy")
    found: float = judged.metrics[metrics_of(peer.network.task)[0].name]
    return found


def measure_barrier(task: dict[str, Any]) -> list[float]:
    """Return the seconds of a barrier of fastmlp's threads at this moment, as a list.

    It is empty for other implementations, for one thread, and if the threads never ran all at once.
    """
    from fastmlp.bench.peers import OWN

    if task["implementation"] != OWN or task["threads"] == 1:
        return []
    from fastmlp.bench import limits

    seconds = limits.measure_barrier(task["threads"])
    return [] if isnan(seconds) else [seconds]


def make_peer(task: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return the peer of a task before its first step, its data and its workload."""
    from fastmlp.bench import peers, workload

    name, work = task["implementation"], workload.parse(task["workload"])
    data = workload.load(work, task["dataset"], task["folder"] and Path(task["folder"]))
    own = work.network(task["seed"]), data.train, work.batch_size, task["threads"]
    peer = peers.make_peer(name, *own, work.optimizer)
    if task.get("fixed_team"):  # otherwise fastmlp begins with as many threads as the work is worth
        peer.engine.team.size = min(task["threads"], peer.engine.threads)
    return peer, data, work


if __name__ == "__main__":
    main()
