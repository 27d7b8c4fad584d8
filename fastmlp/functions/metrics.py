"""What a step's outputs say: the class of each row, how many are right, and what led to them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastmlp.arrays import Array


class Trace(NamedTuple):
    """What one training step computes for some samples, for each layer.

    cost : sum over the samples; correct : how many answers are right; a, dz `(B, O)` and the
    gradients dw `(I, O)`, db `(O,)` of the mean cost: a list each, of arrays
    """

    cost: float
    correct: int
    a: list[Array]
    dz: list[Array]
    dw: list[Array]
    db: list[Array]


def classes_of(a: Array) -> Array:
    """Return the class `(N,)` that each row of a `(N, O)` names: its largest output.

    A single output says yes (1) from one half upwards. The first of equals counts. A row with NaN
    names none: -1.
    """
    classes = np.asarray(a[:, 0] >= 0.5 if a.shape[1] == 1 else a.argmax(axis=1), np.int64)
    # the first NaN of a row is its largest number
    largest = a[np.arange(len(a)), 0 if a.shape[1] == 1 else classes]
    return np.where(np.isnan(largest), -1, classes)


def count_correct(a: Array, y: Array) -> int:
    """Count the rows of a `(N, O)` that name the label's class, or the target's."""
    wanted = y if y.ndim == 1 and a.shape[1] > 1 else classes_of(y.reshape(a.shape))
    return int((classes_of(a) == wanted).sum())


def error_in_eps(got: Array, exact: Array, terms: Array) -> float:
    """Return the largest error in eps times `terms`, as the BLAS tests measure; infinite for NaN.

    terms : for each element, the sum of the sizes of what it is a sum of
    """
    if not np.isfinite(got).all():
        return float("inf")
    unit = np.finfo(got.dtype).eps * np.maximum(np.abs(terms), np.finfo(np.float32).tiny)
    return float((np.abs(got - exact) / unit).max(initial=0.0))
