"""Compare results with those of the reference, within an allowed error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastmlp.arrays import Array
from fastmlp.functions import error_in_eps

# In units of eps times the sum of the magnitudes of the terms, as in the netlib BLAS tests
ALLOWED = 16.0


@dataclass(frozen=True)
class Check:
    """One result of a case.

    got : of the kernels; exact : of the reference in float64
    size : for each element, the sum of the magnitudes of its terms
    allowed : the largest error, in units of eps times size
    """

    name: str
    got: Array
    exact: Array
    size: Array
    allowed: float = ALLOWED

    def ratio(self) -> float:
        """Return the largest error as a share of the allowed error; above 1 is a failure."""
        return error_in_eps(self.got, self.exact, self.size) / self.allowed

    def is_empty(self) -> bool:
        """Return whether nearly all elements are zero, so that the check proves little."""
        return int(np.count_nonzero(self.exact)) < 0.05 * max(1, self.exact.size)


@dataclass(frozen=True)
class Case:
    """A description to print, and the checks of the results."""

    what: str
    checks: tuple[Check, ...]


def carried(name: str, got: Array, exact: Array, twin: Array, terms: float = 0.0) -> Check:
    """Return the check of a result with rounding errors of several layers.

    twin : of the reference in the precision of `got`, with parameters changed in their last bit
    terms : the largest sum of the magnitudes of the terms of an element
    """
    eps = float(np.finfo(got.dtype).eps)
    size = terms + np.abs(exact).max(initial=0) + np.abs(twin - exact).max(initial=0) / eps
    return Check(name, got, exact, np.full(exact.shape, size))
