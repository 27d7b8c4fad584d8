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

from fastmlp.kernels.llvm.emitter import INT64, Emitter
from fastmlp.kernels.llvm.intrinsics import accumulate, counted_loop, emitted, sum_loop
from fastmlp.kernels.loops.bits import WORD_BYTES
from fastmlp.kernels.memory.tuning import PANEL_VECTORS, PART

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


def over_bits(
    rows: Rows, words: Any, count: Any, stride: int, sums: list[Row], body: Callable[..., Any]
) -> list[Row]:
    """Emit the loop over the bits set in `count` words, `stride` words apart, and return the sums.

    body(k, sums) returns the new sums; bit k of word i has the number PART i + k.
    """
    emit, builder = rows.emit, rows.emit.builder

    def split(flat: list[Any]) -> list[Row]:
        return [flat[i : i + rows.width] for i in range(0, len(flat), rows.width)]

    def flat(rows_of_sums: list[Row]) -> list[Any]:
        return [vector for row in rows_of_sums for vector in row]

    def over_word(i: Any, now: Any, so_far: Any) -> Any:
        word = builder.load(now[0], typ=INT64)
        first = builder.mul(i, INT64(PART))

        def passing(state: list[Any], totals: list[Any]) -> Any:
            left = state[0]
            k = builder.add(first, builder.cttz(left, ir.Constant(ir.IntType(1), 1)))
            following = builder.and_(left, builder.sub(left, INT64(1)))
            new = flat(body(k, split(totals)))
            return [following], new, builder.icmp_unsigned("!=", following, INT64(0))

        enters = builder.icmp_unsigned("!=", word, INT64(0))
        return sum_loop(emit, enters, [word], so_far, passing)

    pointers = [(emit.pointer(words), stride, INT64)]
    return split(counted_loop(emit, emit.whole(count), pointers, flat(sums), over_word))


def at_each_width(emit: Emitter, columns: Any, instructions: Callable[[Rows], None]) -> None:
    """Emit instructions for each width, to be run where `columns` has that width."""
    for vectors in (1, PANEL_VECTORS // 2, PANEL_VECTORS):
        fits = emit.builder.icmp_signed("==", columns, emit.whole(vectors * emit.count))
        with emit.builder.if_then(fits):
            instructions(Rows(emit, vectors))


def _zeros(rows: Rows) -> Row:
    return [rows.emit.constant(0.0)] * rows.width


@emitted
def gather_pixels(
    emit: Emitter, columns: Any, c: Any, q: Any, q_row: Any, words: Any, count: Any, pixels: Any,
    table: Any, beta: Any,
) -> None:  # fmt: skip
    """c = beta c + sum over the pairs k in `count` words of t[v] q[2k] + t[v'] q[2k + 1]."""
    source, image, factors = emit.pointer(q), emit.pointer(pixels), emit.pointer(table)

    def instructions(rows: Rows) -> None:
        def body(k: Any, sums: list[Row]) -> list[Row]:
            first = emit.builder.shl(k, INT64(1))
            pair = emit.builder.gep(image, [first], source_etype=ir.IntType(8))
            numbers = (first, emit.builder.add(first, INT64(1)))
            terms = zip(rows.bytes(factors, pair), numbers, sums, strict=True)
            return [rows.fma(t, rows.load(rows.at(source, n, q_row)), s) for t, n, s in terms]

        # the sums of even and of odd pixels are apart: additions wait for half as many others
        even, odd = over_bits(rows, words, count, 1, [_zeros(rows), _zeros(rows)], body)
        total = [emit.builder.fadd(a, b) for a, b in zip(even, odd, strict=True)]
        accumulate(emit, rows.at(emit.pointer(c), 0, 0), total, beta)

    at_each_width(emit, columns, instructions)


@emitted
def scatter_pixels(
    emit: Emitter, columns: Any, c: Any, c_row: Any, q: Any, words: Any, count: Any, pixels: Any,
    table: Any, like: Any,
) -> None:  # fmt: skip
    """c[2k] += t[v] q and c[2k + 1] += t[v'] q for each pair k in `count` words."""
    target, image, factors = emit.pointer(c), emit.pointer(pixels), emit.pointer(table)

    def instructions(rows: Rows) -> None:
        source = rows.load(rows.at(emit.pointer(q), 0, 0))

        def body(k: Any, _: list[Row]) -> list[Row]:
            first = emit.builder.shl(k, INT64(1))
            pair = emit.builder.gep(image, [first], source_etype=ir.IntType(8))
            for number, factor in enumerate(rows.bytes(factors, pair)):
                positions = rows.at(target, emit.builder.add(first, INT64(number)), c_row)
                new = rows.fma(factor, source, rows.load(positions))
                for value, position in zip(new, positions, strict=True):
                    emit.store(value, position)
            return []

        over_bits(rows, words, count, 1, [], body)

    at_each_width(emit, columns, instructions)


def _sample_pixels(rows: Rows, images: Any, pixels: Any, table: Any, k: Any) -> list[Any]:
    """Return the factors of a pair of pixels, so many bytes behind the image of sample k."""
    emit, builder = rows.emit, rows.emit.builder
    position = builder.gep(emit.pointer(images), [k], source_etype=INT64)
    address = builder.add(builder.load(position, typ=INT64), pixels)
    return rows.bytes(emit.pointer(table), emit.pointer(address))


@emitted
def gather_samples(
    emit: Emitter, columns: Any, c: Any, c_row: Any, q: Any, q_row: Any, word: Any, images: Any,
    pixels: Any, table: Any, beta: Any,
) -> None:  # fmt: skip
    """c[0] = beta c[0] + sum of t[v] q[k], c[1] = beta c[1] + sum of t[v'] q[k].

    word : address of the word of the samples k; images : address of the addresses of their images;
    pixels : bytes from there to the pair.
    """
    source, target = emit.pointer(q), emit.pointer(c)

    def instructions(rows: Rows) -> None:
        def body(k: Any, sums: list[Row]) -> list[Row]:
            row = rows.load(rows.at(source, k, q_row))
            factors = _sample_pixels(rows, images, pixels, table, k)
            return [rows.fma(t, row, s) for t, s in zip(factors, sums, strict=True)]

        totals = over_bits(rows, word, 1, 1, [_zeros(rows), _zeros(rows)], body)
        positions = [*rows.at(target, 0, c_row), *rows.at(target, 1, c_row)]
        accumulate(emit, positions, [*totals[0], *totals[1]], beta)

    at_each_width(emit, columns, instructions)


@emitted
def scatter_samples(
    emit: Emitter, columns: Any, c: Any, c_row: Any, q: Any, q_row: Any, word: Any, images: Any,
    pixels: Any, table: Any, like: Any,
) -> None:  # fmt: skip
    """c[k] += t[v] q[0] + t[v'] q[1] for each sample k; arguments as in `gather_samples`."""
    target, source = emit.pointer(c), emit.pointer(q)

    def instructions(rows: Rows) -> None:
        pair = [rows.load(rows.at(source, number, q_row)) for number in (0, 1)]

        def body(k: Any, _: list[Row]) -> list[Row]:
            positions = rows.at(target, k, c_row)
            total = rows.load(positions)
            factors = _sample_pixels(rows, images, pixels, table, k)
            for factor, row in zip(factors, pair, strict=True):
                total = rows.fma(factor, row, total)
            for value, position in zip(total, positions, strict=True):
                emit.store(value, position)
            return []

        over_bits(rows, word, 1, 1, [], body)

    at_each_width(emit, columns, instructions)


@emitted
def gather_outputs(
    emit: Emitter, c: Any, goes_on: Any, p: Any, words: Any, count: Any, stride: Any, q: Any,
    q_k: Any, beta: Any,
) -> None:  # fmt: skip
    """c = beta c + sum over the outputs k in `count` words of p[k] q[k], in PANEL_VECTORS vectors.

    Where `goes_on` is not 0, the sums begin with c. p[k] lies k elements behind p.
    """
    rows, builder = Rows(emit, PANEL_VECTORS), emit.builder
    positions, factors, source = rows.at(emit.pointer(c), 0, 0), emit.pointer(p), emit.pointer(q)
    starts = builder.icmp_unsigned("==", goes_on, INT64(0))
    zero = emit.constant(0.0)
    sums = [builder.select(starts, zero, value) for value in rows.load(positions)]

    def body(k: Any, so_far: list[Row]) -> list[Row]:
        factor = emit.broadcast_from(emit.at(factors, k, 1))
        return [rows.fma(factor, rows.load(rows.at(source, k, q_k)), so_far[0])]

    totals = over_bits(rows, words, count, stride, [sums], body)
    accumulate(emit, positions, totals[0], beta)


__all__ = [
    "WORD_BYTES",
    "gather_outputs",
    "gather_pixels",
    "gather_samples",
    "scatter_pixels",
    "scatter_samples",
]
