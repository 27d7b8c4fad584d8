"""The vector formulas of the activations, for compiled code.

They are plain arithmetic on a `fastmlp.kernels.llvm.emitter.Number`, which stands for one number or
for a vector of them. The NumPy formulas of the same rows are independent of these; a test demands
that the tables have the same names. Those of the optimisers are in `vector_steps`, and
of the costs in `vector_costs`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from fastmlp.functions.activations import LEAKY_SLOPE, SELU_ALPHA, SELU_SCALE

Number = Any

# log(2) in two parts, of which the first has so few bits that n times it is exact (Cody, Waite)
LOG2_HIGH, LOG2_LOW = 0.693145751953125, 1.42860682030941723212e-6


def clamped(x: Number, limit: Any) -> Number:
    """Return x, at most `limit` and at least -limit; NaN stays."""
    limit = x.emitter.number(limit)
    x = limit.where(x.compare(">", limit), x)
    return (-limit).where(x.compare("<", -limit), x)


def by_sign(x: Number, above: Any, below: Any) -> Number:
    """Return `above` for x > 0, `below` for x < 0, and x itself if it is 0 or NaN."""
    above, below = x.emitter.number(above), x.emitter.number(below)
    return above.where(x.compare(">", 0), below.where(x.compare("<", 0), x))


def _split(x: Number) -> tuple[Number, Number]:
    """x = n log 2 + r with n whole and abs(r) <= log(2) / 2."""
    n = (x * (1 / math.log(2)) + 0.5).call("floor")
    return n, (x - n * LOG2_HIGH) - n * LOG2_LOW


def _expm1_series(r: Number) -> Number:
    """r + r^2 / 2! + r^3 / 3! + … for abs(r) <= log(2) / 2, by Horner's rule."""
    degree = 7 if r.emitter.bits == 32 else 13
    total = r.emitter.number(1 / math.factorial(degree))
    for k in range(degree - 1, 1, -1):
        total = total * r + 1 / math.factorial(k)
    # r + r^2 (1 / 2! + r / 3! + …): the small second term hides its rounding errors
    return (r * r) * total + r


def exp(x: Number) -> Number:
    """e^x = 2^n e^r; infinite above, 0 below what the precision can hold, NaN for NaN."""
    n, r = _split(clamped(x, 104 if x.emitter.bits == 32 else 746))
    return (_expm1_series(r) + 1).times_power(n)


def expm1(x: Number) -> Number:
    """e^x - 1 = 2^n (e^r - 1) + (2^n - 1); for abs(x) > 40 as at the nearer of 40 and -40."""
    n, r = _split(clamped(x, 40))
    power = x.emitter.number(1).times_power(n)
    return power * _expm1_series(r) + (power - 1)


def log1p(u: Number) -> Number:
    """log(1 + u) = 2 (s + s^3 / 3 + s^5 / 5 + …) with s = u / (2 + u), for 0 <= u <= 1."""
    s = u / (u + 2)
    square, terms = s * s, 8 if u.emitter.bits == 32 else 17
    total = u.emitter.number(1 / (2 * terms + 1))
    for k in range(terms - 1, 0, -1):
        total = total * square + 1 / (2 * k + 1)
    return 2 * (s * square * total + s)


def log(x: Number) -> Number:
    """log x = n log 2 + log m with x = 2^n m, 1 <= m < 2, for normal x >= 1; NaN and inf stay."""
    n, m = x.exponent_and_mantissa()
    found = n * math.log(2) + log1p(m - 1)
    return found.where(x.compare("<", math.inf), x)


# From here on the complementary error function is less than half an eps of 1: 4e-23
ERFC_END = 7.0
ERFC_T = 1 / (1 + ERFC_END / 2)


@cache
def _erfc_series(degree: int) -> list[float]:
    """Return Chebyshev coefficients of log(erfc(x) / t) + x^2 in t = 1 / (1 + x / 2)."""

    def function(u: Any) -> Any:
        t = ERFC_T + (u + 1) / 2 * (1 - ERFC_T)
        x = 2 / t - 2
        return np.array([math.log(math.erfc(v)) + v * v for v in x]) - np.log(t)

    return [float(c) for c in np.polynomial.chebyshev.chebinterpolate(function, degree)]


def erfc(x: Number) -> Number:
    """1 - erf(x) for x >= 0: t e^(p(t) - x^2) (Press et al., 2007, 6.2.2), to an eps of 1."""
    end = x.emitter.number(ERFC_END)
    is_beyond = x.compare(">", end)
    x = end.where(is_beyond, x)
    t = 1 / (x * 0.5 + 1)
    u = (t - ERFC_T) * (2 / (1 - ERFC_T)) - 1
    first, second = x.emitter.number(0), x.emitter.number(0)
    coefficients = _erfc_series(10 if x.emitter.bits == 32 else 20)
    for c in reversed(coefficients[1:]):  # Clenshaw's recurrence
        first, second = 2 * u * first - second + c, first
    tail = t * exp(u * first - second + coefficients[0] - x * x)
    return x.emitter.number(0).where(is_beyond, tail)


def sigmoid(x: Number) -> Number:
    """1 / (1 + e^-x)."""
    return 1 / (1 + exp(-x))


def tanh(x: Number) -> Number:
    """(e^2|x| - 1) / (e^2|x| + 1) with the sign of x."""
    power = expm1(2 * x.call("fabs"))
    return (power / (power + 2)).call("copysign", x)


def softplus(z: Number) -> Number:
    """log(1 + e^z) = max(z, 0) + log(1 + e^-|z|)."""
    return relu(z) + log1p(exp(-z.call("fabs")))


def relu(z: Number) -> Number:
    """max(0, z), and NaN for NaN."""
    return z.emitter.number(0).where(z.compare("<", 0), z)


def _normal(z: Number) -> Number:
    """The share of normal numbers that are less than z: erfc(-z / sqrt 2) / 2."""
    tail = erfc(z.call("fabs") * math.sqrt(0.5)) * 0.5
    return (1 - tail).where(z.compare(">", 0), tail)


def _silu_slope(c: Number, z: Number) -> Number:
    s = sigmoid(z)
    return c * (s * (z * (1 - s) + 1))


def _mish_parts(z: Number) -> tuple[Number, Number, Number]:
    """Return z, at most 20, e^z and w = e^z (e^z + 2), so that tanh(softplus z) = w / (w + 2)."""
    limit = z.emitter.number(20)  # from where on that is 1
    z = limit.where(z.compare(">", limit), z)
    e = exp(z)
    return z, e, e * (e + 2)


def _mish(z: Number) -> Number:
    _, _, w = _mish_parts(z)
    return z * (w / (w + 2))


def _mish_slope(c: Number, z: Number) -> Number:
    z, e, w = _mish_parts(z)
    return c * (w / (w + 2) + 4 * z * (e / (w + 2)) * ((e + 1) / (w + 2)))


def _exponential(scale: float, alpha: float) -> ActivationFormula:
    """scale z for z > 0, else scale alpha (e^z - 1)."""
    below = scale * alpha
    return ActivationFormula(
        lambda z: (z * scale).where(z.compare(">", 0), expm1(z) * below),
        lambda c, a: (c * scale).where(a.compare(">", 0), c * (a + below)),
        lambda z, a: (z * z * (scale / 2)).where(z.compare(">", 0), a - z * below),
    )


class ActivationFormula(NamedTuple):
    """The formulas of one activation.

    f(z) is the output; slope(c, kept) is c f'(z), where kept is a or z; integral(z, a) is F(z), or
    None where the NumPy row has none; softmax, which needs whole rows, has code of its own.
    """

    f: Callable[[Number], Number]
    slope: Callable[[Number, Number], Number]
    integral: Callable[[Number, Number], Number] | None = None


def _half_square(z: Number, a: Number) -> Number:
    return a * z * 0.5


ACTIVATIONS = {
    "identity": ActivationFormula(lambda z: z, lambda c, a: c, _half_square),
    "sigmoid": ActivationFormula(sigmoid, lambda c, a: c * (a * (1 - a)), lambda z, a: softplus(z)),
    "relu": ActivationFormula(relu, lambda c, a: c.where(a.compare(">", 0), 0), _half_square),
    "leaky_relu": ActivationFormula(
        lambda z: z.where(z.compare(">", 0), z * LEAKY_SLOPE),
        lambda c, a: c.where(a.compare(">", 0), c * LEAKY_SLOPE),
        _half_square,
    ),
    "tanh": ActivationFormula(
        tanh,
        lambda c, a: c * (1 - a * a),
        # log cosh z
        lambda z, a: z.call("fabs") + log1p(exp(-2 * z.call("fabs"))) - math.log(2),
    ),
    "step": ActivationFormula(
        lambda z: z.emitter.number(1).where(z.compare(">=", 0), 0),
        lambda c, a: c.emitter.number(0),
        lambda z, a: a * z,
    ),
    # needs whole rows: see `costs.softmax`
    "softmax": ActivationFormula(lambda z: z, lambda c, a: c),
    "elu": _exponential(1.0, 1.0),
    "selu": _exponential(SELU_SCALE, SELU_ALPHA),
    "gelu": ActivationFormula(
        lambda z: z * _normal(z),
        lambda c, z: c * (_normal(z) + z * exp(z * z * -0.5) * (1 / math.sqrt(2 * math.pi))),
        lambda z, a: (z * a - _normal(z) + z * exp(z * z * -0.5) / math.sqrt(2 * math.pi)) * 0.5,
    ),
    "silu": ActivationFormula(lambda z: z * sigmoid(z), _silu_slope),
    "mish": ActivationFormula(_mish, _mish_slope),
    "softplus": ActivationFormula(softplus, lambda c, a: c * -expm1(-a)),
    "exponential": ActivationFormula(exp, lambda c, a: c * a, lambda z, a: a),
}
