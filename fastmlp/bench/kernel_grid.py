"""Time the kernels over a grid of shapes, each against the same function of the reference."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from fastmlp.bench.limits import usable_threads
from fastmlp.bench.processes import run_in_process
from fastmlp.bench.record import Document, Keep, Say, begin_document, drop_failed, ignore
from fastmlp.bench.summary import SIDES
from fastmlp.system.cores import affinity

BATCHES = (1, 8, 64, 256, 1024)
WIDTHS = (10, 16, 128, 512, 784, 1024)
KERNELS = ("forward", "delta", "update", "output", "exp")
ROUNDS = 2
LIMIT_SECONDS = 600.0


def grid(kernels: Sequence[str], batches: Sequence[int], widths: Sequence[int]) -> Iterator[Any]:
    """Yield (kernel, batch, inputs, outputs) of every case; inputs is 0 for output and exp."""
    for kernel, batch in itertools.product(kernels, batches):
        inputs = (0,) if kernel in ("output", "exp") else widths
        for shape in itertools.product(inputs, widths):
            yield kernel, batch, *shape


def measure_kernels(
    kernels: Sequence[str] = KERNELS,
    batches: Sequence[int] = BATCHES,
    widths: Sequence[int] = WIDTHS,
    rounds: int = ROUNDS,
    threads: int | None = None,
    say: Say = ignore,
    keep: Keep = ignore,
    show: Keep = ignore,
    earlier: Document | None = None,
) -> Document:
    """Return the document of a run: for each kernel and shape, seconds and errors of both sides.

    The sides run the grid in turn, in separate processes, because NumPy's threads keep the cores
    busy for a while after a product. The result of each process is a pass.
    keep, earlier : as for measure_epochs; show : called with each pass
    """
    threads = usable_threads(threads)
    settings = {"threads": threads, "rounds": rounds, "kernels": kernels}
    settings |= {"batches": batches, "widths": widths}
    document = begin_document("kernels", settings, earlier)
    passes = drop_failed((earlier or {}).get("passes", []))
    cases = list(grid(kernels, batches, widths))
    document |= {"passes": passes, "rows": rows_of(cases, passes)}
    done = {(each["round"], each["side"]) for each in passes}
    for turn in (turn for turn in itertools.product(range(rounds), SIDES) if turn not in done):
        number, side = turn
        say(f"{side}, {len(cases)} shapes, round {number + 1} of {rounds}")
        task = {"kernels": cases, "side": side, "threads": threads, "cores": affinity()[:threads]}
        result = {"side": side, "round": number, **run_in_process(task, LIMIT_SECONDS)}
        passes.append(result)
        passes.sort(key=lambda each: (each["round"], SIDES.index(each["side"])))
        document["rows"] = rows_of(cases, passes)
        keep(document)
        show(result)
    document["complete"] = True
    return document


def rows_of(cases: Sequence[Any], passes: list[Document]) -> list[Document]:
    """Return a row for each case that both sides have measured.

    The seconds are the lowest median of the rounds, so that one disturbance has no effect.
    """
    sides = {
        side: [each["rows"] for each in drop_failed(passes) if each["side"] == side]
        for side in SIDES
    }
    rows = []
    for number, case in enumerate(cases if all(sides.values()) else ()):
        row = dict(zip(("kernel", "batch", "inputs", "outputs"), case, strict=True))
        row |= work_of(*case)
        for side, runs in sides.items():
            row[f"{side}_samples"] = [run[number][0] for run in runs]
            row[f"{side}_seconds"] = min(row[f"{side}_samples"])
            row[f"{side}_error"] = max(run[number][1] for run in runs)
        row["ratio"] = row["numpy_seconds"] / row["fastmlp_seconds"]
        rows.append(row)
    return rows


def work_of(kernel: str, batch: int, inputs: int, outputs: int) -> dict[str, float]:
    """Return the useful floating-point operations of a case, and the bytes of its operands."""
    if kernel == "output":  # maximum, difference, exponential, sum, quotient, delta
        return {"flops": 6.0 * batch * outputs, "bytes": 12.0 * batch * outputs}
    if kernel == "exp":  # sum, exponential, sum, quotient
        return {"flops": 4.0 * batch * outputs, "bytes": 8.0 * batch * outputs}
    sizes = batch * inputs + inputs * outputs + batch * outputs
    return {"flops": 2.0 * batch * inputs * outputs, "bytes": 4.0 * sizes}


def geometric_mean(rows: Sequence[dict[str, Any]]) -> float:
    """Return the geometric mean of the ratios; above 1, fastmlp is faster."""
    return statistics.geometric_mean(row["ratio"] for row in rows)
