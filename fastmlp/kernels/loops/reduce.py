"""Reductions of a row of outputs: its largest, its sum, its softmax, and whether it is right.

A row is whole vectors in memory, of which `columns` numbers count. Sums are folded in one order,
that of the vector's halves, whatever the row.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from fastmlp.kernels.llvm.compile import jit
from fastmlp.kernels.llvm.emitter import Emitter, Number
from fastmlp.kernels.llvm.intrinsics import emitted, item_bytes
from fastmlp.kernels.loops.elementwise import divide, exp_of_difference
from fastmlp.kernels.memory.records import numbers_at

NO_CLASS = -1


def _over_vectors(
    emit: Emitter, address: Any, columns: Any, start: Any, body: Callable[..., Any]
) -> Any:
    """Emit a loop over a row's vectors: body(j, vector, which lanes count, so far) gives the next.

    start : the value before the first vector, at column j = 0
    """
    builder, source = emit.builder, emit.pointer(address)
    so_far = cgutils.alloca_once_value(builder, start)
    zero, step = emit.whole(0), emit.whole(emit.count)
    with cgutils.for_range_slice(builder, zero, columns, step) as (j, _):
        counts = emit.before(builder.sub(columns, j))
        vector = emit.number(emit.load(emit.at(source, 0, 0, j)))
        builder.store(body(j, vector, counts, builder.load(so_far, typ=start.type)), so_far)
    return builder.load(so_far, typ=start.type)


def _folded(combine: Callable[[Number, Number], Number], neutral: float) -> Any:
    """Return a compiled function (address, columns, like) that combines the numbers of a row."""

    @emitted
    def folded(emit: Emitter, address, columns, like) -> float:
        none = emit.constant(neutral)

        def body(_: Any, vector: Number, counts: Any, so_far: Any) -> Any:
            value = emit.builder.select(counts, vector.value, none)
            return combine(emit.number(so_far), emit.number(value)).value

        found = _over_vectors(emit, address, columns, none, body)
        return emit.fold(found, combine)

    return folded


# a NaN is not found here; it shows in the sum
largest = _folded(lambda one, other: one.where(one.compare(">", other), other), -math.inf)
total = _folded(operator.add, 0.0)


@emitted
def is_beaten(emit: Emitter, address, columns, wanted, best) -> bool:
    """Return whether a number of a row is larger than best, or equal and before `wanted`."""
    builder, bar = emit.builder, emit.broadcast(best)
    flags = ir.VectorType(ir.IntType(1), emit.count)

    def body(j: Any, value: Number, counts: Any, so_far: Any) -> Any:
        ties = builder.and_(value.compare("==", bar), emit.before(builder.sub(wanted, j)))
        # not "<=", so that NaN beats all, as it names no class
        beats = builder.or_(builder.not_(value.compare("<=", bar)), ties)
        return builder.or_(so_far, builder.and_(counts, beats))

    found = _over_vectors(emit, address, columns, ir.Constant(flags, None), body)
    bits = builder.bitcast(found, ir.IntType(emit.count))
    return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))


@jit
def class_of(address, columns, like):
    """Return the class that a row of outputs names, as `functions.classes_of` does."""
    a, best, is_nan = numbers_at(address, columns, like), 0, False
    for j in range(columns):
        is_nan |= a[j] != a[j]
        best = j if a[j] > a[best] else best
    if is_nan:
        return NO_CLASS
    return best if columns > 1 else int(a[0] >= type(like)(0.5))


@jit
def softmax(z, a, columns, like):
    """a = e^(z - max z) / sum of that, for one row; return log of the sum of e^z. a may be z."""
    peak = largest(z, columns, like)
    exp_of_difference(a, z, columns, peak)
    whole = total(a, columns, like)
    divide(a, a, columns, whole)
    return peak + math.log(whole)


@jit
def softmax_rows(a, a_row, rows, columns, like):
    """a = softmax(a) for some rows of outputs."""
    for i in range(rows):
        a_i = a + i * a_row * item_bytes(like)
        softmax(a_i, a_i, columns, like)
