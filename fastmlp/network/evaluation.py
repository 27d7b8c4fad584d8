"""The evaluation of a network on some data: its mean cost, and the metrics of its task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from fastmlp.arrays import Array, Rows, quiet
from fastmlp.functions import ACTIVATIONS, metrics_of, total_cost

EVALUATE_ROWS = 10_000


class _Evaluation(NamedTuple):
    cost: float
    accuracy: float | None = None


class Evaluation(_Evaluation):
    """The result of a network on some data: a pair of the mean cost and the accuracy.

    accuracy : from 0 to 1; None unless the task is classification
    metrics : all metrics of the task by name, `accuracy` for example
    """

    metrics: Mapping[str, float]

    def __new__(
        cls,
        cost: float,
        accuracy: float | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> Evaluation:
        """Return the pair; metrics are by default the accuracy alone, if there is one."""
        own = super().__new__(cls, cost, accuracy)
        known = {} if accuracy is None else {"accuracy": accuracy}
        own.metrics = dict(known if metrics is None else metrics)
        return own


@quiet
def evaluate(
    infer: Callable[[Rows], Array],
    rows: Rows,
    y: Array,
    a: Array,
    output: str,
    cost: str,
    task: str,
    sample_weight: Array | None = None,
) -> Evaluation:
    """Return mean cost and metrics of a network with that output, cost and task.

    infer : function of images `(n, I)` that returns the weighted sums z `(n, O)` of the last layer
    rows : images `(N, I)`; y : labels `(N,)` or targets `(N, O)`; a `(N, O)` is overwritten
    sample_weight : float64 `(N,)`, or None for 1
    """
    total = 0.0
    for start in range(0, len(rows), EVALUATE_ROWS):
        span = slice(start, start + EVALUATE_ROWS)
        images, targets, outputs = rows[span], y[span], a[span]
        own = None if sample_weight is None else sample_weight[span]
        z = infer(images)
        ACTIVATIONS[output].f(z, outputs)
        total += total_cost(z, outputs, targets, output, cost, own)
    metrics = {row.name: row.f(a, y, sample_weight) for row in metrics_of(task)}
    weights = len(rows) if sample_weight is None else float(sample_weight.sum())
    return Evaluation(total / weights, metrics.get("accuracy"), metrics)
