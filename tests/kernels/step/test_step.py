"""A traced step is the derivative of its own cost, for every row of the tables."""

import numpy as np
import pytest
from networks import parameters, pixels

from fastmlp import kernels
from fastmlp.functions import ACTIVATIONS, HIDDEN, PAIRS

STEP, DIRECTIONS = 1e-6, 3


def jumps(name):
    """Whether f is a constant but for where it jumps: its slope is 0."""
    z, a = np.array([[-2.0, -1.0, 1.0, 2.0]]), np.empty((1, 4))
    ACTIVATIONS[name].f(z, a)
    return len(np.unique(a)) == 2


def costs_around(engine, weights, biases, direction, given):
    """Return the mean cost a step forward and a step back along a direction."""
    costs = []
    for h in (STEP, -STEP):
        moved = [p + h * d for p, d in zip((*weights, *biases), direction, strict=True)]
        engine.write(moved[: len(weights)], moved[len(weights) :])
        costs.append(engine.trace(*given).cost / len(given[2]))
    engine.write(weights, biases)
    return costs


# Each hidden activation has its turn, as there are more pairs
@pytest.mark.parametrize(
    ("output", "cost", "hidden"),
    [(*pair, HIDDEN[(n + k) % len(HIDDEN)]) for n, pair in enumerate(PAIRS) for k in (0, 5)],
)
def test_a_trace_equals_finite_differences(output, cost, hidden):
    moved = 0.0
    for kind, labelled in (("floats", True), ("floats", False), ("bytes", True), ("many", False)):
        rng = np.random.default_rng(3)
        weights, biases = parameters(rng, (9, 6, 5, 3), np.float64)
        biases[-1] += 1  # so that not all outputs of ReLU are 0
        count = 20 if kind == "many" else 4
        images, scale = (rng.normal(size=(count, 9)), 1.0) if kind == "floats" else (None, 1 / 50)
        images = pixels(rng, count, 9, 0.3) if images is None else images
        y = rng.integers(0, 3, count)
        if not labelled:
            y = rng.random((count, 3))
        names = (hidden, hidden, output)
        engine = kernels.Engine(weights, biases, names, cost, count, threads=1)
        given = images, y, np.arange(count), scale
        found = engine.trace(*given)
        for _ in range(DIRECTIONS):
            direction = [rng.normal(size=p.shape) for p in (*weights, *biases)]
            if jumps(hidden):  # below it nothing is learnt, and a step across would be seen
                for layer in (0, 1, 3, 4):
                    direction[layer][...] = 0
            high, low = costs_around(engine, weights, biases, direction, given)
            slopes = (*found.dw, *found.db)
            slope = sum(float((s * d).sum()) for s, d in zip(slopes, direction, strict=True))
            size = sum(float(np.abs(s * d).sum()) for s, d in zip(slopes, direction, strict=True))
            assert abs((high - low) / (2 * STEP) - slope) <= 1e-6 * (size + 1)
            moved = max(moved, size)
        if jumps(hidden):
            assert not any(np.any(dw) for dw in (*found.dw[:2], *found.db[:2]))
    assert moved > 1e-3 or (jumps(output) and cost == "squared_error")
