"""The innermost sparse loops, written as LLVM vector IR: two rows for each entry.

Neighbouring pixels are mostly zero, or not, together; so pixels come in pairs. An entry is 32
bits: an index k (16 bits) and the values v, v' of two pixels (8 bits each), of which
`table[value]` says what they count. All four loops are multiplications of a sparse matrix:

    gather_pixels    c     += sum over entries of t[v] q[2k] + t[v'] q[2k + 1]
    scatter_pixels   c[2k] += t[v] q,  c[2k + 1] += t[v'] q          for each entry
    gather_samples   c[0]  += sum of t[v] q[k],  c[1] += sum of t[v'] q[k]
    scatter_samples  c[k]  += t[v] q[0] + t[v'] q[1]                 for each entry

where k is a pair of pixels in the first two, which go through an image, and a sample in the
others, which go through the list of a pair. Rows have `columns` columns, 1, ROW_VECTORS / 2 or
ROW_VECTORS vectors; c_row and q_row elements lie between them. What is the same for all entries
stays in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastmlp.kernels.algebra import Emitter
from fastmlp.kernels.simd import INT64, VECTOR_BYTES
from fastmlp.kernels.tiles import accumulate, sum_loop

# How many vectors wide a sparse row is at most
ROW_VECTORS = 4
# Entries that `gather_pixels` takes at once, to hide the latency of its additions
UNROLL = 2 if VECTOR_BYTES == 64 else 1
ENTRY, WORD = ir.IntType(32), ir.IntType(16)


class _Rows:
    """What the four loops have in common: entries, factors, and rows of vectors."""

    def __init__(self, emit: Emitter, width: int, table: Any) -> None:
        self.emit, self.width, self.table = emit, width, emit.pointer(table)

    def entry(self, place: Any, number: int = 0) -> tuple[Any, Any, Any]:
        """Load an entry: its index, and the factors of its two pixels."""
        emit = self.emit
        word = emit.builder.gep(place, [emit.whole(4 * number)], source_etype=ir.IntType(8))
        index = emit.builder.zext(emit.builder.load(word, typ=WORD), INT64)
        factors = [
            emit.broadcast_from(emit.at(self.table, emit.byte_at(word, byte), 1)) for byte in (2, 3)
        ]
        return index, factors[0], factors[1]

    def row(self, base: Any, number: Any, stride: Any) -> list[Any]:
        """Return the places of the vectors of row `number`."""
        return [self.emit.at(base, number, stride, j * self.emit.count) for j in range(self.width)]

    def load(self, places: list[Any]) -> list[Any]:
        """Load a row."""
        return [self.emit.load(place) for place in places]

    def fma(self, factor: Any, row: list[Any], total: list[Any]) -> list[Any]:
        """factor row + total."""
        pairs = zip(row, total, strict=True)
        return [self.emit.call("fmuladd", factor, value, so_far) for value, so_far in pairs]

    def store(self, row: list[Any], places: list[Any]) -> None:
        """Store a row."""
        for value, place in zip(row, places, strict=True):
            self.emit.store(value, place)

    def loop(
        self, entries: Any, count: Any, sums: int, body: Callable[..., Any], step: int = 1
    ) -> Any:
        """Emit the loop over the entries, `step` at a time, with `sums` rows of sums."""

        def by_rows(now: Any, flat: list[Any]) -> list[Any]:
            rows = [flat[i * self.width : (i + 1) * self.width] for i in range(sums)]
            return [value for row in body(now[0], rows) for value in row]

        start = [(self.emit.pointer(entries), step, ENTRY)]
        flat = sum_loop(self.emit, count, step, start, sums * self.width, by_rows)
        return [flat[i * self.width : (i + 1) * self.width] for i in range(sums)]


def _at_each_width(
    emit: Emitter, columns: Any, table: Any, instructions: Callable[[_Rows], None]
) -> None:
    """Emit instructions for each width, to be run where `columns` has that width."""
    for vectors in (1, ROW_VECTORS // 2, ROW_VECTORS):
        fits = emit.builder.icmp_signed("==", columns, emit.whole(vectors * emit.count))
        with emit.builder.if_then(fits):
            instructions(_Rows(emit, vectors, table))


@intrinsic
def gather_pixels(
    typingctx: Any,
    columns: Any,
    c: Any,
    q: Any,
    q_row: Any,
    entries: Any,
    count: Any,
    table: Any,
    beta: Any,
) -> Any:
    """c = beta c + sum of t[v] q[2k] + t[v'] q[2k + 1]; count is a multiple of UNROLL."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        columns, c, q, q_row, entries, count, table, beta = args
        emit = Emitter(context, builder, signature.args[-1])

        def instructions(rows: _Rows) -> None:
            base = emit.pointer(q)

            def body(now: Any, sums: Any) -> Any:
                totals = []
                for u in range(UNROLL):
                    k, even, odd = rows.entry(now, u)
                    first = builder.mul(k, emit.whole(2))
                    second = builder.add(first, emit.whole(1))
                    totals.append(
                        rows.fma(even, rows.load(rows.row(base, first, q_row)), sums[2 * u])
                    )
                    odd_row = rows.load(rows.row(base, second, q_row))
                    totals.append(rows.fma(odd, odd_row, sums[2 * u + 1]))
                return totals

            parts = rows.loop(entries, count, 2 * UNROLL, body, UNROLL)
            while len(parts) > 1:
                halves = zip(parts[::2], parts[1::2], strict=True)
                parts = [
                    [builder.fadd(a, b) for a, b in zip(*half, strict=True)] for half in halves
                ]
            accumulate(emit, rows.row(emit.pointer(c), 0, q_row), parts[0], beta)

        _at_each_width(emit, columns, table, instructions)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 7, beta), generate


@intrinsic
def scatter_pixels(
    typingctx: Any,
    columns: Any,
    c: Any,
    c_row: Any,
    q: Any,
    entries: Any,
    count: Any,
    table: Any,
    like: Any,
) -> Any:
    """c[2k] += t[v] q and c[2k + 1] += t[v'] q for each entry."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        columns, c, c_row, q, entries, count, table, _ = args
        emit = Emitter(context, builder, signature.args[-1])

        def instructions(rows: _Rows) -> None:
            base, source = emit.pointer(c), rows.load(rows.row(emit.pointer(q), 0, c_row))

            def body(now: Any, _: Any) -> Any:
                k, even, odd = rows.entry(now)
                first = builder.mul(k, emit.whole(2))
                for number, factor in ((first, even), (builder.add(first, emit.whole(1)), odd)):
                    places = rows.row(base, number, c_row)
                    rows.store(rows.fma(factor, source, rows.load(places)), places)
                return []

            rows.loop(entries, count, 0, body)

        _at_each_width(emit, columns, table, instructions)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 7, like), generate


@intrinsic
def gather_samples(
    typingctx: Any,
    columns: Any,
    c: Any,
    c_row: Any,
    q: Any,
    q_row: Any,
    entries: Any,
    count: Any,
    table: Any,
    beta: Any,
) -> Any:
    """c[0] = beta c[0] + sum of t[v] q[k], c[1] = beta c[1] + sum of t[v'] q[k]."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        columns, c, c_row, q, q_row, entries, count, table, beta = args
        emit = Emitter(context, builder, signature.args[-1])

        def instructions(rows: _Rows) -> None:
            base, target = emit.pointer(q), emit.pointer(c)

            def body(now: Any, sums: Any) -> Any:
                k, even, odd = rows.entry(now)
                source = rows.load(rows.row(base, k, q_row))
                return [rows.fma(even, source, sums[0]), rows.fma(odd, source, sums[1])]

            first, second = rows.loop(entries, count, 2, body)
            places = [*rows.row(target, 0, c_row), *rows.row(target, 1, c_row)]
            accumulate(emit, places, first + second, beta)

        _at_each_width(emit, columns, table, instructions)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 8, beta), generate


@intrinsic
def scatter_samples(
    typingctx: Any,
    columns: Any,
    c: Any,
    c_row: Any,
    q: Any,
    q_row: Any,
    entries: Any,
    count: Any,
    table: Any,
    like: Any,
) -> Any:
    """c[k] += t[v] q[0] + t[v'] q[1] for each entry."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        columns, c, c_row, q, q_row, entries, count, table, _ = args
        emit = Emitter(context, builder, signature.args[-1])

        def instructions(rows: _Rows) -> None:
            base, source = emit.pointer(c), emit.pointer(q)
            first = rows.load(rows.row(source, 0, q_row))
            second = rows.load(rows.row(source, 1, q_row))

            def body(now: Any, _: Any) -> Any:
                k, even, odd = rows.entry(now)
                places = rows.row(base, k, c_row)
                total = rows.fma(even, first, rows.load(places))
                rows.store(rows.fma(odd, second, total), places)
                return []

            rows.loop(entries, count, 0, body)

        _at_each_width(emit, columns, table, instructions)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 8, like), generate
