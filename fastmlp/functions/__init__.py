"""The tables of activations, costs and optimisers, and the metrics."""

from fastmlp.arrays import Array, quiet
from fastmlp.functions.activations import (
    ACTIVATIONS,
    HIDDEN,
    LEAKY_SLOPE,
    SELU_ALPHA,
    SELU_SCALE,
    Activation,
    activation_named,
    check_outputs,
)
from fastmlp.functions.costs import (
    COSTS,
    PAIRS,
    Cost,
    as_targets,
    cost_named,
    errors_of,
    smoothed,
    target_values,
    total_cost,
)
from fastmlp.functions.metrics import Trace, classes_of, count_correct, error_in_eps
from fastmlp.functions.optimizers import LIMITS, OPTIMIZERS, Optimizer, Setting

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "activation_named",
    "HIDDEN",
    "LEAKY_SLOPE",
    "SELU_ALPHA",
    "SELU_SCALE",
    "check_outputs",
    "COSTS",
    "Cost",
    "cost_named",
    "PAIRS",
    "as_targets",
    "errors_of",
    "smoothed",
    "target_values",
    "total_cost",
    "LIMITS",
    "OPTIMIZERS",
    "Optimizer",
    "Setting",
    "Trace",
    "classes_of",
    "count_correct",
    "error_in_eps",
    "Array",
    "quiet",
]
