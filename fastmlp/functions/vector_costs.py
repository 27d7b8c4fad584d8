"""The vector formulas of the costs of errors, for compiled code: see `vectors`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fastmlp.functions.vectors import Number, by_sign, clamped


class CostFormula(NamedTuple):
    """The formulas of one cost of an error e = a - y, with the setting s of the cost.

    f(e, s) is the cost, and slope(c, e, s) is c times its derivative.
    """

    f: Callable[[Number, Number], Number]
    slope: Callable[[Number, Number, Number], Number]


def _huber(e: Number, s: Number) -> Number:
    # with m = min(|e|, s): m (|e| - m / 2)
    size = e.call("fabs")
    m = s.where(size.compare(">", s), size)
    return m * (size - m * 0.5)


COSTS = {
    "squared_error": CostFormula(lambda e, s: e * e, lambda c, e, s: 2 * c * e),
    "absolute_error": CostFormula(lambda e, s: e.call("fabs"), lambda c, e, s: by_sign(e, c, -c)),
    "huber": CostFormula(_huber, lambda c, e, s: c * clamped(e, s)),
    "quantile": CostFormula(
        lambda e, s: e * by_sign(e, 1 - s, -s),
        lambda c, e, s: c * by_sign(e, 1 - s, -s),
    ),
}
