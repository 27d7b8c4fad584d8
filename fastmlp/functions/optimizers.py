"""The table of optimisers: their state, their settings, and the coefficients of each step.

Everything that depends on the step, such as the learning rate, is in a row of coefficients, so
formulas do not depend on the step number. There are two forms. A *fused* optimiser needs no
gradient array: w = keep w + x^T dz, where dz already contains the rate. For a *general* optimiser
the gradient g of a block of parameters is computed first, and its formula updates the block.

Some settings belong to no row, as any optimiser may have them: see `limits`.

The formulas and defaults are those of torch.optim, and of Chen et al. (2023) for Lion, but for the
learning rates of sgd, momentum and nesterov, and the momentum of 0.9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.functions import coefficients
from fastmlp.functions.coefficients import CLIP, CLIP_NORM, DECAY, KEEP, L1, OWN, WEIGHTS
from fastmlp.functions.limits import LIMITS, Setting


@dataclass(frozen=True)
class Optimizer:
    """One row of the table of optimisers.

    code : its number in compiled code
    formula : as text, for people; g is the gradient of a parameter w
    learning_rate : its default
    slots : the names of the state arrays of each parameter, which start at zero
    settings : by name
    coefficients : function of (settings, rates `(steps,)`, number of the first step, from 0) that
        returns float64 `(steps, 2, n)`: for each step a row for the weights and one for the biases.
        KEEP is 0 for a general optimiser, whose n is COEFFICIENTS and whose own begin at OWN
    formula_of_step : function of (w, g, state, row of coefficients) that updates w and the state;
        it may overwrite g
    fused : whether the step is w = keep w - rate g
    """

    name: str
    code: int
    formula: str
    learning_rate: float
    slots: tuple[str, ...]
    settings: Mapping[str, Setting]
    coefficients: Callable[[Mapping[str, Any], Array, int], Array]
    formula_of_step: Callable[[Array, Array, list[Array], Array], None]
    fused: bool = False

    def complete(self, settings: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the settings, with the defaults for those that are missing."""
        return {name: row.default for name, row in self.settings.items()} | dict(settings or {})

    def step(self, w: Array, g: Array, state: list[Array], row: Array) -> None:
        """Update w and the state by the gradient g and a row of coefficients; g is overwritten."""
        if not self.fused and row[L1]:
            g += w.dtype.type(row[L1]) * np.sign(w)
        if not self.fused and row[DECAY]:
            g += w.dtype.type(row[DECAY]) * w
        self.formula_of_step(w, g, state, row)

    def trials(self) -> dict[str, dict[str, float]]:
        """Return settings to test, by a description: the defaults, and another value of each."""
        tried = {name: row.tried for name, row in self.settings.items() if row.tried is not None}
        return {self.name: {}, f"{self.name}, other settings": tried}


def _own(row: Array, w: Array, count: int) -> Array:
    """Return the first `count` of an optimiser's own coefficients in the precision of w."""
    return row[OWN : OWN + count].astype(w.dtype)


def _sgd(w: Array, g: Array, _: list[Array], row: Array) -> None:
    # w = keep w - rate g
    keep, rate = row[[KEEP, OWN]].astype(w.dtype)
    if keep != 1:
        w *= keep
    g *= rate
    w -= g


def _momentum(w: Array, g: Array, state: list[Array], row: Array) -> None:
    # v = momentum v + g;  w -= rate (of_g g + of_v v)
    (v,), (_, rate, momentum, of_g, of_v) = state, _own(row, w, 5)
    v *= momentum
    v += g
    w -= rate * (of_g * g + of_v * v)


def _rmsprop(w: Array, g: Array, state: list[Array], row: Array) -> None:
    # v = kept v + added g^2;  w -= rate g / (sqrt v + epsilon)
    (v,), (_, rate, epsilon, kept, added) = state, _own(row, w, 5)
    v *= kept
    v += added * (g * g)
    w -= rate * (g / (np.sqrt(v) + epsilon))


def _rmsprop_centered(w: Array, g: Array, state: list[Array], row: Array) -> None:
    # v = kept v + added g^2;  m = kept m + added g
    # w -= rate g / (sqrt max(v - m^2, 0) + epsilon)
    (v, m), (_, rate, epsilon, kept, added) = state, _own(row, w, 5)
    v *= kept
    v += added * (g * g)
    m *= kept
    m += added * g
    w -= rate * (g / (np.sqrt(np.maximum(v - m * m, 0)) + epsilon))


def _adam(w: Array, g: Array, state: list[Array], row: Array) -> None:
    # m = beta_1 m + added_1 g;  v = beta_2 v + added_2 g^2
    # w -= fade w + (of_m m + of_g g) / (sqrt v + epsilon)
    (m, v), own = state, _own(row, w, 8)
    fade, of_m, of_g, epsilon, beta_1, added_1, beta_2, added_2 = own
    m *= beta_1
    m += added_1 * g
    v *= beta_2
    v += added_2 * (g * g)
    w -= fade * w + (of_m * m + of_g * g) / (np.sqrt(v) + epsilon)


def _lion(w: Array, g: Array, state: list[Array], row: Array) -> None:
    # w -= fade w + rate sign(beta_1 m + added_1 g);  m = beta_2 m + added_2 g
    (m,), (fade, rate, beta_1, added_1, beta_2, added_2) = state, _own(row, w, 6)
    w -= fade * w + rate * np.sign(beta_1 * m + added_1 * g)
    m *= beta_2
    m += added_2 * g


_DECAY = {"weight_decay": Setting(0.0, tried=0.01)}
_MOMENTUM = {"momentum": Setting(0.9, 0.0, 1.0, tried=0.5)}
# With an epsilon of 0, a parameter without gradients would become 0 / 0
_EPSILON = Setting(1e-8, 1e-30, tried=0.1)
_RMSPROP = {"alpha": Setting(0.99, 0.0, 1.0, tried=0.9), "epsilon": _EPSILON, **_DECAY}
_BETAS = {
    "beta_1": Setting(0.9, 0.0, 1.0, tried=0.7),
    "beta_2": Setting(0.999, 0.0, 1.0, tried=0.9),
}
_ADAM = {**_BETAS, "epsilon": _EPSILON, **_DECAY}
_MEANS = "m = beta_1 m + (1 - beta_1) g;  v = beta_2 v + (1 - beta_2) g^2;  w -= "
# fmt: off
OPTIMIZERS = {
    row.name: row
    for row in (
        Optimizer(
            "sgd", 0, "w -= rate (g + decay w)",
            0.5, (), _DECAY, coefficients.sgd, _sgd, fused=True,
        ),
        # Sutskever et al. (2013), in PyTorch's form. A step is about rate / (1 - momentum) g
        Optimizer(
            "momentum", 1, "g += decay w;  v = momentum v + g;  w -= rate v",
            0.05, ("velocity",), {**_MOMENTUM, **_DECAY},
            partial(coefficients.momentum, nesterov=False), _momentum,
        ),
        Optimizer(
            "nesterov", 2, "g += decay w;  v = momentum v + g;  w -= rate (g + momentum v)",
            0.05, ("velocity",), {**_MOMENTUM, **_DECAY},
            partial(coefficients.momentum, nesterov=True), _momentum,
        ),
        # Tieleman and Hinton (2012)
        Optimizer(
            "rmsprop", 3,
            "g += decay w;  v = alpha v + (1 - alpha) g^2;  w -= rate g / (sqrt v + epsilon)",
            0.01, ("square",), _RMSPROP, coefficients.rmsprop, _rmsprop,
        ),
        # Graves (2013). The variance v - m^2 is 0 where rounding errors make it negative
        Optimizer(
            "rmsprop_centered", 9,
            "as rmsprop, and m = alpha m + (1 - alpha) g;  w -= rate g / (sqrt(v - m^2) + epsilon)",
            0.01, ("square", "mean"), _RMSPROP, coefficients.rmsprop, _rmsprop_centered,
        ),
        # Duchi et al. (2011)
        Optimizer(
            "adagrad", 4,
            "g += decay w;  v += g^2;  w -= rate / (1 + rate_decay t) g / (sqrt v + epsilon)",
            0.01, ("square",),
            {"rate_decay": Setting(0.0, tried=0.1), "epsilon": Setting(1e-10, 1e-30, tried=0.1),
             **_DECAY},
            coefficients.adagrad, _rmsprop,
        ),
        # Kingma and Ba (2015)
        Optimizer(
            "adam", 5, f"g += decay w;  {_MEANS}rate m^ / (sqrt v^ + epsilon)",
            0.001, ("mean", "square"), _ADAM, coefficients.adam, _adam,
        ),
        # Loshchilov and Hutter (2019)
        Optimizer(
            "adamw", 6, f"{_MEANS}rate (m^ / (sqrt v^ + epsilon) + decay w)",
            0.001, ("mean", "square"), {**_ADAM, "weight_decay": Setting(0.01, tried=0.1)},
            partial(coefficients.adam, decoupled=True), _adam,
        ),
        # Dozat (2016)
        Optimizer(
            "nadam", 7,
            f"g += decay w;  {_MEANS}rate (mu g^ + mu' m^) / (sqrt v^ + epsilon)",
            0.002, ("mean", "square"), {**_ADAM, "momentum_decay": Setting(4e-3, tried=0.1)},
            coefficients.nadam, _adam,
        ),
        # Chen et al. (2023)
        Optimizer(
            "lion", 8,
            "w -= rate (sign(beta_1 m + (1 - beta_1) g) + decay w);  m = beta_2 m + (1 - beta_2) g",
            1e-4, ("mean",),
            {**_BETAS, "beta_2": Setting(0.99, 0.0, 1.0, tried=0.9), **_DECAY},
            coefficients.lion, _lion,
        ),
    )
}
# fmt: on


def form_for(
    optimizer: str, settings: Mapping[str, Any] | None, factors: Array | None
) -> tuple[Optimizer, dict[str, Any]]:
    """Return the row and the complete settings with which an engine computes.

    With factors or LIMITS, a fused step becomes the general one that has the same formula: a
    momentum of 0.
    """
    row = OPTIMIZERS[optimizer]
    complete = row.complete(settings)
    if row.fused and (factors is not None or complete.keys() & LIMITS):
        return OPTIMIZERS["momentum"], {**complete, "momentum": 0.0}
    return row, complete


def coefficients_for(
    row: Optimizer, settings: Mapping[str, Any], rates: Array, first: int, factors: Array | None
) -> Array:
    """Return the coefficients float64 `(steps, rows, 2, n)`: one row for all layers, or L.

    factors : on the rates `(L, 2)`, of the weights and of the biases of each layer; None for 1
    """
    if factors is None:
        rows = row.coefficients(settings, rates, first)[:, None]
    else:
        found = [
            [row.coefficients(settings, rates * pair[kind], first)[:, kind] for kind in range(2)]
            for pair in factors
        ]
        rows = np.ascontiguousarray(np.array(found).transpose(2, 0, 1, 3))
    if not row.fused:
        rows[:, :, WEIGHTS, L1] = settings.get("l1", LIMITS["l1"].default)
        for column, name in ((CLIP, "clip_value"), (CLIP_NORM, "clip_norm")):
            rows[..., column] = settings.get(name, LIMITS[name].default)
    return rows
