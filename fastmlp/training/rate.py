"""The search for a learning rate: start high, and halve it until training works."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np

from fastmlp.arrays import Array, check_at_least
from fastmlp.errors import DivergedError, refuse
from fastmlp.network import Network
from fastmlp.training.guessing import cost_of_guessing
from fastmlp.training.loop import train
from fastmlp.training.run import Data, check_data
from fastmlp.training.search import Search

PROBE_SAMPLES = 2048


def find_learning_rate(
    network: Network,
    split: Data,
    *,
    start: float = 8.0,
    batch_size: int = 32,
    samples: int = PROBE_SAMPLES,
    seed: int | np.random.Generator = 0,
    backend: str = "compiled",
    on_probe: Callable[[float, float, float], object] | None = None,
) -> float:
    """Return the rate of start, start / 2, start / 4, … with which a short training works best.

    A probe trains a copy of the network for one epoch on `samples` random samples. It succeeds if
    the cost on them is then lower than before, and below 0.9 of the cost of the best constant
    output (the variance of the targets, the entropy of the labels). After the first rate that
    succeeds, the rate is halved while that lowers the cost further. If no rate succeeds, because
    one short epoch is too little, the result is the rate with the lowest cost, once five lower
    rates in a row had higher costs. The network itself does not change.

    on_probe : called as on_probe(rate, cost before, cost after); the last is infinite if training
        diverged

    Raises ArgumentError if none of 40 rates lowers the cost.
    """
    check_at_least("start", start, 0, float)
    check_at_least("samples", samples, 1)
    images, y = check_data(network, split, "split")
    generator = np.random.default_rng(seed)
    rows = generator.choice(len(images), min(samples, len(images)), replace=False)
    probe = (images[rows], y[rows])
    before, order = network.evaluate(*probe, backend).cost, int(generator.integers(1 << 31))
    rate = best = float(start)
    search = Search(before, cost_of_guessing(network, probe[1]))
    while True:
        after = _probe_cost(network, probe, rate, batch_size, order, backend)
        if on_probe is not None:
            on_probe(rate, before, after)
        if after < search.lowest:
            best = rate
        if not search.continues(after):
            break
        rate /= 2
    if search.found:
        return best
    raise refuse(
        "start",
        f"must lead to a rate that lowers the cost of {len(rows)} samples, {before:.4g}",
        f"none from {start:g} down to {rate:.3g}",
        "Pass more samples or another start, or check the data and the initial weights.",
    )


def _probe_cost(
    network: Network,
    probe: tuple[Array, Array],
    rate: float,
    batch_size: int,
    order: int,
    backend: str,
) -> float:
    """Return the cost after an epoch with that rate; infinite if training diverges."""
    trial = copy.deepcopy(network)
    try:
        train(
            trial,
            probe,
            epochs=1,
            batch_size=batch_size,
            learning_rate=rate,
            seed=order,
            backend=backend,
        )
    except DivergedError:
        return np.inf
    with np.errstate(over="ignore", invalid="ignore"):  # the cost shows a divergence
        after = trial.evaluate(*probe, backend).cost
    return after if np.isfinite(after) else np.inf
