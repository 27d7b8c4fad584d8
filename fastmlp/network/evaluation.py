"""The evaluation of a network on some data: its mean cost, and the metrics of its task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import Array, as_images, quiet
from fastmlp.backends import backend_named
from fastmlp.functions import ACTIVATIONS, metrics_of, total_cost

if TYPE_CHECKING:
    from fastmlp.network.network import Network

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
    network: Network, images: ArrayLike, labels: ArrayLike, backend: str = "compiled"
) -> Evaluation:
    """Return cost and metrics on images `(N, I)`, labels `(N,)` or targets: see `Network`."""
    rows = as_images(images, network.sizes[0], network.dtype)
    y = network.as_targets(labels, len(rows), "labels")
    weights, biases = network.check_parameters()
    chosen, weighted_sums, cost = backend_named(backend), (*network.hidden, "identity"), 0.0
    outputs = np.empty((len(rows), network.sizes[-1]), network.dtype)
    for start in range(0, len(rows), EVALUATE_ROWS):
        part, a = (array[start : start + EVALUATE_ROWS] for array in (rows, outputs))
        z: Array = np.empty_like(a)
        chosen.infer(weights, biases, weighted_sums, part, z, network.scale_of(rows))
        ACTIVATIONS[network.output].f(z, a)
        cost += total_cost(z, a, y[start : start + EVALUATE_ROWS], network.output, network.cost)
    metrics = {row.name: row.f(outputs, y, None) for row in metrics_of(network.task_for(y))}
    return Evaluation(cost / len(rows), metrics.get("accuracy"), metrics)
