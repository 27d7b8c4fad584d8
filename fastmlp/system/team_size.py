"""How many members a team has: what pays at the moment, measured while it works.

A busy core, threads that another library left spinning, or cores far from each other can make more
members slower than fewer. Results do not depend on the members, so their number may change between
two chunks of steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from time import perf_counter

# Seconds of a chunk of steps, and of a chunk that tries another size. A trial is two of these: the
# first brings memory to other cores, and is not judged
CHUNK, TRIAL = 4e-3, 1e-3
# Seconds until the first trial, which shows whether a core is busy, and from one trial to the next:
# SHORTEST at first; after each trial without gain LONGER times as many, up to LONGEST. With 6, a
# run of 54-100-7/200 kept one member for a tenth of a second, where two were faster (AMD Zen 5)
FIRST, SHORTEST, LONGEST, LONGER = 4e-3, 0.02, 1.0, 3
# A size is worse than it was if a step takes so much longer, and another is better if it takes so
# much less: closer ones differ by chance. A trial ends with the chunk that is not judged if that
# takes so many times as long
WORSE, BETTER, HOPELESS = 1.25, 0.95, 1.5

# Seconds of a barrier of two members, by where their cores are. An engine assumes that they are
# far, and then measures its steps: to measure barriers beside a busy process takes longer
BARRIERS = {"near": 6e-8, "far": 14e-8}
# Seconds of a step for each weight and sample: 0.02 to 0.14 ns on one core (Xeons of 2019 and 2023)
MULTIPLICATION = 5e-11
# Multiplications that make a second thread pay: below, the members wait for each other's memory
WORTHWHILE = 250_000
# Lines that stream from another core while two members wait for each other: 2 ns each between near
# cores, 4 ns between far ones
LINES_IN_A_BARRIER = 30


def worthwhile(work: int, most: int) -> int:
    """Return how many members, from 1 to `most`, so many multiplications are worth."""
    return max(1, min(most, work // WORTHWHILE))


def team_sizes(most: int) -> list[int]:
    """Return the powers of two up to a size, and that size."""
    return sorted({most, *(1 << k for k in range(most.bit_length()))})


def step_seconds(work: float, lines: int, barriers: int, members: int, barrier: float) -> float:
    """Return the seconds of a step by a model.

    work MULTIPLICATION + lines barrier / LINES_IN_A_BARRIER + barriers barrier members / 2

    work : multiplications of x w by the busiest member; lines : that it reads and others wrote
    barrier : seconds of one of two members; all add to one counter, so more take longer
    """
    waits = barriers * members / 2 if members > 1 else 0
    return work * MULTIPLICATION + (lines / LINES_IN_A_BARRIER + waits) * barrier


class TeamSize:
    """Chooses the size of a team, between 1 and `most`.

    most, first : the largest size, and the one to begin with
    fixed : whether the first size is never left
    """

    def __init__(
        self,
        most: int,
        first: int,
        fixed: bool = False,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self.size, self._clock = first, clock
        halves = (most >> k for k in range(most.bit_length()))
        self._sizes = [first] if fixed else sorted({first, *halves})
        self._step = 0.0  # seconds of a step of the present size, in its last chunk
        self._lowest = math.inf  # since it was chosen
        self._unjudged = 2  # chunks that follow a change of size, or the start
        self._trials: list[int] = []
        self._wait, self._next_trial = SHORTEST, clock() + FIRST
        self._wanted = self._members = self._steps = 0
        self._taken, self._took = 0, 0.0  # steps and seconds that are not judged yet

    def next(self, left: int) -> tuple[int, int]:
        """Return (members, steps) of the next chunk, of the steps that are left."""
        size, seconds = (self._trials[0], TRIAL) if self._trials else (self.size, CHUNK)
        # the first chunk has one step, which shows how long one takes
        self._wanted = max(1, int(seconds / self._step)) if self._step else 1
        return size, min(left, self._wanted)

    def record(self, size: int, steps: int, seconds: float, came: int | None = None) -> None:
        """Store how long a chunk took, and choose from what is known; came : members, if fewer."""
        self._members += steps * (size if came is None else came)
        self._steps += steps
        # few steps, as at the end of an order, are judged with those that follow: the start of the
        # team takes most of their time
        self._taken, self._took = self._taken + steps, self._took + seconds
        if 2 * self._taken < self._wanted:
            return
        step, self._taken, self._took = self._took / self._taken, 0, 0.0
        self._unjudged -= 1
        is_hopeless = bool(self._trials) and step > HOPELESS * self._step
        if self._unjudged >= 0 and not is_hopeless:
            self._step = step if size == self.size else self._step
        elif self._trials:
            self._judge_trial(step)
        else:
            is_worse = step > WORSE * self._lowest
            self._step, self._lowest = step, min(self._lowest, step)
            if len(self._sizes) > 1 and (is_worse or self._clock() >= self._next_trial):
                number = self._sizes.index(self.size)
                self._trials = self._sizes[max(number - 1, 0) : number + 2]
                self._trials.remove(self.size)
                self._unjudged = 1

    def _judge_trial(self, step: float) -> None:
        """Change to the size that was tried if it is better, or try the next."""
        tried = self._trials.pop(0)
        self._unjudged = 1
        if step < BETTER * self._step:
            self.size, self._step, self._lowest = tried, step, math.inf
            self._trials, self._wait, self._unjudged = [], SHORTEST, 0
        elif not self._trials:
            self._wait, self._lowest = min(LONGER * self._wait, LONGEST), math.inf
        self._next_trial = self._clock() + self._wait

    def mean(self) -> float:
        """Return the mean size over the steps since the last call of this function."""
        members, steps = self._members, self._steps
        self._members = self._steps = 0
        return members / steps if steps else float(self.size)
