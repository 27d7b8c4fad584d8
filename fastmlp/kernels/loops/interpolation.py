"""The pixels of changed images, some at once: moved, interpolated, and written past the caches."""

from __future__ import annotations

from functools import partial
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from fastmlp.functions.augmentation import BITS, ONE, WEIGHT_BITS
from fastmlp.kernels.llvm.emitter import BYTE, INT32, INT64, POINTER, Emitter, copies
from fastmlp.kernels.llvm.intrinsics import emitted

# Pixels of zeros around an image: on its left and top, and on both sides
LOW, AROUND = 1, 3
BLOCK, STREAMED = 64, 16  # bytes that are moved at once; and past the caches
LANES = 8  # as many int64 as a vector of 64 bytes has; narrower vectors take several
INT16, WHOLE = ir.IntType(16), ir.VectorType(INT64, LANES)
_number = partial(copies, kind=WHOLE)


def _between(emit: Emitter, one: Any, other: Any, share: Any) -> Any:
    """Return (2^8 - share) one + share other."""
    builder = emit.builder
    rest = builder.sub(_number(1 << WEIGHT_BITS), share)
    return builder.add(builder.mul(rest, one), builder.mul(share, other))


def _pixels(emit: Emitter, fours: Any, size: Any, places: list[Any], mask: Any) -> Any:
    """Return what lies at the places x and y, of fixed point, as int64; see `augment.find_fours`.

    Products of two pixels, in 16 bits each, with a weight of at most 2^8 do not touch each other:
    both pixels on the left, then both on the right, are added in one go.
    """
    builder, width = emit.builder, emit.broadcast(size, LANES)
    column, row = (builder.add(builder.ashr(at, _number(BITS)), _number(LOW)) for at in places)
    index = builder.add(builder.mul(row, width), column)
    addresses = builder.add(emit.broadcast(fours, LANES), builder.shl(index, _number(3)))
    pointers = builder.inttoptr(addresses, ir.VectorType(POINTER, LANES))
    what = pointers, INT32(8), mask, _number(0)
    four = emit.function(f"llvm.masked.gather.v{LANES}i64.v{LANES}p0", WHOLE, *what)
    drop = _number(BITS - WEIGHT_BITS)
    f, g = (builder.and_(builder.lshr(at, drop), _number((1 << WEIGHT_BITS) - 1)) for at in places)
    above, below = builder.and_(four, _number((1 << 32) - 1)), builder.lshr(four, _number(32))
    both = _between(emit, above, below, g)
    left, right = builder.and_(both, _number((1 << 16) - 1)), builder.lshr(both, _number(16))
    total = builder.add(_between(emit, left, right, f), _number(1 << 2 * WEIGHT_BITS - 1))
    return builder.lshr(total, _number(2 * WEIGHT_BITS))


@emitted
def move_block(emit: Emitter, source, columns, right, side, target) -> None:
    """target = the BLOCK bytes at source, or 0 where c - right is not in 0, …, side - 1.

    columns : address of the columns c of these bytes at the target, uint16
    """
    builder, kind, few = emit.builder, ir.VectorType(BYTE, BLOCK), ir.VectorType(INT16, BLOCK)
    own = builder.load(emit.pointer(source), typ=kind, align=1)
    column = builder.load(emit.pointer(columns), typ=few, align=2)
    by, most = (emit.broadcast(builder.trunc(n, INT16), BLOCK) for n in (right, side))
    inside = builder.icmp_unsigned("<", builder.sub(column, by), most)
    moved = builder.select(inside, own, copies(0, kind))
    builder.store(moved, emit.pointer(target), align=1)


@emitted
def stream_bytes(emit: Emitter, target, source, size) -> None:
    """Copy bytes to memory past the caches, from where another core would have to take them.

    target and size are multiples of STREAMED. Another core may read them behind a fence only.
    """
    builder, kind = emit.builder, ir.VectorType(BYTE, STREAMED)
    flag = builder.module.add_metadata([INT32(1)])
    with cgutils.for_range_slice(builder, INT64(0), size, INT64(STREAMED)) as (k, _):
        value = builder.load(emit.pointer(builder.add(source, k)), typ=kind, align=1)
        store = builder.store(value, emit.pointer(builder.add(target, k)), align=STREAMED)
        store.set_metadata("nontemporal", flag)


@emitted
def fence(emit: Emitter) -> None:
    """Finish all stores before all that follow."""
    emit.builder.fence("seq_cst")


@emitted
def interpolate_row(emit: Emitter, fours, size, side, x_0, m_0, y_0, m_3, d_x, d_y, out) -> None:
    """out[k] = what the image has at x_0 + m_0 k + d_x[k], y_0 + m_3 k + d_y[k], k < side.

    LANES pixels are made at once, the last of a row perhaps once more; of fewer, with a mask.
    """
    builder, lanes = emit.builder, ir.Constant(WHOLE, list(range(LANES)))
    most = emit.broadcast(builder.mul(side, INT64(ONE)), LANES)

    def block(first: Any, mask: Any) -> None:
        k, places = builder.add(emit.broadcast(first, LANES), lanes), []
        for start, slope, field in ((x_0, m_0, d_x), (y_0, m_3, d_y)):
            few = ir.VectorType(INT32, LANES)
            position = builder.gep(emit.pointer(field), [first], source_etype=INT32)
            what = position, INT32(4), mask, copies(0, few)
            moved = emit.function(f"llvm.masked.load.v{LANES}i32.p0", few, *what)
            along = builder.mul(emit.broadcast(slope, LANES), k)
            place = builder.add(along, builder.sext(moved, WHOLE))
            place = builder.add(emit.broadcast(start, LANES), place)
            place = emit.function(f"llvm.smax.v{LANES}i64", WHOLE, place, _number(-ONE))
            places.append(emit.function(f"llvm.smin.v{LANES}i64", WHOLE, place, most))
        found = builder.trunc(_pixels(emit, fours, size, places, mask), ir.VectorType(BYTE, LANES))
        position = builder.gep(emit.pointer(out), [first], source_etype=BYTE)
        what = found, position, INT32(1), mask
        emit.function(f"llvm.masked.store.v{LANES}i8.p0", ir.VoidType(), *what)

    last = builder.sub(side, INT64(LANES))
    with builder.if_else(builder.icmp_signed(">=", last, INT64(0))) as (wide, narrow):
        with wide:
            step = INT64(LANES)
            with cgutils.for_range_slice(builder, INT64(0), side, step) as (k, _):
                first = builder.select(builder.icmp_signed("<", k, last), k, last)
                block(first, copies(1, ir.VectorType(ir.IntType(1), LANES)))
        with narrow:
            block(INT64(0), builder.icmp_signed("<", lanes, emit.broadcast(side, LANES)))
