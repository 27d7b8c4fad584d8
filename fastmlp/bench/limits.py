"""What this machine can do at most, measured: arithmetic, bandwidth, and the cost of a barrier."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

import numpy as np

from fastmlp.bench import phases
from fastmlp.kernels.launch import available_threads, prepare, run, symbol
from fastmlp.kernels.loops.elementwise import IDENTITY
from fastmlp.kernels.memory.panels import aligned_zeros, vector_size
from fastmlp.kernels.memory.records import JOB, LAYER
from fastmlp.kernels.memory.tuning import TILE_ROWS, TILE_VECTORS

FLOAT32 = np.dtype(np.float32)
BARRIERS = phases.BARRIERS
ROUNDS = 7
# Floating-point operations of one measurement of the peak
PEAK_WORK = 2**29
# Bytes of two arrays that together fit the named level on most machines
LEVELS = {"L1": 16 << 10, "L2": 256 << 10, "L3": 4 << 20, "memory": 256 << 20}
BARRIERS_TIMED, REGIONS = 20_000, 200


def measure_limits(threads: int | None = None) -> dict[str, Any]:
    """Return the limits of one core, and of `threads` at once; compiles the kernels if need be.

    peak_flops : of fused multiply-adds in float32, for one core and all
    bytes_per_second : of a += b, by the level of memory that holds a and b; two reads, one write
    meeting_seconds : of a barrier; region_seconds : of starting the threads and ending them
    """
    prepare(FLOAT32)
    threads = threads or available_threads()
    return {
        "threads": threads,
        "peak_flops": {"one": flops(1), "all": flops(threads)},
        "bytes_per_second": {
            name: {"one": bandwidth(size, 1), "all": bandwidth(size, threads)}
            for name, size in LEVELS.items()
        },
        "meeting_seconds": team_seconds(BARRIERS_TIMED, threads) / BARRIERS_TIMED,
        "region_seconds": team_seconds(0, threads),
    }


def flops(threads: int) -> float:
    """Return the operations a second of the dense tile on operands that stay in L1."""
    multiply = symbol("multiply", FLOAT32).ctypes
    columns = TILE_VECTORS * vector_size(FLOAT32)
    length = PEAK_WORK // 2 // (TILE_ROWS * columns)

    def call() -> None:
        c, p, q = (aligned_zeros((64, 64), FLOAT32) for _ in range(3))
        addresses = (c.ctypes.data, columns, p.ctypes.data, 64, 0, 0, 0, q.ctypes.data, 0)
        multiply(*addresses, TILE_ROWS, columns, length, 0.0)

    return threads * PEAK_WORK / seconds_together(call, threads)


def bandwidth(size: int, threads: int) -> float:
    """Return the bytes a second that a += b moves, with `size` bytes of a and b for each thread."""
    activate = symbol("activate", FLOAT32).ctypes
    columns, passes = size // 128 * 16, max(2, (64 << 20) // size)
    waiting = [[aligned_zeros((columns,), FLOAT32) for _ in range(2)] for _ in range(threads)]
    for array in (array for pair in waiting for array in pair):
        array[...] = 1  # makes its pages real

    def call() -> None:
        a, b = waiting.pop()
        # the identity's a = a + b, over the same row again and again
        row = (a.ctypes.data, 0)
        activate(IDENTITY, *row, a.ctypes.data, *row, b.ctypes.data, passes, columns, 0.0)
        waiting.append([a, b])

    return threads * passes * 12 * columns / seconds_together(call, threads)


def seconds_together(call: Callable[[], None], threads: int) -> float:
    """Return the least seconds that some threads take, each to make the call once."""
    samples = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(ROUNDS):
            began = perf_counter()
            list(pool.map(lambda _: call(), range(threads)))
            samples.append(perf_counter() - began)
    return min(samples)


def team_seconds(barriers: int, threads: int) -> float:
    """Return the median seconds of a job of so many barriers and nothing else."""
    if threads == 1:
        return 0.0
    job, samples = np.zeros(1, JOB), []
    job["steps"] = barriers
    for _ in range(ROUNDS if barriers else REGIONS):
        began = perf_counter()
        run(BARRIERS, job, np.zeros(0, LAYER), threads, FLOAT32)
        samples.append(perf_counter() - began)
    return statistics.median(samples)
