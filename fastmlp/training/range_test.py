"""The learning rate range test (Smith, 2017): costs at rising rates, and the rate they suggest."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastmlp.arrays import Array, Rows
from fastmlp.backends import backend_named
from fastmlp.network import Network
from fastmlp.training.guessing import cost_of_guessing

# The first sweep finds the order of magnitude: rates over 8 powers of 10, in few steps
FIRST_SPAN, FIRST_SAMPLES = 1e8, 4096
# The second rises to 4 times the best rate of the first, from a 300th of that, over one pass
ABOVE, SPAN = 4.0, 300.0
FEWEST, MOST = 300, 6000
# A cost is the mean over a 20th of the steps; there are 4 in the time of one
WINDOWS, OVERLAP = 20, 4
# Costs that have fallen by 90 % of the greatest fall are as good as the lowest
GOOD = 0.1
# The greatest fall must be above this share of the first cost
LEAST_FALL = 0.001
# The curve ends where the fall, after more than HIGH of the greatest one, is less than LOW of it:
# the noise of small minibatches alone moves it by half
HIGH, LOW = 0.75, 0.25
# Smaller minibatches than this have lower suggestions
BATCH = 32


def range_test(
    network: Network,
    data: tuple[Rows, Array],
    start: float,
    batch_size: int,
    generator: np.random.Generator,
    backend: str,
) -> tuple[float | None, Array, Array]:
    """Return (rate, rates, costs): the suggestion, and the curve that it is derived from.

    Two sweeps train copies of the network with a rate that rises exponentially in each step. Costs
    are means over a window of steps, before each step, so also on samples that are new. The rate
    with the lowest cost of the first sweep is too high, as it is in use for a few steps only; it
    says where the second, slower sweep ends. Its curve is used up to where the cost has lost most
    of its fall, relative to the cost that the network itself has for the same samples. With c the
    lowest cost, and g the first one, or that of guessing if it lies between them, the suggestion
    is, in three digits,

        sqrt(low high) min(1, batch_size / 32)^(1/3)

    with low and high the lowest and highest rate whose cost is at most c + (g - c) / 10. The last
    factor is there because the noise of small minibatches does more harm in a long run than in a
    sweep. The suggestion is None if costs do not fall below those that the network has for the same
    samples without training: other samples have other costs.

    Of a quarter, half, one, two and four times the suggestion, with 2 epochs at a constant rate and
    3 seeds, one was best on MNIST with 784-128-10/32 and 784-16-16-10/10, half of it on a dense
    table with 28-64-64-2/64, and twice on MNIST with 784-128-10/256 and 784-256-256-10/128.
    """
    images, y = data
    batch = min(batch_size, len(images))
    steps = max(FEWEST, FIRST_SAMPLES // batch)
    rising = np.geomspace(start / FIRST_SPAN, start, steps)
    rates, _, falls = _sweep(network, data, rising, batch, generator, backend)
    most = rates[int(np.argmax(falls))]
    steps = int(np.clip(len(images) // batch, FEWEST, MOST))
    rising = np.geomspace(ABOVE * most / SPAN, ABOVE * most, steps)
    rates, costs, falls = _sweep(network, data, rising, batch, generator, backend)
    rate = suggest(rates, costs, falls, cost_of_guessing(network, y), batch)
    return rate, rates, costs


def suggest(rates: Array, costs: Array, falls: Array, guessing: float, batch: int) -> float | None:
    """Return the rate that the curve of the second sweep says; None if its costs do not fall."""
    with np.errstate(invalid="ignore", divide="ignore"):  # costs can be infinite, or 0
        share = np.nan_to_num(falls / np.abs(costs + falls))
    most = share.max()
    back = (np.maximum.accumulate(share) > HIGH * most) & (share < LOW * most)
    end = int(np.argmax(back)) if back.any() else len(costs)
    if not falls[:end].max() > LEAST_FALL * abs(costs[0]):
        return None
    lowest = costs[:end].min()
    before = min(costs[0], guessing) if lowest < guessing else costs[0]
    good = rates[:end][costs[:end] <= lowest + GOOD * (before - lowest)]
    rate = np.sqrt(good[0] * good[-1]) * np.cbrt(min(batch, BATCH) / BATCH)
    return float(f"{rate:.3g}")


def _sweep(
    network: Network,
    data: tuple[Rows, Array],
    rates: Array,
    batch: int,
    generator: np.random.Generator,
    backend: str,
) -> tuple[Array, Array, Array]:
    """Train a copy with these rates, one for each step; return (rates, costs, falls) of windows.

    Rates are those in the middle, costs means, which are infinite from the step on in which
    training diverges. A fall is from the cost that the network itself has for the same samples.
    """
    order = np.concatenate(list(_passes(len(data[0]), len(rates) * batch, generator)))
    what = network, data, order, batch, backend
    window = len(rates) // WINDOWS
    ends = range(window, len(rates) + 1, max(1, window // OVERLAP))
    costs, own = (
        np.array([found[end - window : end].mean() / batch for end in ends])
        for found in (_costs(*what, rates), _costs(*what, np.zeros_like(rates)))
    )
    falls = np.full(len(costs), -np.inf)
    np.subtract(own, costs, out=falls, where=np.isfinite(costs))
    return np.array([rates[end - window // 2 - 1] for end in ends]), costs, falls


def _costs(
    network: Network, data: tuple[Rows, Array], order: Array, batch: int, backend: str, rates: Array
) -> Array:
    """Return the cost of each step of training a copy; infinite from that on where it diverges."""
    images, y = data
    weights, biases = network.check_parameters()
    engine = backend_named(backend).Engine(
        weights, biases, network.activations, network.cost, batch
    )
    costs = np.full(len(rates), np.inf)
    for part in np.array_split(np.arange(len(rates)), WINDOWS):  # so that Ctrl-C acts soon
        first, end = part[0], part[-1] + 1
        rows, scale = order[first * batch : end * batch], network.scale_of(images)
        costs[first:end] = engine.train(images, y, rows, rates[first:end], scale, int(first))[0]
        if not np.isfinite(costs[first:end]).all():
            break
    costs[np.cumsum(~np.isfinite(costs)) > 0] = np.inf
    return costs


def _passes(count: int, samples: int, generator: np.random.Generator) -> Iterator[Array]:
    """Yield random orders of `count` samples, together as many as `samples`."""
    while samples > 0:
        yield generator.permutation(count)[:samples]
        samples -= count
