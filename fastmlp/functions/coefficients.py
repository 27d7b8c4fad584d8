"""The coefficients of an optimiser's steps: whatever of a formula depends on the step's number.

Each function takes (settings, rates `(steps,)`, number of the first step, from 0), and returns
float64 `(steps, 2, n)`: for each step a row for the weights and one for the biases.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.arrays import Array

# Indices of a row of coefficients: the factor `keep` of a fused step; then the optimiser's own
KEEP, OWN = 0, 1
# Of a general optimiser, behind its own: what is done to the gradient before its formula
L1, DECAY, CLIP, CLIP_NORM = 9, 10, 11, 12
COEFFICIENTS = 13
WEIGHTS, BIASES = 0, 1


def _rows(rates: Array, decay: Any, fade: Any, *own: Any) -> Array:
    """Return the coefficients of a general optimiser: each a number, or one for each rate.

    decay, fade : of the weights, not of the biases: added to g, and subtracted from w
    """
    rows = np.zeros((len(rates), 2, COEFFICIENTS))
    rows[:, WEIGHTS, DECAY], rows[:, WEIGHTS, OWN] = decay, fade
    rows[:, :, [CLIP, CLIP_NORM]] = np.inf
    for k, value in enumerate(own, OWN + 1):
        rows[:, :, k] = np.asarray(value)[..., None]
    return rows


def sgd(settings: Mapping[str, Any], rates: Array, _: int) -> Array:
    """Keep 1 - rate decay; rate."""
    kept = np.ones((len(rates), 2, 2))
    kept[:, WEIGHTS, KEEP] = 1 - rates * settings["weight_decay"]
    kept[:, :, OWN] = rates[:, None]
    return kept


def momentum(settings: Mapping[str, Any], rates: Array, _: int, nesterov: bool) -> Array:
    """Decay; rate, how much of v is kept, and how much of g and of v a step takes.

    The setting "carried", of each step if there is one, is a factor on what is kept.
    """
    momentum = settings["momentum"]
    of_g, of_v = (1, momentum) if nesterov else (0, 1)
    kept = momentum * settings.get("carried", 1.0)
    return _rows(rates, settings["weight_decay"], 0, rates, kept, of_g, of_v)


def rmsprop(settings: Mapping[str, Any], rates: Array, _: int) -> Array:
    """Decay; rate, epsilon, and how much of v is kept and of g^2 added."""
    alpha = settings["alpha"]
    return _rows(rates, settings["weight_decay"], 0, rates, settings["epsilon"], alpha, 1 - alpha)


def adagrad(settings: Mapping[str, Any], rates: Array, first: int) -> Array:
    """As of rmsprop: all of v is kept, and all of g^2 added."""
    rates = rates / (1 + settings["rate_decay"] * (first + np.arange(len(rates))))
    return _rows(rates, settings["weight_decay"], 0, rates, settings["epsilon"], 1, 1)


def adam(settings: Mapping[str, Any], rates: Array, first: int, decoupled: bool = False) -> Array:
    """As `_scaled`: step t, counted from 1, takes m / (1 - beta_1^t)."""
    t = first + 1 + np.arange(len(rates))
    return _scaled(settings, rates, t, 1 / (1 - settings["beta_1"] ** t), 0, decoupled)


def nadam(settings: Mapping[str, Any], rates: Array, first: int) -> Array:
    """As `_scaled`: step t takes (1 - mu_t) / (1 - mu_1 … mu_t) g.

    And mu_{t+1} / (1 - mu_1 … mu_{t+1}) m, where mu_t = beta_1 (1 - 0.96^(t momentum_decay) / 2).
    """
    beta, count = settings["beta_1"], len(rates)
    # where the product of the earlier mu is below 2^-60, 1 minus it is 1: it is then left out
    start, before = (0, 1.0) if beta**first > 2**-60 else (first, 0.0)
    t = np.arange(start, first + count + 2)
    mu = beta * (1 - 0.5 * 0.96 ** (t * settings["momentum_decay"]))
    mu[0] = before  # takes the place of the last earlier one
    product = np.cumprod(mu)
    now, following = (slice(first - start + k, first - start + k + count) for k in (1, 2))
    of_g, of_m = (1 - mu[now]) / (1 - product[now]), mu[following] / (1 - product[following])
    return _scaled(settings, rates, t[now], of_m, of_g, False)


def _scaled(
    settings: Mapping[str, Any], rates: Array, t: Array, of_m: Any, of_g: Any, decoupled: bool
) -> Array:
    """Decays; of m, of g and epsilon, times sqrt(1 - beta_2^t); what is kept and added of both.

    of_m, of_g : what the steps t take of m and of g, before the rate
    """
    beta_1, beta_2, decay = (settings[name] for name in ("beta_1", "beta_2", "weight_decay"))
    # u / (sqrt(v / c) + epsilon) = u sqrt c / (sqrt v + epsilon sqrt c)
    root = np.sqrt(1 - beta_2**t)
    own = rates * root * of_m, rates * root * of_g, settings["epsilon"] * root
    decays = (0, rates * decay) if decoupled else (decay, 0)
    return _rows(rates, *decays, *own, beta_1, 1 - beta_1, beta_2, 1 - beta_2)


def lion(settings: Mapping[str, Any], rates: Array, _: int) -> Array:
    """Fade; rate, and how much of m is kept and of g added, for the step and for the state."""
    beta_1, beta_2 = settings["beta_1"], settings["beta_2"]
    fade = rates * settings["weight_decay"]
    return _rows(rates, 0, fade, rates, beta_1, 1 - beta_1, beta_2, 1 - beta_2)
