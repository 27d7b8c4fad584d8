"""Small intrinsics, written as LLVM IR: each is one function with one job.

Inside the compiled room memory is named by its address, a plain integer; the element type comes
from an argument called `like`, a scalar that is otherwise unused.
"""

from __future__ import annotations

import os
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from fastmlp.errors import refuse

FEATURES = llvm.get_host_cpu_features()
WIDEST = 64 if FEATURES.get("avx512f") else 32 if FEATURES.get("avx") else 16
# A narrower vector may be asked for, to check kernels as another processor would run them
VECTOR_BYTES = min(WIDEST, max(16, int(os.environ.get("FASTMLP_VECTOR_BYTES", WIDEST))))
if VECTOR_BYTES not in (16, 32, 64):
    raise refuse("FASTMLP_VECTOR_BYTES", "must be 16, 32 or 64", VECTOR_BYTES, "Unset it.")

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


def emit_prefetch(builder: Any, place: Any) -> None:
    """Emit the request for the cache line at a pointer, to be read soon."""
    number = ir.IntType(32)
    hint = ir.FunctionType(ir.VoidType(), [POINTER, number, number, number])
    callee = cgutils.get_or_insert_function(builder.module, hint, "llvm.prefetch.p0")
    reading, everywhere, data = 0, 3, 1
    how = [ir.Constant(number, value) for value in (reading, everywhere, data)]
    builder.call(callee, [place, *how])


@intrinsic
def prefetch(typingctx: Any, address: Any) -> Any:
    """Ask for the cache line at an address, to be read soon."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit_prefetch(builder, builder.inttoptr(args[0], POINTER))
        return context.get_dummy_value()

    return types.void(types.int64), generate


@intrinsic
def compress_pairs(typingctx: Any, pixels: Any, first: Any, entries: Any) -> Any:
    """Write an entry for each pair of bytes that is not zero; return how many there were.

    pixels : where 16 pairs lie; first : the number of the first.
    An entry is 32 bits: the number of its pair, and the pair.
    """
    lanes = 16

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pixels, first, entries = args
        half, number = ir.IntType(16), ir.IntType(32)
        kind = ir.VectorType(number, lanes)
        numbers, zeros = ir.Constant(kind, list(range(lanes))), ir.Constant(kind, [0] * lanes)

        def copies(value: Any) -> Any:
            start = ir.Constant(kind, ir.Undefined)
            one = builder.insert_element(start, builder.trunc(value, number), number(0))
            return builder.shuffle_vector(one, start, zeros)

        def call(name: str, result: Any, *values: Any) -> Any:
            callee = ir.FunctionType(result, [value.type for value in values])
            return builder.call(
                cgutils.get_or_insert_function(builder.module, callee, name), values
            )

        place = builder.inttoptr(pixels, POINTER)
        words = builder.load(place, typ=ir.VectorType(half, lanes), align=1)
        pairs = builder.zext(words, kind)
        wanted = builder.icmp_signed("!=", pairs, zeros)
        values = builder.shl(pairs, ir.Constant(kind, [16] * lanes))
        values = builder.or_(values, builder.add(copies(first), numbers))
        none, name = (
            ir.Constant(kind, ir.Undefined),
            f"llvm.experimental.vector.compress.v{lanes}i32",
        )
        values = call(name, kind, values, wanted, none)
        found = builder.zext(builder.ctpop(builder.bitcast(wanted, half)), INT64)
        kept, target = (
            builder.icmp_signed("<", numbers, copies(found)),
            builder.inttoptr(entries, POINTER),
        )
        call(f"llvm.masked.store.v{lanes}i32.p0", ir.VoidType(), values, target, number(4), kept)
        return found

    return types.int64(*[types.int64] * 3), generate
