"""The dense product, of tiles of sums that stay in registers; dot products; and transpositions."""

from __future__ import annotations

from functools import partial
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from fastmlp.functions import ACTIVATIONS, vectors
from fastmlp.kernels.llvm import intrinsics
from fastmlp.kernels.llvm.compile import jit, one_of, shared
from fastmlp.kernels.llvm.emitter import INT64, Emitter
from fastmlp.kernels.llvm.intrinsics import Row, Rows, emitted, item_bytes, loop_over, vector_lanes
from fastmlp.kernels.loops.bit_loops import at_each_width
from fastmlp.kernels.memory.tuning import ROW_SUMS, TILE_HEIGHTS, TILE_VECTORS

# Heights of tiles by their width in vectors; rows that are left over take lower ones
HEIGHTS = {
    width: (most, *(n for n in (16, 8, 4, 2, 1) if n < most))
    for width, most in TILE_HEIGHTS.items()
}
FIRST_ROWS = 8  # each has an address of its own, and the rows that follow a distance from it
MOST_HEIGHTS = (0, *(TILE_HEIGHTS[width] for width in range(1, TILE_VECTORS + 1)))
# What becomes of the sums of a tile: c = beta c + sum; c = sum relu'(other); or c = f(sum + other),
# by the code of f. Other formulas are long beside a store and a load
# (one_of shifts by a code, which must be from 0 to 62)
PRODUCT, SLOPE = 62, 61
FUSED = {name: vectors.ACTIVATIONS[name].f for name in ("identity", "relu")}
fuses = one_of(ACTIVATIONS[name].code for name in FUSED)


def _finish_tile(
    emit: Emitter, width: int, finish: Any, positions: list[Any], others: Any, sums: Any, beta: Any
) -> None:
    """Store what `finish` makes of the sums of a tile; others : as c, or, of b, the first row."""
    numbers = [emit.number(total) for total in sums]

    def biased(f: Any) -> None:
        b = [emit.number(emit.load(other)) for other in others[:width]]
        for k, position in enumerate(positions):
            emit.store(f(numbers[k] + b[k % width]), position)

    def sloped() -> None:
        slope = vectors.ACTIVATIONS["relu"].slope
        for number, position, other in zip(numbers, positions, others, strict=True):
            emit.store(slope(number, emit.number(emit.load(other))), position)

    cases = {ACTIVATIONS[name].code: partial(biased, f) for name, f in FUSED.items()}
    product = partial(intrinsics.accumulate, emit, positions, sums, beta)
    intrinsics.by_code(emit, finish, {PRODUCT: product, SLOPE: sloped, **cases})


def _emit_tile(
    emit: Emitter, height: int, width: int, args: tuple[Any, ...], parts: int = 1
) -> None:
    """Emit the tile of so many rows and vectors; arguments as in `multiply`.

    parts : sums of each element, a power of two; sum s has the terms s, s + parts, … of each run,
        and the first one also those that are left over. In the end they are added by halves
    """
    c, c_row, p, p_row, p_k, p_run, p_jump, q, q_k, length, finish, other, beta = args
    builder, rows, size = emit.builder, Rows(emit, width), height * width * parts

    def add_terms(count: int, values: list[Any]) -> Any:
        left, q_now, *others = values
        firsts, sums = others[:-size], others[-size:]
        totals: list[Any] = []
        for _ in range(count):
            # otherwise LLVM adds to the address of each row in each pass
            p_now, q_row = [emit.opaque(first) for first in firsts], rows.load(rows.at(q_now))
            for i in range(height):
                own = emit.at(p_now[i // FIRST_ROWS], i % FIRST_ROWS, p_row)
                so_far = sums[len(totals) : len(totals) + width]
                totals += rows.fma(emit.broadcast_from(own), q_row, so_far)
            q_now, firsts = emit.at(q_now, 1, q_k), [emit.at(first, 1, p_k) for first in p_now]
        left = builder.sub(left, INT64(count))
        return [left, q_now, *firsts, *totals, *sums[len(totals) :]], has_terms(left, count)

    def has_terms(left: Any, count: int) -> Any:
        return builder.icmp_unsigned(">=", left, INT64(count))

    def run(values: list[Any]) -> Any:
        left, q_now, p_now, *sums = values
        count = builder.select(builder.icmp_signed("<", run_length, left), run_length, left)
        firsts = [emit.at(p_now, i, p_row) for i in range(0, height, FIRST_ROWS)]
        found = [count, q_now, *firsts, *sums]
        for terms in dict.fromkeys((parts, 1)):
            found = loop_over(emit, has_terms(found[0], terms), found, partial(add_terms, terms))
        left, p_now = builder.sub(left, count), emit.at(p_now, count, p_k, p_jump)
        return [left, emit.at(q_now, count, q_k), p_now, *found[-size:]], emit.nonzero(left)

    positions, others = (
        [position for i in range(height) for position in rows.at(base, i, c_row)]
        for base in (c, other)
    )
    for position in positions:
        emit.prefetch(position, to_write=True)
    run_length = builder.select(emit.nonzero(p_run), p_run, length)
    starts = [length, emit.pointer(q), emit.pointer(p), *rows.zeros(height * parts)]
    sums = loop_over(emit, emit.nonzero(length), starts, run)[-size:]
    while len(sums) > len(positions):
        half = len(sums) // 2
        sums = rows.add(sums[:half], sums[half:])
    _finish_tile(emit, width, finish, positions, others, sums, beta)


@emitted
def multiply_tile(
    emit: Emitter, height, width, c, c_row, p, p_row, p_k, p_run, p_jump, q, q_k, length, finish,
    other, beta,
) -> None:  # fmt: skip
    """`multiply` for one tile, of a width in vectors and a height in HEIGHTS."""
    args = (c, c_row, p, p_row, p_k, p_run, p_jump, q, q_k, length, finish, other, beta)
    code = emit.builder.add(emit.builder.mul(width, INT64(64)), height)
    tiles = {64 * w + h: partial(_emit_tile, emit, h, w, args) for w in HEIGHTS for h in HEIGHTS[w]}
    intrinsics.by_code(emit, code, tiles)


@jit
def tile_height(rows, width):
    """Return the height of the largest tile of a width in vectors that so many rows fill."""
    if rows >= MOST_HEIGHTS[width]:
        return MOST_HEIGHTS[width]
    height = 1
    while 2 * height <= rows:
        height *= 2
    return height


@shared
def multiply(
    c, c_row, p, p_row, p_k, p_run, p_jump, q, q_k, rows, columns, length, finish, other,
    beta: float,
):  # fmt: skip
    """c[i, j] = beta c[i, j] + sum over k of p[i, k] q[k, j].

    c, p and q are addresses. c[i, j] lies c_row i + j elements behind c, p[i, k] lies
    p_row i + p_k k behind p, and p_jump more behind each run of p_run columns, a power of two (0:
    there is one run), q[k, j] lies q_k k + j behind q. `columns` is a whole number of vectors.
    Each sum runs in the order of k, each term fused into the sum so far, whatever tile it falls
    into. c may alias neither p nor q, and is not read where beta is 0.

    finish : PRODUCT; or a code in FUSED, for c[i, j] = f(sum + other[j]); or SLOPE, for c[i, j] =
    sum relu'(other[i, j]), with `other` laid out like c. It is the address of these.
    """
    size, lanes = item_bytes(beta), vector_lanes(beta)
    for j in range(0, columns, lanes * TILE_VECTORS):
        c_i, p_i, q_j, left = c + j * size, p, q + j * size, rows
        width, other_i = min(TILE_VECTORS, (columns - j) // lanes), other + j * size
        while left > 0:
            height = tile_height(left, width)
            multiply_tile(
                height, width, c_i, c_row, p_i, p_row, p_k, p_run, p_jump, q_j, q_k, length, finish,
                other_i, beta,
            )  # fmt: skip
            c_i += height * c_row * size
            p_i += height * p_row * size
            other_i += height * c_row * size if finish == SLOPE else 0
            left -= height


@at_each_width
def multiply_row(rows: Rows, c, p, p_run, p_jump, q, q_k, length, finish, other, beta) -> None:
    """`multiply` one row of p and whole rows of q: additions to a single sum would wait."""
    args = (c, 0, p, 0, 1, p_run, p_jump, q, q_k, length, finish, other, beta)
    _emit_tile(rows.emit, 1, rows.width, args, ROW_SUMS)


@at_each_width
def add_outer(rows: Rows, w, w_row, x, dz, count, beta) -> None:
    """w[i] = beta w[i] + x[i] dz for i = 0, …, count - 1, whole rows: a product of one term."""
    emit, row = rows.emit, rows.load(rows.at(dz))

    def body(i: Any, _: Row) -> Row:
        term = rows.fma(emit.broadcast_from(emit.at(x, i, 1)), row, rows.zeros())
        intrinsics.accumulate(emit, rows.at(w, i, w_row), term, beta)
        return []

    intrinsics.counted_loop(emit, count, [], body)


@jit
def product(c, c_row, p, p_row, p_k, q, q_k, rows, columns, length, beta):
    """c = beta c + p q: `multiply` with one run of columns, and nothing done to the sums."""
    multiply(c, c_row, p, p_row, p_k, 0, 0, q, q_k, rows, columns, length, PRODUCT, 0, beta)


def _sum_each(emit: Emitter, vectors: list[Any]) -> Any:
    """Return the vector of the sums over the lanes of each of as many vectors as it has lanes."""
    count, part, run = emit.count, 128 // emit.bits, 1
    while len(vectors) > 1:
        # within 128 bits as long as that is possible: between them, data move slowly
        size = part if run < part else count
        # runs of both vectors in turn, from the first half of each `size` lanes; then the second
        lower = [
            k // run % 2 * count + k // size * size + k % size // (2 * run) * run + k % run
            for k in range(count)
        ]
        upper, pairs = [k + size // 2 for k in lower], zip(vectors[::2], vectors[1::2], strict=True)
        halves = [(emit.shuffle(*pair, lower), emit.shuffle(*pair, upper)) for pair in pairs]
        vectors, run = [emit.builder.fadd(*both) for both in halves], 2 * run
    return vectors[0]


@emitted
def dot_rows(emit: Emitter, c, w, w_row, w_panel, width, q, rows, columns, b) -> None:
    """c[i] = b + sum over j of w[i, j] q[j], for whole vectors of rows of w.

    w lies in panels of `width` columns, of which `columns` count in all; q[j] lies j behind q.
    """
    builder, height = emit.builder, emit.count
    lanes, zeros = INT64(height), [emit.constant(0.0)] * height
    shift = builder.cttz(builder.sdiv(width, lanes), ir.Constant(ir.IntType(1), 1))
    in_panel = builder.sub(builder.sdiv(width, lanes), INT64(1))
    last = builder.sdiv(builder.sub(columns, INT64(1)), lanes)
    bias = emit.number(emit.broadcast(b))

    def products(i: Any, v: Any, sums: list[Any]) -> list[Any]:
        column = builder.mul(builder.lshr(v, shift), w_panel)
        column = builder.add(column, builder.mul(builder.and_(v, in_panel), lanes))
        firsts = [
            emit.opaque(emit.at(w, builder.add(i, INT64(first)), w_row, column))
            for first in range(0, height, FIRST_ROWS)
        ]
        places = [emit.at(firsts[r // FIRST_ROWS], r % FIRST_ROWS, w_row) for r in range(height)]
        factor, values = emit.load(emit.at(q, v, lanes)), [emit.load(p) for p in places]
        return [emit.call("fmuladd", factor, *pair) for pair in zip(values, sums, strict=True)]

    with cgutils.for_range_slice(builder, INT64(0), rows, lanes) as (i, _):
        sums = intrinsics.counted_loop(emit, last, zeros, partial(products, i))
        # what lies in the padding may be infinite, or not a number
        counts = emit.before(builder.sub(columns, builder.mul(last, lanes)))
        found = products(i, last, sums)
        found = [builder.select(counts, new, old) for new, old in zip(found, sums, strict=True)]
        emit.store(emit.number(_sum_each(emit, found)) + bias, emit.at(c, i, 1))


def transposed_parts(emit: Emitter, square: list[Any]) -> list[Any]:
    """Return as many vectors as 128 bits have numbers, the square in each 128 bits transposed."""
    # Interleaving row m with row m + part / 2, log2(part) times over: each pass rotates one bit
    # of the row number into the column number.
    part, count = len(square), square[0].type.count
    lanes = [(q, k) for q in range(0, count, part) for k in range(part)]
    for _ in range(part.bit_length() - 1):
        pairs = zip(square[: part // 2], square[part // 2 :], strict=True)
        square = [
            emit.shuffle(*pair, [q + start + k // 2 + (k % 2) * count for q, k in lanes])
            for pair in pairs
            for start in (0, part // 2)
        ]
    return square


@emitted
def transpose_part(emit: Emitter, target, target_row, source, source_row, like) -> None:
    """target[j, i] = source[i, j] for a vector of columns, and rows of 128 bits of each."""
    count, part = emit.count, 128 // emit.bits
    square = [emit.load(emit.at(source, k, source_row)) for k in range(part)]
    for t, vector in enumerate(transposed_parts(emit, square)):
        for q in range(0, count, part):
            piece = emit.shuffle(vector, vector, list(range(q, q + part)))
            emit.builder.store(piece, emit.at(target, q + t, target_row), align=emit.align)


@shared
def transpose(c, c_row, p, p_row, rows, columns, like: float):
    """c[j, i] = p[i, j]; columns are rounded up to whole vectors, rows to whole 128 bits."""
    lanes, size = vector_lanes(like), item_bytes(like)
    for j in range(0, columns, lanes):
        for i in range(0, rows, 16 // size):
            target, source = c + (j * c_row + i) * size, p + (i * p_row + j) * size
            transpose_part(target, c_row, source, p_row, like)
