"""The one door into the compiled room: hand a job to a team of threads."""

from __future__ import annotations

import os
from threading import Lock

import numba
import numpy as np
from numba import prange

from fastmlp.functions import Array
from fastmlp.kernels.options import entry
from fastmlp.kernels.step import work
from fastmlp.kernels.team import BOARD_SIZE, roll_call

# Numba's portable threading layer aborts the process if two Python threads launch at once
_LAUNCHING = Lock()


@entry(parallel=True)
def _run(job, layers, board, members, like):  # type: ignore[no-untyped-def]
    if members == 1:
        work(job[0], layers, board, 0, 1, like)
    else:
        for _ in prange(members):
            number, size = roll_call(board, members)
            if number >= 0:
                work(job[0], layers, board, number, size, like)


def available_threads() -> int:
    """Return how many threads this process may use at once: its cores, and Numba's limit."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, int(numba.config.NUMBA_NUM_THREADS)))


def run(job: Array, layers: Array, members: int, dtype: np.dtype) -> int:  # type: ignore[type-arg]
    """Do a job with a team of at most so many members; return how many took part."""
    board = np.zeros(BOARD_SIZE + 8, np.int64)
    start = -board.ctypes.data % 64 // 8
    place = board[start:].ctypes.data
    like = dtype.type(0)
    if members == 1:
        _run(job, layers, place, 1, like)
        return 1
    with _LAUNCHING:
        before = numba.get_num_threads()
        numba.set_num_threads(min(members, int(numba.config.NUMBA_NUM_THREADS)))
        try:
            _run(job, layers, place, members, like)
        finally:
            numba.set_num_threads(before)
    return int(board[start + 8])
