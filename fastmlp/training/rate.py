"""The search for a learning rate: by a range test, or by halving a high rate until it works."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import Array, Rows, as_generator, check_at_least
from fastmlp.errors import DivergedError, checked_call, refuse
from fastmlp.network import Network, Scaling
from fastmlp.training.data import Data, first_data
from fastmlp.training.guessing import cost_of_guessing
from fastmlp.training.loop import train
from fastmlp.training.range_test import range_test
from fastmlp.training.search import Search

# The number of samples of a trial in the mode "halving"
PROBE_SAMPLES = 2048
MODES = ("range", "halving")
SMALLEST = 1e-30  # rate to start with: the first sweep begins far below it


class FoundRate(float):
    """A learning rate, which is a float, with the curve of costs that shows why.

    rates, costs : float64 `(n,)`; a cost is infinite where training diverged
    """

    rates: Array
    costs: Array


@checked_call
def find_learning_rate(
    network: Network,
    split: Data,
    y: ArrayLike | None = None,
    *,
    start: float = 8.0,
    batch_size: int = 32,
    samples: int | None = None,
    seed: int | np.random.Generator = 0,
    backend: str = "compiled",
    on_probe: Callable[[float, float, float], object] | None = None,
    mode: str = "range",
    impute: str | None = None,
) -> FoundRate:
    """Return a learning rate to train with by plain SGD, and the curve that it is derived from.

    split, y, batch_size, seed, backend, impute : as in `train`
    mode : "range" is the range test of Smith (2017), by the rule in `training/range_test.py`: the
        rate rises exponentially over about one pass through the data; the result is in the middle
        of the rates where the cost is nearly the lowest.
        "halving" returns the rate of start, start / 2, start / 4, … with which a short training
        works best
    start : the highest rate to try; a range test goes on to 4 times this if costs still fall there
    samples : use so many random samples; by default all, and 2048 for halving
    on_probe : called as on_probe(rate, cost before, cost) for each point of the curve; the last is
        infinite if training diverged

    Halving trains a copy of the network for one epoch with each rate. A rate succeeds if the cost
    on its samples is then lower than before, and below 0.9 of the cost of the best constant output
    (the variance of the targets, the entropy of the labels). After the first rate that succeeds,
    the rate is halved while that lowers the cost further. If no rate succeeds, because one short
    epoch is too little, the result is the rate with the lowest cost, once five lower rates in a row
    had higher costs.

    The network itself does not change. Raises ArgumentError if no rate lowers the cost.
    """
    check_at_least("start", start, SMALLEST, float)
    if start == np.inf:
        raise refuse("start", "must be finite", start, "Pass start=8, for example.")
    check_at_least("batch_size", batch_size, 1)
    if on_probe is not None and not callable(on_probe):
        raise refuse("on_probe", "must be a function", repr(on_probe), "Pass on_probe=print.")
    if not isinstance(mode, str) or mode not in MODES:
        raise refuse("mode", "must name a mode", repr(mode), f"Choose from {', '.join(MODES)}.")
    if samples is not None:
        check_at_least("samples", samples, 1)
    network, images, y, _ = first_data(network, split, impute=impute, labels=y)
    network.scaling, network.classes = Scaling("none", network.sizes[0]), None  # as data are now
    generator = as_generator(seed)
    count = samples or (PROBE_SAMPLES if mode == "halving" else len(images))
    if count < len(images) or mode == "halving":
        rows = generator.choice(len(images), min(count, len(images)), replace=False)
        images, y = images[rows], y[rows]
    before = network.evaluate(images, y, backend).cost
    what = network, (images, y), float(start), int(batch_size), generator, backend

    def probe(rate: float, cost: float) -> None:
        if on_probe is not None:
            on_probe(rate, before, cost)

    if mode == "range":
        rate, rates, costs = range_test(*what)
        for point in zip(rates.tolist(), costs.tolist(), strict=True):
            probe(*point)
    else:
        rate, rates, costs = _halve(*what, before, probe)
    if rate is None:
        raise refuse(
            "start",
            f"must lead to a rate that lowers the cost of {len(images)} samples, {before:.4g}",
            f"none from {start:g} down to {rates.min():.3g}",
            "Pass more samples or another start, or check the data and the initial weights.",
        )
    found = FoundRate(rate)
    found.rates, found.costs = rates, costs
    return found


def _halve(
    network: Network,
    data: tuple[Rows, Array],
    start: float,
    batch_size: int,
    generator: np.random.Generator,
    backend: str,
    before: float,
    probe: Callable[[float, float], object],
) -> tuple[float | None, Array, Array]:
    """Return (rate, rates, costs): the rate with the lowest cost after an epoch, None if too high.

    before : the cost before training
    """
    how = {"batch_size": batch_size, "seed": int(generator.integers(1 << 31)), "backend": backend}
    search = Search(before, cost_of_guessing(network, data[1]))
    rates, costs = [start], []
    while True:
        costs.append(_probe_cost(network, data, learning_rate=rates[-1], **how))
        probe(rates[-1], costs[-1])
        if not search.continues(costs[-1]):
            break
        rates.append(rates[-1] / 2)
    best = rates[int(np.argmin(costs))] if search.found else None
    return best, np.array(rates), np.array(costs)


def _probe_cost(network: Network, data: tuple[Rows, Array], **settings: Any) -> float:
    """Return the cost after an epoch with these settings; infinite if training diverges."""
    trial = copy.deepcopy(network)
    try:
        train(trial, data, epochs=1, verbose=False, **settings)
    except DivergedError:
        return np.inf
    with np.errstate(over="ignore", invalid="ignore"):  # the cost shows a divergence
        after = trial.evaluate_rows(*data, settings["backend"]).cost
    return after if np.isfinite(after) else np.inf
