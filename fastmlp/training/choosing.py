"""What a run trains with: an optimiser, its settings, learning rate, factors on that; dropout."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import Array, check_flag
from fastmlp.errors import counted, nearest, refuse
from fastmlp.functions import LIMITS, OPTIMIZERS, Optimizer, Setting
from fastmlp.functions.dropout import Dropout


@dataclass(frozen=True)
class Choice:
    """The optimiser of a run, complete. A run that is resumed must have an equal one.

    rate_factors : `(L, 2)`: of weights and biases of each layer; None for 1
    """

    optimizer: str
    optimizer_settings: dict[str, float]
    learning_rate: float
    rate_factors: Array | None = None


def choose_optimizer(
    optimizer: str = "sgd",
    optimizer_settings: Mapping[str, float] | None = None,
    learning_rate: float | None = None,
    momentum: float | None = None,
    nesterov: bool = False,
    weight_decay: float | None = None,
    factors: Array | None = None,
    clip_value: float | None = None,
    l1: float | None = None,
    clip_norm: float | None = None,
) -> Choice:
    """Return the choice that these arguments of `train` describe; ArgumentError if they are bad."""
    if not isinstance(optimizer, str) or optimizer not in OPTIMIZERS:
        remedy = nearest(optimizer, OPTIMIZERS)
        raise refuse("optimizer", "must name an optimizer", repr(optimizer), remedy)
    check_flag("nesterov", nesterov)
    given = {"momentum": momentum, "weight_decay": weight_decay}
    if momentum is not None:
        OPTIMIZERS["momentum"].settings["momentum"].check("momentum", momentum)
    row = _row_for(optimizer, momentum, nesterov)
    if not momentum and "momentum" not in row.settings:
        del given["momentum"]
    settings = {name: value for name, value in given.items() if value is not None}
    for name, value in _as_mapping(optimizer_settings).items():
        if name in settings:
            rule, got = f"must not contain {name!r} too", "both"
            raise refuse("optimizer_settings", rule, got, "Leave out one of them.")
        settings[name] = value
    for name, value in settings.items():
        if name not in row.settings:
            if given.get(name) is not None:
                raise refuse(name, f"is no setting of {row.name}", value, "Leave it out.")
            rule, remedy = f"must be settings of {row.name}", nearest(name, row.settings)
            if name == "learning_rate":
                remedy = "It is an argument of its own."
            raise refuse("optimizer_settings", rule, repr(name), remedy)
        row.settings[name].check(name, value)
    rate = row.learning_rate if learning_rate is None else learning_rate
    Setting(row.learning_rate).check("learning_rate", rate)
    # without them, the settings are those of earlier versions, and sgd keeps its fused step
    for name, value in (("l1", l1), ("clip_value", clip_value), ("clip_norm", clip_norm)):
        if value is not None:
            LIMITS[name].check(name, value)
            settings |= {name: value} if value != LIMITS[name].default else {}
    complete = {name: float(value) for name, value in row.complete(settings).items()}
    return Choice(row.name, complete, float(rate), factors)


def rate_factors_for(
    layers: int, rate_factors: ArrayLike | None, bias_rate_factor: float
) -> Array | None:
    """Return factors on the learning rate `(layers, 2)`, or None if all are 1."""
    Setting(1.0).check("bias_rate_factor", bias_rate_factor)
    if rate_factors is None and bias_rate_factor == 1:
        return None
    rule, remedy = f"must be {layers} finite numbers of at least 0", "Pass one for each layer."
    try:
        own = np.array(np.ones(layers) if rate_factors is None else rate_factors, np.float64)
    except Exception:  # an object's own __array__ can raise anything
        raise refuse("rate_factors", rule, repr(rate_factors), remedy) from None
    if own.shape != (layers,) or not (np.isfinite(own).all() and (own >= 0).all()):
        raise refuse("rate_factors", rule, repr(rate_factors), remedy)
    factors = np.outer(own, (1.0, bias_rate_factor))
    return None if (factors == 1).all() else factors


def dropout_for(
    layers: int, rates: ArrayLike, generator: np.random.Generator, inputs: float = 0.0
) -> Dropout | None:
    """Return the dropout of so many hidden layers and the inputs, or None if nothing is dropped.

    rates : one for all layers, or one for each. The generator, which is not changed, gives the seed
    """
    Setting(0.0, below=1.0).check("input_dropout", inputs)
    rule = f"must be at least 0 and below 1, for {counted(layers, 'hidden layer')}"
    remedy = f"Pass one number, or {counted(layers, 'number')}: one for each hidden layer."
    try:
        given = np.asarray(rates, np.float64)
        own = np.broadcast_to(given, (layers,)).tolist()
    except Exception:  # an object's own __array__ can raise anything
        raise refuse("dropout", rule, repr(rates), remedy) from None
    if not all(0 <= rate < 1 for rate in given.ravel()):  # also without hidden layers
        raise refuse("dropout", rule, repr(rates), remedy)
    if not (inputs or any(own)):
        return None
    seed = int(copy.deepcopy(generator).integers(2**63))
    return Dropout(tuple(own), seed, float(inputs))


def optimizer_lines() -> list[str]:
    """Return a line for each optimiser: its name, and the defaults of its rate and settings."""
    lines = []
    for row in OPTIMIZERS.values():
        defaults = {"learning_rate": row.learning_rate}
        defaults |= {name: setting.default for name, setting in row.settings.items()}
        own = ", ".join(f"{name}={value:g}" for name, value in defaults.items())
        lines.append(f"{row.name}: {own}")
    return lines


def _row_for(optimizer: str, momentum: float | None, nesterov: bool) -> Optimizer:
    """Return the row for a name: "sgd" with a momentum is another one, and with Nesterov's, too."""
    if optimizer == "sgd" and momentum:
        optimizer = "momentum"
    if nesterov and optimizer == "sgd":
        raise refuse("nesterov", "needs a momentum", "momentum=0", "Pass momentum=0.9.")
    if nesterov and optimizer not in ("momentum", "nesterov"):
        remedy = 'Pass optimizer="nesterov", or leave out nesterov.'
        raise refuse("nesterov", "is for momentum", f"optimizer={optimizer!r}", remedy)
    return OPTIMIZERS["nesterov" if nesterov else optimizer]


def _as_mapping(settings: Any) -> Mapping[str, Any]:
    if settings is None or isinstance(settings, Mapping):
        return settings or {}
    rule, got = "must map names to numbers", repr(settings)
    raise refuse("optimizer_settings", rule, got, 'Pass {"weight_decay": 0.01}, for example.')
