"""The innermost dense loops, written as LLVM vector IR: a tile, a transposition, and
a row of sums for a single sample.

All memory is named by addresses; strides count elements. `count` and `vectors` and the like are
literals: each combination is a loop of its own, with its sums held in registers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from fastmlp.kernels.algebra import Emitter
from fastmlp.kernels.simd import VECTOR_BYTES, lanes

# How many rows of the dense tile fit in the registers, two vectors wide
TILE_ROWS = 8 if VECTOR_BYTES == 64 else 6
TILE_VECTORS = 2


def accumulate(emit: Emitter, places: list[Any], sums: list[Any], beta: Any) -> None:
    """c = beta c + sum at each place; where beta is 0, c is not read."""
    zero = ir.Constant(emit.scalar, 0.0)
    keeps = emit.builder.fcmp_unordered("!=", beta, zero)
    with emit.builder.if_else(keeps) as (add, overwrite):
        with add:
            factor = emit.broadcast(beta)
            for place, total in zip(places, sums, strict=True):
                emit.store(emit.call("fmuladd", factor, emit.load(place), total), place)
        with overwrite:
            for place, total in zip(places, sums, strict=True):
                emit.store(total, place)


def sum_loop(
    emit: Emitter, enters: Any, state: list[Any], sums: list[Any], body: Callable[..., Any]
) -> list[Any]:
    """Emit a loop over sums, vectors held in registers, to be run if `enters`.

    body(state now, sums so far) emits one pass, and returns the next state, the new sums and
    whether another pass follows. Return the sums after the loop.
    """
    builder = emit.builder
    before = builder.block
    loop, after = builder.append_basic_block("sum"), builder.append_basic_block("store")
    builder.cbranch(enters, loop, after)

    builder.position_at_end(loop)
    now = [builder.phi(start.type) for start in state]
    so_far = [builder.phi(emit.kind) for _ in sums]
    following, totals, goes_on = body(now, so_far)
    starts, values = [*state, *sums], [*following, *totals]
    for phi, start, value in zip([*now, *so_far], starts, values, strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(value, loop)
    builder.cbranch(goes_on, loop, after)

    builder.position_at_end(after)
    results = [builder.phi(emit.kind) for _ in sums]
    for phi, start, total in zip(results, sums, totals, strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(total, loop)
    return results


def counted_loop(
    emit: Emitter, length: Any, step: int, pointers: list[Any], sums: int, body: Callable[..., Any]
) -> list[Any]:
    """Emit a `sum_loop` over k = 0, step, … < length, for so many sums that begin with zero.

    pointers : triples (start, elements to advance, of which type); what to advance may be a
        function of the next k
    body(pointers now, sums so far) returns the new sums.
    """
    builder = emit.builder

    def counted(state: list[Any], so_far: list[Any]) -> Any:
        k, *now = state
        totals = body(now, so_far)
        following = [builder.add(k, emit.whole(step))]
        for place, (_, advance, kind) in zip(now, pointers, strict=True):
            far = advance(following[0]) if callable(advance) else emit.whole(advance)
            following.append(builder.gep(place, [far], source_etype=kind))
        return following, totals, builder.icmp_signed("<", following[0], length)

    enters = builder.icmp_signed(">", length, emit.whole(0))
    starts = [emit.whole(0), *(start for start, _, _ in pointers)]
    return sum_loop(emit, enters, starts, [emit.constant(0.0)] * sums, counted)


@intrinsic(prefer_literal=True)
def multiply_tile(
    typingctx: Any,
    rows: Any,
    vectors: Any,
    c: Any,
    c_row: Any,
    p: Any,
    p_row: Any,
    p_k: Any,
    p_run: Any,
    p_jump: Any,
    q: Any,
    q_k: Any,
    length: Any,
    beta: Any,
) -> Any:
    """c[i, j] = beta c[i, j] + sum over k of p[i, k] q[k, j], for a tile of rows x vectors.

    p[i, k] lies p_row i + p_k k elements behind p, and p_jump more behind each run of p_run
    columns, a power of two, or 0 where there is one run; likewise q and c, whose columns are
    adjacent, without runs. The sum runs over k = 0, 1, …, length - 1, in that order, each term
    fused into the sum so far. Where beta is 0, c is not read.
    """
    height, width, element = rows.literal_value, vectors.literal_value, beta

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, _, c, c_row, p, p_row, p_k, p_run, p_jump, q, q_k, length, beta = args
        emit = Emitter(context, builder, element)

        def body(now: Any, sums: Any) -> Any:
            p_now, q_now = now
            if width > 1:  # a slim tile has no load to spare
                emit.prefetch(emit.at(p_now, height, p_row))
            q_row = [emit.load(emit.at(q_now, 0, q_k, j * emit.count)) for j in range(width)]
            totals = []
            for i in range(height):
                p_value = emit.broadcast_from(emit.at(p_now, i, p_row))
                row = sums[i * width : (i + 1) * width]
                totals += [emit.call("fmuladd", p_value, q_row[j], row[j]) for j in range(width)]
            return totals

        def p_advance(k: Any) -> Any:
            into_run = builder.and_(k, builder.sub(p_run, emit.whole(1)))
            ends = builder.icmp_signed("==", into_run, emit.whole(0))
            return builder.add(p_k, builder.select(ends, p_jump, emit.whole(0)))

        start = emit.pointer(c)
        places = [
            emit.at(start, i, c_row, j * emit.count) for i in range(height) for j in range(width)
        ]
        for place in places:
            emit.prefetch(place)
        pointers = [(emit.pointer(p), p_advance, emit.scalar), (emit.pointer(q), q_k, emit.scalar)]
        sums = counted_loop(emit, length, 1, pointers, height * width, body)
        accumulate(emit, places, sums, beta)
        return context.get_dummy_value()

    return types.void(rows, vectors, *[types.int64] * 10, beta), generate


@intrinsic
def transpose_tile(
    typingctx: Any, target: Any, target_row: Any, source: Any, source_row: Any, like: Any
) -> Any:
    """target[j, i] = source[i, j] for a square as wide as one vector; rows are strided."""
    count = lanes(like)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target, target_row, source, source_row, _ = args
        emit = Emitter(context, builder, like)

        def shuffle(one: Any, other: Any, order: list[int]) -> Any:
            mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
            return builder.shuffle_vector(one, other, mask)

        # A vector is made of lanes of 128 bits, between which data move slowly. So lane q of the
        # vector (m, c) is loaded from row q part + m, columns c part, …; what is left is the
        # transposition of the squares of `part` x `part` numbers in each lane.
        part = 128 // emit.bits
        lane, first = ir.VectorType(emit.scalar, part), emit.pointer(source)
        rows = []
        for c in range(count // part):
            square = []
            for m in range(part):
                places = [emit.at(first, i, source_row, c * part) for i in range(m, count, part)]
                pieces = [builder.load(place, typ=lane, align=emit.align) for place in places]
                while len(pieces) > 1:
                    width = 2 * pieces[0].type.count
                    halves = zip(pieces[::2], pieces[1::2], strict=True)
                    pieces = [shuffle(*pair, list(range(width))) for pair in halves]
                square += pieces
            # Interleaving row m with row m + part / 2, log2(part) times over: each pass rotates
            # one bit of the row number into the column number.
            for _ in range(part.bit_length() - 1):
                pairs = zip(square[: part // 2], square[part // 2 :], strict=True)
                square = [
                    shuffle(
                        *pair,
                        [
                            q + start + k // 2 + (k % 2) * count
                            for q in range(0, count, part)
                            for k in range(part)
                        ],
                    )
                    for pair in pairs
                    for start in (0, part // 2)
                ]
            rows += square
        for i, row in enumerate(rows):
            emit.store(row, emit.at(emit.pointer(target), i, target_row))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4, like), generate


@intrinsic
def dot_rows(
    typingctx: Any, c: Any, w: Any, w_row: Any, q: Any, rows: Any, columns: Any, like: Any
) -> Any:
    """c[i] = sum over j of w[i, j] q[j], for rows of one vector of which `columns` count."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        c, w, w_row, q, rows, columns, _ = args
        emit = Emitter(context, builder, like)
        target, source = emit.pointer(c), emit.pointer(w)
        counts = emit.before(columns)
        factors = emit.load(emit.pointer(q))
        with cgutils.for_range(builder, rows) as loop:
            products = builder.fmul(factors, emit.load(emit.at(source, loop.index, w_row)))
            # what lies in the padding may be infinite, or not a number
            products = builder.select(counts, products, emit.constant(0.0))
            total = emit.fold(products, operator.add)
            builder.store(total, emit.at(target, loop.index, 1), align=emit.align)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6, like), generate
