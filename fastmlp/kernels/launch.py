"""The one way into compiled code: hand a job to a team of threads."""

from __future__ import annotations

import os
import warnings
from contextlib import suppress
from ctypes import c_void_p, cast
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba import prange
from numba.core import types

from fastmlp.functions import Array
from fastmlp.kernels.llvm.compile import Shared
from fastmlp.kernels.llvm.emitter import Emitter
from fastmlp.kernels.llvm.intrinsics import emitted
from fastmlp.kernels.team.barrier import SIZE, join, make_board
from fastmlp.system.code_folder import kernel_folder
from fastmlp.system.cores import usable_cores
from fastmlp.system.memory import memory_bytes
from fastmlp.system.paths import make_folder
from fastmlp.system.team_size import worthwhile
from fastmlp.system.threads import Threads
from fastmlp.system.workers import run_workers

_prepared: set[np.dtype] = set()
_threads = Threads()
# Processes that compile at once, and the memory for each; one takes 0.3 GB
MOST_WORKERS, WORKER_BYTES = 4, 1 << 30

# What `numba.get_num_threads` and `numba.set_num_threads` call
thread_count = types.ExternalFunction("get_num_threads", types.intp())
set_thread_count = types.ExternalFunction("set_num_threads", types.void(types.int32))


@emitted
def call_member(
    emit: Emitter, function, job, layers, count, barrier, scratch, member, members, like
) -> None:
    """Call the function at an address for one member of a team."""
    args = [job, layers, count, barrier, scratch, member, members, like]
    kind = ir.FunctionType(ir.VoidType(), [value.type for value in args])
    pointer = emit.builder.inttoptr(function, kind.as_pointer())
    emit.builder.call(pointer, args)


def _run_team(function, record, layers, count, scratch, scratch_bytes, board, members, like: float):
    # set and restored in compiled code, which no signal handler interrupts
    before = thread_count()
    set_thread_count(members)
    for _ in prange(members):
        number, size = join(board, members)
        if number >= 0:
            own = scratch + number * scratch_bytes
            call_member(function, record, layers, count, board, own, number, size, like)
    set_thread_count(before)


_team = Shared(_run_team, parallel=True)


def available_threads() -> int:
    """Return how many threads this process may use at once: its cores, and Numba's limit."""
    return max(1, min(usable_cores(), int(numba.config.NUMBA_NUM_THREADS)))


def prepared_precision() -> np.dtype:
    """Return a precision whose kernels are prepared, if there is one, for work that has none."""
    return next(iter(_prepared), np.dtype(np.float32))


def team_size(work: int, threads: int | None = None) -> int:
    """Return `threads` if that is given, or how many so many multiplications are worth."""
    return threads or worthwhile(work, available_threads())


def is_compiled(dtype: np.dtype) -> bool:
    """Return whether `prepare` will be quick: the machine code is there, in memory or on disk."""
    return dtype in _prepared or all(kernel.kept(numba.from_dtype(dtype)) for kernel in _kernels())


def _kernels() -> list[Shared]:
    """Return what is compiled; who is alone calls the job's function itself."""
    return [*Shared.by_name.values(), *([_team] if _threads.most() > 1 else [])]


def prepare(dtype: np.dtype) -> float:
    """Compile or load the kernels for float32 or float64, and return the seconds it took.

    Raises ArgumentError where Numba cannot start its threads, and NotReadyError in a signal
    handler that interrupts this, or Numba's compiler.
    """
    began = perf_counter()
    if dtype not in _prepared:
        with _threads.compiling():
            if _threads.most() > 1:  # an error comes before the time is spent
                _threads.start()
            if dtype not in _prepared:  # another thread may have been first
                precision = numba.from_dtype(dtype)
                _compile_together(precision)
                for kernel in _kernels():
                    kernel.compile(precision)
                _prepared.add(dtype)
    return perf_counter() - began


def _compile_together(precision: Any) -> None:
    """Let other processes compile the kernels that are not on disk, and keep them there.

    On Zen 5 one process takes 13.5 s for all, two take 9.1, as each compiles what it inlines.
    """
    folder, is_told = kernel_folder(), any(name.startswith("NUMBA_DUMP") for name in os.environ)
    workers = int(min(available_threads(), MOST_WORKERS, memory_bytes() / WORKER_BYTES))
    if workers < 2 or is_told or folder is None or _kernels()[0].kept(precision):
        return
    with suppress(OSError), TemporaryDirectory(prefix="fastmlp-") as claims:
        make_folder(folder)
        if os.access(folder, os.W_OK):
            call = f"launch.compile_unclaimed({precision.name!r}, {str(folder)!r}, {claims!r})"
            variables = {"FASTMLP_CACHE": str(folder.parents[1])}
            run_workers(workers, f"from fastmlp.kernels import launch; {call}", variables)


def compile_unclaimed(precision_name: str, folder: str, claims: str) -> None:
    """Compile the kernels that no other worker has claimed by a file, and that are not on disk.

    folder : where the process that started this one will look for them
    It ends at the first that cannot be kept, or once that process has ended.
    """
    warnings.filterwarnings("error", "compiled kernels are not kept")
    precision, kernels, parent = getattr(types, precision_name), _kernels(), os.getppid()
    for kernel in kernels:  # they are linked with each other, but none is called
        llvm.add_symbol(kernel.symbol(precision), 1)
    for kernel in reversed(kernels):  # the largest are among the last
        if os.getppid() != parent or str(kernel_folder()) != folder:
            return
        with suppress(FileExistsError), open(Path(claims, kernel.function.__name__), "x"):
            _ = kernel.kept(precision) or kernel.build(precision)


def symbol(function: str | Shared, dtype: np.dtype) -> Any:
    """Return a shared function, or the one of a name, compiled, to be called from Python."""
    if dtype not in _prepared:
        prepare(dtype)
    kernel = Shared.by_name[function] if isinstance(function, str) else function
    if dtype not in kernel.compiled:  # it was defined, or threads could be started, only since
        with _threads.compiling():
            kernel.compile(numba.from_dtype(dtype))
    return kernel.compiled[dtype]


def run(function: str, job: Array, layers: Array, members: int, dtype: np.dtype) -> int:
    """Let a team of at most so many members do a job; return how many took part.

    function : the name of a shared function (job, layers, count, barrier, scratch, member,
        members, like), which each member calls; job : a JOB record, layers : LAYER records
    """
    call, members = symbol(function, dtype), _threads.expected(members)
    where = job.ctypes.data, layers.ctypes.data, layers.shape[-1]
    scratch, size = int(job["scratch"][0]), int(job["scratch_bytes"][0])
    if members == 1:
        call(*where, 0, scratch, 0, 1, 0.0)
        return 1
    board = make_board()
    with _threads.launching:
        _threads.start()
        what = *where, scratch, size, board.ctypes.data, members, 0.0
        symbol(_team, dtype)(cast(call, c_void_p).value, *what)
    came = int(board[SIZE])
    _threads.record(came, members)
    return came
