"""The weights of samples in the cost of a run, and the smoothing of its labels: their checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import Array, as_sample_weight, check_at_least
from fastmlp.errors import refuse
from fastmlp.functions import classes_of
from fastmlp.network import Network

# Labels with their weights, or "balanced"
ClassWeight = Mapping[Any, float] | str


def weights_for(
    y: Array,
    outputs: int,
    sample_weight: ArrayLike | None,
    class_weight: ClassWeight | None,
    task: str = "classification",
) -> Array | None:
    """Return the weight of each sample, float64 `(N,)`; None if none was given.

    It is the product of its sample_weight and of the weight of its class.

    y : labels `(N,)`, or targets `(N, outputs)`, whose classes are those of `classes_of`

    Raises ArgumentError for weights of classes in another task, too.
    """
    weights = as_sample_weight(sample_weight, len(y))
    if class_weight is None:
        return weights
    if task != "classification":
        remedy = "Leave it out; in Python, sample_weight has weights of samples."
        raise refuse(
            "class_weight", "is for samples of one class each", f"the task {task!r}", remedy
        )
    classes = y if y.ndim == 1 else classes_of(y)
    of_class = _class_weights(classes, max(2, outputs), class_weight)[classes]
    product = of_class if weights is None else weights * of_class
    return as_sample_weight(product, len(y), "class_weight")


def check_smoothing(smoothing: float, network: Network) -> float:
    """Return a smoothing of labels as a float. Raises ArgumentError if it cannot be used."""
    check_at_least("label_smoothing", smoothing, 0, float)
    if not smoothing < 1:
        raise refuse("label_smoothing", "must be below 1", smoothing, "Pass 0.1, for example.")
    if smoothing and network.cost != "cross_entropy":
        rule, remedy = "needs the cost cross_entropy", "Leave it out, or use another network."
        raise refuse("label_smoothing", rule, network.cost, remedy)
    return float(smoothing)


def _class_weights(classes: Array, count: int, class_weight: ClassWeight) -> Array:
    """Return the weight of each of `count` classes; those that a mapping lacks have 1."""
    example = 'Pass "balanced", or {0: 1.0, 1: 2.5}.'
    if isinstance(class_weight, str) and class_weight == "balanced":
        # N / (classes * count), as in scikit-learn: of the classes that occur
        found = np.bincount(classes, minlength=count)
        return len(classes) / (np.count_nonzero(found) * np.maximum(found, 1))
    if not isinstance(class_weight, Mapping):
        rule = 'must be a mapping of labels to weights, or "balanced"'
        raise refuse("class_weight", rule, repr(class_weight), example)
    weights = np.ones(count)
    for label, weight in class_weight.items():
        kinds = int, float, np.integer, np.floating, np.bool_  # True and 1.0 are 1
        is_number = isinstance(label, kinds)
        if not is_number or not 0 <= label < count or label != int(label):
            rule = f"must have labels in 0 … {count - 1}"
            raise refuse("class_weight", rule, repr(label), example)
        check_at_least(f"class_weight[{label}]", weight, 0, float)
        weights[int(label)] = weight
    if not np.isfinite(weights).all():
        raise refuse("class_weight", "must be finite", "infinity", example)
    return weights
