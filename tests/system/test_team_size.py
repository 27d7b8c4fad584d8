"""The size of a team follows what pays: simulated, with a clock that the steps advance."""

import pytest

from fastmlp.system.team_size import CHUNK, TeamSize

STEP = 50e-6  # seconds of a step with one member


class Machine:
    """Runs chunks of steps: a step takes as long as `seconds` says for a size at a time."""

    def __init__(self, most, first, seconds, fixed=False):
        self.now, self.seconds = 0.0, seconds
        self.team = TeamSize(most, first, fixed, lambda: self.now)
        self.chunks = []  # (when it began, size, seconds)

    def run(self, until):
        while self.now < until:
            size, steps = self.team.next(10**9)
            took = steps * self.seconds(size, self.now)
            self.chunks.append((self.now, size, took))
            self.now += took
            self.team.record(size, steps, took)

    def share(self, size, begin, end):
        """Return which share of a time a size had."""
        inside = [(s, took) for now, s, took in self.chunks if begin <= now < end]
        return sum(took for s, took in inside if s == size) / sum(took for _, took in inside)


def halves(size, now):
    return STEP / size


def worsens(size, now):
    return STEP * (1 + 0.5 * (size - 1))


@pytest.mark.parametrize("first", [1, 2])
def test_two_members_that_pay_are_soon_there_and_stay(first):
    machine = Machine(2, first, halves)
    machine.run(2)
    assert machine.share(2, 0.1, 2) > 0.95


@pytest.mark.parametrize("first", [1, 2])
def test_two_members_that_do_not_pay_are_soon_left(first):
    machine = Machine(2, first, worsens)
    machine.run(2)
    assert machine.share(1, 0.05, 2) > 0.97
    # no longer than 20 ms at a time
    slow = [took for _, size, took in machine.chunks[2:] if size == 2]
    assert sum(slow[:4]) < 0.02


def test_a_hopeless_size_is_soon_left_and_tried_no_further_than_one_chunk():
    machine = Machine(2, 2, lambda size, now: STEP * (1 + 7 * (size - 1)))
    machine.run(0.5)
    slow = [(now, took) for now, size, took in machine.chunks if size == 2]
    assert max(now for now, _ in slow if now < 0.02) < 0.01
    later = [took for now, took in slow if now > 0.01]
    assert 2 <= len(later) <= 3
    assert max(later) < 10e-3


def test_a_neighbour_comes_and_goes():
    def busy(size, now):
        return STEP * 2 if 1 <= now < 2 and size == 2 else halves(size, now)

    machine = Machine(2, 2, busy)
    machine.run(5)
    assert machine.share(2, 0.1, 1) > 0.95
    assert machine.share(1, 1 + 0.02, 2) > 0.9
    assert machine.share(2, 3.2, 5) > 0.95


def test_many_members_find_the_best_of_their_sizes():
    def best_at_eight(size, now):
        return STEP / size if size <= 8 else STEP * size / 64

    for first in (1, 64):
        machine = Machine(64, first, best_at_eight)
        machine.run(5)
        assert machine.share(8, 2, 5) > 0.9


def test_a_fixed_team_stays():
    machine = Machine(2, 2, worsens, fixed=True)
    machine.run(1)
    assert machine.share(2, 0, 1) == 1


def test_a_single_member_tries_nothing():
    machine = Machine(1, 1, halves)
    machine.run(1)
    assert {size for _, size, _ in machine.chunks} == {1}
    assert len(machine.chunks) < 1.1 / CHUNK


def test_the_mean_counts_steps():
    team = TeamSize(2, 2)
    team.record(2, 10, 1e-3)
    team.record(1, 30, 1e-3)
    assert team.mean() == 50 / 40
    assert team.mean() == 2


def test_chunks_end_where_the_steps_end():
    machine = Machine(2, 2, halves)
    machine.run(0.1)
    assert machine.team.next(3) == (2, 3)


def test_the_last_steps_of_an_order_are_judged_with_those_that_follow():
    team = TeamSize(2, 2, clock=lambda: 0.0)
    for _ in range(6):
        size, steps = team.next(10**6)
        team.record(size, steps, steps * 50e-6)
    assert steps == int(CHUNK / 50e-6)
    for _ in range(6):  # of few steps, the start of the team takes most of the time
        assert team.next(3) == (2, 3)
        team.record(2, 3, 1e-3)
    assert team.next(10**6) == (2, steps)


def test_orders_of_few_steps_find_the_size_that_pays():
    now = [0.0]
    team, sizes = TeamSize(2, 2, clock=lambda: now[0]), []
    while now[0] < 1:
        size, steps = team.next(3)
        took = 20e-6 + steps * STEP * size  # two take twice as long as one
        now[0] += took
        team.record(size, steps, took)
        sizes.append(size)
    assert sizes.count(1) > 0.9 * len(sizes)
