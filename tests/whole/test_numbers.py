"""Hard numbers: results are finite, or the error is the documented one; on both backends."""

import contextlib

import numpy as np
import pytest
from one_layer import step_on

import fastmlp
from fastmlp.backends import backend_named
from fastmlp.errors import DivergedError
from fastmlp.functions import ACTIVATIONS, HIDDEN

BACKENDS = pytest.mark.parametrize("backend", ["compiled", "numpy"])


def pixels(count, inputs, density=0.2, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(1, 256, (count, inputs), np.uint8)
    images[rng.random(images.shape) > density] = 0
    return images


def trained(images, labels, sizes, backend, **settings):
    network = fastmlp.Network(sizes, **settings.pop("network", {}))
    settings = {"epochs": 3, "batch_size": 8, "learning_rate": 0.1, **settings}
    history = fastmlp.train(network, (images, labels), backend=backend, **settings)
    assert np.isfinite(history.train_cost).all()
    assert all(np.isfinite(p).all() for p in (*network.weights, *network.biases))
    outputs = network.predict_proba(images, backend)
    assert np.isfinite(outputs).all()
    if network.output == "softmax":
        np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-5)
    return network, history


@BACKENDS
@pytest.mark.parametrize(
    "images",
    [
        np.zeros((40, 20), np.uint8),
        np.full((40, 20), 255, np.uint8),
        np.full((40, 20), 1e-40, np.float32),
        np.eye(40, 20, dtype=np.float32) * np.float32(1e-38),
        pixels(40, 20),
    ],
    ids=["black", "white", "subnormal", "barely normal", "pixels"],
)
@pytest.mark.parametrize("labels", [np.zeros(40, int), np.arange(40) % 3], ids=["one", "three"])
def test_dull_data(images, labels, backend):
    trained(images, labels, (20, 6, 3), backend)


@BACKENDS
@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_one_sample_and_batches_larger_than_the_data(batch_size, backend):
    trained(pixels(1, 9), [1], (9, 4, 2), backend, batch_size=batch_size)


@BACKENDS
def test_layers_of_one_neuron(backend):
    images = pixels(30, 1, 0.5)
    network = {"output": "sigmoid", "cost": "cross_entropy"}
    trained(images, np.arange(30) % 2, (1, 1, 1, 1), backend, network=network)


@BACKENDS
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
def test_twenty_layers(activation, backend):
    sizes = (16, *[9] * 20, 4)
    settings = {"network": {"hidden": activation}, "learning_rate": 0.01}
    trained(pixels(64, 16), np.arange(64) % 4, sizes, backend, **settings)


@BACKENDS
@pytest.mark.parametrize("rate", [1e3, 1e6, 1e30])
def test_a_rate_that_blows_up_is_told_and_the_last_good_parameters_stay(rate, backend):
    network = fastmlp.Network((20, 16, 3))
    images, labels = pixels(200, 20), np.arange(200) % 3
    settings = {"epochs": 50, "batch_size": 4, "learning_rate": rate, "backend": backend}
    with contextlib.suppress(DivergedError):
        history = fastmlp.train(network, (images, labels), **settings)
        assert np.isfinite(history.train_cost).all()
    assert all(np.isfinite(p).all() for p in (*network.weights, *network.biases))


@BACKENDS
@pytest.mark.parametrize("size", [88.0, 104.0, 1e4, 3e38])
def test_saturated_softmax_has_no_nan(size, backend):
    z = np.array([[size, -size, 0], [-size, -size, -size], [0, size, size]], np.float32)
    with np.errstate(over="ignore"):
        found = step_on(backend_named(backend), z, np.array([1, 0, 0]), "softmax", "cross_entropy")
    assert np.isfinite(found.a[0]).all()
    assert np.isfinite(found.dz[0]).all()
    assert not np.isnan(found.cost)
    np.testing.assert_allclose(found.a[0].sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(found.a[0][1], 1 / 3, rtol=1e-6)


def limits(f):
    """Return where f leads to, from -infinity and from infinity, by the table's formula."""
    a = np.empty((1, 2))
    with np.errstate(all="ignore"):
        ACTIVATIONS[f].f(np.array([[-1e4, 1e4]]), a)
    return a[0]


@BACKENDS
@pytest.mark.parametrize("f", [f for f in HIDDEN if abs(limits(f)[1]) <= 1])
def test_saturated_activations_stay_within_their_range(f, backend):
    z = np.array([[-1e4], [-100], [100], [1e4], [3e38]], np.float32)
    y, (low, high) = np.zeros((5, 1), np.float32), limits(f)
    with np.errstate(over="ignore"):
        a = step_on(backend_named(backend), z, y, f, "squared_error").a[0]
    np.testing.assert_allclose(a.ravel(), [low, low, high, high, high], atol=1e-7)


@BACKENDS
@pytest.mark.parametrize("f", HIDDEN)
def test_no_activation_makes_nan_of_large_numbers(f, backend):
    z = np.array([[-1e4], [-100], [-1], [0], [1], [100], [1e4]], np.float32)
    with np.errstate(over="ignore"):
        found = step_on(backend_named(backend), z, z * 0, f, "squared_error")
    for array in (found.a[0], found.dz[0], found.dw[0]):
        assert np.isfinite(array).all()
    np.testing.assert_allclose(found.a[0][-1] / limits(f)[1], 1, rtol=1e-6)
