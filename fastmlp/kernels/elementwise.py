"""Formulas over tiles and rows: activations, their slopes and integrals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
from numba.core import cgutils, types
from numba.extending import intrinsic

from fastmlp.functions import ACTIVATIONS
from fastmlp.kernels import formulas
from fastmlp.kernels.algebra import Emitter, Number
from fastmlp.kernels.options import jit, shared
from fastmlp.kernels.simd import pointer
from fastmlp.kernels.tiles import TILE_VECTORS

IDENTITY, SIGMOID, RELU, LEAKY_RELU, TANH, STEP, SOFTMAX = (
    ACTIVATIONS[name].code
    for name in ("identity", "sigmoid", "relu", "leaky_relu", "tanh", "step", "softmax")
)


@jit
def row(address, columns, like):
    """Return `columns` adjacent numbers at an address as an array."""
    return numba.carray(pointer(address, like), (columns,))


def _of_number(formula: Callable[[Number], Number]) -> Any:
    """Return a compiled function of one number."""

    @intrinsic
    def of_number(typingctx: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return formula(Number(Emitter(context, builder, x, 1), args[0])).value

        return x(x), generate

    return of_number


def _over_tile(formula: Callable[[Number, Number], Number]) -> Any:
    """Return compiled a[i, j] = formula(c[i, j], d[i, j]) for rows of whole vectors.

    a, c and d are addresses; their rows are a_row, c_row and d_row elements apart (0 repeats one
    row) and have room for whole vectors. a may be c or d.
    """

    @intrinsic
    def over_tile(
        typingctx: Any,
        a: Any,
        a_row: Any,
        c: Any,
        c_row: Any,
        d: Any,
        d_row: Any,
        rows: Any,
        columns: Any,
        like: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            a, a_row, c, c_row, d, d_row, rows, columns, _ = args
            emit = Emitter(context, builder, like)
            places = [(emit.pointer(a), a_row), (emit.pointer(c), c_row), (emit.pointer(d), d_row)]
            zero, step = emit.whole(0), emit.whole(emit.count)
            wide = emit.whole(TILE_VECTORS * emit.count)

            def instructions(i: Any, j: Any) -> None:
                target, *sources = [emit.at(p, i, row, j) for p, row in places]
                values = [Number(emit, emit.load(source)) for source in sources]
                emit.store(formula(*values).value, target)

            # most tiles are one panel wide: short loops over their columns would cost more than
            # what they do
            with builder.if_else(builder.icmp_signed("==", columns, wide)) as (panel, other):
                with panel, cgutils.for_range(builder, rows) as by_row:
                    for vector in range(TILE_VECTORS):
                        instructions(by_row.index, vector * emit.count)
                with other, cgutils.for_range(builder, rows) as by_row:
                    loop = cgutils.for_range_slice(builder, zero, columns, step)
                    with loop as (j, _):
                        instructions(by_row.index, j)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 8, like), generate

    return over_tile


def _over_row(formula: Callable[[Number, Number], Number]) -> Any:
    """Return compiled a[j] = formula(c[j], s) for one row of whole vectors and a number s."""

    @intrinsic
    def over_row(typingctx: Any, a: Any, c: Any, columns: Any, s: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            a, c, columns, s = args
            emit = Emitter(context, builder, signature.args[-1])
            target, source, factor = (
                emit.pointer(a),
                emit.pointer(c),
                Number(emit, emit.broadcast(s)),
            )
            zero, step = emit.whole(0), emit.whole(emit.count)
            with cgutils.for_range_slice(builder, zero, columns, step) as (j, _):
                value = Number(emit, emit.load(emit.at(source, 0, 0, j)))
                emit.store(formula(value, factor).value, emit.at(target, 0, 0, j))
            return context.get_dummy_value()

        return types.void(*[types.int64] * 3, s), generate

    return over_row


exp = _of_number(formulas.exp)
exp_of_difference = _over_row(lambda z, peak: formulas.exp(z - peak))
divide = _over_row(lambda a, total: a / total)
times = _over_row(lambda a, factor: a * factor)

# a = f(c + b)
_sum = _over_tile(lambda c, b: c + b)
_sigmoid = _over_tile(lambda c, b: formulas.sigmoid(c + b))
_relu = _over_tile(lambda c, b: formulas.relu(c + b))
_leaky_relu = _over_tile(lambda c, b: formulas.leaky_relu(c + b))
_tanh = _over_tile(lambda c, b: formulas.tanh(c + b))
_step = _over_tile(lambda c, b: formulas.step(c + b))
# dz = c f'(z), by a = f(z)
copy = _over_tile(lambda c, a: c)
_sigmoid_slope = _over_tile(lambda c, a: c * (a * (1 - a)))
_relu_slope = _over_tile(formulas.relu_slope)
_leaky_slope = _over_tile(formulas.leaky_relu_slope)
_tanh_slope = _over_tile(lambda c, a: c * (1 - a * a))
_zero = _over_tile(lambda c, a: c.emitter.number(0))


@shared
def activate(activation, a, a_row, z, z_row, b, rows, columns, like):
    """a = f(z + b) on a tile; softmax, which needs whole rows, is left at z + b."""
    if activation == RELU:
        _relu(a, a_row, z, z_row, b, 0, rows, columns, like)
    elif activation == SIGMOID:
        _sigmoid(a, a_row, z, z_row, b, 0, rows, columns, like)
    elif activation == LEAKY_RELU:
        _leaky_relu(a, a_row, z, z_row, b, 0, rows, columns, like)
    elif activation == TANH:
        _tanh(a, a_row, z, z_row, b, 0, rows, columns, like)
    elif activation == STEP:
        _step(a, a_row, z, z_row, b, 0, rows, columns, like)
    else:
        _sum(a, a_row, z, z_row, b, 0, rows, columns, like)


@shared
def times_slope(activation, dz, dz_row, c, c_row, a, a_row, rows, columns, like):
    """dz = c f'(z) on a tile, f'(z) computed from a = f(z)."""
    if activation == RELU:
        _relu_slope(dz, dz_row, c, c_row, a, a_row, rows, columns, like)
    elif activation == SIGMOID:
        _sigmoid_slope(dz, dz_row, c, c_row, a, a_row, rows, columns, like)
    elif activation == LEAKY_RELU:
        _leaky_slope(dz, dz_row, c, c_row, a, a_row, rows, columns, like)
    elif activation == TANH:
        _tanh_slope(dz, dz_row, c, c_row, a, a_row, rows, columns, like)
    elif activation == STEP:
        _zero(dz, dz_row, c, c_row, a, a_row, rows, columns, like)
    elif dz != c:
        copy(dz, dz_row, c, c_row, a, a_row, rows, columns, like)


@shared
def clear(a, a_row, rows, columns, like):
    """a = 0 on a tile."""
    _zero(a, a_row, a, a_row, a, a_row, rows, columns, like)


@jit
def integral(activation, z, a):
    """F(z), with F' = f, for one output; softmax has its own."""
    number = type(z)
    if activation == SIGMOID:
        # log(1 + e^z)
        return (z if z > 0 else number(0)) + math.log1p(exp(-abs(z)))
    if activation == TANH:
        # log cosh z
        return abs(z) + math.log1p(exp(number(-2) * abs(z))) - number(math.log(2))
    if activation == STEP:
        return a * z
    return a * z * number(0.5)
