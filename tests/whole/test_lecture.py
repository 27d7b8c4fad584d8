"""Facts from the lecture on neural networks that fastmlp has to reproduce."""

import numpy as np
import pytest

import fastmlp

BACKENDS = ["numpy", "compiled"]
CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


def test_the_digit_network_has_13002_parameters():
    network = fastmlp.Network((784, 16, 16, 10))
    assert network.parameter_count == 13_002
    assert sum(p.size for p in (*network.weights, *network.biases)) == 13_002


def test_cost_of_an_untrained_answer(backend):
    outputs = [[0.07, 0.17, 0.60, 0.45, 0.92, 0.19, 0.57, 0.85, 0.85, 0.01]]
    network = fastmlp.Network((10, 10), output="identity", cost="squared_error", dtype="float64")
    network.weights[0][...] = np.eye(10)
    assert network.evaluate(outputs, [8], backend).cost == pytest.approx(2.5488, abs=1e-12)


def test_backpropagation_by_hand(backend):
    network = fastmlp.Network((2, 2, 1), "sigmoid", "sigmoid", "squared_error", dtype="float64")
    for w in network.weights:
        w[...] = 1
    images, target = np.array([[-2.0, -1.0]]), np.array([[1.0]])
    assert network.predict_proba(images, backend)[0, 0] == pytest.approx(0.5237, abs=5e-5)
    cost, dw, _ = fastmlp.gradients(network, images, target, backend)
    assert dw[0][0, 0] == pytest.approx(0.02147, abs=5e-6)
    fastmlp.train(
        network, (images, target), epochs=1, batch_size=1, learning_rate=0.1, backend=backend
    )
    assert network.evaluate(images, target, backend).cost < cost


@pytest.mark.parametrize(
    ("name", "labels"), [("and", [0, 0, 0, 1]), ("or", [0, 1, 1, 1]), ("xor", [0, 1, 1, 0])]
)
def test_one_perceptron_learns_and_and_or_but_not_xor(backend, name, labels):
    network = fastmlp.Network((2, 1), output="step", cost="perceptron")
    fastmlp.train(
        network, (CORNERS, labels), epochs=50, batch_size=1, learning_rate=0.1, backend=backend
    )
    accuracy = network.accuracy(CORNERS, labels, backend)
    assert accuracy < 1 if name == "xor" else accuracy == 1


def test_two_layers_learn_xor(backend):
    network = fastmlp.Network((2, 8, 1), "tanh", "sigmoid", "cross_entropy", seed=1)
    labels = [0, 1, 1, 0]
    fastmlp.train(
        network, (CORNERS, labels), epochs=500, batch_size=4, learning_rate=1.0, backend=backend
    )
    assert network.accuracy(CORNERS, labels, backend) == 1


@pytest.mark.parametrize("batch_size", [1, 7, 40])
def test_stochastic_minibatch_and_full_batch_are_one_code(backend, batch_size):
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(40, 5)), rng.integers(0, 3, 40)
    network = fastmlp.Network((5, 6, 3), dtype="float64")
    by_hand = fastmlp.Network((5, 6, 3), dtype="float64")
    history = fastmlp.train(
        network,
        (images, labels),
        epochs=1,
        batch_size=batch_size,
        learning_rate=0.3,
        seed=5,
        backend=backend,
    )
    order, costs = np.random.default_rng(5).permutation(40), []
    for start in range(0, 40, batch_size):
        rows = order[start : start + batch_size]
        cost, dw, db = fastmlp.gradients(by_hand, images[rows], labels[rows], backend="numpy")
        costs.append(cost * len(rows))
        for parameter, slope in zip((*by_hand.weights, *by_hand.biases), (*dw, *db), strict=True):
            parameter -= 0.3 * slope
    for got, wanted in zip(network.weights, by_hand.weights, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-12)
    assert history.train_cost[0] == pytest.approx(sum(costs) / 40, abs=1e-12)


def test_the_gradient_is_the_mean_over_samples(backend):
    rng = np.random.default_rng(1)
    images, labels = rng.normal(size=(9, 4)), rng.integers(0, 3, 9)
    network = fastmlp.Network((4, 7, 3), "sigmoid", dtype="float64")
    _, whole, _ = fastmlp.gradients(network, images, labels, backend)
    each = [
        fastmlp.gradients(network, images[i : i + 1], labels[i : i + 1], backend)[1]
        for i in range(9)
    ]
    for layer, dw in enumerate(whole):
        np.testing.assert_allclose(dw, np.mean([one[layer] for one in each], axis=0), atol=1e-14)


def test_a_rate_that_learns_is_found_by_halving(backend):
    rng = np.random.default_rng(2)
    images, labels = rng.normal(size=(200, 6)).astype(np.float32), rng.integers(0, 3, 200)
    network, probes = fastmlp.Network((6, 12, 3)), []
    before = [w.copy() for w in network.weights]
    rate = fastmlp.find_learning_rate(
        network,
        (images, labels),
        start=1024.0,
        mode="halving",
        backend=backend,
        on_probe=lambda *probe: probes.append(probe),
    )
    assert [probe[0] for probe in probes] == [1024 / 2**k for k in range(len(probes))]
    assert len(probes) > 1
    best = min(probes, key=lambda probe: probe[2])
    assert rate == best[0]
    assert best[2] < best[1]
    for kept, now in zip(before, network.weights, strict=True):
        np.testing.assert_array_equal(kept, now)


def test_the_rate_is_halved_while_there_is_no_convergence(backend):
    rng = np.random.default_rng(3)
    images, labels = rng.normal(size=(64, 4)), rng.integers(0, 2, 64)
    network, costs = fastmlp.Network((4, 8, 2), dtype="float64"), []
    history = fastmlp.train(
        network,
        (images, labels),
        epochs=30,
        batch_size=8,
        learning_rate=4.0,
        schedule="halving",
        backend=backend,
        callbacks=[
            lambda progress: (
                costs.append(network.evaluate(images, labels, "numpy").cost)
                if progress.epoch_ended
                else None
            )
        ],
    )
    rates = history.learning_rate
    assert all(np.log2(4.0 / rate) % 1 == 0 for rate in rates)
    assert rates[-1] < rates[0] < 4.0
    # an epoch that lowers the cost keeps the rate; another is undone, and the rate halved
    for rate, following, cost, before in zip(rates[1:], rates[2:], costs[1:], costs, strict=False):
        assert cost < before if following == rate else (following, cost) == (rate / 2, before)
