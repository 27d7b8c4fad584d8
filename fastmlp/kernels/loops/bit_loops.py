"""Sparse products: sums over the terms whose bits are set, in vectors of columns.

Two loops, each over the bits of some words (see `bits`): *gather* keeps sums in registers and
reads a row for each bit; *scatter* keeps rows in registers and adds to another for each bit. A
factor is a float, or a byte that a table of 256 turns into one: t[v]. Rows are PANEL_VECTORS
vectors wide, half of that, or one vector.

    gather_pixels    c     += sum over pairs k of an image of t[v] q[2k] + t[v'] q[2k + 1]
    scatter_pixels   c[2k] += t[v] q,  c[2k + 1] += t[v'] q      for each pair k of an image
    gather_samples   c[0]  += sum over samples k of t[v] q[k],  c[1] += sum of t[v'] q[k]
    scatter_samples  c[k]  += t[v] q[0] + t[v'] q[1]             for each sample k
    gather_outputs   c     += sum over outputs k of p[k] q[k]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from fastmlp.kernels.llvm.emitter import INT32, INT64, Emitter
from fastmlp.kernels.llvm.intrinsics import accumulate, counted_loop, emitted, sum_loop
from fastmlp.kernels.loops.bits import WORD_BYTES
from fastmlp.kernels.memory.tuning import PAIRS, PANEL_VECTORS, PART

Row = list[Any]  # vectors, or their positions


class Rows:
    """Emits what each pass needs: rows of so many vectors, and factors."""

    def __init__(self, emit: Emitter, width: int) -> None:
        self.emit, self.width = emit, width

    def at(self, base: Any, number: Any, stride: Any) -> Row:
        """Return the positions of the vectors of row `number`."""
        return [self.emit.at(base, number, stride, j * self.emit.count) for j in range(self.width)]

    def load(self, positions: Row) -> Row:
        """Load a row."""
        return [self.emit.load(position) for position in positions]

    def fma(self, factor: Any, row: Row, total: Row) -> Row:
        """factor row + total."""
        pairs = zip(row, total, strict=True)
        return [self.emit.call("fmuladd", factor, value, so_far) for value, so_far in pairs]

    def bytes(self, table: Any, pixels: Any) -> list[Any]:
        """Return the factors that two adjacent bytes stand for."""
        values = [self.emit.byte_at(pixels, number) for number in (0, 1)]
        return [self.emit.broadcast_from(self.emit.at(table, value, 1)) for value in values]


def _split(rows: Rows, flat: list[Any]) -> list[Row]:
    return [flat[i : i + rows.width] for i in range(0, len(flat), rows.width)]


def _flat(rows_of_sums: list[Row]) -> list[Any]:
    return [vector for row in rows_of_sums for vector in row]


def over_bits(rows: Rows, word: Any, sums: list[Row], body: Callable[..., Any]) -> list[Row]:
    """Emit the loop over the bits k set in a word; body(k, sums) returns the new sums."""
    emit, builder = rows.emit, rows.emit.builder

    def passing(state: list[Any], totals: list[Any]) -> Any:
        left = state[0]
        k = builder.cttz(left, ir.Constant(ir.IntType(1), 1))
        following = builder.and_(left, builder.sub(left, INT64(1)))
        new = _flat(body(k, _split(rows, totals)))
        return [following], new, builder.icmp_unsigned("!=", following, INT64(0))

    enters = builder.icmp_unsigned("!=", word, INT64(0))
    return _split(rows, sum_loop(emit, enters, [word], _flat(sums), passing))


def over_list(
    rows: Rows, pair_list: Any, capacity: Any, sums: list[Row], body: Callable[..., Any]
) -> list[Row]:
    """Emit the loop over the entries of an image's list, two at once (see `bits.list_pairs`).

    body(numbers of four pixels, their factors, sums) returns the new sums.
    """
    emit, builder = rows.emit, rows.emit.builder
    count = builder.load(emit.pointer(pair_list), typ=INT64)
    numbers = emit.pointer(builder.add(pair_list, INT64(WORD_BYTES)))
    even = builder.gep(numbers, [capacity], source_etype=INT32)
    odd = emit.at(even, 0, 0, capacity)

    def passing(_: Any, now: list[Any], totals: list[Any]) -> list[Any]:
        pixels, factors = [], []
        for k in (0, 1):
            position = builder.gep(now[0], [INT64(k)], source_etype=INT32)
            number = builder.zext(builder.load(position, typ=INT32), INT64)
            pixels += [number, builder.add(number, INT64(1))]
            factors += [emit.broadcast_from(emit.at(now[j], 0, 0, k)) for j in (1, 2)]
        return _flat(body(pixels, factors, _split(rows, totals)))

    pointers = [(numbers, 2, INT32), (even, 2, emit.scalar), (odd, 2, emit.scalar)]
    passes = builder.lshr(count, INT64(1))
    return _split(rows, counted_loop(emit, passes, pointers, _flat(sums), passing))


def at_each_width(emit: Emitter, columns: Any, instructions: Callable[[Rows], None]) -> None:
    """Emit instructions for each width, to be run where `columns` has that width."""
    for vectors in (1, PANEL_VECTORS // 2, PANEL_VECTORS):
        fits = emit.builder.icmp_signed("==", columns, emit.whole(vectors * emit.count))
        with emit.builder.if_then(fits):
            instructions(Rows(emit, vectors))


def _zeros(rows: Rows) -> Row:
    return [rows.emit.constant(0.0)] * rows.width


@emitted
def gather_pixels(emit: Emitter, columns, c, q, q_row, pair_list, capacity, beta) -> None:
    """c = beta c + sum over the pairs k of an image's list of t[v] q[2k] + t[v'] q[2k + 1]."""
    source = emit.pointer(q)

    def instructions(rows: Rows) -> None:
        def body(numbers: Any, factors: list[Any], sums: list[Row]) -> list[Row]:
            terms = zip(factors, numbers, sums, strict=True)
            return [rows.fma(t, rows.load(rows.at(source, n, q_row)), s) for t, n, s in terms]

        # four sums: each addition waits for a quarter of the others
        zeros = [_zeros(rows) for _ in range(4)]
        one, two, three, four = over_list(rows, pair_list, capacity, zeros, body)
        add = emit.builder.fadd
        total = [
            add(add(a, b), add(c, d)) for a, b, c, d in zip(one, two, three, four, strict=True)
        ]
        accumulate(emit, rows.at(emit.pointer(c), 0, 0), total, beta)

    at_each_width(emit, columns, instructions)


@emitted
def scatter_pixels(emit: Emitter, columns, c, c_row, q, pair_list, capacity, like) -> None:
    """c[2k] += t[v] q and c[2k + 1] += t[v'] q for each pair k of an image's list."""
    target = emit.pointer(c)

    def instructions(rows: Rows) -> None:
        source = rows.load(rows.at(emit.pointer(q), 0, 0))

        def body(numbers: Any, factors: list[Any], _: list[Row]) -> list[Row]:
            for number, factor in zip(numbers, factors, strict=True):
                positions = rows.at(target, number, c_row)
                new = rows.fma(factor, source, rows.load(positions))
                for value, position in zip(new, positions, strict=True):
                    emit.store(value, position)
            return []

        over_list(rows, pair_list, capacity, [], body)

    at_each_width(emit, columns, instructions)


def _sample_pixels(rows: Rows, images: Any, pixels: Any, table: Any, k: Any) -> list[Any]:
    """Return the factors of a pair of pixels, so many bytes behind the image of sample k."""
    emit, builder = rows.emit, rows.emit.builder
    position = builder.gep(emit.pointer(images), [k], source_etype=INT64)
    address = builder.add(builder.load(position, typ=INT64), pixels)
    return rows.bytes(emit.pointer(table), emit.pointer(address))


@emitted
def gather_samples(
    emit: Emitter, columns, c, c_row, q, q_row, word, images, pixels, table, beta
) -> None:
    """c[0] = beta c[0] + sum of t[v] q[k], c[1] = beta c[1] + sum of t[v'] q[k].

    word : of the samples k; images : address of the addresses of their images; pixels : bytes from
    there to the pair
    """
    source, target = emit.pointer(q), emit.pointer(c)

    def instructions(rows: Rows) -> None:
        def body(k: Any, sums: list[Row]) -> list[Row]:
            row = rows.load(rows.at(source, k, q_row))
            factors = _sample_pixels(rows, images, pixels, table, k)
            return [rows.fma(t, row, s) for t, s in zip(factors, sums, strict=True)]

        totals = over_bits(rows, word, [_zeros(rows), _zeros(rows)], body)
        positions = [*rows.at(target, 0, c_row), *rows.at(target, 1, c_row)]
        accumulate(emit, positions, [*totals[0], *totals[1]], beta)

    at_each_width(emit, columns, instructions)


@emitted
def scatter_samples(
    emit: Emitter, columns, c, c_row, q, q_next, q_row, word, word_next, images, pixels, table, like
) -> None:
    """c[k] += t[v] q[0] + t[v'] q[1] for each sample k, and with PAIRS = 2 the next pair likewise.

    Samples in both pairs come first, then those in one; each sample adds the first pair before the
    next. q_next is a valid address even where word_next is 0; the rest is as in `gather_samples`.
    """
    builder, target = emit.builder, emit.pointer(c)
    pixels_next = builder.add(pixels, INT64(2))

    def instructions(rows: Rows) -> None:
        def pair_at(address: Any) -> list[Row]:
            return [rows.load(rows.at(emit.pointer(address), n, q_row)) for n in (0, 1)]

        def over(word: Any, pairs: list[tuple[Any, list[Row]]]) -> None:
            def body(k: Any, _: list[Row]) -> list[Row]:
                positions = rows.at(target, k, c_row)
                total = rows.load(positions)
                for pixels, pair in pairs:
                    factors = _sample_pixels(rows, images, pixels, table, k)
                    for factor, row in zip(factors, pair, strict=True):
                        total = rows.fma(factor, row, total)
                for value, position in zip(total, positions, strict=True):
                    emit.store(value, position)
                return []

            over_bits(rows, word, [], body)

        pair = (pixels, pair_at(q))
        if PAIRS == 1:
            over(word, [pair])
            return
        following, both = (pixels_next, pair_at(q_next)), builder.and_(word, word_next)
        over(both, [pair, following])
        over(builder.xor(word, both), [pair])
        over(builder.xor(word_next, both), [following])

    at_each_width(emit, columns, instructions)


@emitted
def sum_rows(emit: Emitter, columns, c, q, q_row, count, beta) -> None:
    """c = beta c + sum over k = 0, …, count - 1 of q[k]: a product in which every factor is 1."""

    def instructions(rows: Rows) -> None:
        def body(_: Any, now: list[Any], sums: list[Any]) -> list[Any]:
            row = rows.load(rows.at(now[0], 0, 0))
            return [emit.builder.fadd(total, value) for total, value in zip(sums, row, strict=True)]

        pointers = [(emit.pointer(q), q_row, emit.scalar)]
        sums = counted_loop(emit, count, pointers, _zeros(rows), body)
        accumulate(emit, rows.at(emit.pointer(c), 0, 0), sums, beta)

    at_each_width(emit, columns, instructions)


@emitted
def gather_outputs(emit: Emitter, c, goes_on, p, word, word_next, q, q_k, beta) -> None:
    """c = beta c + sum over the outputs k of two words of p[k] q[k], in PANEL_VECTORS vectors.

    Where `goes_on` is not 0, the sums begin with c. p[k] lies k elements behind p.
    """
    rows, builder = Rows(emit, PANEL_VECTORS), emit.builder
    positions, factors, source = rows.at(emit.pointer(c), 0, 0), emit.pointer(p), emit.pointer(q)
    starts = builder.icmp_unsigned("==", goes_on, INT64(0))
    zero = emit.constant(0.0)
    sums = [builder.select(starts, zero, value) for value in rows.load(positions)]

    totals = [sums]
    for number, bits in enumerate((word, word_next)):

        def body(k: Any, so_far: list[Row], first: int = number * PART) -> list[Row]:
            k = builder.add(k, INT64(first))
            factor = emit.broadcast_from(emit.at(factors, k, 1))
            return [rows.fma(factor, rows.load(rows.at(source, k, q_k)), so_far[0])]

        totals = over_bits(rows, bits, totals, body)
    accumulate(emit, positions, totals[0], beta)
