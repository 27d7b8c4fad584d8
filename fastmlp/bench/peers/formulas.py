"""The optimisers of the peers that have none of their own: the formulas of torch.optim.

The state of a parameter p is a tuple (p, ...), whose other arrays start at zero: with momentum v,
with Adam m and v. Whatever depends on the number of a step is in a pair (rate, epsilon).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.functions import OPTIMIZERS

MOMENTUM = OPTIMIZERS["momentum"].settings["momentum"].default
BETA_1, BETA_2, EPSILON = (
    OPTIMIZERS["adam"].settings[name].default for name in ("beta_1", "beta_2", "epsilon")
)


def slots(optimizer: str) -> int:
    """Return the number of arrays of state that a parameter has."""
    return len(OPTIMIZERS[optimizer].slots)


def step_pairs(optimizer: str, rates: Array, done: int) -> Array:
    """Return (rate, epsilon) of steps, float32 `(steps, 2)`, after so many that are done.

    Adam's step t is rate (m / b_1) / (sqrt(v / b_2) + epsilon), with b = 1 - beta^t. It is computed
    as r m / (sqrt v + e), with r = rate sqrt(b_2) / b_1 and e = epsilon sqrt(b_2).
    """
    if optimizer != "adam":
        return np.column_stack((rates, np.zeros(len(rates)))).astype(np.float32)
    t = done + 1 + np.arange(len(rates))
    root = np.sqrt(1 - BETA_2**t)
    pairs = rates * root / (1 - BETA_1**t), EPSILON * root
    return np.column_stack(pairs).astype(np.float32)


def sgd(state: Any, g: Any, rate: Any, _: Any) -> Any:
    """Return the state after a step with gradient g: p -= rate g."""
    (p,) = state
    return (p - rate * g,)


def momentum(state: Any, g: Any, rate: Any, _: Any) -> Any:
    """Return the state after a step: v = momentum v + g;  p -= rate v."""
    p, v = state
    v = MOMENTUM * v + g
    return p - rate * v, v


def adam(state: Any, g: Any, rate: Any, epsilon: Any) -> Any:
    """Return the state after a step, see `step_pairs`: p -= rate m / (sqrt v + epsilon).

    m = beta_1 m + (1 - beta_1) g;  v = beta_2 v + (1 - beta_2) g^2
    """
    p, m, v = state
    m = BETA_1 * m + (1 - BETA_1) * g
    v = BETA_2 * v + (1 - BETA_2) * g * g
    return p - rate * m / (v**0.5 + epsilon), m, v


# Pure functions of (state, g, rate, epsilon), for the arrays of JAX and TensorFlow
STEPS: dict[str, Any] = {"sgd": sgd, "momentum": momentum, "adam": adam}
