"""The innermost sparse loops over the samples in the masks of pairs of pixels (see `rows`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastmlp.kernels.algebra import Emitter
from fastmlp.kernels.rows import Rows, at_each_width
from fastmlp.kernels.simd import INT64, VECTOR_BYTES
from fastmlp.kernels.tiles import accumulate, sum_loop

# Neighbouring pairs that `scatter_samples` takes at once, where their weights fit in the registers:
# a sample in both then costs one round of stores, which take as long as a pair's multiplications
PAIRS = 2 if VECTOR_BYTES == 64 else 1


def over_samples(
    rows: Rows,
    mask: Any,
    images: Any,
    pixels: Any,
    sums: int,
    body: Callable[..., Any],
    count: int = 2,
) -> Any:
    """Emit the loop over the bits of a mask, with so many rows of sums.

    images : where the addresses of the samples' images lie; pixels : bytes from there to `count`
    pixels of interest
    body(sample, its pixels' factors, the rows of sums) returns the new rows.
    """
    emit, builder = rows.emit, rows.emit.builder
    addresses, none = emit.pointer(images), INT64(0)

    def passing(now: list[Any], flat: list[Any]) -> Any:
        bits = now[0]
        sample = builder.cttz(bits, ir.Constant(ir.IntType(1), 1))
        place = builder.gep(addresses, [sample], source_etype=INT64)
        address = builder.add(builder.load(place, typ=INT64), pixels)
        factors = rows.factors(emit.pointer(address), count)
        totals = body(sample, factors, rows.split(flat))
        left = builder.and_(bits, builder.sub(bits, INT64(1)))
        return [left], rows.flat(totals), builder.icmp_unsigned("!=", left, none)

    enters = builder.icmp_unsigned("!=", mask, none)
    zeros = [emit.constant(0.0)] * (sums * rows.width)
    return rows.split(sum_loop(emit, enters, [mask], zeros, passing))


@intrinsic
def gather_samples(
    typingctx: Any,
    columns: Any,
    c: Any,
    c_row: Any,
    q: Any,
    q_row: Any,
    mask: Any,
    images: Any,
    pixels: Any,
    table: Any,
    beta: Any,
) -> Any:
    """c[0] = beta c[0] + sum of t[v] q[k], c[1] = beta c[1] + sum of t[v'] q[k]."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        columns, c, c_row, q, q_row, mask, images, pixels, table, beta = args
        emit = Emitter(context, builder, signature.args[-1])

        def instructions(rows: Rows) -> None:
            base, target = emit.pointer(q), emit.pointer(c)

            def body(k: Any, factors: Any, sums: Any) -> Any:
                source = rows.load(rows.row(base, k, q_row))
                return [
                    rows.fma(factor, source, total)
                    for factor, total in zip(factors, sums, strict=True)
                ]

            first, second = over_samples(rows, mask, images, pixels, 2, body)
            places = [*rows.row(target, 0, c_row), *rows.row(target, 1, c_row)]
            accumulate(emit, places, first + second, beta)

        at_each_width(emit, columns, table, instructions)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 9, beta), generate


@intrinsic
def scatter_samples(
    typingctx: Any,
    columns: Any,
    c: Any,
    c_row: Any,
    q: Any,
    q_next: Any,
    q_row: Any,
    mask: Any,
    mask_next: Any,
    images: Any,
    pixels: Any,
    table: Any,
    like: Any,
) -> Any:
    """c[k] += t[v] q[0] + t[v'] q[1] for each sample k, and with PAIRS = 2 the next pair likewise.

    Samples in both pairs come first, then those in one: each sample takes its pairs in order.
    q_next can be read even where mask_next is 0, and nothing of it counts.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        columns, c, c_row, q, q_next, q_row, mask, mask_next, images, pixels, table, _ = args
        emit = Emitter(context, builder, signature.args[-1])
        next_pixels = builder.add(pixels, INT64(2))

        def instructions(rows: Rows) -> None:
            base = emit.pointer(c)

            def load_pair(place: Any) -> list[Any]:
                return [rows.load(rows.row(emit.pointer(place), n, q_row)) for n in (0, 1)]

            def over(mask: Any, pixels: Any, weights: list[Any]) -> None:
                def body(k: Any, factors: Any, _: Any) -> Any:
                    places = rows.row(base, k, c_row)
                    total = rows.load(places)
                    for factor, row in zip(factors, weights, strict=True):
                        total = rows.fma(factor, row, total)
                    rows.store(total, places)
                    return []

                over_samples(rows, mask, images, pixels, 0, body, len(weights))

            pair = load_pair(q)
            if PAIRS == 1:
                over(mask, pixels, pair)
                return
            pair_next, both = load_pair(q_next), builder.and_(mask, mask_next)
            over(both, pixels, pair + pair_next)
            over(builder.xor(mask, both), pixels, pair)
            over(builder.xor(mask_next, both), next_pixels, pair_next)

        at_each_width(emit, columns, table, instructions)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 11, like), generate
