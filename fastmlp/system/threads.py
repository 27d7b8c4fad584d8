"""Numba's threads in this process: starting them, forking beside them, and how many come."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from threading import RLock
from time import monotonic

import numba
from llvmlite.binding import ffi
from numba.core.compiler_lock import global_compiler_lock
from numba.np.ufunc import parallel

from fastmlp.errors import NotReadyError, refuse
from fastmlp.system.forks import wait_for_locks

PROCESS_STATUS = Path("/proc/self/stat")
FORKED_WITHOUT_EXEC = 0x40  # PF_FORKNOEXEC, one of Linux's flags of a process
# How long a team stays as small as its last one was before all members are tried again
RETRY_SECONDS = 0.1


class Threads:
    """The threads that Numba starts once in a process, and what is known of them.

    launching : held by whoever compiles the kernels or uses the threads, because one of Numba's
        layers aborts if two Python threads do so at once. Re-entrant: a signal handler, or a
        destructor, runs in the thread that it interrupts.

    Threads do not come along in a fork, and most layers abort or hang when they are used in the
    child; there every job is done by its caller alone, which changes no bit of the result.
    """

    def __init__(self) -> None:
        self.launching = RLock()
        self._came, self._retry_at = 1, 0.0
        self._process = os.getpid()
        # a process that was forked before this module was imported
        self._are_lost = _is_forked() and _were_started()
        # in the order in which compiling and launching take them
        wait_for_locks(
            self.launching,
            global_compiler_lock,
            parallel._backend_init_thread_lock,
            ffi.lib._lock,
        )
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._restart)

    def start(self) -> None:
        """Start the threads, if nobody has; ArgumentError where Numba cannot."""
        if parallel._is_initialized:
            return
        try:
            parallel._launch_threads()
        except ValueError as error:
            reason = str(error).split("\n", 1)[0].rstrip(".")
            layer, order = numba.config.THREADING_LAYER, numba.config.THREADING_LAYER_PRIORITY
            if layer != "default":
                name, got = "NUMBA_THREADING_LAYER", repr(layer)
            else:  # the last layer in any right order is part of Numba
                name, got = "NUMBA_THREADING_LAYER_PRIORITY", repr(" ".join(order))
            raise refuse(
                name,
                "must name what Numba can load here",
                f"{got} ({reason})",
                "Unset it, or install what it names: pip install tbb, for example.",
            ) from None

    def most(self) -> int:
        """Return how many members a team may have: as many as there are threads.

        1 where the threads are lost, and where this call interrupts Numba's compiler, which may
        not be entered again to compile a team.
        """
        if os.getpid() != self._process:  # a fork that Python was not told of
            self._restart()
        if self._are_lost or global_compiler_lock.is_locked():
            return 1
        return int(numba.config.NUMBA_NUM_THREADS)

    def expected(self, members: int) -> int:
        """Return how many of so many members to ask for.

        After a team that was not complete, as many as it had, until RETRY_SECONDS have passed.
        """
        if monotonic() < self._retry_at:
            members = min(members, self._came)
        return min(members, self.most()) if members > 1 else 1

    def record(self, came: int, asked: int) -> None:
        """Remember that so many of the members asked for came in time."""
        if came < asked:
            self._came, self._retry_at = came, monotonic() + RETRY_SECONDS

    def _restart(self) -> None:
        """In the child of a fork: only the calling thread is left."""
        self._process = os.getpid()
        self._are_lost = self._are_lost or _were_started()
        self._retry_at = 0.0


def check_can_compile() -> None:
    """Raise NotReadyError if this thread is compiling: the compiler cannot be entered twice."""
    if global_compiler_lock.is_locked():  # by this thread
        raise NotReadyError


def _were_started() -> bool:
    """Return whether Numba's threads, or others of the OpenMP library it uses, may be running."""
    if parallel._is_initialized:
        return True
    if sys.platform != "linux":
        return False
    try:  # finds the library only if something has loaded it
        ctypes.CDLL("libgomp.so.1", mode=os.RTLD_NOLOAD)
    except OSError:
        return False
    return True


def _is_forked() -> bool:
    """Return whether this process is a fork that has not begun a program of its own."""
    try:
        fields = PROCESS_STATUS.read_text(errors="replace").rpartition(")")[2].split()
        return bool(int(fields[6]) & FORKED_WITHOUT_EXEC)
    except (OSError, ValueError, IndexError):
        return False
