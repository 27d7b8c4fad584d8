"""What a case finds: results beside those of the reference, and how far apart they may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastmlp.arrays import Array
from fastmlp.functions import error_in_eps

# In eps times the sum of the terms' sizes: the ratio that the netlib BLAS tests allow
ALLOWED = 16.0


@dataclass(frozen=True)
class Check:
    """One result of a case.

    size : for each element, the sum of the sizes of the terms that it is a sum of
    """

    name: str
    got: Array
    exact: Array
    size: Array
    allowed: float = ALLOWED

    def ratio(self) -> float:
        """Return the largest error over eps times size, over what is allowed: at most 1."""
        return error_in_eps(self.got, self.exact, self.size) / self.allowed

    def is_empty(self) -> bool:
        """Whether so much is zero that being right means little."""
        return int(np.count_nonzero(self.exact)) < 0.05 * max(1, self.exact.size)


@dataclass(frozen=True)
class Case:
    """A description to print, and the results."""

    what: str
    checks: tuple[Check, ...]


def carried(name: str, got: Array, exact: Array, twin: Array, terms: float = 0.0) -> Check:
    """Return the check of a result that errors are carried into through several layers.

    twin : the reference in the precision of `got`, on parameters that are off by their last bit
    terms : the largest sum of the sizes of the terms that a number is a sum of
    """
    eps = float(np.finfo(got.dtype).eps)
    size = terms + np.abs(exact).max(initial=0) + np.abs(twin - exact).max(initial=0) / eps
    return Check(name, got, exact, np.full(exact.shape, size))
