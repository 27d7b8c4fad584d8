"""The lecture's search for a learning rate: start high, halve while that lowers the cost."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np

from fastmlp.errors import DivergedError, refuse
from fastmlp.inputs import check_at_least
from fastmlp.network import Network
from fastmlp.training.guessing import cost_of_guessing
from fastmlp.training.loop import train
from fastmlp.training.run import Data, checked_data
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
    """Return the rate among start, start / 2, start / 4, … after which the cost is lowest.

    A probe trains a copy of the network for one epoch on `samples` random samples; the network
    itself stays as it is. The search ends where half of the rate no longer lowers the cost after
    a probe, once that is clearly below the cost of guessing (`training.search`). on_probe is called
    with (rate, cost before, cost after), the last infinite where training diverged.
    Raises ArgumentError when no rate lowers the cost.
    """
    check_at_least("start", start, 0, float)
    check_at_least("samples", samples, 1)
    images, y = checked_data(network, split, "split")
    generator = np.random.default_rng(seed)
    rows = generator.choice(len(images), min(samples, len(images)), replace=False)
    probe = (images[rows], y[rows])
    before, order = network.evaluate(*probe, backend).cost, int(generator.integers(1 << 31))
    search, best, rate = Search(before, cost_of_guessing(network, probe[1])), 0.0, float(start)
    while True:
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
            after = trial.evaluate(*probe, backend).cost
        except DivergedError:
            after = np.inf
        if on_probe is not None:
            on_probe(rate, before, after)
        if after < search.lowest:
            best = rate
        if not search.goes_on(after):
            break
        rate /= 2
    if search.found:
        return best
    raise refuse(
        "start",
        "must lead to a rate that lowers the cost",
        f"none from {start:g} down to {rate:g}",
        "Check the data and the initial weights.",
    )
