"""Formulas over tiles and rows, each with one switch over its table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import cgutils, types

from fastmlp.functions import ACTIVATIONS, vectors
from fastmlp.functions.optimizers import COEFFICIENTS, OPTIMIZERS, OWN
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.emitter import Emitter, Number
from fastmlp.kernels.llvm.intrinsics import by_code, emitted
from fastmlp.kernels.memory.records import MOST_SLOTS

IDENTITY, RELU, SOFTMAX = (ACTIVATIONS[name].code for name in ("identity", "relu", "softmax"))
# Vectors of a block in one pass of the loop: the loads of one do not wait for the stores before
UNROLL = 4
KEEPS_Z = sum(1 << row.code for row in ACTIVATIONS.values() if row.keeps == "z")


def _over_tile(
    emit: Emitter,
    rows: Any,
    columns: Any,
    operands: list[tuple[Any, Any]],
    body: Callable[..., Any],
) -> None:
    """Emit a loop over the vectors of a tile; operands are (address, elements between rows).

    body(positions, load) emits one pass: load(number) loads the vector of that operand.
    """
    pointers = [(emit.pointer(address), stride) for address, stride in operands]
    step = emit.whole(emit.count)
    with (
        cgutils.for_range(emit.builder, rows) as by_row,
        cgutils.for_range_slice(emit.builder, emit.whole(0), columns, step) as (j, _),
    ):
        _pass(emit, [emit.at(p, by_row.index, stride, j) for p, stride in pointers], body)


def _over_block(emit: Emitter, count: Any, addresses: list[Any], body: Callable[..., Any]) -> None:
    """As `_over_tile` for `count` adjacent numbers, UNROLL vectors in each pass, then one."""
    builder, zero = emit.builder, emit.whole(0)
    pointers, wide = [emit.pointer(address) for address in addresses], UNROLL * emit.count
    whole = builder.and_(count, emit.whole(-wide))
    for begin, end, unrolled in ((zero, whole, UNROLL), (whole, count, 1)):
        step = emit.whole(unrolled * emit.count)
        with cgutils.for_range_slice(builder, begin, end, step) as (j, _):
            for k in range(0, unrolled * emit.count, emit.count):
                column = builder.add(j, emit.whole(k))
                _pass(emit, [emit.at(p, 0, 0, column) for p in pointers], body)


def _pass(emit: Emitter, positions: list[Any], body: Callable[..., Any]) -> None:
    body(positions, lambda number: Number(emit, emit.load(positions[number])))


@emitted
def activation_tile(
    emit: Emitter, activation, a, a_row, kept, z, z_row, b, rows, columns, like
) -> None:
    """`activate`, emitted."""
    operands = [(a, a_row), (kept, a_row), (z, z_row), (b, emit.whole(0))]

    def tile_of(name: str) -> Callable[[], None]:
        def body(positions: list[Any], load: Callable[[int], Number]) -> None:
            weighted = load(2) + load(3)
            if ACTIVATIONS[name].keeps == "z":
                emit.store(weighted.value, positions[1])
            emit.store(vectors.ACTIVATIONS[name].f(weighted).value, positions[0])

        return lambda: _over_tile(emit, rows, columns, operands, body)

    by_code(emit, activation, {row.code: tile_of(name) for name, row in ACTIVATIONS.items()})


@shared
def activate(activation, a, a_row, kept, z, z_row, b, rows, columns, like: float):
    """a = f(z + b) on a tile; softmax, which needs whole rows, is left at z + b.

    All are addresses; rows of a and kept are a_row elements apart, those of z z_row, and have
    space for whole vectors. Where f keeps z, kept = z + b: kept may be z, and is a where
    nobody reads it. a may be z.
    """
    activation_tile(activation, a, a_row, kept, z, z_row, b, rows, columns, like)


@emitted
def slope_tile(emit: Emitter, activation, dz, dz_row, kept, kept_row, rows, columns, like) -> None:
    """`times_slope`, emitted."""

    def tile_of(name: str) -> Callable[[], None]:
        def body(positions: list[Any], load: Callable[[int], Number]) -> None:
            emit.store(vectors.ACTIVATIONS[name].slope(load(0), load(1)).value, positions[0])

        return lambda: _over_tile(emit, rows, columns, [(dz, dz_row), (kept, kept_row)], body)

    curved = {n: row for n, row in ACTIVATIONS.items() if row.code not in (IDENTITY, SOFTMAX)}
    by_code(emit, activation, {row.code: tile_of(name) for name, row in curved.items()})


@shared
def times_slope(activation, dz, dz_row, kept, kept_row, rows, columns, like: float):
    """dz = dz f'(z) on a tile, by what the layer keeps: a = f(z), or z."""
    slope_tile(activation, dz, dz_row, kept, kept_row, rows, columns, like)


@jit
def keeps_z(activation):
    """Return whether derivatives are computed from z, and not from a."""
    return (KEEPS_Z >> activation) & 1 == 1


@emitted
def optimizer_row(
    emit: Emitter, optimizer, w, state_0, state_1, g, count, coefficients, like
) -> None:
    """`optimizer_step`, emitted."""
    double = emit.context.get_value_type(types.float64)
    numbers = []
    for k in range(OWN, COEFFICIENTS):
        position = emit.builder.gep(
            emit.pointer(coefficients), [emit.whole(k)], source_etype=double
        )
        value = emit.builder.load(position, typ=double)
        if emit.bits == 32:
            value = emit.builder.fptrunc(value, emit.scalar)
        numbers.append(Number(emit, emit.broadcast(value)))

    def step_of(name: str) -> Callable[[], None]:
        slots = len(OPTIMIZERS[name].slots)
        addresses = (w, *(state_0, state_1)[:slots])

        def body(positions: list[Any], load: Callable[[int], Number]) -> None:
            old = [load(number) for number in range(len(addresses))]
            new = vectors.OPTIMIZERS[name](old[0], load(len(addresses)), old[1:], numbers)
            for number, position in zip(new, positions, strict=False):
                emit.store(number.value, position)

        return lambda: _over_block(emit, count, [*addresses, g], body)

    general = {row.code: step_of(name) for name, row in OPTIMIZERS.items() if not row.fused}
    by_code(emit, optimizer, general)


@shared
def optimizer_step(optimizer, w, state_0, state_1, g, count, coefficients, like: float):
    """Change `count` parameters w and their state by gradients g: whole vectors, at addresses.

    coefficients : address of a step's row of float64; the formulas are those of the table.
    """
    optimizer_row(optimizer, w, state_0, state_1, g, count, coefficients, like)


def _copied(source: Callable[[Emitter, Callable[[int], Number]], Any]) -> Any:
    """Return compiled a[i, j] = c[i, j], or what else `source` makes of it, on a tile."""

    @emitted
    def copied(emit: Emitter, a, a_row, c, c_row, rows, columns, like) -> None:
        def body(positions: list[Any], load: Callable[[int], Number]) -> None:
            emit.store(source(emit, load), positions[0])

        _over_tile(emit, rows, columns, [(a, a_row), (c, c_row)], body)

    return copied


copy = _copied(lambda emit, load: load(1).value)
add = _copied(lambda emit, load: (load(0) + load(1)).value)
_zero = _copied(lambda emit, load: emit.constant(0.0))


@emitted
def keep_and_add(emit: Emitter, w, g, count, keep) -> None:
    """w = keep w + g for `count` adjacent numbers, whole vectors."""
    factor = Number(emit, emit.broadcast(keep))

    def body(positions: list[Any], load: Callable[[int], Number]) -> None:
        emit.store(load(0).call("fmuladd", factor, load(1)).value, positions[0])

    _over_block(emit, count, [w, g], body)


@jit
def clear(a, a_row, rows, columns, like):
    """a = 0 on a tile."""
    _zero(a, a_row, a, a_row, rows, columns, like)


assert all(len(row.slots) <= MOST_SLOTS for row in OPTIMIZERS.values())
