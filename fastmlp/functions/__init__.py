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
    cost_row,
    errors_of,
    smoothed,
    target_values,
    task_of,
    total_cost,
)
from fastmlp.functions.limits import LIMITS, Setting
from fastmlp.functions.metrics import (
    METRICS,
    Metric,
    Trace,
    classes_of,
    count_correct,
    error_in_eps,
    metrics_of,
)
from fastmlp.functions.optimizers import OPTIMIZERS, Optimizer

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
    "cost_row",
    "PAIRS",
    "as_targets",
    "errors_of",
    "smoothed",
    "target_values",
    "task_of",
    "total_cost",
    "METRICS",
    "Metric",
    "metrics_of",
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
