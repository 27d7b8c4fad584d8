"""Small intrinsics, written as LLVM IR: each is one function with one job.

Inside the compiled room memory is named by its address, a plain integer; the element type comes
from an argument called `like`, a scalar that is otherwise unused.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

FEATURES = llvm.get_host_cpu_features()
VECTOR_BYTES = 64 if FEATURES.get("avx512f") else 32 if FEATURES.get("avx") else 16

INT64 = ir.IntType(64)
POINTER = ir.PointerType()


def lanes(like: Any) -> int:
    """Return the number of elements of a Numba scalar type in one vector."""
    return VECTOR_BYTES * 8 // int(like.bitwidth)


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
def prefetch(typingctx: Any, address: Any) -> Any:
    """Ask for the cache line at an address, to be read soon."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = ir.IntType(32)
        hint = ir.FunctionType(ir.VoidType(), [POINTER, number, number, number])
        callee = cgutils.get_or_insert_function(builder.module, hint, "llvm.prefetch.p0")
        read, everywhere, data = (ir.Constant(number, value) for value in (0, 3, 1))
        builder.call(callee, [builder.inttoptr(args[0], POINTER), read, everywhere, data])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@intrinsic
def nonzero_pairs(typingctx: Any, address: Any) -> Any:
    """Return one bit for each of the 16 pairs of bytes at an address, set where they are not 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = ir.VectorType(ir.IntType(16), 16)
        values = builder.load(builder.inttoptr(args[0], POINTER), typ=pairs, align=1)
        zeros = ir.Constant(pairs, [0] * 16)
        bits = builder.bitcast(builder.icmp_unsigned("!=", values, zeros), ir.IntType(16))
        return builder.zext(bits, INT64)

    return types.int64(types.int64), generate


@intrinsic
def lowest_bit(typingctx: Any, bits: Any) -> Any:
    """Return the number of the lowest bit that is set in an int64 that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate
