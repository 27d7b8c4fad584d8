"""What a row of outputs amounts to: its largest, its sum, its softmax, and whether it is right.

A row is whole vectors in memory, of which `columns` numbers count. Sums are folded in one order,
that of the vector's halves, whatever the row.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from fastmlp.kernels.algebra import Emitter, Number
from fastmlp.kernels.elementwise import divide, exp_of_difference, row
from fastmlp.kernels.options import jit
from fastmlp.kernels.simd import item_bytes


def _for_vectors(emit: Emitter, columns: Any, start: Any, instructions: Callable[..., Any]) -> Any:
    """Emit a loop over a row's vectors; instructions(j, which lanes count, so far) give the next.

    start : the value before the first vector
    """
    builder = emit.builder
    so_far = cgutils.alloca_once_value(builder, start)
    zero, step = emit.whole(0), emit.whole(emit.count)
    with cgutils.for_range_slice(builder, zero, columns, step) as (j, _):
        counts = emit.before(builder.sub(columns, j))
        builder.store(instructions(j, counts, builder.load(so_far, typ=start.type)), so_far)
    return builder.load(so_far, typ=start.type)


def _folded(combine: Callable[[Number, Number], Number], neutral: float) -> Any:
    """Return a compiled function (place, columns, like) that combines the numbers of a row."""

    @intrinsic
    def folded(typingctx: Any, place: Any, columns: Any, like: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            emit = Emitter(context, builder, like)
            source, none = emit.pointer(args[0]), emit.constant(neutral)

            def instructions(j: Any, counts: Any, so_far: Any) -> Any:
                value = builder.select(counts, emit.load(emit.at(source, 0, 0, j)), none)
                return combine(emit.number(so_far), emit.number(value)).value

            return emit.fold(_for_vectors(emit, args[1], none, instructions), combine)

        return like(types.int64, types.int64, like), generate

    return folded


# NaN is passed over here: it shows in the sum
largest = _folded(lambda one, other: one.where(one.compare(">", other), other), -math.inf)
total = _folded(operator.add, 0.0)


@intrinsic
def is_beaten(typingctx: Any, place: Any, columns: Any, wanted: Any, best: Any) -> Any:
    """Whether a number of a row is larger than best, or equal and stands before `wanted`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place, columns, wanted, best = args
        emit = Emitter(context, builder, signature.args[-1])
        source, bar = emit.pointer(place), emit.broadcast(best)
        flags = ir.VectorType(ir.IntType(1), emit.count)

        def instructions(j: Any, counts: Any, so_far: Any) -> Any:
            value = emit.number(emit.load(emit.at(source, 0, 0, j)))
            ties = builder.and_(value.compare("==", bar), emit.before(builder.sub(wanted, j)))
            beats = builder.or_(value.compare(">", bar), ties)
            return builder.or_(so_far, builder.and_(counts, beats))

        found = _for_vectors(emit, columns, ir.Constant(flags, None), instructions)
        bits = builder.bitcast(found, ir.IntType(emit.count))
        return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    return types.boolean(*[types.int64] * 3, best), generate


def _first(meets: Callable[[Number, Any], Any]) -> Any:
    """Return a compiled function of the first number of a row that meets a bar; else `columns`."""

    @intrinsic
    def first(typingctx: Any, place: Any, columns: Any, bar: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            place, columns, bar = args
            emit = Emitter(context, builder, signature.args[-1])
            source, bars, lane = emit.pointer(place), emit.broadcast(bar), ir.IntType(emit.count)

            def instructions(j: Any, counts: Any, so_far: Any) -> Any:
                value = emit.number(emit.load(emit.at(source, 0, 0, j)))
                bits = builder.bitcast(builder.and_(counts, meets(value, bars)), lane)
                none = builder.icmp_unsigned("==", bits, lane(0))
                number = builder.zext(builder.cttz(bits, ir.IntType(1)(0)), columns.type)
                open_yet = builder.icmp_signed("==", so_far, columns)
                here = builder.and_(open_yet, builder.not_(none))
                return builder.select(here, builder.add(j, number), so_far)

            return _for_vectors(emit, columns, columns, instructions)

        return types.int64(types.int64, types.int64, bar), generate

    return first


_first_equal = _first(lambda value, bar: value.compare("==", bar))
_first_nan = _first(lambda value, bar: value.compare("!=", value))
NO_CLASS = -1


@jit
def class_of(place, columns, like):
    """Return the class that a row of outputs names, as `functions.classes_of` does."""
    if _first_nan(place, columns, like) != columns:
        return NO_CLASS
    if columns == 1:
        return int(row(place, 1, like)[0] >= type(like)(0.5))
    return _first_equal(place, columns, largest(place, columns, like))


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
