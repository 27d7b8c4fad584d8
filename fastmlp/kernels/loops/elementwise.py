"""Formulas over tiles and rows, each with one switch over its table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from fastmlp.functions import ACTIVATIONS, OPTIMIZERS, vector_steps, vectors
from fastmlp.functions.coefficients import CLIP, COEFFICIENTS, DECAY, L1, OWN
from fastmlp.functions.mixing import GOLDEN_32, GOLDEN_64, MIX_32, MIX_64
from fastmlp.kernels.llvm import intrinsics
from fastmlp.kernels.llvm.compile import one_of, shared
from fastmlp.kernels.llvm.emitter import BYTE, INT32, INT64, Emitter, Number, copies
from fastmlp.kernels.llvm.intrinsics import Row, Rows, by_code, by_name, counted_loop, emitted
from fastmlp.kernels.memory.records import FLOAT32, FLOAT64, UINT8, numbers_at

IDENTITY, RELU, SOFTMAX = (ACTIVATIONS[name].code for name in ("identity", "relu", "softmax"))
# Vectors of a block in one pass of the loop: the loads of one do not wait for the stores before
UNROLL = 4
# Whether the derivatives of an activation are computed from z, and not from a
keeps_z = one_of(row.code for row in ACTIVATIONS.values() if row.keeps == "z")
# Whether a step of an optimiser is w = keep w + x^T dz, without an array of gradients
is_fused = one_of(row.code for row in OPTIMIZERS.values() if row.fused)

# Makes of the vectors of each operand the new ones of the first operands; None leaves an old one
Formula = Callable[..., Iterable[Any]]


def _over_tile(
    emit: Emitter, rows: Any, columns: Any, operands: list[tuple[Any, Any]], formula: Formula
) -> None:
    """Emit a loop over the vectors of a tile; operands are (address, elements between rows)."""
    step = INT64(emit.count)
    with (
        cgutils.for_range(emit.builder, rows) as by_row,
        cgutils.for_range_slice(emit.builder, INT64(0), columns, step) as (j, _),
    ):
        _pass(emit, [emit.at(a, by_row.index, stride, j) for a, stride in operands], formula)


def _over_block(emit: Emitter, count: Any, addresses: list[Any], formula: Formula) -> None:
    """As `_over_tile` for `count` adjacent numbers, UNROLL vectors in each pass, then one."""
    builder, pointers = emit.builder, [emit.pointer(address) for address in addresses]
    whole = builder.and_(count, INT64(-UNROLL * emit.count))
    for begin, end, unrolled in ((INT64(0), whole, UNROLL), (whole, count, 1)):
        step = unrolled * emit.count
        with cgutils.for_range_slice(builder, begin, end, INT64(step)) as (j, _):
            own, before = builder.block.instructions, len(builder.block.instructions)
            for k in range(0, step, emit.count):
                column = builder.add(j, INT64(k))
                _pass(emit, [emit.at(p, 0, 0, column) for p in pointers], formula)
            # Each vector's instructions follow those of the one before by a quarter: a processor
            # looks ahead over two vectors of Adam at most. It then takes 0.91 times as long
            new, each = own[before:], (len(own) - before) // unrolled
            order = sorted(range(len(new)), key=lambda n: n % each + n // each * (each // 4))
            own[before:] = [new[n] for n in order]


def _pass(emit: Emitter, positions: list[Any], formula: Formula) -> None:
    found = formula(*(emit.number(emit.load(position)) for position in positions))
    for number, position in zip(found, positions, strict=False):
        if number is not None:
            emit.store(number, position)


@emitted
def _activate(emit: Emitter, activation, a, a_row, kept, z, z_row, b, rows, columns, like) -> None:
    # a is written last, as kept may be a
    operands = [(kept, a_row), (a, a_row), (z, z_row), (b, 0)]

    def tile_of(name: str) -> None:
        def formula(_: Number, __: Number, z: Number, b: Number) -> Iterator[Any]:
            weighted = z + b
            yield weighted if ACTIVATIONS[name].keeps == "z" else None
            yield vectors.ACTIVATIONS[name].f(weighted)

        _over_tile(emit, rows, columns, operands, formula)

    by_name(emit, activation, ACTIVATIONS, tile_of)


@shared
def activate(activation, a, a_row, kept, z, z_row, b, rows, columns, like: float):
    """a = f(z + b) on a tile; softmax, which needs whole rows, is left at z + b.

    All are addresses; rows of a and kept are a_row elements apart, those of z z_row, and have
    space for whole vectors. Where f keeps z, kept = z + b: kept may be z, and is a where
    nobody reads it. a may be z.
    """
    _activate(activation, a, a_row, kept, z, z_row, b, rows, columns, like)


@emitted
def _slope(emit: Emitter, activation, dz, dz_row, kept, kept_row, rows, columns, like) -> None:
    def tile_of(name: str) -> None:
        slope, operands = vectors.ACTIVATIONS[name].slope, [(dz, dz_row), (kept, kept_row)]
        _over_tile(emit, rows, columns, operands, lambda dz, kept: [slope(dz, kept)])

    curved = {n: row for n, row in ACTIVATIONS.items() if row.code not in (IDENTITY, SOFTMAX)}
    by_name(emit, activation, curved, tile_of)


@shared
def times_slope(activation, dz, dz_row, kept, kept_row, rows, columns, like: float):
    """dz = dz f'(z) on a tile, by what the layer keeps: a = f(z), or z."""
    _slope(activation, dz, dz_row, kept, kept_row, rows, columns, like)


@emitted
def _optimizer(emit: Emitter, optimizer, w, state_0, state_1, g, count, coefficients, like) -> None:
    start, double, numbers = emit.pointer(coefficients), ir.DoubleType(), []
    for k in range(OWN, COEFFICIENTS):
        position = emit.builder.gep(start, [INT64(k)], source_etype=double)
        value = emit.builder.fptrunc(emit.builder.load(position, typ=double), emit.scalar)
        numbers.append(value)
    decays = emit.builder.fcmp_unordered("!=", numbers[DECAY - OWN], emit.scalar(0.0))
    row = [emit.number(emit.broadcast(number)) for number in numbers]

    def step_of(name: str) -> None:
        states = (state_0, state_1)[: len(OPTIMIZERS[name].slots)]

        def formula(w: Number, *others: Number) -> list[Number]:
            *state, g = others
            return vector_steps.OPTIMIZERS[name](w, g, state, row)

        def decayed(w: Number, *others: Number) -> list[Number]:
            # g += decay w
            return formula(w, *others[:-1], row[DECAY - OWN].call("fmuladd", w, others[-1]))

        with emit.builder.if_else(decays) as branches:
            for branch, own in zip(branches, (decayed, formula), strict=True):
                with branch:
                    _over_block(emit, count, [w, *states, g], own)

    general = {name: row for name, row in OPTIMIZERS.items() if not row.fused}
    by_name(emit, optimizer, general, step_of)


@emitted
def scale_numbers(emit: Emitter, g, count, factor) -> None:
    """g = factor g for `count` adjacent numbers, whole vectors."""
    own = emit.number(emit.broadcast(factor))
    _over_block(emit, count, [g], lambda g: [g * own])


@emitted
def limit_gradients(emit: Emitter, w, g, count, l1, most) -> None:
    """g = min(max(g, -most), most) + l1 sign(w) for `count` adjacent numbers, whole vectors."""
    own = [emit.number(emit.broadcast(value)) for value in (l1, most)]
    _over_block(emit, count, [g, w], lambda g, w: [vector_steps.limited(w, g, *own)])


@shared
def optimizer_step(optimizer, w, state_0, state_1, g, count, coefficients, like: float):
    """Change `count` parameters w and their state by gradients g: whole vectors, at addresses.

    coefficients : address of a step's row of float64; the formulas are those of the table. Where
    gradients have limits, g is overwritten by a loop before.
    """
    row = numbers_at(coefficients, COEFFICIENTS, np.float64(0))
    if row[L1] != 0 or row[CLIP] < np.inf:
        limit_gradients(w, g, count, type(like)(row[L1]), type(like)(row[CLIP]))
    _optimizer(optimizer, w, state_0, state_1, g, count, coefficients, like)


@emitted
def copy(emit: Emitter, a, a_row, c, c_row, rows, columns, like) -> None:
    """a = c on a tile."""
    _over_tile(emit, rows, columns, [(a, a_row), (c, c_row)], lambda _, c: [c])


@emitted
def add(emit: Emitter, a, a_row, c, c_row, rows, columns, like) -> None:
    """a += c on a tile."""
    _over_tile(emit, rows, columns, [(a, a_row), (c, c_row)], lambda a, c: [a + c])


@emitted
def add_pairs(emit: Emitter, w, g, apart, pairs, joint, count, keep) -> None:
    """w = keep w + sums of pairs of arrays, pair by pair, for `count` numbers, whole vectors.

    w is not read where keep is 0.
    g : address of the first array; apart : bytes from one to the next
    joint : its bit p is set if the first array of pair p is the sum of both
    """
    builder, begin = emit.builder, INT64(0)
    whole = builder.and_(count, INT64(-UNROLL * emit.count))

    def total_at(rows: Rows, j: Any, p: Any, sums: Row) -> Row:
        first = builder.add(g, builder.mul(builder.shl(p, INT64(1)), apart))
        second = builder.add(first, apart)
        bit = builder.and_(builder.lshr(joint, p), INT64(1))

        # a loop that runs once, or, as a joint pair's second array is not read, never
        def add_other(row: Row) -> Any:
            return rows.add(row, rows.load(rows.at(second, 1, j))), ir.Constant(ir.IntType(1), 0)

        is_alone = builder.icmp_signed("==", bit, INT64(0))
        pair = intrinsics.loop_over(emit, is_alone, rows.load(rows.at(first, 1, j)), add_other)
        return rows.add(sums, pair)

    for end, width in ((whole, UNROLL), (count, 1)):
        rows, step = Rows(emit, width), INT64(width * emit.count)
        with cgutils.for_range_slice(builder, begin, end, step) as (j, _):
            sums = counted_loop(emit, pairs, rows.zeros(), partial(total_at, rows, j))
            intrinsics.accumulate(emit, rows.at(w, 1, j), sums, keep)
        begin = whole


@emitted
def scale_image(emit: Emitter, x, image, kind, count, scale, shift) -> None:
    """x = shift + scale v for the `count` values v of an image, and for 0 up to a whole vector.

    kind : UINT8, FLOAT32 or FLOAT64
    """
    builder, lanes = emit.builder, INT64(emit.count)
    factor, first = emit.broadcast(scale), emit.broadcast(shift)
    whole, left = (builder.and_(count, INT64(n)) for n in (-emit.count, emit.count - 1))

    def row_of(stored: Any) -> None:
        values = emit.vector_of(stored)

        def scale_at(j: Any, load: Callable[[Any], Any]) -> None:
            own = load(builder.gep(emit.pointer(image), [j], source_etype=stored))
            if stored == BYTE:
                own = builder.uitofp(own, emit.kind)
            elif stored != emit.scalar:
                own = (builder.fptrunc if emit.bits == 32 else builder.fpext)(own, emit.kind)
            emit.store(emit.call("fmuladd", factor, own, first), emit.at(x, 0, 0, j))

        with cgutils.for_range_slice(builder, INT64(0), whole, lanes) as (j, _):
            scale_at(j, lambda where: builder.load(where, typ=values, align=1))
        name = f"llvm.masked.load.v{emit.count}{stored.intrinsic_name}.p0"
        what = INT32(1), emit.before(left), copies(0, values)
        with builder.if_then(emit.nonzero(left)):
            scale_at(whole, lambda where: emit.function(name, values, where, *what))

    kinds = {UINT8: BYTE, FLOAT32: ir.FloatType(), FLOAT64: ir.DoubleType()}
    by_code(emit, kind, {code: partial(row_of, stored) for code, stored in kinds.items()})


def _mix(emit: Emitter, x: Any, steps: Sequence[int]) -> Any:
    """Return x, integers of any kind, mixed: `fastmlp.functions.mixing.mix`."""
    builder = emit.builder
    for k, number in enumerate(steps):
        constant = copies(number, x.type)
        x = builder.mul(x, constant) if k % 2 else builder.xor(x, builder.lshr(x, constant))
    return x


def _units(emit: Emitter, key: Any, sample: Any, unit: Any, below: Any) -> Callable[[Any], Any]:
    """Return a function of j: which of the units `unit` + j, … of a sample are kept, in lanes."""
    builder, kind = emit.builder, emit.vector_of(INT32)
    lanes = ir.Constant(kind, [k * GOLDEN_32 % 2**32 for k in range(emit.count)])
    limit = emit.broadcast(builder.trunc(below, INT32))
    number = builder.mul(sample, INT64(GOLDEN_64))
    row = builder.trunc(_mix(emit, builder.add(key, number), MIX_64), INT32)

    def kept(j: Any) -> Any:
        first = builder.mul(builder.trunc(builder.add(unit, j), INT32), INT32(GOLDEN_32))
        bits = builder.add(emit.broadcast(builder.add(row, first)), lanes)
        return builder.icmp_unsigned(">=", _mix(emit, bits, MIX_32), limit)

    return kept


@emitted
def drop_units(emit: Emitter, a, a_row, rows, columns, key, sample, unit, below, scale) -> None:
    """a = a m / (1 - p) on a tile: from a sample and a unit on, in whole vectors."""
    builder, factor, zero = emit.builder, emit.number(emit.broadcast(scale)), emit.number(0)
    with cgutils.for_range(builder, rows) as by_row:
        kept = _units(emit, key, builder.add(sample, by_row.index), unit, below)
        with cgutils.for_range_slice(builder, INT64(0), columns, INT64(emit.count)) as (j, _):
            position = emit.at(a, by_row.index, a_row, j)
            scaled = emit.number(emit.load(position)) * factor
            emit.store(scaled.where(kept(j), zero), position)


@emitted
def drop_bytes(emit: Emitter, pixels, count, key, sample, unit, below) -> None:
    """v = v m for the bytes v of a sample from a unit on, in whole vectors of up to 16."""
    builder, kind = emit.builder, emit.vector_of(BYTE)
    start, kept = emit.pointer(pixels), _units(emit, key, sample, unit, below)
    with cgutils.for_range_slice(builder, INT64(0), count, INT64(emit.count)) as (j, _):
        position = builder.gep(start, [j], source_etype=BYTE)
        values = builder.load(position, typ=kind, align=1)
        values = builder.select(kept(j), values, copies(0, kind))
        builder.store(values, position, align=1)
