"""The classes of outputs, how many of them are right, and the record of one training step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastmlp.arrays import Array


class Trace(NamedTuple):
    """What one training step computes for some samples.

    cost : sum over the samples; correct : the number of samples whose class is right. Where samples
        have weights, both are sums of weights: of w c, and of the w of samples that are right
    a, dz : an array `(B, O)` for each layer: outputs and deltas
    dw, db : an array `(I, O)` and `(O,)` for each layer: gradients of the mean cost,
        sum(w c) / sum(w)
    """

    cost: float
    correct: float
    a: list[Array]
    dz: list[Array]
    dw: list[Array]
    db: list[Array]


def classes_of(a: Array) -> Array:
    """Return the class `(N,)` of each row of outputs a `(N, O)`: the index of the largest output.

    Of equal outputs the first counts. With a single output the class is 1 if the output is at
    least 0.5, else 0. A row with NaN has the class -1.
    """
    classes = np.asarray(a[:, 0] >= 0.5 if a.shape[1] == 1 else a.argmax(axis=1), np.int64)
    # argmax returns the index of the first NaN of a row
    largest = a[np.arange(len(a)), 0 if a.shape[1] == 1 else classes]
    return np.where(np.isnan(largest), -1, classes)


def count_correct(a: Array, y: Array, sample_weight: Array | None = None) -> float:
    """Count the rows of outputs a `(N, O)` whose class is that of the label or the targets.

    sample_weight : `(N,)`; the result is then the sum of the weights of these rows
    """
    wanted = y if y.ndim == 1 and a.shape[1] > 1 else classes_of(y.reshape(a.shape))
    hits = classes_of(a) == wanted
    return int(hits.sum()) if sample_weight is None else float(sample_weight[hits].sum())


def error_in_eps(got: Array, exact: Array, terms: Array) -> float:
    """Return the largest error in eps times `terms`, as the BLAS tests measure; infinite for NaN.

    terms : for each element, the sum of the sizes of what it is a sum of
    """
    if not np.isfinite(got).all():
        return float("inf")
    unit = np.finfo(got.dtype).eps * np.maximum(np.abs(terms), np.finfo(np.float32).tiny)
    return float((np.abs(got - exact) / unit).max(initial=0.0))
