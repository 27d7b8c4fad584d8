"""What a network computes, by both backends: costs of any targets, numbers that are too large."""

import numpy as np
import pytest

import fastmlp
from fastmlp.functions import ACTIVATIONS, PAIRS

BACKENDS = pytest.mark.parametrize("backend", ["compiled", "numpy"])


def images(count=16, inputs=5):
    return np.random.default_rng(0).normal(size=(count, inputs))


@pytest.mark.parametrize("sizes", [(20, 64, 64), (20, 128, 96), (40, 64, 64, 64)])
@pytest.mark.parametrize("batch_size", [16, 64])
def test_no_layer_stands_still_below_a_wide_relu_output(sizes, batch_size):
    rng, networks = np.random.default_rng(1), []
    data = rng.normal(size=(64, sizes[0])), rng.random((64, sizes[-1]))
    for backend in ("compiled", "numpy"):
        network = fastmlp.Network(
            sizes, output="relu", cost="squared_error", dtype="float64", seed=2
        )
        before = network.weights[0].copy()
        settings = {"epochs": 1, "batch_size": batch_size, "learning_rate": 0.01}
        fastmlp.train(network, data, backend=backend, **settings)
        assert np.abs(network.weights[0] - before).max() > 1e-6
        networks.append(network)
    for one, other in zip(networks[0].weights, networks[1].weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9 * np.abs(other).max())


@BACKENDS
@pytest.mark.parametrize("whole", [2.0, 0.5, 0.0, 1.0])
def test_the_cross_entropy_of_softmax_for_targets_of_any_sum(backend, whole):
    network, x = fastmlp.Network((5, 4), dtype="float64"), images()
    y = np.tile([0.5, 0.25, 0.25, 0.0], (len(x), 1)) * whole
    a = network.predict_proba(x)
    cost, dw, db = fastmlp.gradients(network, x, y, backend)
    assert cost == pytest.approx(-(y * np.log(a)).sum(axis=1).mean(), abs=1e-12)
    assert network.evaluate(x, y, backend).cost == pytest.approx(cost, abs=1e-12)
    np.testing.assert_allclose(db[0], (whole * a - y).mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(dw[0], x.T @ (whole * a - y) / len(x), atol=1e-12)


@BACKENDS
@pytest.mark.parametrize(("output", "cost"), PAIRS)
def test_a_cost_and_its_gradient_belong_together(backend, output, cost):
    if output == "step":  # its gradient is not that of its cost at the jump
        return
    rng, x = np.random.default_rng(3), images()
    network = fastmlp.Network((5, 3), output=output, cost=cost, dtype="float64")
    y = rng.random((len(x), 3))
    _, dw, _ = fastmlp.gradients(network, x, y, backend)
    for place in ((0, 0), (2, 1), (4, 2)):
        costs = []
        for off in (1e-6, -2e-6):
            network.weights[0][place] += off
            costs.append(fastmlp.gradients(network, x, y, backend)[0])
        network.weights[0][place] += 1e-6
        assert (costs[0] - costs[1]) / 2e-6 == pytest.approx(dw[0][place], rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("values", [(-1, 1), (0, 255), (0, 1.5), (-0.1, 1)])
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_cross_entropy_refuses_targets_that_are_no_probabilities(values, output):
    network, x = fastmlp.Network((5, 2), output=output), images()
    y = np.tile(np.array(values, np.float64), (len(x), 1))
    settings = {"epochs": 1, "batch_size": 4, "learning_rate": 0.1}
    good = x, np.zeros(len(x), int)
    for call in (
        lambda: fastmlp.train(network, (x, y), **settings),
        lambda: fastmlp.train(network, good, validation=(x, y), **settings),
        lambda: network.evaluate(x, y),
        lambda: fastmlp.gradients(network, x, y),
        lambda: fastmlp.find_learning_rate(network, (x, y)),
    ):
        with pytest.raises(fastmlp.ArgumentError, match=r"targets in 0 … 1.*squared_error"):
            call()


def test_a_softmax_of_one_output_is_refused():
    with pytest.raises(fastmlp.ArgumentError, match="sigmoid"):
        fastmlp.Network((6, 8, 1))


@BACKENDS
@pytest.mark.parametrize("value", [1e39, 3e38, -3e38, np.nan, np.inf])
def test_images_too_large_for_the_precision_are_refused(backend, value):
    network, x = fastmlp.Network((5, 4)), images()
    x[3, 2] = value
    for call in (network.predict, network.predict_proba):
        with pytest.raises(fastmlp.ArgumentError, match="images must"):
            call(x, backend)


@BACKENDS
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("count", [1, 5, 200])
def test_parameters_that_are_not_finite_are_named(backend, value, count):
    network, x = fastmlp.Network((5, 4)), images(count)
    network.weights[0][1, :] = value
    for call in (network.predict, network.predict_proba):
        with pytest.raises(fastmlp.ArgumentError, match="weights"):
            call(x, backend)
    settings = {"epochs": 1, "batch_size": 4, "learning_rate": 0.1, "backend": backend}
    with pytest.raises(fastmlp.ArgumentError, match="weights"):
        fastmlp.train(network, (x, np.zeros(count, int)), **settings)


@BACKENDS
@pytest.mark.parametrize("hidden", [name for name, row in ACTIVATIONS.items() if row.derivative])
def test_the_floating_point_settings_of_a_program_change_nothing(backend, hidden):
    x, labels = images() * 500, np.arange(16) % 3
    with np.errstate(all="raise"):
        for output, cost in PAIRS:
            network = fastmlp.Network((5, 4, 3), hidden, output, cost)
            settings = {"epochs": 1, "batch_size": 4, "learning_rate": 1e-9, "backend": backend}
            fastmlp.train(network, (x, labels), **settings)
            network.evaluate(x, labels, backend)
            network.predict(x, backend)
            fastmlp.gradients(network, x, labels, backend)
