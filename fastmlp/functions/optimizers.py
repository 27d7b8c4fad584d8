"""The table of optimisers: their state, their settings, and the coefficients of each step.

Everything that depends on the step, such as the learning rate, is in a row of coefficients, so
formulas do not depend on the step number. There are two forms. A *fused* optimiser needs no
gradient array: w = keep w + x^T dz, where dz already contains the rate. For a *general* optimiser
the gradient g of a block of parameters is computed first, and its formula updates the block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.arrays import Array

# Indices of a row of coefficients: the factor `keep` of a fused step; then the optimiser's own
KEEP, OWN = 0, 1
COEFFICIENTS = 8
WEIGHTS, BIASES = 0, 1


@dataclass(frozen=True)
class Setting:
    """A number that users can set: its default and its bounds, least <= number < below.

    tried : another value, with which verification and tests try the setting
    """

    default: float
    least: float = 0.0
    below: float = float("inf")
    tried: float | None = None


@dataclass(frozen=True)
class Optimizer:
    """One row of the table of optimisers.

    code : its number in compiled code
    formula : as text, for people; g is the gradient of a parameter w
    slots : the names of the state arrays of each parameter, which start at zero
    settings : by name
    coefficients : function of (settings, rates `(steps,)`, number of the first step, from 0) that
        returns float64 `(steps, 2, n)`: for each step a row for the weights and one for the biases.
        KEEP is 0 for a general optimiser, whose n is COEFFICIENTS and whose own begin at OWN
    step : function of (w, g, state, row of coefficients) that updates w and the state; it may
        overwrite g
    fused : whether the step is w = keep w - rate g
    """

    name: str
    code: int
    formula: str
    slots: tuple[str, ...]
    settings: Mapping[str, Setting]
    coefficients: Callable[[Mapping[str, Any], Array, int], Array]
    step: Callable[[Array, Array, list[Array], Array], None]
    fused: bool = False

    def complete(self, settings: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the settings, with the defaults for those that are missing."""
        return {name: row.default for name, row in self.settings.items()} | dict(settings or {})

    def trials(self) -> dict[str, dict[str, float]]:
        """Return settings to test, by a description: the defaults, each other value, and all."""
        tried = {name: row.tried for name, row in self.settings.items() if row.tried is not None}
        trials: dict[str, dict[str, float]] = {self.name: {}}
        trials |= {f"{self.name}, {n}": {n: v} for n, v in tried.items()}
        if len(tried) > 1:
            trials[", ".join([self.name, *tried])] = dict(tried)
        return trials


def _sgd_coefficients(settings: Mapping[str, Any], rates: Array, _: int) -> Array:
    kept = np.ones((len(rates), 2, 2))
    kept[:, WEIGHTS, KEEP] = 1 - rates * settings["weight_decay"]
    kept[:, :, OWN] = rates[:, None]
    return kept


def _sgd(w: Array, g: Array, _: list[Array], row: Array) -> None:
    # w = keep w - rate g
    keep, rate = row[[KEEP, OWN]].astype(w.dtype)
    if keep != 1:
        w *= keep
    g *= rate
    w -= g


def _momentum_coefficients(settings: Mapping[str, Any], rates: Array, _: int) -> Array:
    momentum, nesterov = settings["momentum"], bool(settings["nesterov"])
    row = np.zeros((len(rates), 2, COEFFICIENTS))
    row[:, :, OWN] = rates[:, None]
    row[:, :, OWN + 1] = momentum
    row[:, WEIGHTS, OWN + 2] = settings["weight_decay"]
    row[:, :, OWN + 3 : OWN + 5] = (1, momentum) if nesterov else (0, 1)
    return row


def _momentum(w: Array, g: Array, state: list[Array], row: Array) -> None:
    # g += decay w;  v = momentum v + g;  w -= rate (of_g g + of_v v)
    (v,), (rate, momentum, decay, of_g, of_v) = state, row[OWN : OWN + 5].astype(w.dtype)
    if decay:
        g += decay * w
    v *= momentum
    v += g
    w -= rate * (of_g * g + of_v * v)


_DECAY = {"weight_decay": Setting(0.0, tried=0.01)}
_MOMENTUM = {"momentum": Setting(0.9, 0.0, 1.0), "nesterov": Setting(0, 0, 2, tried=1)}
OPTIMIZERS = {
    row.name: row
    for row in (
        Optimizer(
            "sgd", 0, "w -= rate (g + decay w)", (), _DECAY, _sgd_coefficients, _sgd, fused=True
        ),
        # Sutskever et al. (2013), in PyTorch's form
        Optimizer(
            "momentum",
            1,
            "g += decay w;  v = momentum v + g;  w -= rate v, or by Nesterov rate (g + momentum v)",
            ("velocity",),
            {**_DECAY, **_MOMENTUM},
            _momentum_coefficients,
            _momentum,
        ),
    )
}


def optimizer_for(
    momentum: float, nesterov: bool, weight_decay: float
) -> tuple[Optimizer, dict[str, Any]]:
    """Return the row and its settings for these arguments of `train`."""
    settings = {"weight_decay": weight_decay}
    if momentum == 0:
        return OPTIMIZERS["sgd"], settings
    return OPTIMIZERS["momentum"], settings | {"momentum": momentum, "nesterov": nesterov}
