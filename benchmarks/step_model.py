"""A model of a training step's time: what a team shares and repeats, its lines and its barriers.

step(T) = (t(1) - R) s(T) + R + lines(T) c + barriers b(T)

T : members of the team; t(1) : the measured step of one thread, in seconds
R : what every member repeats, in seconds, for each network such that step(2) is what was measured
s : of the shared arithmetic, the part of the busiest member: at least 1 / T
lines, barriers : of the plan, see fastmlp/kernels/team/plan.py
c, b : seconds of a line, and of a barrier; assumed, but for the barrier of the measured cores
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import log2
from typing import Any

import numpy as np

from fastmlp.bench import barriers
from fastmlp.bench.workload import Workload
from fastmlp.kernels.engine import Engine
from fastmlp.kernels.loops.bits import group_shape
from fastmlp.kernels.memory import records, tuning
from fastmlp.kernels.memory.panels import round_up, vector_size
from fastmlp.kernels.team.plan import Plan, plan_of, share

DTYPE = np.dtype(np.float32)
LANES = vector_size(DTYPE)
TEAMS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Costs:
    """Seconds that two cores cost each other.

    stream : of a cache line among many that lie side by side, which are read ahead
    picked : of one among few, or of rows that lie apart
    barrier : of a team of two
    """

    stream: float
    picked: float
    barrier: float


# The lowest, the assumed and the highest costs. A line takes 20 to 40 ns between near cores, and
# 70 ns or more between far ones, but several are on their way at once
LOW, ASSUMED, HIGH = range(3)
NEAR = (Costs(1e-9, 3e-9, 5e-8), Costs(2e-9, 6e-9, 6e-8), Costs(3e-9, 12e-9, 8e-8))
FAR = (Costs(2e-9, 7e-9, 12e-8), Costs(4e-9, 15e-9, 14e-8), Costs(6e-9, 30e-9, 20e-8))
# By columns, rows of so many numbers are a stream: 16 lines
STREAMED = 256
# Members that share a panel read all of its weights, each for some rows of a part. That takes as
# long as so many rows: forward of 784-128-10/64 takes 1.7 times as long with 8 (Xeon of 2019)
REREAD = 7


@dataclass(frozen=True)
class Row:
    """A measured workload.

    one, two : seconds of a step with so many threads
    nonzero : share of the first layer's products that are computed
    """

    work: Workload
    one: float
    two: float
    nonzero: float = 1.0


@cache
def step_plan(work: Workload, members: int) -> tuple[Plan, Any]:
    """Return the plan of a step with so many members, and the LAYER records: as the engine."""
    network = work.network(0)
    parameters = network.weights, network.biases, network.activations, network.cost
    layers = Engine(*parameters, work.batch_size, threads=members).layers
    return plan_of(work.sizes, work.batch_size, DTYPE, work.is_sparse).of(members), layers


def largest_share(units: Sequence[float], members: int) -> float:
    """Return the part of some adjacent units, by their sizes, that the busiest member has."""
    bounds = (share.py_func(len(units), member, members) for member in range(members))
    return max(sum(units[first:last]) for first, last in bounds) / sum(units)


def shared_part(row: Row, members: int) -> float:
    """Return s(T): the part of the shared arithmetic that the busiest member has."""
    plan, layers = step_plan(row.work, members)
    if plan.kind == records.BY_SAMPLES:
        return largest_share([1] * plan.slices, members)
    if plan.kind == records.COLUMNS_THEN_ROWS:
        outputs, width = row.work.sizes[1], int(layers[0]["width"])
        columns = [min(width, outputs - first) for first in range(0, outputs, width)]
        return largest_share([round_up(count, LANES) for count in columns], members)
    parts = list(phases(row, layers, members))
    if plan.kind == records.BY_INPUTS:  # all but the first layer, every member computes
        parts = [(amount, plan.slices if k < 2 else 1, 1) for k, (amount, *_) in enumerate(parts)]
    done = sum(amount * more * largest_share([1] * units, members) for amount, units, more in parts)
    return done / sum(amount for amount, *_ in parts)


def phases(row: Row, layers: Any, members: int) -> Iterator[tuple[float, int, float]]:
    """Yield the operations and the units of each product of a step by columns.

    And how many times as long it takes as with one member.
    """
    batch, last = row.work.batch_size, len(layers) - 1
    tiles = -(-batch // tuning.TILE_ROWS)
    by_group = batch >= tuning.BY_GROUP_FROM
    for l, layer in enumerate(layers):
        inputs, panels = int(layer["inputs"]), int(layer["panels"])
        amount = 2.0 * batch * inputs * int(layer["outputs"])
        forward = panels * tiles
        update, more = panels * -(-inputs // tuning.TILE_ROWS), 1.0
        if l == last:
            forward = -(-batch // LANES)
        elif l == 0 and row.work.is_sparse:
            amount *= row.nonzero
            forward, update = panels * batch, panels
            if by_group:
                few = tuning.FEW if members > panels else tuning.PART
                part = min(batch, tuning.PART)
                rows = min(part, max(batch * panels / members, few))
                more = part * (rows + REREAD) / (rows * (part + REREAD))
                forward = panels * -(-batch // few)
                update = panels * -(-inputs // group_shape(inputs)[1])
        yield amount, forward, more
        yield amount, update, 1.0
        if l > 0:
            below = int(layers[l - 1]["panels"])
            yield amount, below * (tiles if batch > tuning.FEW_SAMPLES else 1), 1.0


def exchange(work: Workload, members: int, costs: Costs, tree: bool = False) -> dict[str, float]:
    """Return the seconds that a member waits in a step for lines, and at barriers.

    All members add to one counter, whose line each of them takes in turn: b(T) = b(2) T / 2.
    tree : as if barriers were trees: b(T) = b(2) log2 T
    """
    plan, _ = step_plan(work, members)
    lines = plan.lines(work.sizes, work.batch_size, DTYPE, work.is_sparse, members)
    narrow = plan.kind == records.BY_COLUMNS and min(work.sizes[1:-1], default=0) < STREAMED
    picked = {"outputs", "deltas", "weights"} if narrow else set()
    waits = plan.barriers(len(work.sizes) - 1) if members > 1 else 0
    growth = log2(members) if tree else members / 2
    return {
        "lines": sum(
            count * (costs.picked if what in picked else costs.stream)
            for what, count in lines.items()
        ),
        "barriers": waits * costs.barrier * growth,
    }


def repeated(row: Row, costs: Costs) -> float:
    """Return R: the seconds that every member repeats, so that two take as long as measured.

    It lies between 0 and the whole step. costs : those of the cores that were measured
    """
    part, rest = shared_part(row, 2), row.two - sum(exchange(row.work, 2, costs).values())
    # two = (one - R) part + R + exchange
    return min(max((rest - row.one * part) / (1 - part), 0.0), row.one) if part < 1 else 0.0


def terms(row: Row, own: float, members: int, costs: Costs, tree: bool = False) -> dict[str, float]:
    """Return the seconds of a step by what takes them; own : R.

    units : how much longer the busiest member takes than with equal shares
    """
    shared, part = row.one - own, shared_part(row, members)
    ideal = {"arithmetic": shared / members, "units": shared * (part - 1 / members)}
    return {**ideal, "repeated": own, **exchange(row.work, members, costs, tree)}


@dataclass(frozen=True)
class Model:
    """The model of a run.

    barrier : its measured seconds, of two members; end : of the assumed costs: LOW, ASSUMED, HIGH
    tree : as if barriers were trees; repeats : whether R is fitted, and not 0
    """

    rows: tuple[Row, ...]
    barrier: float
    end: int = ASSUMED
    tree: bool = False
    repeats: bool = True

    @property
    def is_near(self) -> bool:
        """Whether the two cores that were measured are near each other."""
        return self.barrier < barriers.NEAR_SECONDS

    def costs(self, far: float) -> Costs:
        """Return the costs of a member that has such a share of the others far away."""
        near, distant = NEAR[self.end], FAR[self.end]
        if self.is_near:
            near = replace(near, barrier=self.barrier)
        else:
            distant = replace(distant, barrier=self.barrier)
        pairs = ((getattr(c, name) for c in (near, distant)) for name in Costs.__annotations__)
        return Costs(*((1 - far) * one + far * other for one, other in pairs))

    def repeated(self, row: Row) -> float:
        """Return R of a workload."""
        if not self.repeats:
            return 0.0
        return repeated(row, self.costs(0.0 if self.is_near else 1.0))

    def step(self, row: Row, members: int, sockets: int) -> dict[str, float]:
        """Return the terms of a step on so many sockets, each with an equal part of the team."""
        far = (members - members // sockets) / max(members - 1, 1)
        return terms(row, self.repeated(row), members, self.costs(far), self.tree)

    def speed_ups(self, row: Row, sockets: int) -> list[float]:
        """Return how many times as fast each of TEAMS is as one thread."""
        return [row.one / sum(self.step(row, members, sockets).values()) for members in TEAMS]

    def limit(self, row: Row, sockets: int) -> str:
        """Return the largest term, beside equal shares of the arithmetic, of 64 members."""
        found = self.step(row, TEAMS[-1], sockets)
        found.pop("arithmetic")
        return max(found, key=lambda term: found[term])
