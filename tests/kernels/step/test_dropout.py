"""Dropout in every plan: the reference's, the same for any team, and right in the mean."""

import itertools

import numpy as np
import pytest

from fastmlp import kernels, reference
from fastmlp.functions.dropout import Dropout

SIZES = [(300, 16, 16, 3), (60, 20, 3), (300, 100, 3), (30, 64, 64, 2), (40, 200, 70, 5)]


def trained(module, sizes, batch, dense, activation, dtype, threads=2, dropout=None):
    rng = np.random.default_rng(batch)
    weights = [(rng.standard_normal(s) / s[0] ** 0.5) for s in itertools.pairwise(sizes)]
    samples, layers = 2 * batch + 1, len(sizes) - 2
    images = rng.integers(1, 256, (samples, sizes[0]), np.uint8)
    if not dense:
        images[rng.random(images.shape) > 0.3] = 0
    y, order = rng.integers(0, sizes[-1], samples), rng.permutation(samples)
    own = [w.astype(dtype) for w in weights], [np.zeros(n, dtype) for n in sizes[1:]]
    dropout = dropout or Dropout((0.5, 0.2)[:layers], 2**62 + 5, 0.3 * (batch > 1))
    names = (*[activation] * layers, "softmax")
    what = *own, names, "cross_entropy", batch, "sgd", None, threads, None, dropout
    engine = module.Engine(*what)
    costs, _ = engine.train(images, y, order, np.full(3, 0.1), 1 / 255, 7)
    engine.read(*own)
    assert module is reference or engine.inputs.startswith("dense" if dense else "sparse")
    return [*own[0], *own[1], costs]


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("batch", [1, 5, 16, 130])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_every_plan_drops_what_the_reference_drops(sizes, batch, dense):
    # what keeps a, what keeps z, and ReLU, whose zeros are skipped
    activation = ("relu", "tanh", "gelu")[(len(sizes) + batch + dense) % 3]
    case = sizes, batch, dense, activation
    exact = trained(reference, *case, np.float64)
    for found, wanted in zip(trained(kernels, *case, np.float64), exact, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)
    singles = [trained(kernels, *case, np.float32, threads) for threads in (1, 2, 3)]
    for arrays in zip(*singles, strict=True):
        assert len({array.tobytes() for array in arrays}) == 1


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.75])
def test_units_are_dropped_independently_at_the_rate(rate, layer):
    factors = Dropout((rate, rate), 3).factors(layer, 1000, (2000, 100), np.dtype(np.float64))
    kept = factors != 0
    np.testing.assert_allclose(factors[kept], 1 / (1 - rate))
    # of samples, of units, and of both of two neighbours: binomial
    for trials, p, counts in (
        (100, 1 - rate, kept.sum(1)),
        (2000, 1 - rate, kept.sum(0)),
        (1000, (1 - rate) ** 2, (kept[::2] & kept[1::2]).sum(0)),
        (50, (1 - rate) ** 2, (kept[:, ::2] & kept[:, 1::2]).sum(1)),
    ):
        z = (counts - trials * p) / np.sqrt(trials * p * (1 - p))
        assert abs(z.mean()) < 5 / len(z) ** 0.5
        assert abs((z**2).mean() - 1) < 6 * (2 / len(z)) ** 0.5


def test_seeds_drop_other_units():
    one, other = (Dropout((0.5,), s).factors(0, 0, (50, 50), np.dtype(float)) for s in (1, 2))
    assert 0.4 < (one != other).mean() < 0.6


def test_outputs_are_the_same_in_the_mean():
    sizes, batch = (60, 20, 3), 400
    rng = np.random.default_rng(0)
    x, y = rng.random((batch, 60)), rng.integers(0, 3, batch)
    w = [rng.standard_normal(s) for s in itertools.pairwise(sizes)]
    b = [np.zeros(n) for n in sizes[1:]]
    what = w, b, ("sigmoid", "identity"), "squared_error", batch
    plain = kernels.Engine(*what).trace(x, y, np.arange(batch))
    means = np.zeros((batch, 3))
    for seed in range(200):
        own = Dropout((0.3,), seed)
        trace = kernels.Engine(*what, "sgd", None, 1, None, own).trace(x, y, np.arange(batch))
        means += trace.a[-1] / 200
    assert abs((means - plain.a[-1]).mean()) < 0.02


def test_gradients_are_those_of_the_network_that_is_left():
    rng, batch, sizes = np.random.default_rng(1), 6, (8, 12, 9, 3)
    x, y = rng.random((batch, 8)), rng.integers(0, 3, batch)
    w = [rng.standard_normal(s) for s in itertools.pairwise(sizes)]
    b = [rng.standard_normal(n) for n in sizes[1:]]
    names, dropout = ("tanh", "silu", "softmax"), Dropout((0.4, 0.5), 11, 0.25)

    def cost():
        engine = reference.Engine(
            w, b, names, "cross_entropy", batch, "sgd", None, 1, None, dropout
        )
        return engine.trace(x, y, np.arange(batch))

    trace, h = cost(), 1e-6
    for array, gradient in zip((*w, *b), (*trace.dw, *trace.db), strict=True):
        for index in np.ndindex(array.shape):
            kept = array[index]
            array[index] = kept + h
            above = cost().cost
            array[index] = kept - h
            slope = (above - cost().cost) / (2 * h) / batch
            array[index] = kept
            assert abs(slope - gradient[index]) < 1e-6
