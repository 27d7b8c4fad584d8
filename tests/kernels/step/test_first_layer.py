"""The first layer of images that are mostly zeros, by lists and by words, against NumPy.

forward_inputs and update_inputs are tested through the step that calls them. The size of the
minibatch and the optimiser decide which loops these take.
"""

import itertools

import numpy as np
import pytest
from direct import DTYPES, lanes_of
from networks import parameters, pixels, rate_for, read, wide

from fastmlp import kernels, reference
from fastmlp.kernels.memory import tuning
from fastmlp.kernels.memory.records import BY_GROUP, BY_IMAGE
from fastmlp.kernels.memory.tuning import PANEL_VECTORS, PART, UPDATE_INPUTS
from fastmlp.verify.tables import TABLES

BY_IMAGE_BATCHES, BY_GROUP_BATCHES = (1, 2, 7, 15), (16, PART - 1, PART, PART + 1, 2 * PART + 3)
EDGES = UPDATE_INPUTS - 1, UPDATE_INPUTS, UPDATE_INPUTS + 3
INPUTS = (1, 2, 3, 15, 16, 17, *EDGES, 256, 324, 784, 785)  # some of square images
SCALE = 1 / 255


@pytest.fixture(autouse=True)
def _sparse(monkeypatch):
    """All bytes are taken as sparse images, however many are not zero."""
    monkeypatch.setattr(tuning, "SPARSE_BELOW", 2.0)


def widths(dtype):
    """Hidden layers of panels of each width, and of several panels, the last one slim."""
    lanes = lanes_of(dtype)
    return (1, lanes, 2 * lanes, PANEL_VECTORS * lanes, PANEL_VECTORS * lanes + 1, 200)


def near(got, exact, terms):
    eps = np.finfo(got.dtype).eps
    assert np.all(np.abs(got - exact) <= 16 * eps * terms + 1e-30)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("density", [0.05, 0.3, 1.0])
def test_outputs_and_gradients_are_those_of_numpy(inputs, density, dtype):
    rng = np.random.default_rng(inputs)
    for batch, hidden in itertools.product((*BY_IMAGE_BATCHES, *BY_GROUP_BATCHES), widths(dtype)):
        weights, biases = parameters(rng, (inputs, hidden, 2), dtype)
        images, order = pixels(rng, batch + 3, inputs, density), rng.permutation(batch + 3)[:batch]
        names = ("identity", "identity")
        engine = kernels.Engine(weights, biases, names, "squared_error", batch, threads=1)
        found = engine.trace(images, rng.integers(0, 2, batch + 3), order, SCALE)
        kind = BY_IMAGE if batch in BY_IMAGE_BATCHES else BY_GROUP
        assert engine.job["images_as"] == kind
        x = (images[order] * SCALE).astype(dtype).astype(np.float64)
        (w, _), (b, _), dz = wide(weights), wide(biases), found.dz[0].astype(np.float64)
        near(found.a[0], x @ w + b, x @ np.abs(w) + np.abs(b))
        near(found.dw[0], x.T @ dz, x.T @ np.abs(dz) * (1 + batch / 64))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", TABLES["step"])
@pytest.mark.parametrize("batch", [1, 15, 16, PART + 5])
def test_steps_of_each_optimiser_are_those_of_the_reference(batch, step, dtype):
    rng = np.random.default_rng(batch)
    for inputs, hidden in itertools.product((17, 130), widths(dtype)):
        weights, biases = parameters(rng, (inputs, hidden, 3), dtype)
        images, y = pixels(rng, 3 * batch, inputs, 0.3), rng.integers(0, 3, 3 * batch)
        what = ("tanh", "softmax"), "cross_entropy", batch, *TABLES["step"][step]
        given = (
            images,
            y,
            rng.permutation(3 * batch),
            np.full(3, rate_for(*TABLES["step"][step], 0.2, 2e-6)),
            SCALE,
        )
        engine, exact = kernels.Engine(weights, biases, *what), None
        engine.train(*given)
        is_plain = step == "sgd" and batch < 16
        assert engine.job["images_as"] == (BY_IMAGE if is_plain else BY_GROUP)
        exact = reference.Engine(wide(weights), wide(biases), *what)
        exact.train(*given)
        eps = np.finfo(dtype).eps
        pairs = zip(
            read(engine, weights, biases), read(exact, wide(weights), wide(biases)), strict=True
        )
        for mine, theirs in pairs:
            assert np.abs(mine - theirs).max() <= 200 * eps * max(1, np.abs(theirs).max())


@pytest.mark.parametrize("batch", [3, 40])
def test_an_order_may_name_an_image_more_than_once(batch):
    rng = np.random.default_rng(0)
    weights, biases = parameters(rng, (20, 30, 2), np.float64)
    images, y, order = pixels(rng, 4, 20), rng.integers(0, 2, 4), rng.integers(0, 4, batch)
    what = weights, biases, ("tanh", "softmax"), "cross_entropy", batch
    got, wanted = (
        module.Engine(*what).trace(images, y, order, SCALE) for module in (kernels, reference)
    )
    np.testing.assert_allclose(got.dw[0], wanted.dw[0], atol=1e-14)
