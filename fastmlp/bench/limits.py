"""Measure the limits of this machine: arithmetic, bandwidth, and the time of a barrier."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import nan
from time import perf_counter
from typing import Any

import numpy as np

from fastmlp.arrays.aligned import aligned_zeros
from fastmlp.bench import phases
from fastmlp.errors import refuse
from fastmlp.kernels.launch import available_threads, prepare, run, symbol
from fastmlp.kernels.loops.elementwise import IDENTITY
from fastmlp.kernels.loops.tile import PRODUCT
from fastmlp.kernels.memory.panels import vector_size
from fastmlp.kernels.memory.records import JOB, LAYER
from fastmlp.kernels.memory.tuning import TILE_HEIGHTS, TILE_VECTORS

FLOAT32 = np.dtype(np.float32)
ROUNDS = 7
# Floating-point operations in one measurement of the peak
PEAK_WORK = 2**29
# Bytes of two arrays that together fit into the named level on most machines
LEVELS = {"L1": 16 << 10, "L2": 256 << 10, "L3": 4 << 20, "memory": 256 << 20}
BARRIER_COUNT, REGION_COUNT = 20_000, 200


def usable_threads(threads: int | None) -> int:
    """Return the number of threads, by default all that can run at once; refuse more."""
    most = available_threads()
    if threads is not None and threads > most:
        rule, remedy = f"must be at most {most}, the usable cores", "Pass fewer, or none for all."
        raise refuse("threads", rule, threads, remedy)
    return threads or most


def measure_limits(threads: int | None = None) -> dict[str, Any]:
    """Return the limits of one core and of all threads. Compiles the kernels if necessary.

    peak_flops : of fused multiply-adds in float32, for one core and all
    bytes_per_second : of a += b, by the level of memory of a and b; two reads, one write
    meeting_seconds : of a barrier; region_seconds : of starting and ending the threads; NaN if the
        threads never ran all at once, and for one thread
    """
    prepare(FLOAT32)
    threads = usable_threads(threads)
    return {
        "threads": threads,
        "peak_flops": {"one": measure_flops(1), "all": measure_flops(threads)},
        "bytes_per_second": {
            name: {"one": measure_bandwidth(size, 1), "all": measure_bandwidth(size, threads)}
            for name, size in LEVELS.items()
        },
        "meeting_seconds": measure_barrier(threads),
        "region_seconds": measure_team(0, threads),
    }


def measure_flops(threads: int) -> float:
    """Return the operations per second of the dense tile on operands in the L1 cache."""
    multiply = symbol("multiply", FLOAT32)
    columns = TILE_VECTORS * vector_size(FLOAT32)
    height = TILE_HEIGHTS[TILE_VECTORS]
    length = PEAK_WORK // 2 // (height * columns)

    def call() -> None:
        c, p, q = (aligned_zeros((64, 64), FLOAT32) for _ in range(3))
        operands = (c.ctypes.data, columns, p.ctypes.data, 64, 0, 0, 0, q.ctypes.data, 0)
        multiply(*operands, height, columns, length, PRODUCT, 0, 0.0)

    return threads * PEAK_WORK / time_together(call, threads)


def measure_bandwidth(size: int, threads: int) -> float:
    """Return the bytes per second of a += b, with `size` bytes of a and b for each thread."""
    activate = symbol("activate", FLOAT32)
    columns, passes = size // 128 * 16, max(2, (64 << 20) // size)
    pairs = [[aligned_zeros((columns,), FLOAT32) for _ in range(2)] for _ in range(threads)]
    for array in (array for pair in pairs for array in pair):
        array[...] = 1  # the system allocates its pages now

    def call() -> None:
        a, b = pairs.pop()
        # the identity activation, a = a + b, repeated on the same row
        row = (a.ctypes.data, 0)
        activate(IDENTITY, *row, a.ctypes.data, *row, b.ctypes.data, passes, columns, 0.0)
        pairs.append([a, b])

    return threads * passes * 12 * columns / time_together(call, threads)


def time_together(call: Callable[[], None], threads: int) -> float:
    """Return the lowest time in seconds in which each of some threads makes the call once."""
    samples = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(ROUNDS):
            began = perf_counter()
            list(pool.map(lambda _: call(), range(threads)))
            samples.append(perf_counter() - began)
    return min(samples)


def measure_barrier(threads: int) -> float:
    """Return the median seconds of a barrier, or NaN, as measure_team."""
    return measure_team(BARRIER_COUNT, threads) / BARRIER_COUNT


def measure_team(barriers: int, threads: int) -> float:
    """Return the median seconds of a job that consists only of so many barriers.

    It is NaN for one thread, and if the threads never ran all at once.
    """
    if threads == 1:
        return nan
    job, complete = np.zeros(1, JOB), []
    job["steps"] = barriers
    for _ in range(ROUNDS if barriers else REGION_COUNT):
        began = perf_counter()
        came = run(phases.BARRIERS, job, np.zeros(0, LAYER), threads, FLOAT32)
        took = perf_counter() - began
        if came == threads:
            complete.append(took)
    return statistics.median(complete) if complete else nan
