"""The vector formulas of the general optimisers, for compiled code: see `vectors`.

Each returns the new w and state, of w, its gradient g, its state and a row of coefficients.

In training, state that is too small for a normal number becomes 0: see `flush_small` in
`fastmlp.kernels.llvm.intrinsics`. It changes no parameter, if epsilon is far above the square root
of the least normal number: 1e-19 in float32. Below, a step with such state is m / epsilon.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fastmlp.functions.vectors import Number, by_sign, clamped, relu

Numbers = list[Number]


def minus_quotient(w: Number, u: Number, d: Number) -> Number:
    """Return w - u / d for d > 0, the quotient to 2 eps; infinite d may count as 2^126."""
    # u / d = u q (2 - d q) for q = 1 / d to 2^-14, or to 2^-28 by q = q (2 - d q) (Newton). Square
    # root and division would both wait for the same unit. From 2^126 on, in float64 2^1022, 1 / d
    # would not be a normal number
    most = d.emitter.number(2.0 ** (d.emitter.bias - 1))
    most = most.where(d.compare(">", most), d)
    q = most.estimated_reciprocal()
    if q is None:
        return w - u / d
    if d.emitter.bits == 64:
        q = q * (2 - most * q)
    return w - u * q * (2 - most * q)


def limited(w: Number, g: Number, l1: Number, most: Number) -> Number:
    """Return what the formulas below take as the gradient: see LIMITS in `limits`."""
    # g = min(max(g, -clip_value), clip_value) + l1 sign(w)
    return l1.call("fmuladd", by_sign(w, 1, -1), clamped(g, most))


def _momentum(w: Number, g: Number, state: Numbers, row: Numbers) -> Numbers:
    # v = momentum v + g;  w -= rate (of_g g + of_v v)
    (v,), (_, rate, momentum, of_g, of_v, *_) = state, row
    v = momentum * v + g
    return [w - rate * of_v.call("fmuladd", v, of_g * g), v]


def _rmsprop(w: Number, g: Number, state: Numbers, row: Numbers) -> Numbers:
    # v = kept v + added g^2;  w -= rate g / (sqrt v + epsilon)
    # centered, m = kept m + added g, and max(v - m^2, 0) in place of that v
    (v, *means), (_, rate, epsilon, kept, added, *_) = state, row
    v = kept.call("fmuladd", v, added * (g * g))
    means = [kept.call("fmuladd", m, added * g) for m in means]
    variance = relu(v - means[0] * means[0]) if means else v
    return [minus_quotient(w, rate * g, variance.call("sqrt") + epsilon), v, *means]


def _adam(
    w: Number, g: Number, state: Numbers, row: Numbers, fades: bool = False, takes_g: bool = False
) -> Numbers:
    """Adam, with the terms fade w (AdamW) and of_g g (NAdam) where they are not 0."""
    # m = beta_1 m + added_1 g;  v = beta_2 v + added_2 g^2
    # w = w - fade w - (of_m m + of_g g) / (sqrt v + epsilon)
    m, v = state
    fade, of_m, of_g, epsilon, beta_1, added_1, beta_2, added_2, *_ = row
    m = beta_1.call("fmuladd", m, added_1 * g)
    v = beta_2.call("fmuladd", v, added_2 * (g * g))
    change = of_m.call("fmuladd", m, of_g * g) if takes_g else of_m * m
    kept = w - fade * w if fades else w
    return [minus_quotient(kept, change, v.call("sqrt") + epsilon), m, v]


def _lion(w: Number, g: Number, state: Numbers, row: Numbers) -> Numbers:
    # w -= fade w + rate sign(beta_1 m + added_1 g);  m = beta_2 m + added_2 g
    (m,), (fade, rate, beta_1, added_1, beta_2, added_2, *_) = state, row
    sign = by_sign(beta_1.call("fmuladd", m, added_1 * g), 1, -1)
    return [w - fade.call("fmuladd", w, rate * sign), beta_2.call("fmuladd", m, added_2 * g)]


OPTIMIZERS: dict[str, Callable[..., Numbers]] = {
    "momentum": _momentum,
    "nesterov": _momentum,
    "rmsprop": _rmsprop,
    "rmsprop_centered": _rmsprop,
    "adagrad": _rmsprop,
    "adam": _adam,
    "adamw": partial(_adam, fades=True),
    "nadam": partial(_adam, takes_g=True),
    "lion": _lion,
}
