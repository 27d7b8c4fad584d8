"""Sparse products: sums over the terms whose bits are set, in vectors of columns.

Two loops, each over the bits of some words (see `bits`), or the entries of a list or a sparse row:
*gather* keeps sums in registers and reads a row for each; *scatter* keeps rows in registers and
adds to another for each. A factor is a float, or a byte that a table of 256 turns into one: t[v].
Rows are PANEL_VECTORS vectors wide, half of that, or one vector.

    gather_pixels    c     += sum over pairs k of an image of t[v] q[2k] + t[v'] q[2k + 1]
    scatter_pixels   c[2k] += t[v] q,  c[2k + 1] += t[v'] q      for each pair k of an image
    gather_samples   c[0]  += sum over samples k of t[v] q[k],  c[1] += sum of t[v'] q[k]
    scatter_samples  c[k]  += t[v] q[0] + t[v'] q[1]             for each sample k
    gather_entries   c     += sum over entries k of a sparse row of v[k] q[n[k]]
    scatter_entries  c[n[k]] += v[k] q                           for each entry k of a sparse row
    gather_outputs   c     += sum over outputs k of p[k] q[k]
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from llvmlite import ir

from fastmlp.kernels.llvm.emitter import INT32, INT64, Emitter
from fastmlp.kernels.llvm.intrinsics import accumulate, counted_loop, emitted, names_of, sum_loop
from fastmlp.kernels.memory.tuning import PAIRS, PANEL_VECTORS, PART, WORD_BYTES

Row = list[Any]  # vectors, or their positions


class Rows:
    """Emits what each pass needs of rows of `width` vectors; sums are vectors of several rows."""

    def __init__(self, emit: Emitter, width: int) -> None:
        self.emit, self.width = emit, width

    def at(self, base: Any, number: Any, stride: Any) -> Row:
        """Return the positions of the vectors of row `number`."""
        return [self.emit.at(base, number, stride, j * self.emit.count) for j in range(self.width)]

    def load(self, positions: Row) -> Row:
        """Load a row."""
        return [self.emit.load(position) for position in positions]

    def store(self, row: Row, positions: Row) -> None:
        """Store a row."""
        for value, position in zip(row, positions, strict=True):
            self.emit.store(value, position)

    def zeros(self, rows: int = 1) -> Row:
        """Return so many rows of zeros."""
        return [self.emit.constant(0.0)] * (rows * self.width)

    def fma(self, factor: Any, row: Row, total: Row) -> Row:
        """factor row + total."""
        pairs = zip(row, total, strict=True)
        return [self.emit.call("fmuladd", factor, value, so_far) for value, so_far in pairs]

    def pixels(self, images: Any, pixels: Any, table: Any, k: Any) -> list[Any]:
        """Return the factors of a pair of pixels, so many bytes behind the image of sample k."""
        emit, builder, byte = self.emit, self.emit.builder, ir.IntType(8)
        position = builder.gep(emit.pointer(images), [k], source_etype=INT64)
        address = builder.add(builder.load(position, typ=INT64), pixels)
        first = emit.pointer(address)
        places = [builder.gep(first, [INT64(i)], source_etype=byte) for i in (0, 1)]
        values = [builder.zext(builder.load(place, typ=byte), INT64) for place in places]
        return [emit.broadcast_from(emit.at(emit.pointer(table), value, 1)) for value in values]

    def over_bits(self, word: Any, sums: Row, body: Callable[..., Row]) -> Row:
        """Emit the loop over the bits k set in a word; body(k, sums) returns the new sums."""
        builder = self.emit.builder

        def passing(state: list[Any], totals: Row) -> Any:
            left = state[0]
            k = builder.cttz(left, ir.Constant(ir.IntType(1), 1))
            following = builder.and_(left, builder.sub(left, INT64(1)))
            return [following], body(k, totals), self.emit.nonzero(following)

        return sum_loop(self.emit, self.emit.nonzero(word), [word], sums, passing)

    def over_list(self, pairs: Any, capacity: Any, sums: Row, body: Callable[..., Row]) -> Row:
        """Emit the loop over the entries of an image's list, two at once (see `bits.list_pairs`).

        body(numbers of four pixels, their factors, sums) returns the new sums.
        """
        emit, builder = self.emit, self.emit.builder
        count = builder.load(emit.pointer(pairs), typ=INT64)
        numbers = emit.pointer(builder.add(pairs, INT64(WORD_BYTES)))
        even = builder.gep(numbers, [capacity], source_etype=INT32)
        odd = emit.at(even, 0, 0, capacity)

        def passing(_: Any, now: list[Any], totals: Row) -> Row:
            pixels, factors = [], []
            for k in (0, 1):
                position = builder.gep(now[0], [INT64(k)], source_etype=INT32)
                number = builder.zext(builder.load(position, typ=INT32), INT64)
                pixels += [number, builder.add(number, INT64(1))]
                factors += [emit.broadcast_from(emit.at(now[j], 0, 0, k)) for j in (1, 2)]
            return body(pixels, factors, totals)

        pointers = [(numbers, 2, INT32), (even, 2, emit.scalar), (odd, 2, emit.scalar)]
        return counted_loop(emit, builder.lshr(count, INT64(1)), pointers, sums, passing)

    def over_entries(
        self, columns: Any, values: Any, count: Any, sums: Row, body: Callable[..., Row]
    ) -> Row:
        """Emit the loop over the entries of a sparse row; body(column, value, sums)."""
        emit, builder = self.emit, self.emit.builder

        def passing(_: Any, now: list[Any], totals: Row) -> Row:
            column = builder.zext(builder.load(now[0], typ=INT32), INT64)
            return body(column, emit.broadcast_from(now[1]), totals)

        pointers = [(emit.pointer(columns), 1, INT32), (emit.pointer(values), 1, emit.scalar)]
        return counted_loop(emit, count, pointers, sums, passing)


def at_each_width(function: Callable[..., None]) -> Any:
    """Make an intrinsic (columns, *arguments) of a function (rows, *arguments).

    Its instructions are there for each width, and those run that are for so many columns.
    """

    @wraps(function)
    def widths(emit: Emitter, columns: Any, *arguments: Any) -> None:
        for vectors in (1, PANEL_VECTORS // 2, PANEL_VECTORS):
            fits = emit.builder.icmp_signed("==", columns, emit.whole(vectors * emit.count))
            with emit.builder.if_then(fits):
                function(Rows(emit, vectors), *arguments)

    return emitted(widths, ["columns", *names_of(function)[1:]])


@at_each_width
def gather_pixels(rows: Rows, c, q, q_row, pair_list, capacity, beta) -> None:
    """c = beta c + sum over the pairs k of an image's list of t[v] q[2k] + t[v'] q[2k + 1]."""
    emit, width, add = rows.emit, rows.width, rows.emit.builder.fadd

    def body(numbers: list[Any], factors: list[Any], sums: Row) -> Row:
        new = []
        for i, (number, factor) in enumerate(zip(numbers, factors, strict=True)):
            row = rows.load(rows.at(emit.pointer(q), number, q_row))
            new += rows.fma(factor, row, sums[i * width : (i + 1) * width])
        return new

    # four sums: each addition waits for a quarter of the others
    sums = rows.over_list(pair_list, capacity, rows.zeros(4), body)
    four = [sums[j::width] for j in range(width)]
    total = [add(add(one, two), add(three, last)) for one, two, three, last in four]
    accumulate(emit, rows.at(emit.pointer(c), 0, 0), total, beta)


@at_each_width
def scatter_pixels(rows: Rows, c, c_row, q, pair_list, capacity, like) -> None:
    """c[2k] += t[v] q and c[2k + 1] += t[v'] q for each pair k of an image's list."""
    source = rows.load(rows.at(rows.emit.pointer(q), 0, 0))

    def body(numbers: list[Any], factors: list[Any], _: Row) -> Row:
        for number, factor in zip(numbers, factors, strict=True):
            positions = rows.at(rows.emit.pointer(c), number, c_row)
            rows.store(rows.fma(factor, source, rows.load(positions)), positions)
        return []

    rows.over_list(pair_list, capacity, [], body)


@at_each_width
def gather_entries(rows: Rows, c, q, q_row, numbers, values, count, beta) -> None:
    """c = beta c + sum over the entries k of a sparse row of v[k] q[n[k]]."""
    emit = rows.emit

    def body(column: Any, value: Any, sums: Row) -> Row:
        return rows.fma(value, rows.load(rows.at(emit.pointer(q), column, q_row)), sums)

    sums = rows.over_entries(numbers, values, count, rows.zeros(), body)
    accumulate(emit, rows.at(emit.pointer(c), 0, 0), sums, beta)


@at_each_width
def scatter_entries(rows: Rows, c, c_row, q, numbers, values, count, like) -> None:
    """c[n[k]] += v[k] q for each entry k of a sparse row."""
    source = rows.load(rows.at(rows.emit.pointer(q), 0, 0))

    def body(column: Any, value: Any, _: Row) -> Row:
        positions = rows.at(rows.emit.pointer(c), column, c_row)
        rows.store(rows.fma(value, source, rows.load(positions)), positions)
        return []

    rows.over_entries(numbers, values, count, [], body)


@at_each_width
def gather_samples(rows: Rows, c, c_row, q, q_row, word, images, pixels, table, beta) -> None:
    """c[0] = beta c[0] + sum of t[v] q[k], c[1] = beta c[1] + sum of t[v'] q[k].

    word : of the samples k; images : address of the addresses of their images; pixels : bytes from
    there to the pair
    """
    emit, width = rows.emit, rows.width

    def body(k: Any, sums: Row) -> Row:
        row = rows.load(rows.at(emit.pointer(q), k, q_row))
        first, second = rows.pixels(images, pixels, table, k)
        return rows.fma(first, row, sums[:width]) + rows.fma(second, row, sums[width:])

    totals = rows.over_bits(word, rows.zeros(2), body)
    positions = [position for i in (0, 1) for position in rows.at(emit.pointer(c), i, c_row)]
    accumulate(emit, positions, totals, beta)


@at_each_width
def scatter_samples(
    rows: Rows, c, c_row, q, q_next, q_row, word, word_next, images, pixels, table, like
) -> None:
    """c[k] += t[v] q[0] + t[v'] q[1] for each sample k, and with PAIRS = 2 the next pair likewise.

    Samples in both pairs come first, then those in one; each sample adds the first pair before the
    next. q_next is a valid address even where word_next is 0; the rest is as in `gather_samples`.
    """
    emit, builder = rows.emit, rows.emit.builder

    def pair_at(address: Any) -> list[Row]:
        return [rows.load(rows.at(emit.pointer(address), n, q_row)) for n in (0, 1)]

    def over(word: Any, *pairs: tuple[Any, list[Row]]) -> None:
        def body(k: Any, _: Row) -> Row:
            positions = rows.at(emit.pointer(c), k, c_row)
            total = rows.load(positions)
            for place, pair in pairs:
                factors = rows.pixels(images, place, table, k)
                for factor, row in zip(factors, pair, strict=True):
                    total = rows.fma(factor, row, total)
            rows.store(total, positions)
            return []

        rows.over_bits(word, [], body)

    pair = pixels, pair_at(q)
    if PAIRS == 1:
        over(word, pair)
        return
    following = builder.add(pixels, INT64(2)), pair_at(q_next)
    both = builder.and_(word, word_next)
    over(both, pair, following)
    over(builder.xor(word, both), pair)
    over(builder.xor(word_next, both), following)


@at_each_width
def sum_rows(rows: Rows, c, q, q_row, count, beta) -> None:
    """c = beta c + sum over k = 0, …, count - 1 of q[k]: a product in which every factor is 1."""
    emit = rows.emit

    def body(_: Any, now: list[Any], sums: Row) -> Row:
        row = rows.load(rows.at(now[0], 0, 0))
        return [emit.builder.fadd(total, value) for total, value in zip(sums, row, strict=True)]

    pointers = [(emit.pointer(q), q_row, emit.scalar)]
    sums = counted_loop(emit, count, pointers, rows.zeros(), body)
    accumulate(emit, rows.at(emit.pointer(c), 0, 0), sums, beta)


@emitted
def gather_outputs(emit: Emitter, c, goes_on, p, word, word_next, q, q_k, beta) -> None:
    """c = beta c + sum over the outputs k of two words of p[k] q[k], in PANEL_VECTORS vectors.

    Where `goes_on` is not 0, the sums begin with c. p[k] lies k elements behind p.
    """
    rows, builder = Rows(emit, PANEL_VECTORS), emit.builder
    positions, zero = rows.at(emit.pointer(c), 0, 0), emit.constant(0.0)
    starts = builder.icmp_unsigned("==", goes_on, INT64(0))
    sums = [builder.select(starts, zero, value) for value in rows.load(positions)]

    def body(first: int, k: Any, so_far: Row) -> Row:
        k = builder.add(k, INT64(first))
        factor = emit.broadcast_from(emit.at(emit.pointer(p), k, 1))
        return rows.fma(factor, rows.load(rows.at(emit.pointer(q), k, q_k)), so_far)

    for first, bits in ((0, word), (PART, word_next)):
        sums = rows.over_bits(bits, sums, partial(body, first))
    accumulate(emit, positions, sums, beta)
