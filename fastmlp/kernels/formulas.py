"""exp, sigmoid and tanh from plain arithmetic; the activations and their slopes."""

from __future__ import annotations

import math
from math import factorial

from fastmlp.functions import LEAKY_SLOPE
from fastmlp.kernels.algebra import Number

# log(2) in two parts, of which the first has so few bits that n times it is exact (Cody, Waite)
LOG2_HIGH, LOG2_LOW = 0.693145751953125, 1.42860682030941723212e-6
PER_LOG2 = 1 / math.log(2)


def _split(x: Number) -> tuple[Number, Number]:
    """x = n log 2 + r with n whole and abs(r) <= log(2) / 2; n is 0 for NaN."""
    n = (x * PER_LOG2 + 0.5).call("floor")
    r = (x - n * LOG2_HIGH) - n * LOG2_LOW
    return n.where(n.compare("==", n), 0), r


def _expm1_series(r: Number) -> Number:
    """r + r^2 / 2! + r^3 / 3! + … for abs(r) <= log(2) / 2, by Horner's rule."""
    degree = 7 if r.emitter.bits == 32 else 13
    total = r.emitter.number(1 / factorial(degree))
    for k in range(degree - 1, 1, -1):
        total = total * r + 1 / factorial(k)
    # r + r^2 (1 / 2! + r / 3! + …): the small second term hides its rounding errors
    return (r * r) * total + r


def exp(x: Number) -> Number:
    """e^x = 2^n e^r; infinite above, 0 below what the precision can hold, NaN for NaN."""
    limit = x.emitter.number(104 if x.emitter.bits == 32 else 746)
    x = limit.where(x.compare(">", limit), x)
    x = (-limit).where(x.compare("<", -limit), x)
    n, r = _split(x)
    # 2^n in two factors, as n itself may lie outside the exponents of normal numbers
    half = (n * 0.5).call("floor")
    return (_expm1_series(r) + 1) * half.power_of_two() * (n - half).power_of_two()


def sigmoid(x: Number) -> Number:
    """1 / (1 + e^-x)."""
    return 1 / (1 + exp(-x))


def tanh(x: Number) -> Number:
    """(e^2|x| - 1) / (e^2|x| + 1) with the sign of x, from e^y - 1 = 2^n (e^r - 1) + (2^n - 1)."""
    y = x.call("fabs")
    limit = x.emitter.number(20)
    n, r = _split(2 * limit.where(y.compare(">", limit), y))
    power = n.power_of_two()
    expm1 = power * _expm1_series(r) + (power - 1)
    return (expm1 / (expm1 + 2)).call("copysign", x)


def relu(z: Number) -> Number:
    """max(0, z), and NaN for NaN."""
    return z.emitter.number(0).where(z.compare("<", 0), z)


def leaky_relu(z: Number) -> Number:
    """z if z > 0, else LEAKY_SLOPE z."""
    return z.where(z.compare(">", 0), z * LEAKY_SLOPE)


def step(z: Number) -> Number:
    """1 if z >= 0, else 0."""
    return z.emitter.number(1).where(z.compare(">=", 0), 0)


def relu_slope(c: Number, a: Number) -> Number:
    """c f'(z), where a = f(z)."""
    return c.where(a.compare(">", 0), 0)


def leaky_relu_slope(c: Number, a: Number) -> Number:
    """c f'(z), where a = f(z)."""
    return c.where(a.compare(">", 0), c * LEAKY_SLOPE)
