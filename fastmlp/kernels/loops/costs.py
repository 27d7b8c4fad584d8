"""Softmax, costs, deltas and hits of a block of samples, or of a single one.

A block holds the outputs, targets or deltas of as many samples as a vector has lanes, transposed:
one vector for each output j, with a sample in each lane. A single sample is a row, whose vectors
have an output in each lane. Both run the same formulas. What has one number for each sample is a
single vector: of a row, that number in every lane. Of an array of samples a whole vector is read:
lanes without a sample have the numbers that follow.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from llvmlite import ir

from fastmlp.functions import ACTIVATIONS, COSTS, vector_costs, vectors
from fastmlp.kernels.llvm.compile import one_of
from fastmlp.kernels.llvm.emitter import BYTE, INT64, Emitter, Number
from fastmlp.kernels.llvm.intrinsics import by_name, counted_loop, emitted, names_of

# The costs of errors, and whether a cost is one
OF_ERRORS = {name: row for name, row in COSTS.items() if row.f is not None}
is_of_errors = one_of(row.code for row in OF_ERRORS.values())
# A total over the outputs: what it begins with, and how two are combined
Total = tuple[float, Callable[[Number, Number], Number]]
SUM: Total = (0.0, operator.add)
LARGEST: Total = (-math.inf, lambda one, other: one.where(one.compare(">", other), other))
SMALLEST: Total = (math.inf, lambda one, other: one.where(one.compare("<", other), other))


class Outputs:
    """Emits loops over the outputs of a block, or of a row."""

    def __init__(self, emit: Emitter, columns: Any, is_row: bool) -> None:
        self.emit, self.columns, self.is_row = emit, columns, is_row

    def of_samples(self, address: Any) -> Number:
        """Return the numbers of these samples in an array: a vector, or copies of one."""
        load = self.emit.broadcast_from if self.is_row else self.emit.load
        return self.emit.number(load(self.emit.pointer(address)))

    def over(
        self, blocks: Sequence[Any], totals: Sequence[Total], body: Callable[..., Any]
    ) -> list[Number]:
        """Emit a loop over the vectors of blocks; return the totals.

        body(numbers of the outputs, *vectors) returns the terms of the totals, and may return
        more: each further vector replaces that of a block, from the first one on.
        """
        emit, builder, lanes = self.emit, self.emit.builder, INT64(self.emit.count)
        passes, starts = self.columns, [emit.constant(start) for start, _ in totals]
        if self.is_row:
            passes = builder.sdiv(builder.add(passes, INT64(emit.count - 1)), lanes)

        def passing(k: Any, so_far: list[Any]) -> list[Any]:
            positions = [emit.at(block, k, lanes) for block in blocks]
            j = emit.number(emit.broadcast(builder.sitofp(k, emit.scalar)))
            if self.is_row:
                own = ir.Constant(emit.kind, [float(lane) for lane in range(emit.count)])
                j = j * emit.count + emit.number(own)
            found = body(j, *(emit.number(emit.load(position)) for position in positions))
            for number, position in zip(found[len(totals) :], positions, strict=False):
                emit.store(number, position)
            new = [
                combine(emit.number(old), term).value
                for (_, combine), old, term in zip(totals, so_far, found, strict=False)
            ]
            if self.is_row:
                counts = emit.before(builder.sub(self.columns, builder.mul(k, lanes)))
                new = [builder.select(counts, n, o) for n, o in zip(new, so_far, strict=True)]
            return new

        sums = counted_loop(emit, passes, starts, passing)
        if self.is_row:
            folded = zip(sums, totals, strict=True)
            sums = [emit.broadcast(emit.fold(total, op)) for total, (_, op) in folded]
        return [emit.number(total) for total in sums]


def on_outputs(function: Callable[..., None]) -> Any:
    """Make an intrinsic (columns, is_row, *arguments, like) of a function (outputs, *arguments)."""

    @wraps(function)
    def both(emit: Emitter, columns: Any, is_row: Any, *arguments: Any) -> None:
        with emit.builder.if_else(emit.nonzero(is_row)) as (of_row, of_block):
            for branch, kind in ((of_row, True), (of_block, False)):
                with branch:
                    function(Outputs(emit, columns, kind), *arguments[:-1])

    return emitted(both, ["columns", "is_row", *names_of(function)[1:], "like"])


@on_outputs
def one_hot(outputs: Outputs, y, labels, off, on) -> None:
    """y = on where an output is its sample's label, else off."""
    emit = outputs.emit
    own, no, yes = outputs.of_samples(labels), *(emit.number(emit.broadcast(n)) for n in (off, on))
    outputs.over([y], [], lambda j, _: [yes.where(j.compare("==", own), no)])


@on_outputs
def softmax(outputs: Outputs, a, z, log_sum) -> None:
    """a = e^(z - max z) / sum of that; log_sum = log sum e^z, unless it is 0. a may be z."""
    # a NaN is not found here; it shows in the sum
    (peak,) = outputs.over([z], [LARGEST], lambda _, z: [z])

    def power(_: Number, __: Number, z: Number) -> list[Number]:
        e = vectors.exp(z - peak)
        return [e, e]

    (total,) = outputs.over([a, z], [SUM], power)
    factor = 1 / total  # a division takes as long as ten products
    outputs.over([a], [], lambda _, e: [e * factor])
    with outputs.emit.builder.if_then(outputs.emit.nonzero(log_sum)):
        outputs.emit.store(peak + vectors.log(total), log_sum)


@on_outputs
def integrals(outputs: Outputs, activation, total, z, a) -> None:
    """total = sum of F(z), with F' = f; 0 where the table has none. Softmax has its own."""

    def total_of(name: str) -> None:
        formula, sums = vectors.ACTIVATIONS[name].integral, [outputs.emit.number(0)]
        if formula is not None:
            sums = outputs.over([z, a], [SUM], lambda _, z, a: [formula(z, a)])
        outputs.emit.store(sums[0], total)

    by_name(outputs.emit, activation, ACTIVATIONS, total_of)


@on_outputs
def error_costs(outputs: Outputs, code, setting, a, y, dz, factor, cost, is_softmax) -> None:
    """cost = sum c(a - y), dz = factor dC/da = factor c'(a - y); for softmax dz = factor dC/dz.

    code : of the cost of errors c, which has that setting
    """
    emit = outputs.emit
    factor, s = outputs.of_samples(factor), emit.number(emit.broadcast(setting))

    def costs_of(name: str) -> None:
        formula = vector_costs.COSTS[name]

        def error(_: Number, __: Number, a: Number, y: Number) -> list[Number]:
            delta = formula.slope(factor, a - y, s)
            return [formula.f(a - y, s), delta * a, delta]

        total, mean = outputs.over([dz, a, y], [SUM, SUM], error)
        outputs.emit.store(total, cost)
        with emit.builder.if_then(emit.nonzero(is_softmax)):
            # da_j/dz_i = a_j (delta_ij - a_i)
            outputs.over([dz, a], [], lambda _, delta, a: [(delta - mean) * a])

    by_name(emit, code, OF_ERRORS, costs_of)


@on_outputs
def matching_costs(outputs: Outputs, z, a, y, dz, factor, cost, sums_targets) -> None:
    """cost = S cost - sum y z, dz = factor (S a - y), with S = sum y if `sums_targets`, else 1.

    cost : on entry sum F(z), with F' = f, or for softmax log sum e^z
    """
    emit, factor = outputs.emit, outputs.of_samples(factor)
    total, yz = outputs.over([y, z], [SUM, SUM], lambda _, y, z: [y, y * z])
    whole = total.where(emit.nonzero(sums_targets), emit.number(1))
    outputs.emit.store(whole * emit.number(emit.load(cost)) - yz, cost)
    outputs.over([dz, a, y], [], lambda _, __, a, y: [factor * (whole * a - y)])


@on_outputs
def write_results(outputs: Outputs, a, y, hits, cost, costs, rows) -> None:
    """Write the costs of the first `rows` samples, and hits, bytes: whether each is right.

    It is 1 where the first largest output is that of the targets, else 0; never for NaN. A single
    output says yes from 1/2 up.
    """
    emit = outputs.emit
    one, zero, late = emit.number(1), emit.number(0), emit.number(math.inf)

    def largest(_: Number, a: Number, y: Number) -> list[Number]:
        return [one.where(a.compare("!=", a), zero), a, y]

    def first(j: Number, a: Number, y: Number) -> list[Number]:
        return [j.where(a.compare("==", best), late), j.where(y.compare("==", most), late)]

    is_nan, best, most = outputs.over([a, y], [LARGEST] * 3, largest)
    found, wanted = outputs.over([a, y], [SMALLEST] * 2, first)
    single = emit.builder.icmp_signed("==", outputs.columns, INT64(1))
    found = one.where(best.compare(">=", 0.5), zero).where(single, found)
    wanted = one.where(most.compare(">=", 0.5), zero).where(single, wanted)
    hit = (1 - is_nan).where(found.compare("==", wanted), zero)
    marks = emit.builder.fptoui(hit.value, emit.vector_of(BYTE))
    emit.store_before(rows, marks, hits)
    emit.store_before(rows, emit.load(cost), costs)
