"""Vector instructions, written as LLVM IR: each intrinsic is one function with one job.

Inside the compiled room memory is named by its address, a plain integer; the element type comes
from an argument called `like`, a scalar that is otherwise unused.
"""

from __future__ import annotations

from math import factorial
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

FEATURES = llvm.get_host_cpu_features()
VECTOR_BYTES = 64 if FEATURES.get("avx512f") else 32 if FEATURES.get("avx") else 16
# How many rows of the microkernel's tile fit in the registers, two vectors wide
TILE_ROWS = 8 if VECTOR_BYTES == 64 else 6
TILE_VECTORS = 2

INT64 = ir.IntType(64)
POINTER = ir.PointerType()


def lanes(like: Any) -> int:
    """Return the number of elements of a Numba scalar type in one vector."""
    return VECTOR_BYTES * 8 // int(like.bitwidth)


def _pointer(builder: Any, address: Any, element: Any, index: Any = None) -> Any:
    pointer = builder.inttoptr(address, POINTER)
    return pointer if index is None else builder.gep(pointer, [index], source_etype=element)


@intrinsic
def stay_whole(typingctx: Any) -> Any:
    """Keep the compiled function that calls this from being copied into its callers."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def pointer(typingctx: Any, address: Any, like: Any) -> Any:
    """Return the address as a typed pointer, for `numba.carray`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    kind = types.CPointer(like)  # type: ignore[attr-defined]
    return kind(types.int64, like), generate


@intrinsic
def item_bytes(typingctx: Any, like: Any) -> Any:
    """Return how many bytes one element of that type takes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(INT64, int(like.bitwidth) // 8)

    return types.int64(like), generate


@intrinsic
def vector_lanes(typingctx: Any, like: Any) -> Any:
    """Return how many elements of that type one vector holds."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(INT64, lanes(like))

    return types.int64(like), generate


@intrinsic
def power_of_two(typingctx: Any, n: Any) -> Any:
    """Return 2^n for a whole number n, given as a float, in the exponents of normal numbers."""
    integer, mantissa, bias = (
        (ir.IntType(32), 23, 127) if n == types.float32 else (ir.IntType(64), 52, 1023)
    )

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        exponent = builder.add(builder.fptosi(args[0], integer), ir.Constant(integer, bias))
        bits = builder.shl(exponent, ir.Constant(integer, mantissa))
        return builder.bitcast(bits, args[0].type)

    return n(n), generate


@intrinsic
def expm1_series(typingctx: Any, r: Any) -> Any:
    """Return r + r^2 / 2! + r^3 / 3! + … for abs(r) <= log(2) / 2, by Horner's rule."""
    degree = 7 if r == types.float32 else 13

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = args[0].type
        total = ir.Constant(kind, 1 / factorial(degree))
        for k in range(degree - 1, 1, -1):
            product = builder.fmul(total, args[0], flags=("contract",))
            total = builder.fadd(product, ir.Constant(kind, 1 / factorial(k)), flags=("contract",))
        # r + r^2 (1 / 2! + r / 3! + …): the small second term hides its rounding errors
        product = builder.fmul(builder.fmul(args[0], args[0]), total, flags=("contract",))
        return builder.fadd(product, args[0], flags=("contract",))

    return r(r), generate


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
    q: Any,
    q_k: Any,
    length: Any,
    beta: Any,
) -> Any:
    """c[i, j] = beta c[i, j] + sum over k of p[i, k] q[k, j], for one tile held in registers.

    `rows` and `vectors`, literal, are the tile's height, and its width in vectors. c, p and q are
    addresses; p[i, k] lies p_row i + p_k k elements behind p, and likewise for q and c, whose
    columns are adjacent. The sum runs over k = 0, 1, …, length - 1, in that order, each term
    fused into the sum so far. Where beta is 0, c is not read.
    """
    height, width, element = rows.literal_value, vectors.literal_value, beta
    size = types.int64
    signature = types.void(rows, vectors, *([size] * 8), beta)
    count = lanes(element)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, _, c, c_row, p, p_row, p_k, q, q_k, length, beta = args
        scalar = context.get_value_type(element)
        vector = ir.VectorType(scalar, count)
        align = element.bitwidth // 8
        fma = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(vector, [vector] * 3),
            f"llvm.fmuladd.v{count}f{element.bitwidth}",
        )

        def broadcast(value: Any) -> Any:
            first = builder.insert_element(
                ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
            )
            mask = ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count)
            return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), mask)

        def at(base: Any, row: Any, stride: Any, column: int) -> Any:
            offset = builder.mul(ir.Constant(INT64, row), stride)
            offset = builder.add(offset, ir.Constant(INT64, column))
            return builder.gep(base, [offset], source_etype=scalar)

        before = builder.block
        loop = builder.append_basic_block("sum")
        after = builder.append_basic_block("store")
        p_start, q_start = _pointer(builder, p, scalar), _pointer(builder, q, scalar)
        none = builder.icmp_signed("<=", length, ir.Constant(INT64, 0))
        zero = ir.Constant(vector, [0.0] * count)
        builder.cbranch(none, after, loop)

        builder.position_at_end(loop)
        k = builder.phi(INT64)
        p_now, q_now = builder.phi(POINTER), builder.phi(POINTER)
        sums = [[builder.phi(vector) for _ in range(width)] for _ in range(height)]
        q_row = [
            builder.load(at(q_now, 0, q_k, v * count), typ=vector, align=align)
            for v in range(width)
        ]
        totals = []
        for i in range(height):
            p_value = broadcast(builder.load(at(p_now, i, p_row, 0), typ=scalar, align=align))
            totals.append(
                [builder.call(fma, [p_value, q_row[v], sums[i][v]]) for v in range(width)]
            )
        p_next = builder.gep(p_now, [p_k], source_etype=scalar)
        q_next = builder.gep(q_now, [q_k], source_etype=scalar)
        k_next = builder.add(k, ir.Constant(INT64, 1))
        k.add_incoming(ir.Constant(INT64, 0), before)
        k.add_incoming(k_next, loop)
        for phi, start, following in ((p_now, p_start, p_next), (q_now, q_start, q_next)):
            phi.add_incoming(start, before)
            phi.add_incoming(following, loop)
        for i in range(height):
            for v in range(width):
                sums[i][v].add_incoming(zero, before)
                sums[i][v].add_incoming(totals[i][v], loop)
        builder.cbranch(builder.icmp_signed("<", k_next, length), loop, after)

        builder.position_at_end(after)
        results: list[list[Any]] = []
        for i in range(height):
            results.append([])
            for v in range(width):
                total = builder.phi(vector)
                total.add_incoming(zero, before)
                total.add_incoming(totals[i][v], loop)
                results[i].append(total)
        c_start = _pointer(builder, c, scalar)
        keeps = builder.fcmp_unordered("!=", beta, ir.Constant(scalar, 0.0))
        with builder.if_else(keeps) as (accumulate, overwrite):
            with accumulate:
                factor = broadcast(beta)
                for i in range(height):
                    for v in range(width):
                        place = at(c_start, i, c_row, v * count)
                        old = builder.load(place, typ=vector, align=align)
                        new = builder.call(fma, [factor, old, results[i][v]])
                        builder.store(new, place, align=align)
            with overwrite:
                for i in range(height):
                    for v in range(width):
                        place = at(c_start, i, c_row, v * count)
                        builder.store(results[i][v], place, align=align)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def transpose_tile(
    typingctx: Any, target: Any, target_row: Any, source: Any, source_row: Any, like: Any
) -> Any:
    """target[j, i] = source[i, j] for a square as wide as one vector; rows are strided."""
    count = lanes(like)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target, target_row, source, source_row, _ = args
        scalar = context.get_value_type(like)
        vector, align = ir.VectorType(scalar, count), like.bitwidth // 8

        def place(base: Any, row: int, stride: Any) -> Any:
            offset = builder.mul(ir.Constant(INT64, row), stride)
            return _pointer(builder, base, scalar, offset)

        def interleave(one: Any, other: Any, start: int) -> Any:
            order = [k // 2 + start + (k % 2) * count for k in range(count)]
            mask = ir.Constant(ir.VectorType(ir.IntType(32), count), order)
            return builder.shuffle_vector(one, other, mask)

        rows = [
            builder.load(place(source, i, source_row), typ=vector, align=align)
            for i in range(count)
        ]
        # Interleaving row i with row i + count / 2, log2(count) times over, is a transposition:
        # each pass rotates one bit of the row number into the column number.
        half = count // 2
        for _ in range(count.bit_length() - 1):
            pairs = [(rows[i], rows[i + half]) for i in range(half)]
            rows = [interleave(*pair, start) for pair in pairs for start in (0, half)]
        for i, row in enumerate(rows):
            builder.store(row, place(target, i, target_row), align=align)
        return context.get_dummy_value()

    size = types.int64
    return types.void(size, size, size, size, like), generate
