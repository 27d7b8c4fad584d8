"""Numba's threads in this process: start them, handle forks, and choose the size of a team."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
# After an incomplete team, teams have its size for this time; then all members are tried again
RETRY_SECONDS = 0.1


class Threads:
    """The threads that Numba starts once in a process, and their state.

    launching : lock, held while kernels are compiled or run, because one of Numba's layers aborts
        if two Python threads do so at once. Re-entrant, because a signal handler or a destructor
        runs in the thread that it interrupts.

    A forked child has no threads, and most layers abort or hang if they are used there. In a child
    each job is done by the calling thread alone, with the same bits as result.
    """

    def __init__(self) -> None:
        self.launching, self._is_compiling = RLock(), False
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

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Hold `launching` while kernels are compiled or loaded.

        Raises NotReadyError if this thread is doing so already, or is in Numba's compiler: neither
        a compiler nor a module that is half imported can be entered twice.
        """
        with self.launching:
            if self._is_compiling or global_compiler_lock.is_locked():  # by this thread
                raise NotReadyError
            self._is_compiling = True
            try:
                yield
            finally:
                self._is_compiling = False

    def start(self) -> None:
        """Start the threads if they are not running. Raises ArgumentError if Numba cannot."""
        if parallel._is_initialized:
            return
        try:
            parallel._launch_threads()
        except ValueError as error:
            reason = str(error).split("\n", 1)[0].rstrip(".")
            layer, order = numba.config.THREADING_LAYER, numba.config.THREADING_LAYER_PRIORITY
            if layer != "default":
                name, got = "NUMBA_THREADING_LAYER", repr(layer)
            else:  # the last layer of a correct order is part of Numba
                name, got = "NUMBA_THREADING_LAYER_PRIORITY", repr(" ".join(order))
            raise refuse(
                name,
                "must name what Numba can load here",
                f"{got} ({reason})",
                "Unset it, or install what it names, for example: pip install tbb.",
            ) from None

    def most(self) -> int:
        """Return how many members a team can have: the number of threads.

        It is 1 in a forked child, and if this call interrupts Numba's compiler, which cannot be
        entered again to compile the start of a team.
        """
        if os.getpid() != self._process:  # a fork without Python's hooks
            self._restart()
        if self._are_lost or global_compiler_lock.is_locked():
            return 1
        return int(numba.config.NUMBA_NUM_THREADS)

    def expected(self, members: int) -> int:
        """Return how many of `members` members to start.

        For RETRY_SECONDS after an incomplete team, this is at most the size of that team.
        """
        if monotonic() < self._retry_at:
            members = min(members, self._came)
        return min(members, self.most()) if members > 1 else 1

    def record(self, came: int, wanted: int) -> None:
        """Store that `came` of the `wanted` members arrived in time."""
        if came < wanted:
            self._came, self._retry_at = came, monotonic() + RETRY_SECONDS

    def _restart(self) -> None:
        """Reset the state in the child of a fork, where only the calling thread exists."""
        self._process = os.getpid()
        self._are_lost = self._are_lost or _were_started()
        self._retry_at = 0.0


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
    """Return whether this process is a fork that has not executed another program."""
    try:
        fields = PROCESS_STATUS.read_text(errors="replace").rpartition(")")[2].split()
        return bool(int(fields[6]) & FORKED_WITHOUT_EXEC)
    except (OSError, ValueError, IndexError):
        return False
