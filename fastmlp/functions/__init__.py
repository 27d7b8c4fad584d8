"""The tables: a row for each activation and each cost; and what is counted of their outputs."""

from fastmlp.arrays import Array, quiet
from fastmlp.functions.activations import (
    ACTIVATIONS,
    HIDDEN,
    LEAKY_SLOPE,
    Activation,
    activation_named,
    check_outputs,
)
from fastmlp.functions.costs import COSTS, PAIRS, Cost, as_answers, cost_named
from fastmlp.functions.metrics import classes_of, count_correct

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "activation_named",
    "HIDDEN",
    "LEAKY_SLOPE",
    "check_outputs",
    "COSTS",
    "Cost",
    "cost_named",
    "PAIRS",
    "as_answers",
    "classes_of",
    "count_correct",
    "Array",
    "quiet",
]
