"""A team of threads for a whole job: its start, and its barrier.

Not all members may run at once: a thread limit, a busy machine or a scheduler that runs them one
after another can prevent it. So the team is the threads that join within a millisecond; one that
comes later does nothing. A job's result is the same for any team.
"""

from __future__ import annotations

import platform
import sys
import time
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from fastmlp.arrays.aligned import aligned_zeros
from fastmlp.functions import Array
from fastmlp.kernels.llvm.compile import jit
from fastmlp.kernels.llvm.emitter import INT32, INT64, Emitter
from fastmlp.kernels.llvm.intrinsics import emitted

# The team's board: int64 counters, each on a cache line of its own (8 to a line)
PRESENT, SIZE, ARRIVED, ASLEEP, IN_VAIN, NAP, START_NAP, BOARD_SIZE = 0, 8, 16, 24, 32, 40, 48, 56
CLOSED = 1 << 32
# How often to look before the core is given to another thread: about 100 microseconds
SPINS = 8000
# How long a member waits for the others to join: in all, and before it sleeps between looks. With
# the last sleep, and the time to wake, it is less than a millisecond.
START_NANOSECONDS, START_SPIN_NANOSECONDS, START_NAP_NANOSECONDS = 800_000, 100_000, 50_000
START_LOOKS = 64  # so many between two readings of the clock
# Members that share a core look in vain for each other until one sleeps. So each wait that ends
# asleep halves how long the next ones look, so many times at most; one that does not doubles it.
MOST_HALVINGS = 7
IS_X86 = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")

yield_core = types.ExternalFunction(
    "SwitchToThread" if sys.platform == "win32" else "sched_yield", types.int32()
)

# Linux lets a thread sleep until another wakes it. That is better than to yield the core: a thread
# that slept has not used up its share of the core, and runs first when it wakes.
CAN_SLEEP = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")
FUTEX = 202 if platform.machine() == "x86_64" else 98
WAIT, WAKE, ALL = 128, 129, 2**31 - 1
# How long to sleep at most: so long a lost wake-up would take
NAP_NANOSECONDS = 1_000_000
system_call: Any = types.ExternalFunction("syscall", types.int64(*[types.int64] * 7))


def make_board() -> Array:
    """Return the board of a team that nobody has joined, which is int64."""
    board = aligned_zeros((BOARD_SIZE,), np.dtype(np.int64))
    board[NAP + 1], board[START_NAP + 1] = NAP_NANOSECONDS, START_NAP_NANOSECONDS
    return board


@emitted
def atomic_add(emit: Emitter, address, value) -> int:
    """Add to the int64 at an address, in one order for all threads; return what was there."""
    return emit.builder.atomic_rmw("add", emit.pointer(address), value, "seq_cst")


@emitted
def atomic_load(emit: Emitter, address) -> int:
    """Return the int64 at an address as it is now; nothing that follows is read before it."""
    return emit.builder.load_atomic(emit.pointer(address), "acquire", 8, typ=INT64)


@emitted
def pause(emit: Emitter) -> None:
    """Tell the processor that this thread is only waiting."""
    if IS_X86:
        emit.function("llvm.x86.sse2.pause", ir.VoidType())


@emitted
def nanoseconds(emit: Emitter) -> int:
    """Return the time in nanoseconds, int64, of a clock that is never set back."""
    builder = emit.builder
    found = cgutils.alloca_once(builder, INT64, size=2)

    def read(name: str, *arguments: Any) -> tuple[Any, Any]:
        emit.function(name, INT32, *arguments, found)
        return builder.load(found), builder.load(builder.gep(found, [INT64(1)]))

    if sys.platform == "win32":
        (count, _), (rate, _) = read("QueryPerformanceCounter"), read("QueryPerformanceFrequency")
        whole, rest = builder.sdiv(count, rate), builder.srem(count, rate)
        rest = builder.sdiv(builder.mul(rest, INT64(10**9)), rate)
    else:
        whole, rest = read("clock_gettime", INT32(time.CLOCK_MONOTONIC))
    return builder.add(builder.mul(whole, INT64(10**9)), rest)


@jit
def wait_for(address, value, most_spins, yields):
    """Wait until the int64 at an address is at least value; False after so many looks.

    If it yields, it gives the core to other threads from then on, and waits without end.
    """
    spins = 0
    while atomic_load(address) < value:
        if spins < most_spins:
            spins += 1
            pause()
        elif yields:
            yield_core()
        else:
            return False
    return True


@jit
def join(board, members):
    """Join the team; return (own number, size of the team), or (-1, 0) if it has started."""
    present, size = board + PRESENT * 8, board + SIZE * 8
    number = atomic_add(present, 1)
    if number >= CLOSED:
        return -1, 0
    if number == members - 1 or not wait_for_start(size, board + START_NAP * 8):
        before = atomic_add(present, CLOSED)
        if before < CLOSED:
            atomic_add(size, before)
            if CAN_SLEEP:
                system_call(FUTEX, size, WAKE, ALL, 0, 0, 0)
    wait_for(size, 1, SPINS, True)
    return number, atomic_load(size)


@jit
def wait_for_start(size, nap):
    """Wait until the team has a size; False if START_NANOSECONDS have passed before."""
    began, waited = nanoseconds(), 0
    while waited < START_NANOSECONDS:
        if wait_for(size, 1, START_LOOKS, False):
            return True
        if waited < START_SPIN_NANOSECONDS:
            pause()
        elif CAN_SLEEP:
            system_call(FUTEX, size, WAIT, 0, nap, 0, 0)
        else:
            yield_core()
        waited = nanoseconds() - began
    return False


@jit
def arrive(board, size):
    """Say that a member of a team of so many is at a barrier; return what it has to wait for.

    What it does before it calls `wait_for_all` with that, others need not wait for. The last to
    arrive waits for nothing: 0.
    """
    if size == 1:
        return 0
    number = atomic_add(board + ARRIVED * 8, 1)
    everyone = (number // size + 1) * size
    if number < everyone - 1:
        return everyone
    if CAN_SLEEP and atomic_add(board + ASLEEP * 8, 0) > 0:
        system_call(FUTEX, board + ARRIVED * 8, WAKE, ALL, 0, 0, 0)
    return 0


@jit
def wait_for_all(board, everyone):
    """Wait until all members have arrived; the last one wakes who is counted as asleep."""
    arrived, asleep, in_vain = board + ARRIVED * 8, board + ASLEEP * 8, board + IN_VAIN * 8
    if everyone == 0:
        return
    halvings = atomic_load(in_vain)
    looks = SPINS >> min(max(halvings, 0), MOST_HALVINGS)
    if wait_for(arrived, everyone, looks, not CAN_SLEEP):
        if halvings > 0:
            atomic_add(in_vain, -1)
    elif CAN_SLEEP:
        if halvings < MOST_HALVINGS:
            atomic_add(in_vain, 1)
        atomic_add(asleep, 1)
        now = atomic_load(arrived)
        while now < everyone:
            system_call(FUTEX, arrived, WAIT, now & 0xFFFFFFFF, board + NAP * 8, 0, 0)
            now = atomic_load(arrived)
        atomic_add(asleep, -1)


@jit
def wait(board, size):
    """Wait until all members of a team of so many are here: a barrier."""
    wait_for_all(board, arrive(board, size))
