"""The table of costs: name, formula, and the outputs and targets for which each is defined.

There are two kinds. A *cost of errors* is a function of e = a - y, summed over the outputs. Any
other is the *matching* cost of the output's activation f (Auer, Herbster and Warmuth, 1996). With F
the integral of f, the cost of a sample is F(z) - y z, and its derivative is a - y for any f. With
the activation step this is Rosenblatt's perceptron criterion (a - y) z, and with exponential the
logarithm of a Poisson likelihood, without terms of y alone. With sigmoid it is the cross entropy,
and with softmax too if the targets of a sample sum to 1. For any sum S = sum(y), the cross entropy
of softmax is S F(z) - y z, and its derivative is S a - y.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from math import inf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import Array, as_labels_or_targets
from fastmlp.errors import nearest, refuse
from fastmlp.functions.activations import ACTIVATIONS


@dataclass(frozen=True)
class Cost:
    """One row of the table of costs; a network's cost is the mean over its samples.

    outputs : the output activations for which the cost is defined; empty means all
    targets : the lowest and the highest target; None if any finite number is allowed
    f, slope : of a cost of errors, c and dc/de as functions of (e, setting); None if it matches
    setting : a number that users can set: `cost="quantile:0.9"`; 0 < setting < below
    setting_name : its name, for people; empty if the cost has none
    """

    name: str
    code: int
    formula: str
    outputs: tuple[str, ...]
    targets: tuple[float, float] | None = None
    f: Callable[[Array, float], Array] | None = None
    slope: Callable[[Array, float], Array] | None = None
    setting: float = 0.0
    setting_name: str = ""
    below: float = inf

    @property
    def text(self) -> str:
        """The name, and behind a colon the setting if it is not the default."""
        return f"{self.name}:{self.setting!r}" if self != COSTS[self.name] else self.name


# The outputs of regression: all numbers, those above 0, 0 to 1 and -1 to 1
REGRESSION = ("identity", "relu", "softplus", "exponential", "sigmoid", "tanh")

# fmt: off
COSTS = {
    row.name: row
    for row in (
        Cost(
            "squared_error", 0, "sum((a - y)^2)", (),
            f=lambda e, s: np.square(e), slope=lambda e, s: 2 * e,
        ),
        Cost(
            "cross_entropy", 1, "-sum(y log a), for sigmoid -sum(y log a + (1 - y) log(1 - a))",
            ("softmax", "sigmoid"), (0.0, 1.0),
        ),
        Cost(
            "perceptron", 2, "sum(F(z) - y z), F' = f",
            tuple(name for name, row in ACTIVATIONS.items() if row.integral is not None),
        ),
        Cost(
            "absolute_error", 3, "sum(|a - y|)", REGRESSION,
            f=lambda e, s: np.abs(e), slope=lambda e, s: np.sign(e),
        ),
        # Huber (1964)
        Cost(
            "huber", 4, "sum((a - y)^2 / 2), beyond |a - y| = d sum(d (|a - y| - d / 2))",
            REGRESSION,
            f=lambda e, s: np.where(np.abs(e) <= s, e * e / 2, s * (np.abs(e) - s / 2)),
            slope=lambda e, s: np.clip(e, -s, s), setting=1.0, setting_name="d",
        ),
        # Koenker and Bassett (1978)
        Cost(
            "quantile", 5, "sum(max(q (y - a), (q - 1) (y - a)))", REGRESSION,
            f=lambda e, s: np.maximum(-s * e, (1 - s) * e),
            slope=lambda e, s: np.sign(e) / 2 + (e != 0) * (0.5 - s),
            setting=0.5, setting_name="q", below=1.0,
        ),
        Cost("poisson", 6, "sum(a - y log a), a = e^z", ("exponential",), (0.0, inf)),
    )
}
# fmt: on
# Those that name classes, whatever the output
OF_CLASSES = ("cross_entropy", "perceptron")

# (output, cost): all pairs that a network can have
PAIRS = tuple(
    (output, cost.name) for cost in COSTS.values() for output in cost.outputs or ACTIVATIONS
)


@cache
def cost_row(text: str) -> Cost:
    """Return the row of a cost, with its setting: of "huber", or of "huber:1.35".

    Raises ArgumentError for an unknown name or a setting outside its bounds.
    """
    name, colon, value = text.partition(":")
    if name not in COSTS:
        raise refuse("cost", "must name a cost", repr(text), nearest(name, COSTS))
    row = COSTS[name]
    if not colon:
        return row
    if not row.setting_name:
        raise refuse("cost", f"must not set {name!r}", repr(text), f"Pass cost={name!r}.")
    try:
        setting = float(value)
    except ValueError:
        setting = inf
    if not 0 < setting < row.below:
        highest = f" and below {row.below:g}" if row.below < inf else ""
        rule = f"must set {row.setting_name} of {name!r} to a number above 0{highest}"
        raise refuse("cost", rule, repr(text), f"Pass cost='{name}:{row.setting}', for example.")
    return replace(row, setting=setting)


def cost_named(name: str, output: str) -> Cost:
    """Return the row of a cost; ArgumentError if it is not defined for `output`."""
    if not isinstance(name, str):
        raise refuse("cost", "must name a cost", repr(name), f"Choose from {', '.join(COSTS)}.")
    cost = cost_row(str(name))
    if cost.outputs and output not in cost.outputs:
        raise refuse(
            "cost",
            f"{cost.text!r} needs one of these outputs: {', '.join(cost.outputs)}",
            f"output={output!r}",
            "Use cost='squared_error', or another output.",
        )
    return cost


@cache
def task_of(output: str, cost: str, outputs: int) -> str:
    """Return what a network's targets are: "classification", "labels" or "regression".

    "labels" are several at once, each true or not: several sigmoid outputs with cross_entropy.
    """
    name = cost_row(cost).name
    if (output, name) == ("sigmoid", "cross_entropy") and outputs > 1:
        return "labels"
    squared = name == "squared_error" and output in ("softmax", "sigmoid", "step")
    return "classification" if squared or name in OF_CLASSES else "regression"


def errors_of(a: Array, y: Array) -> Array:
    """Return a - y `(N, O)`, for labels `(N,)` or targets `(N, O)`."""
    if y.ndim == 2:
        return np.asarray(a - y, a.dtype)
    errors = a.copy()
    errors[np.arange(len(a)), y] -= 1
    return errors


def target_values(smoothing: float, output: str, outputs: int) -> tuple[float, float]:
    """Return what the targets 0 and 1 become, (1 - s) y + s / classes, for a smoothing s.

    Szegedy et al. (2016). Outputs of softmax are so many classes; each of others is of two.
    """
    off = smoothing / (outputs if output == "softmax" else 2)
    return off, 1 - smoothing + off


def smoothed(y: Array, smoothing: float, output: str, outputs: int, dtype: Any) -> Array:
    """Return (1 - s) y + s / classes `(N, outputs)`, for labels `(N,)` or targets `(N, outputs)`.

    smoothing : s, from 0 to below 1; output : the activation
    """
    off, on = target_values(smoothing, output, outputs)
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
    row = cost_row(cost)
    if row.f is not None:
        # C = sum c(a - y)
        return np.asarray(row.f(errors_of(a, y), row.setting).sum(axis=1, dtype=np.float64))
    integral = ACTIVATIONS[output].integral
    assert integral is not None, "check_outputs and cost_named refuse such an output"
    if cost == "cross_entropy" and output == "softmax" and y.ndim == 2:
        # C = sum of y (F(z) - z)
        return np.asarray((y * (integral(z, a) - z)).sum(axis=1, dtype=np.float64))
    # C = F(z) - y z
    yz = z[np.arange(len(z)), y] if y.ndim == 1 else (y * z).sum(axis=1)
    return np.asarray(integral(z, a).sum(axis=1) - yz, np.float64)


def as_targets(
    labels: ArrayLike,
    count: int,
    outputs: int,
    dtype: Any,
    cost: str,
    argument: str,
    task: str = "classification",
) -> Array:
    """Return labels as int64 `(N,)`, or targets as floats `(N, outputs)`, for a cost of that name.

    In a regression with one output, any numbers `(N,)` are targets. Raises ArgumentError for values
    that `as_labels_or_targets` refuses, and for targets outside the range of the cost.
    """
    if task == "regression" and outputs == 1 and np.ndim(labels) == 1:
        labels = np.reshape(labels, (-1, 1))
    y = as_labels_or_targets(labels, count, outputs, dtype, argument)
    row = cost_row(cost)
    if row.targets is None or y.ndim == 1:
        return y
    low, high = y.min(), y.max()
    if low < row.targets[0] or high > row.targets[1]:
        raise refuse(
            argument,
            f"must be targets in {row.targets[0]:g} … {row.targets[1]:g} for the cost {cost!r}",
            f"targets from {low} to {high}",
            "Use a network with cost='squared_error', or rescale the targets.",
        )
    return y
