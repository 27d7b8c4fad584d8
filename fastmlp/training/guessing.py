"""The cost of guessing: that of the best constant output, which ignores the inputs."""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Array
from fastmlp.network import Network


def cost_of_guessing(network: Network, y: Array) -> float:
    """Return the lowest mean cost of an output that is the same for all inputs.

    y : labels `(N,)` or targets `(N, O)`. With m the mean target `(O,)`, the cost is

        squared_error                  sum of the variances of the targets
        cross_entropy with softmax     -sum m log(m / sum m)
        cross_entropy with sigmoid     -sum(m log m + (1 - m) log(1 - m))
        others                         infinite, which gives no bound
    """
    if y.ndim == 1:
        m = np.bincount(y, minlength=network.sizes[-1]) / len(y)
        variance = m * (1 - m)
    else:
        with np.errstate(over="ignore", invalid="ignore"):  # very large targets overflow
            m, variance = y.mean(axis=0, dtype=np.float64), y.var(axis=0, dtype=np.float64)
    if network.cost == "squared_error":
        return float(variance.sum())
    if network.cost != "cross_entropy":
        return np.inf
    if network.output == "softmax":
        return _entropy(m) + float(m.sum()) * float(np.log(max(m.sum(), 1e-300)))
    return _entropy(m) + _entropy(1 - m)


def _entropy(m: Array) -> float:
    """Return -sum m log m, where 0 log 0 is 0."""
    positive = m[m > 0]
    return -float((positive * np.log(positive)).sum())
