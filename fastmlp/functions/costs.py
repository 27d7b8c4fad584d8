"""The table of costs: name, formula, and the outputs and targets for which each is defined.

Except `squared_error`, each cost is the *matching* cost of the output's activation f
(Auer, Herbster and Warmuth, 1996). With F the integral of f, the cost of a sample is F(z) - y z,
and its derivative is a - y for any f. With the activation step this is Rosenblatt's perceptron
criterion (a - y) z. With sigmoid it is the cross entropy, and with softmax too if the targets of
a sample sum to 1. For any sum S = sum(y), the cross entropy of softmax is S F(z) - y z, and its
derivative is S a - y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import Array, as_labels_or_targets
from fastmlp.errors import refuse
from fastmlp.functions.activations import ACTIVATIONS


@dataclass(frozen=True)
class Cost:
    """One row of the table of costs; a network's cost is the mean over its samples.

    outputs : the output activations for which the cost is defined; empty means all
    targets : the lowest and the highest target; None if any finite number is allowed
    """

    name: str
    code: int
    formula: str
    outputs: tuple[str, ...]
    targets: tuple[float, float] | None = None


COSTS = {
    row.name: row
    for row in (
        Cost("squared_error", 0, "sum((a - y)^2)", ()),
        Cost(
            "cross_entropy",
            1,
            "-sum(y log a), for sigmoid -sum(y log a + (1 - y) log(1 - a))",
            ("softmax", "sigmoid"),
            (0.0, 1.0),
        ),
        Cost(
            "perceptron",
            2,
            "sum(F(z) - y z), F' = f",
            tuple(name for name, row in ACTIVATIONS.items() if row.integral is not None),
        ),
    )
}

# (output, cost): all pairs that a network can have
PAIRS = tuple(
    (output, cost.name) for cost in COSTS.values() for output in cost.outputs or ACTIVATIONS
)


def cost_named(name: str, output: str) -> Cost:
    """Return the row of that name; ArgumentError if the cost is not defined for `output`."""
    if not isinstance(name, str) or name not in COSTS:
        raise refuse("cost", "must name a cost", repr(name), f"Choose from {', '.join(COSTS)}.")
    cost = COSTS[name]
    if cost.outputs and output not in cost.outputs:
        raise refuse(
            "cost",
            f"{name!r} needs one of these outputs: {', '.join(cost.outputs)}",
            f"output={output!r}",
            "Use cost='squared_error', or another output.",
        )
    return cost


def errors_of(a: Array, y: Array) -> Array:
    """Return a - y `(N, O)`, for labels `(N,)` or targets `(N, O)`."""
    if y.ndim == 2:
        return np.asarray(a - y, a.dtype)
    errors = a.copy()
    errors[np.arange(len(a)), y] -= 1
    return errors


def target_values(smoothing: float, outputs: int) -> tuple[float, float]:
    """Return what the targets 0 and 1 become, (1 - s) y + s / classes, for a smoothing s.

    Szegedy et al. (2016). A single output is of two classes.
    """
    off = smoothing / max(2, outputs)
    return off, 1 - smoothing + off


def smoothed(y: Array, smoothing: float, outputs: int, dtype: Any) -> Array:
    """Return (1 - s) y + s / classes `(N, outputs)`, for labels `(N,)` or targets `(N, outputs)`.

    smoothing : s, from 0 to below 1
    """
    off, on = target_values(smoothing, outputs)
    if y.ndim == 2:
        return np.asarray(off + (on - off) * y, dtype)
    targets = np.full((len(y), outputs), off, dtype)
    targets[np.arange(len(y)), y] = on
    return targets


def total_cost(
    z: Array, a: Array, y: Array, output: str, cost: str, sample_weight: Array | None = None
) -> float:
    """Return the cost, summed over the samples, of the outputs a = f(z) `(N, O)`.

    y : labels `(N,)` or targets `(N, O)`; sample_weight : factors on the costs `(N,)`, or None
    """
    costs = _costs_of(z, a, y, output, cost)
    return float((costs if sample_weight is None else sample_weight * costs).sum())


def _costs_of(z: Array, a: Array, y: Array, output: str, cost: str) -> Array:
    """Return the cost of each sample, float64 `(N,)`."""
    if cost == "squared_error":
        # C = sum (a - y)^2
        return np.asarray(np.square(errors_of(a, y)).sum(axis=1, dtype=np.float64))
    integral = ACTIVATIONS[output].integral
    assert integral is not None, "check_outputs and cost_named refuse such an output"
    if cost == "cross_entropy" and output == "softmax" and y.ndim == 2:
        # C = sum of y (F(z) - z)
        return np.asarray((y * (integral(z, a) - z)).sum(axis=1, dtype=np.float64))
    # C = F(z) - y z
    yz = z[np.arange(len(z)), y] if y.ndim == 1 else (y * z).sum(axis=1)
    return np.asarray(integral(z, a).sum(axis=1) - yz, np.float64)


def as_targets(
    labels: ArrayLike, count: int, outputs: int, dtype: Any, cost: str, argument: str
) -> Array:
    """Return labels as int64 `(N,)`, or targets as floats `(N, outputs)`, for a cost of that name.

    Raises ArgumentError for values that `as_labels_or_targets` refuses, and for targets outside
    the range of the cost.
    """
    y = as_labels_or_targets(labels, count, outputs, dtype, argument)
    allowed = COSTS[cost].targets
    if allowed is None or y.ndim == 1:
        return y
    low, high = y.min(), y.max()
    if low < allowed[0] or high > allowed[1]:
        raise refuse(
            argument,
            f"must be targets in {allowed[0]:g} … {allowed[1]:g} for the cost {cost!r}",
            f"targets from {low} to {high}",
            "Use a network with cost='squared_error', or rescale the targets.",
        )
    return y
