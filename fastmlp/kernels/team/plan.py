"""How a team shares the layers of a step: chosen by the sizes of the network and its minibatches.

README.md describes the four plans. What is summed in which order depends on the plan, and so on
sizes and on whether images are mostly zeros: results are the same bits for any number of members.
So the members choose who does what: if they are more than its panels, "columns, then rows" is
shared by columns. The work of a phase is cut into units, and each member has adjacent ones. Every
element is summed in one unit in one order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from fastmlp.kernels.llvm.compile import jit
from fastmlp.kernels.memory import records, tuning
from fastmlp.kernels.memory.panels import panel_width, round_up, units, vector_size
from fastmlp.system.team_size import step_seconds, team_sizes, worthwhile

# By their codes, in the order of `records`
NAMES = dict(enumerate(("by columns", "columns, then rows", "by samples", "by inputs")))


@dataclass(frozen=True)
class Plan:
    """How a team shares a step.

    kind : one of NAMES
    slices : of a minibatch, an even number, by samples; of the inputs, by inputs
    clipped : whether gradients have a limited norm, by columns
    owners : the most members that own panels, columns, then rows: of one hidden layer, one for
        each panel; of several, two
    """

    kind: int
    slices: int = 1
    clipped: bool = False
    owners: int = 1

    @property
    def name(self) -> str:
        """What the kind is called."""
        return NAMES[self.kind]

    def of(self, members: int) -> Plan:
        """Return how so many members share a step."""
        crowded = self.kind == records.COLUMNS_THEN_ROWS and members > self.owners
        return replace(self, kind=records.BY_COLUMNS) if crowded else self

    def barriers(self, layers: int, members: int = 1) -> int:
        """Return the barriers of a step: one, or behind each forward, delta and the update.

        Clipped, two more: behind the gradients and behind their squares. Columns, then rows, two
        more for each hidden layer behind the first.
        """
        kind = self.of(members).kind
        if kind == records.BY_COLUMNS:
            return 2 * (layers + self.clipped)
        return 2 * layers - 3 if kind == records.COLUMNS_THEN_ROWS else 1

    def lines(
        self, sizes: Sequence[int], batch_size: int, dtype: np.dtype, sparse: bool, members: int
    ) -> dict[str, int]:
        """Return how many cache lines a member reads in a step that others wrote, by contents.

        A model: shares are equal, and a line that was read stays in the cache during a step.
        sparse : whether the first layer leaves out the zeros of its images, by groups of pixels
        """
        item, vector, kind = dtype.itemsize, vector_size(dtype), self.of(members).kind
        shared: dict[str, int] = {}
        wide = [round_up(size, vector) * item for size in sizes]
        layers = [*zip(sizes, wide[1:], strict=False)]
        if kind == records.BY_SAMPLES:
            # two slices of one member have one sum; as if all pairs were, or none
            sums = self.slices // 2 if 2 * members <= self.slices else self.slices
            found = {"gradients": sums * sum(round_up(i + 1, vector) * o for i, o in layers)}
        elif kind == records.BY_INPUTS:
            found = {"terms of z": self.slices * batch_size * wide[1]}
        elif kind == records.COLUMNS_THEN_ROWS:
            blocks = round_up(batch_size, vector) * sizes[-1] * item
            panels = units(sizes[-2], panel_width(sizes[-2], dtype, 2))
            others = batch_size * sum(wide[2:-1])  # of the other hidden layers
            found = {"terms of z": panels * blocks + others, "deltas": others}
        else:
            found = {
                "outputs": batch_size * sum(wide[1:-1]),
                "deltas": batch_size * sum(wide[2:]),
                "weights": sum(i * o for i, o in layers[1:]),
            }
            # who shares a panel of the first layer reads all of it, and has updated a part
            width = panel_width(sizes[1], dtype, members if kind == self.kind else 2)
            panel, panels = sizes[0] * width * item, units(sizes[1], width)
            sharing = max(panels, min(members, panels * batch_size))
            # no member has images of its own
            if members > (panels if self.owners == 1 else self.owners) or self.clipped:
                samples = batch_size  # a byte for each of their pixels; lists are about as long
                if batch_size >= tuning.BY_GROUP_FROM:
                    samples = round_up(batch_size, tuning.PART)
                found["images"] = samples * sizes[0] if sparse else batch_size * wide[0]
            shared = {"shared panels": panel * (sharing - panels) // sharing // 64}
        return {what: n * (members - 1) // members // 64 for what, n in found.items()} | shared

    def first_members(
        self, step: tuple[Sequence[int], int, np.dtype, bool], most: int, barrier: float
    ) -> int:
        """Return the size of a team that takes least by a model: `system.team_size.step_seconds`.

        step : the arguments of `lines` but the last; barrier : seconds of one of two members
        """
        sizes, work = step[0], step[1] * sum(i * o for i, o in pairwise(step[0]))
        most, count = worthwhile(work, most), self.slices * self.owners

        def seconds(members: int) -> float:
            whole = count / units(count, members)  # panels, halves or slices
            busy = members if self.of(members).kind == records.BY_COLUMNS else whole
            lines, waits = self.lines(*step, members), self.barriers(len(sizes) - 1, members)
            return step_seconds(work / busy, sum(lines.values()), waits, members, barrier)

        return min(sorted({*team_sizes(most), min(count, most)}), key=seconds)


def has_halves(outputs: int, dtype: np.dtype) -> bool:
    """Return whether a layer has two halves, of whole panels, that take nearly as long."""
    vectors, whole = units(outputs, vector_size(dtype)), tuning.PANEL_VECTORS
    first = units(vectors, whole) // 2 * whole
    return first > 0 and 2 * max(first, vectors - first) <= tuning.EVEN * vectors


def plan_of(sizes: Sequence[int], batch_size: int, dtype: np.dtype, sparse: bool = False) -> Plan:
    """Return the plan for a network of such layer sizes.

    sparse : whether the first layer leaves out the zeros of its images
    """
    vector, hidden = vector_size(dtype), sizes[1:-1]
    is_narrow = sizes[-1] <= tuning.PANEL_VECTORS * vector
    panels = units(sizes[1], panel_width(sizes[1], dtype, 2))
    has_panels = is_narrow and len(hidden) == 1 and panels > 1
    halves = is_narrow and len(hidden) > 1 and all(has_halves(size, dtype) for size in hidden)
    owners = panels if has_panels else 1 + int(halves)
    kind = records.COLUMNS_THEN_ROWS if owners > 1 else records.BY_COLUMNS
    if sparse and not has_panels:
        slices = min(tuning.INPUT_SLICES, units(sizes[0], 2 * tuning.PART))
        # the layers that each member computes are small beside the one that is shared
        repeated = sum(i * o for i, o in pairwise(sizes[1:]))
        pays = tuning.REPEATED * repeated <= sizes[0] * sizes[1]
        is_small = batch_size < tuning.BY_GROUP_FROM or sizes[1] <= tuning.PANEL_VECTORS * vector
        if hidden and slices > 1 and batch_size > tuning.FEW_SAMPLES and is_small and pays:
            return Plan(records.BY_INPUTS, slices)
    # lines that change cores are as many as parameters by samples, as outputs by columns
    pairs = min(tuning.MOST_SLICES, batch_size // tuning.SLICE) // 2
    least = tuning.LEAST_OUTPUTS[has_panels] * sum(i * o + o for i, o in pairwise(sizes))
    if not sparse and pairs > 0 and batch_size * sum(hidden) > least:
        return Plan(records.BY_SAMPLES, 2 * pairs)
    return Plan(kind, owners=owners)


def plans_of(
    sizes: Sequence[int], batch_size: int, dtype: np.dtype, clipped: bool
) -> tuple[Plan, Plan, Plan]:
    """Return the plans for dense images, for sparse ones, and for rows of entries."""
    if clipped:
        return (Plan(records.BY_COLUMNS, clipped=True),) * 3
    dense, sparse = (plan_of(sizes, batch_size, dtype, of_sparse) for of_sparse in (False, True))
    return dense, sparse, Plan(records.BY_COLUMNS) if sparse.kind == records.BY_INPUTS else sparse


def owners_of(plans: Sequence[Plan], layers: int, threads: int, marks: bool) -> list[int]:
    """Return how many members shall have a panel of each layer: see `network_layers`.

    It is the same for any number of threads where sums depend on panels.
    marks : whether some layer marks its zeros, which others leave out
    """
    kinds = {plan.kind for plan in plans}
    if records.COLUMNS_THEN_ROWS in kinds:
        return [2] * (layers - 1) + [1]
    # sums of squares, and which zeros are left out, depend on panels, too
    is_fixed = marks or plans[0].clipped or kinds != {records.BY_COLUMNS}
    return [1 if is_fixed else threads] * layers


@jit
def share(count, member, members):
    """Return the first unit of a member's share of so many, and the one behind its last."""
    if members == 1:
        return 0, count
    return count * member // members, count * (member + 1) // members


@jit
def share_panels(panels, size, count, cut, member, members):
    """Return a member's share of panels of `count` rows, in units of so many rows.

    The first unit, the one behind the last, the first panel that these units are in, and the one
    behind the last. Where members own panels, none is divided.
    """
    per_panel = units(count, size)
    if members == 1 or cut != records.NONE:
        begin, end = share(panels, member, members)
        return begin * per_panel, end * per_panel, begin, end
    first, last = share(panels * per_panel, member, members)
    return first, last, first // per_panel, units(last, per_panel)


@jit
def rows_of(panel, first, last, size, count):
    """Return which of the `count` rows of a panel are in the units first, …, last - 1 of so many.

    They are the first of these rows, and the one behind the last.
    """
    before = panel * units(count, size)
    return max(first - before, 0) * size, min((last - before) * size, count)
