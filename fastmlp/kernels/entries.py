"""The innermost sparse loops over the entries of an image's code (see `rows`).

An entry is 32 bits: the number of a pair (16 bits), and its pixels (8 bits each).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastmlp.kernels.algebra import Emitter
from fastmlp.kernels.rows import Rows, at_each_width
from fastmlp.kernels.simd import INT64, VECTOR_BYTES
from fastmlp.kernels.tiles import accumulate, counted_loop

# Entries that `gather_pixels` takes at once, to hide the latency of its additions
UNROLL = 2 if VECTOR_BYTES == 64 else 1
ENTRY, WORD, BYTE = ir.IntType(32), ir.IntType(16), ir.IntType(8)


def over_entries(
    rows: Rows, entries: Any, count: Any, sums: int, body: Callable[..., Any], step: int = 1
) -> Any:
    """Emit the loop over entries, `step` at a time, with so many rows of sums.

    body(for each entry the numbers of its rows and what its pixels count, the rows of sums)
    returns the new rows.
    """
    emit, builder = rows.emit, rows.emit.builder

    def passing(now: list[Any], flat: list[Any]) -> list[Any]:
        found: list[Any] = []
        for number in range(step):
            word = builder.gep(now[0], [emit.whole(4 * number)], source_etype=BYTE)
            even = builder.shl(builder.zext(builder.load(word, typ=WORD), INT64), INT64(1))
            numbers = (even, builder.add(even, INT64(1)))
            pixels = builder.gep(word, [emit.whole(2)], source_etype=BYTE)
            found += zip(numbers, rows.factors(pixels), strict=True)
        return rows.flat(body(found, rows.split(flat)))

    start = [(emit.pointer(entries), step, ENTRY)]
    return rows.split(counted_loop(emit, count, step, start, sums * rows.width, passing))


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

        def instructions(rows: Rows) -> None:
            base = emit.pointer(q)

            def body(found: Any, sums: Any) -> Any:
                return [
                    rows.fma(factor, rows.load(rows.row(base, number, q_row)), total)
                    for (number, factor), total in zip(found, sums, strict=True)
                ]

            parts = over_entries(rows, entries, count, 2 * UNROLL, body, UNROLL)
            while len(parts) > 1:
                halves = zip(parts[::2], parts[1::2], strict=True)
                parts = [
                    [builder.fadd(a, b) for a, b in zip(*half, strict=True)] for half in halves
                ]
            accumulate(emit, rows.row(emit.pointer(c), 0, q_row), parts[0], beta)

        at_each_width(emit, columns, table, instructions)
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

        def instructions(rows: Rows) -> None:
            base, source = emit.pointer(c), rows.load(rows.row(emit.pointer(q), 0, c_row))

            def body(found: Any, _: Any) -> Any:
                for number, factor in found:
                    places = rows.row(base, number, c_row)
                    rows.store(rows.fma(factor, source, rows.load(places)), places)
                return []

            over_entries(rows, entries, count, 0, body)

        at_each_width(emit, columns, table, instructions)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 7, like), generate
