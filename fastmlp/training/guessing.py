"""The cost of guessing: that of the best constant output, which ignores the inputs."""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Array
from fastmlp.functions import cost_row, target_values
from fastmlp.network import Network


def cost_of_guessing(
    network: Network, y: Array, sample_weight: Array | None = None, smoothing: float = 0.0
) -> float:
    """Return the lowest mean cost of an output that is the same for all inputs.

    y : labels `(N,)` or targets `(N, O)`; smoothing : of these, with cross_entropy

    All means are weighted by `sample_weight` `(N,)`, if that is given. With m the mean target
    `(O,)`, the cost is

        squared_error                  sum of the variances of the targets
        cross_entropy with softmax     -sum m log(m / sum m)
        cross_entropy with sigmoid     -sum(m log m + (1 - m) log(1 - m))
        others                         infinite, which gives no bound
    """
    if y.ndim == 1:
        total = len(y) if sample_weight is None else sample_weight.sum()
        m = np.bincount(y, sample_weight, network.sizes[-1]) / total
        variance = m * (1 - m)
    else:
        with np.errstate(over="ignore", invalid="ignore"):  # very large targets overflow
            m = np.average(y.astype(np.float64), axis=0, weights=sample_weight)
            variance = np.average((y - m) ** 2, axis=0, weights=sample_weight)
    if network.cost == "squared_error":
        return float(variance.sum())
    if network.cost != "cross_entropy":
        return np.inf
    off, on = target_values(smoothing, network.output, network.sizes[-1])
    m = off + (on - off) * m
    if network.output == "softmax":
        return _entropy(m) + float(m.sum()) * float(np.log(max(m.sum(), 1e-300)))
    return _entropy(m) + _entropy(1 - m)


def cost_of_constant(
    network: Network, y: Array, sample_weight: Array | None = None, smoothing: float = 0.0
) -> float:
    """Return `cost_of_guessing`; where that is infinite, the cost of an output near the best one.

    For costs of errors it is the median of the targets, or their quantile; with poisson, their
    mean. It is infinite for other costs.
    """
    guessing = cost_of_guessing(network, y, sample_weight, smoothing)
    row = cost_row(network.cost)
    if np.isfinite(guessing) or y.ndim == 1:
        return guessing
    if row.f is not None:
        constant = _quantile(y, row.setting if row.name == "quantile" else 0.5, sample_weight)
        costs = row.f(constant - y, row.setting).sum(axis=1)
        return float(np.average(costs, weights=sample_weight))
    if row.name == "poisson":
        m = np.average(y, axis=0, weights=sample_weight, keepdims=True)
        return _poisson_cost(m)
    return np.inf


def least_cost(network: Network, y: Array, sample_weight: Array | None = None) -> float:
    """Return a cost that no outputs can be below: 0, but with poisson that of the targets."""
    if network.cost != "poisson" or y.ndim == 1:
        return 0.0
    return _poisson_cost(y, sample_weight)


def _poisson_cost(m: Array, sample_weight: Array | None = None) -> float:
    """Return the mean cost of outputs m `(N, O)` for targets that are the same."""
    m = m.astype(np.float64)
    costs = (m - m * np.log(np.maximum(m, 1e-300))).sum(axis=1)
    return float(np.average(costs, weights=sample_weight))


def _quantile(y: Array, share: float, sample_weight: Array | None) -> Array:
    """Return the least y `(O,)` with that share of the weight at it or below, for each column."""
    order = np.argsort(y, axis=0)
    weight = np.ones(len(y)) if sample_weight is None else sample_weight
    below = np.cumsum(weight[order], axis=0)
    first = (below < share * below[-1]).sum(axis=0)
    columns = np.arange(y.shape[1])
    return np.asarray(y[order[first, columns], columns])


def _entropy(m: Array) -> float:
    """Return -sum m log m, where 0 log 0 is 0."""
    positive = m[m > 0]
    return -float((positive * np.log(positive)).sum())
