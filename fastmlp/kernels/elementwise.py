"""Vector exp, sigmoid and tanh; the activations, their derivatives and integrals, over tiles.

Everything here is plain scalar code without branches or calls inside the loops, so that LLVM
turns each loop into vector instructions. `type(x)(1)` is the number 1 in the precision of x.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from fastmlp.functions import ACTIVATIONS, LEAKY_SLOPE
from fastmlp.kernels.options import jit, shared
from fastmlp.kernels.simd import (
    expm1_series,
    item_bytes,
    pointer,
    power_of_two,
    stay_whole,
    vector_lanes,
)

IDENTITY, SIGMOID, RELU, LEAKY_RELU, TANH, STEP, SOFTMAX = (
    ACTIVATIONS[name].code
    for name in ("identity", "sigmoid", "relu", "leaky_relu", "tanh", "step", "softmax")
)
# log(2) in two parts, of which the first has so few bits that n times it is exact (Cody, Waite)
LOG2_HIGH, LOG2_LOW = 0.693145751953125, 1.42860682030941723212e-6
PER_LOG2 = 1 / math.log(2)


@jit
def _split(x):
    """x = n log 2 + r with n whole and abs(r) <= log(2) / 2; n is 0 for NaN."""
    number = type(x)
    n = np.floor(x * number(PER_LOG2) + number(0.5))
    r = (x - n * number(LOG2_HIGH)) - n * number(LOG2_LOW)
    return (n if n == n else number(0)), r


@jit
def exp(x):
    """e^x = 2^n e^r; infinite above, 0 below what the precision can hold, NaN for NaN."""
    number = type(x)
    limit = number(104) if item_bytes(x) == 4 else number(746)
    x = limit if x > limit else (-limit if x < -limit else x)
    n, r = _split(x)
    # 2^n in two factors, as n itself may lie outside the exponents of normal numbers
    half = np.floor(n * number(0.5))
    return (expm1_series(r) + number(1)) * power_of_two(half) * power_of_two(n - half)


@jit
def sigmoid(x):
    """1 / (1 + e^-x)."""
    one = type(x)(1)
    return one / (one + exp(-x))


@jit
def tanh(x):
    """(e^2|x| - 1) / (e^2|x| + 1) with the sign of x, from e^y - 1 = 2^n (e^r - 1) + (2^n - 1)."""
    number = type(x)
    y = abs(x)
    n, r = _split(number(2) * (number(20) if y > number(20) else y))
    power = power_of_two(n)
    expm1 = power * expm1_series(r) + (power - number(1))
    return math.copysign(expm1 / (expm1 + number(2)), x)


@jit
def row(address, columns, like):
    """Return `columns` adjacent numbers at an address as an array."""
    return numba.carray(pointer(address, like), (columns,))


def _over_tile(f: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a[i, j] = f(c[i, j], d[i, j]) for `rows` rows of as many whole vectors as it takes.

    a, c and d are addresses; their rows are a_row, c_row and d_row elements apart (0 repeats one
    row) and have room for whole vectors. a may be c or d.
    """
    scalar = jit(f)

    @jit
    def apply(a, a_row, c, c_row, d, d_row, rows, columns, like):
        stay_whole()
        lanes, size = vector_lanes(like), item_bytes(like)
        for i in range(rows):
            for j in range(0, columns, lanes):
                target = row(a + (i * a_row + j) * size, lanes, like)
                left = row(c + (i * c_row + j) * size, lanes, like)
                right = row(d + (i * d_row + j) * size, lanes, like)
                for k in range(lanes):
                    target[k] = scalar(left[k], right[k])

    return apply


# a = f(c + b)
_identity = _over_tile(lambda c, b: c + b)
_sigmoid = _over_tile(lambda c, b: sigmoid(c + b))
_relu = _over_tile(lambda c, b: type(c)(0) if c + b < 0 else c + b)
_leaky_relu = _over_tile(lambda c, b: c + b if c + b > 0 else type(c)(LEAKY_SLOPE) * (c + b))
_tanh = _over_tile(lambda c, b: tanh(c + b))
_step = _over_tile(lambda c, b: type(c)(1) if c + b >= 0 else type(c)(0))
_sum = _identity
# dz = c f'(z), by a = f(z)
_copy = _over_tile(lambda c, a: c)
_sigmoid_slope = _over_tile(lambda c, a: c * (a * (type(c)(1) - a)))
_relu_slope = _over_tile(lambda c, a: c if a > 0 else type(c)(0))
_leaky_slope = _over_tile(lambda c, a: c if a > 0 else type(c)(LEAKY_SLOPE) * c)
_tanh_slope = _over_tile(lambda c, a: c * (type(c)(1) - a * a))
_step_slope = _over_tile(lambda c, a: type(c)(0))


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
        _identity(a, a_row, z, z_row, b, 0, rows, columns, like)


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
        _step_slope(dz, dz_row, c, c_row, a, a_row, rows, columns, like)
    else:
        _copy(dz, dz_row, c, c_row, a, a_row, rows, columns, like)


@shared
def add(a, a_row, b, b_row, rows, columns, like):
    """a += b on a tile."""
    _sum(a, a_row, a, a_row, b, b_row, rows, columns, like)


@jit
def softmax(z, a):
    """a = e^(z - max z) / sum; return log of the sum of e^z. One row; a may be z."""
    peak = z[0]
    for value in z[1:]:
        peak = value if value > peak or value != value else peak
    total = type(peak)(0)
    for j in range(len(z)):
        a[j] = exp(z[j] - peak)
    for value in a:
        total += value
    for j in range(len(z)):
        a[j] = a[j] / total
    return peak + math.log(total)


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
