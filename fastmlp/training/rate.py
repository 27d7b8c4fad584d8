"""The lecture's search for a learning rate: start high, halve until training lowers the cost."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np

from fastmlp.errors import DivergedError, refuse
from fastmlp.inputs import check_at_least
from fastmlp.network import Network
from fastmlp.training.loop import train
from fastmlp.training.run import Data, checked_data

PROBE_SAMPLES = 2048
LONGEST_SEARCH = 40


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
    """Return the first of start, start / 2, start / 4, … with which a short probe lowers the cost.

    A probe trains a copy of the network for one epoch on `samples` random samples, and lowers
    the cost if that is less on them afterwards; the network itself stays as it is.
    on_probe is told (rate, cost before, cost after), the last infinite where training diverged.
    Raises ArgumentError when no rate down to start / 2^40 does.
    """
    check_at_least("start", start, 0, float)
    check_at_least("samples", samples, 1)
    images, y = checked_data(network, split, "split")
    generator = np.random.default_rng(seed)
    rows = generator.choice(len(images), min(samples, len(images)), replace=False)
    probe = (images[rows], y[rows])
    before, order = network.evaluate(*probe, backend).cost, int(generator.integers(1 << 31))
    rate = float(start)
    for _ in range(LONGEST_SEARCH):
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
        if after < before:
            return rate
        rate /= 2
    raise refuse(
        "start",
        "must lead to a rate that lowers the cost",
        f"none from {start:g} down to {rate:g}",
        "Check the data and the initial weights.",
    )
