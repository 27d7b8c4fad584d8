"""The vector formulas of the costs of errors, for compiled code: see `vectors`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Number = Any


class CostFormula(NamedTuple):
    """The formulas of one cost of an error e = a - y, with the setting s of the cost.

    f(e, s) is the cost, and slope(c, e, s) is c times its derivative.
    """

    f: Callable[[Number, Number], Number]
    slope: Callable[[Number, Number, Number], Number]


def _by_sign(e: Number, above: Number, below: Number) -> Number:
    """Return `above` for e > 0, `below` for e < 0, 0 for 0, and NaN for NaN."""
    return above.where(e.compare(">", 0), below.where(e.compare("<", 0), e * 0))


def _huber(e: Number, s: Number) -> Number:
    # with m = min(|e|, s): m (|e| - m / 2)
    size = e.call("fabs")
    m = s.where(size.compare(">", s), size)
    return m * (size - m * 0.5)


def _huber_slope(c: Number, e: Number, s: Number) -> Number:
    return c * s.where(e.compare(">", s), (-s).where(e.compare("<", -s), e))


COSTS = {
    "squared_error": CostFormula(lambda e, s: e * e, lambda c, e, s: 2 * c * e),
    "absolute_error": CostFormula(lambda e, s: e.call("fabs"), lambda c, e, s: _by_sign(e, c, -c)),
    "huber": CostFormula(_huber, _huber_slope),
    "quantile": CostFormula(
        lambda e, s: e * _by_sign(e, 1 - s, -s),
        lambda c, e, s: c * _by_sign(e, 1 - s, -s),
    ),
}
