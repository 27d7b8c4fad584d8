"""The one door into the compiled room: hand a job to a team of threads."""

from __future__ import annotations

from time import perf_counter

import numba
import numpy as np
from numba import prange
from numba.core import types

from fastmlp.functions import Array
from fastmlp.kernels.layout import aligned_zeros
from fastmlp.kernels.options import Shared, entry, is_kept
from fastmlp.kernels.records import JOB, LAYER
from fastmlp.kernels.step import work
from fastmlp.kernels.team import (
    BOARD_SIZE,
    NAP,
    NAP_NANOSECONDS,
    SIZE,
    START_NAP,
    START_NAP_NANOSECONDS,
    join,
)
from fastmlp.kernels.threads import Threads, check_can_compile
from fastmlp.system.cores import usable_cores

# Dense multiplications of a step that make a second thread pay: below, the members wait for
# each other's memory
WORTHWHILE = 250_000
_prepared: set[np.dtype] = set()
_threads = Threads()


# What `numba.get_num_threads` and `numba.set_num_threads` call
thread_count = types.ExternalFunction("get_num_threads", types.intp())
set_thread_count = types.ExternalFunction("set_num_threads", types.void(types.int32))


@entry(parallel=True)
def _run_team(job, layers, count, board, members, like):
    # set and restored in compiled code, which no signal handler interrupts
    before = thread_count()
    set_thread_count(members)
    for _ in prange(members):
        number, size = join(board, members)
        if number >= 0:
            work(job, layers, count, board, number, size, like)
    set_thread_count(before)


def available_threads() -> int:
    """Return how many threads this process may use at once: its cores, and Numba's limit."""
    return max(1, min(usable_cores(), int(numba.config.NUMBA_NUM_THREADS)))


def team_size(work: int, threads: int | None = None) -> int:
    """Return how many threads some multiplications between two meetings are worth.

    As many as asked for; without a wish, no more than have WORTHWHILE to do.
    """
    return threads or max(1, min(available_threads(), work // WORTHWHILE))


def is_compiled(dtype: np.dtype) -> bool:
    """Return whether `prepare` will be quick: the machine code is there, in memory or on disk."""
    if dtype in _prepared:
        return True
    kernels = [kernel.function for kernel in Shared.by_name.values()]
    if _threads.most() > 1:  # who is alone calls `work` itself
        kernels.append(_run_team)
    return all(is_kept(kernel, numba.from_dtype(dtype)) for kernel in kernels)


def prepare(dtype: np.dtype) -> float:
    """Compile or load the kernels for float32 or float64, and return the seconds it took.

    Raises ArgumentError where Numba cannot start its threads, and NotReadyError in a signal
    handler that interrupts Numba's compiler.
    """
    began = perf_counter()
    if dtype not in _prepared:
        with _threads.launching:
            check_can_compile()
            if _threads.most() > 1:  # an error comes before the time is spent
                _threads.start()
            if dtype not in _prepared:  # another thread may have been first
                for kernel in Shared.by_name.values():
                    kernel.compile(numba.from_dtype(dtype))
                _prepared.add(dtype)
        run(np.zeros(1, JOB), np.zeros(0, LAYER), 2, dtype)
    return perf_counter() - began


def run(job: Array, layers: Array, members: int, dtype: np.dtype) -> int:
    """Do a job with a team of at most so many members; return how many took part."""
    if dtype not in _prepared:
        prepare(dtype)
    job["place"], job_place, layers_place = job.ctypes.data, job.ctypes.data, layers.ctypes.data
    layers["place"] = layers_place + np.arange(len(layers)) * LAYER.itemsize
    members = _threads.expected(members)
    if members == 1:
        alone = Shared.by_name["work"].compiled[dtype.name].ctypes
        alone(job_place, layers_place, len(layers), 0, 0, 1, 0.0)
        return 1
    board = aligned_zeros((BOARD_SIZE,), np.dtype(np.int64))
    board[NAP + 1], board[START_NAP + 1] = NAP_NANOSECONDS, START_NAP_NANOSECONDS
    with _threads.launching:
        _threads.start()
        place, like = board.ctypes.data, dtype.type(0)
        _run_team(job_place, layers_place, len(layers), place, members, like)
    came = int(board[SIZE])
    _threads.record(came, members)
    return came
