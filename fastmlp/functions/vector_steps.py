"""The vector formulas of the general optimisers, for compiled code: see `vectors`.

Each returns the new w and state, of w, its gradient g, its state and a row of coefficients.

State that is too small for a normal number becomes 0: it changes no parameter, and takes 100 times
as long to compute with. That of weights without gradients decays to there: with momentum, epochs of
784-128-10/64 took twice as long from the third on (Xeon of 2023).
"""

from __future__ import annotations

from collections.abc import Callable

from fastmlp.functions.vectors import Number


def _normal(state: Number) -> Number:
    """Return the state, or 0 where it is too small for a normal number; NaN stays."""
    is_small = state.call("fabs").compare("<", state.emitter.smallest)
    return state.emitter.number(0).where(is_small, state)


def _mean(kept: Number, mean: Number, added: Number) -> Number:
    """Return kept mean + added, as state."""
    return _normal(kept.call("fmuladd", mean, added))


def _sign(number: Number) -> Number:
    """Return the sign of a number, or the number itself if it is 0 or NaN."""
    one = number.emitter.number(1)
    return one.where(number.compare(">", 0), (-one).where(number.compare("<", 0), number))


def limited(w: Number, g: Number, l1: Number, most: Number) -> Number:
    """Return what the formulas below take as the gradient: see LIMITS in `limits`."""
    # g = min(max(g, -clip_value), clip_value) + l1 sign(w)
    g = most.where(g.compare(">", most), (-most).where(g.compare("<", -most), g))  # NaN stays
    return l1.call("fmuladd", _sign(w), g)


def _momentum(w: Number, g: Number, state: list[Number], row: list[Number]) -> list[Number]:
    # g += decay w;  v = momentum v + g;  w -= rate (of_g g + of_v v)
    (v,), (decay, _, rate, momentum, of_g, of_v, *_) = state, row
    g = g + decay * w
    v = _normal(momentum * v + g)
    return [w - rate * of_v.call("fmuladd", v, of_g * g), v]


def _rmsprop(w: Number, g: Number, state: list[Number], row: list[Number]) -> list[Number]:
    # g += decay w;  v = kept v + added g^2;  w -= rate g / (sqrt v + epsilon)
    (v,), (decay, _, rate, epsilon, kept, added, *_) = state, row
    g = decay.call("fmuladd", w, g)
    v = _mean(kept, v, added * (g * g))
    return [w - rate * (g / (v.call("sqrt") + epsilon)), v]


def _adam(w: Number, g: Number, state: list[Number], row: list[Number]) -> list[Number]:
    # g += decay w;  m = beta_1 m + added_1 g;  v = beta_2 v + added_2 g^2
    # w -= fade w + (of_m m + of_g g) / (sqrt v + epsilon)
    m, v = state
    decay, fade, of_m, of_g, epsilon, beta_1, added_1, beta_2, added_2 = row
    g = decay.call("fmuladd", w, g)
    m, v = _mean(beta_1, m, added_1 * g), _mean(beta_2, v, added_2 * (g * g))
    change = of_m.call("fmuladd", m, of_g * g) / (v.call("sqrt") + epsilon)
    return [w - fade.call("fmuladd", w, change), m, v]


def _lion(w: Number, g: Number, state: list[Number], row: list[Number]) -> list[Number]:
    # w -= fade w + rate sign(beta_1 m + added_1 g);  m = beta_2 m + added_2 g
    (m,), (_, fade, rate, beta_1, added_1, beta_2, added_2, *_) = state, row
    c = beta_1.call("fmuladd", m, added_1 * g)
    return [w - fade.call("fmuladd", w, rate * _sign(c)), _mean(beta_2, m, added_2 * g)]


OPTIMIZERS: dict[str, Callable[..., list[Number]]] = {
    "momentum": _momentum,
    "nesterov": _momentum,
    "rmsprop": _rmsprop,
    "adagrad": _rmsprop,
    "adam": _adam,
    "adamw": _adam,
    "nadam": _adam,
    "lion": _lion,
}
