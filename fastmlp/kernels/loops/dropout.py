"""Dropout of a tile of outputs, or of their deltas: see `fastmlp.functions.dropout`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from fastmlp.functions.dropout import GOLDEN_32, GOLDEN_64, MIX_32, MIX_64
from fastmlp.kernels.llvm.compile import shared
from fastmlp.kernels.llvm.emitter import INT32, INT64, Emitter, copies
from fastmlp.kernels.llvm.intrinsics import emitted
from fastmlp.kernels.memory.records import layer_at


def _constant(number: int, kind: Any) -> Any:
    return copies(number, kind) if isinstance(kind, ir.VectorType) else ir.Constant(kind, number)


def _mix(emit: Emitter, x: Any, steps: Sequence[int]) -> Any:
    """Return x, integers of any kind, mixed: `fastmlp.functions.dropout.mix`."""
    builder = emit.builder
    for k, number in enumerate(steps):
        constant = _constant(number, x.type)
        x = builder.mul(x, constant) if k % 2 else builder.xor(x, builder.lshr(x, constant))
    return x


@emitted
def _drop(emit: Emitter, a, a_row, rows, columns, key, sample, unit, below, scale) -> None:
    builder, kind, start = emit.builder, emit.vector_of(INT32), emit.pointer(a)
    lanes = ir.Constant(kind, [k * GOLDEN_32 % 2**32 for k in range(emit.count)])
    limit = emit.broadcast(builder.trunc(below, INT32))
    factor, zero = emit.number(emit.broadcast(scale)), emit.number(0)
    with cgutils.for_range(builder, rows) as by_row:
        number = builder.mul(builder.add(sample, by_row.index), INT64(GOLDEN_64))
        row = builder.trunc(_mix(emit, builder.add(key, number), MIX_64), INT32)
        with cgutils.for_range_slice(builder, INT64(0), columns, INT64(emit.count)) as (j, _):
            first = builder.mul(builder.trunc(builder.add(unit, j), INT32), INT32(GOLDEN_32))
            bits = builder.add(emit.broadcast(builder.add(row, first)), lanes)
            kept = builder.icmp_unsigned(">=", _mix(emit, bits, MIX_32), limit)
            position = emit.at(start, by_row.index, a_row, j)
            scaled = emit.number(emit.load(position)) * factor
            emit.store(scaled.where(kept, zero).value, position)


@shared
def drop(layer_address, panel, sample, a, rows, columns, like: float):
    """a = a m / (1 - p) for some rows of a panel, outputs or deltas.

    a : address of the first of these rows; sample : number in the run of its sample
    """
    layer = layer_at(layer_address)
    unit, scale = panel * layer.width, type(like)(layer.drop_scale)
    key, below = layer.drop_key, layer.drop_below
    _drop(a, layer.a_row, rows, columns, key, sample, unit, below, scale)
