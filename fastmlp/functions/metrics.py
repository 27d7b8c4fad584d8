"""The table of metrics, classes of outputs, and the record of one training step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from fastmlp.arrays import Array

# The weights of samples `(N,)` in a mean; None for equal ones
Weights = Array | None


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


def right_classes(a: Array, y: Array) -> Array:
    """Return for each row of outputs a `(N, O)` whether its class is that of y: bool `(N,)`.

    y : labels `(N,)` or targets `(N, O)`
    """
    wanted = y if y.ndim == 1 and a.shape[1] > 1 else classes_of(y.reshape(a.shape))
    return np.asarray(classes_of(a) == wanted)


def count_correct(a: Array, y: Array, sample_weight: Array | None = None) -> float:
    """Count the rows of outputs a `(N, O)` whose class is that of the label or the targets.

    sample_weight : `(N,)`; the result is then the sum of the weights of these rows
    """
    hits = right_classes(a, y)
    return int(hits.sum()) if sample_weight is None else float(sample_weight[hits].sum())


def error_in_eps(got: Array, exact: Array, terms: Array) -> float:
    """Return the largest error in eps times `terms`, as the BLAS tests measure; infinite for NaN.

    terms : for each element, the sum of the sizes of what it is a sum of
    """
    if not np.isfinite(got).all():
        return float("inf")
    unit = np.finfo(got.dtype).eps * np.maximum(np.abs(terms), np.finfo(np.float32).tiny)
    return float((np.abs(got - exact) / unit).max(initial=0.0))


@dataclass(frozen=True)
class Metric:
    """One row of the table of metrics.

    task : of the networks that it judges: see `task_of`
    title : its name in tables; formula : as text, for people
    f : function of outputs a `(N, O)`, labels `(N,)` or targets `(N, O)`, and weights
    rises : whether higher is better; share : whether it is printed in percent
    """

    name: str
    task: str
    title: str
    formula: str
    f: Callable[[Array, Array, Weights], float]
    rises: bool = True
    share: bool = True


def _mean(values: Array, weights: Weights) -> Array:
    """Return the mean over the samples, the first axis, in float64."""
    return np.asarray(np.average(values, axis=0, weights=weights), np.float64)


def _errors(a: Array, y: Array) -> Array:
    return a.astype(np.float64) - y


def _determination(a: Array, y: Array, weights: Weights) -> float:
    """Return the mean of R^2 over the outputs.

    Of an output whose targets are all equal, it is 1 without errors, and 0 with some.
    """
    exact = y.astype(np.float64)
    residual = _mean(_errors(a, y) ** 2, weights)
    total = _mean((exact - _mean(exact, weights)) ** 2, weights)
    # the mean of equal numbers may differ from them by rounding
    counted = exact if weights is None else exact[np.asarray(weights) > 0]
    total = np.where(counted.min(axis=0) == counted.max(axis=0), 0.0, total)
    flat = np.where(residual == 0, 1.0, 0.0)
    return float(np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), flat).mean())


def _right_labels(a: Array, y: Array) -> Array:
    return np.equal(a >= 0.5, y >= 0.5)


def _f1(a: Array, y: Array, weights: Weights, micro: bool) -> float:
    """Return 2 TP / (2 TP + FP + FN): of all labels together, or the mean over the labels.

    It is 0 where there are neither positive targets nor positive outputs.
    """
    said, true = a >= 0.5, y >= 0.5
    hits, wrong = _mean(said & true, weights), _mean(said != true, weights)
    if micro:
        hits, wrong = hits.sum(keepdims=True), wrong.sum(keepdims=True)
    whole = 2 * hits + wrong
    return float((2 * hits / np.where(whole > 0, whole, 1)).mean())


# The first row of a task is its main metric, the one that is printed and has a target
# fmt: off
METRICS = {
    row.name: row
    for row in (
        Metric(
            "accuracy", "classification", "accuracy", "share of samples whose class is right",
            lambda a, y, w: float(_mean(right_classes(a, y), w)),
        ),
        Metric(
            "r2", "regression", "R2", "1 - sum((a - y)^2) / sum((y - mean y)^2), mean over outputs",
            _determination, share=False,
        ),
        Metric(
            "mean_absolute_error", "regression", "MAE", "mean |a - y|",
            lambda a, y, w: float(_mean(np.abs(_errors(a, y)), w).mean()), rises=False, share=False,
        ),
        Metric(
            "mean_squared_error", "regression", "MSE", "mean (a - y)^2",
            lambda a, y, w: float(_mean(_errors(a, y) ** 2, w).mean()), rises=False, share=False,
        ),
        Metric(
            "exact_match", "labels", "exact match", "share of samples whose labels are all right",
            lambda a, y, w: float(_mean(np.all(_right_labels(a, y), axis=1), w)),
        ),
        Metric(
            "label_accuracy", "labels", "per label", "share of labels that are right",
            lambda a, y, w: float(_mean(_right_labels(a, y), w).mean()),
        ),
        Metric(
            "f1_micro", "labels", "F1 micro", "2 TP / (2 TP + FP + FN) of all labels together",
            partial(_f1, micro=True),
        ),
        Metric(
            "f1_macro", "labels", "F1 macro", "mean over labels of 2 TP / (2 TP + FP + FN)",
            partial(_f1, micro=False),
        ),
    )
}
# fmt: on


def metrics_of(task: str) -> tuple[Metric, ...]:
    """Return the rows of a task, its main metric first."""
    return tuple(row for row in METRICS.values() if row.task == task)
