"""How many members a team has: what pays at the moment, measured while it works.

A busy core, threads that another library left spinning, or cores far from each other can make more
members slower than fewer. Results do not depend on the members, so their number may change between
two chunks of steps.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

# Seconds of the steps between two choices, and of those that try another size
CHUNK, TRIAL = 5e-3, 1e-3
# Seconds from one trial to the next: at first, and at most; twice as long after each in vain
SHORTEST, LONGEST = 0.02, 0.5
# A size is worse than it was if a step takes so much longer, and another is better if it takes so
# much less: closer ones differ by chance
WORSE, BETTER = 1.2, 0.95


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
        sizes = {most, first}
        while most > 1:
            most = most // 2
            sizes.add(most)
        self._sizes = [first] if fixed else sorted(sizes)
        self._seconds: dict[int, float] = {}  # of a step, by size, when it was last measured
        self._lowest = float("inf")  # of the present size since it was chosen
        self._trials: list[int] = []
        self._wait, self._next_trial = SHORTEST, 0.0
        self._members = self._steps = 0

    def next(self, left: int) -> tuple[int, int]:
        """Return (members, steps) of the next chunk, of the steps that are left."""
        size = self._trials[0] if self._trials else self.size
        wanted = TRIAL if self._trials else CHUNK
        step = self._seconds.get(size) or self._seconds.get(self.size)
        # a first chunk of one step says how long one takes
        return size, min(left, 1 if step is None else max(1, int(wanted / step)))

    def record(self, size: int, steps: int, seconds: float) -> None:
        """Store how long a chunk took, and choose from what is known."""
        now, step = self._clock(), seconds / steps
        is_first = size not in self._seconds
        self._seconds[size] = step
        self._members, self._steps = self._members + size * steps, self._steps + steps
        if self._trials:
            self._trials.remove(size)
            if step < BETTER * self._seconds[self.size]:
                self.size, self._lowest, self._wait = size, step, SHORTEST
                self._trials = []
            elif not self._trials:
                self._wait, self._lowest = min(2 * self._wait, LONGEST), self._seconds[self.size]
            self._next_trial = now + self._wait
            return
        is_worse = step > WORSE * self._lowest
        self._lowest = min(self._lowest, step)
        if not is_first and len(self._sizes) > 1 and (is_worse or now >= self._next_trial):
            number = self._sizes.index(self.size)
            self._trials = self._sizes[max(number - 1, 0) : number + 2]
            self._trials.remove(self.size)

    def mean(self) -> float:
        """Return the mean size over the steps since the last call of this function."""
        members, steps = self._members, self._steps
        self._members = self._steps = 0
        return members / steps if steps else float(self.size)
