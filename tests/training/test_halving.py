"""The schedule halving: training works from any initial rate, also in a resumed run."""

import numpy as np
import pytest
from click.testing import CliRunner

import fastmlp
from fastmlp.cli import main
from fastmlp.errors import ArgumentError
from fastmlp.training import guessing, search

SETTINGS = {"epochs": 6, "batch_size": 32, "schedule": "halving"}


@pytest.fixture(params=["numpy", "compiled"])
def backend(request):
    return request.param


def small(digits, count=1500):
    return digits.train.images[:count], digits.train.labels[:count]


def arrays(network):
    return [array.copy() for array in (*network.weights, *network.biases)]


@pytest.mark.parametrize("rate", [0.3, 8, 4096, 1e9])
def test_it_learns_from_any_rate(digits, backend, rate):
    network = fastmlp.Network((784, 24, 10))
    history = fastmlp.train(network, digits.train, learning_rate=rate, backend=backend, **SETTINGS)
    assert network.accuracy(digits.test.images, digits.test.labels) > 0.85
    assert len(history) == 6
    assert all(np.isfinite(history.train_cost))
    assert history.samples_per_second[0] * history.epoch_seconds[0] >= 4000


def test_with_validation_data_it_watches_those(digits, backend):
    network = fastmlp.Network((784, 24, 10))
    history = fastmlp.train(
        network,
        small(digits),
        validation=digits.test,
        learning_rate=64,
        momentum=0.5,
        backend=backend,
        **SETTINGS | {"epochs": 12},
    )
    lowest = np.inf
    for number, (cost, rate) in enumerate(
        zip(history.validation_cost, history.learning_rate, strict=True)
    ):
        following = history.learning_rate[number + 1 :][:1]
        assert following in ([], [rate if cost < lowest or number == 0 else rate / 2])
        lowest = min(cost, lowest)
    judged = network.evaluate(digits.test.images, digits.test.labels, backend)
    assert judged.cost == pytest.approx(lowest)


@pytest.mark.parametrize("stopped", [1, 3, 7])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, digits, backend, stopped):
    def trained(**changes):
        network = fastmlp.Network((784, 12, 10))
        settings = {**SETTINGS, "epochs": 8, "learning_rate": 16, "momentum": 0.9} | changes
        history = fastmlp.train(network, small(digits, 400), backend=backend, **settings)
        return arrays(network), history

    wanted, whole = trained()
    assert len(set(whole.learning_rate)) > 1  # an epoch was undone
    end = [lambda progress: progress.epoch_ended and progress.epoch == stopped]
    trained(checkpoint=tmp_path, callbacks=end)
    got, history = trained(checkpoint=tmp_path, resume=True)
    assert history.learning_rate == whole.learning_rate
    assert history.train_cost == whole.train_cost
    assert all(map(np.array_equal, got, wanted))


def test_where_nothing_lowers_the_cost_the_network_stays(backend):
    images, labels = np.zeros((30, 4)), np.arange(30) % 3
    network = fastmlp.Network((4, 3), dtype="float64")
    wanted = arrays(network)
    settings = {"learning_rate": 1.0, "backend": backend, **SETTINGS, "batch_size": 30}
    history = fastmlp.train(network, (images, labels), **settings)
    assert (len(history), all(map(np.array_equal, arrays(network), wanted))) == (0, True)
    assert history.stopped.startswith("no learning rate from 1 down to ")
    with pytest.raises(ArgumentError, match=r"start must lead to a rate that lowers .* Pass more"):
        fastmlp.find_learning_rate(network, (images, labels), batch_size=30, backend=backend)


def test_an_epoch_that_diverges_later_is_undone_and_the_next_has_half_the_rate(backend):
    """A callback brings the network where every rate but a low one diverges."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(64, 5))
    targets = images @ rng.normal(size=(5, 2))
    network, before = fastmlp.Network((5, 16, 2), output="identity", cost="squared_error"), []

    def push(progress):
        if progress.epoch_ended and progress.epoch == 2:
            for w in network.weights:
                w *= 1e4
            before.extend(arrays(network))
        elif progress.epoch_ended and progress.epoch == 3:
            assert all(map(np.array_equal, arrays(network), before))

    settings = SETTINGS | {"learning_rate": 0.2, "epochs": 4, "batch_size": 8}
    history = fastmlp.train(
        network, (images, targets), backend=backend, callbacks=[push], **settings
    )
    rates = history.learning_rate
    assert rates[2:] == [rates[1], rates[1] / 2]
    assert np.isfinite(history.train_cost).all()
    assert before


def test_the_rate_that_is_suggested_trains(digits, backend):
    for sizes in ((784, 24, 10), (784, 32, 32, 10), (784, 10)):
        network = fastmlp.Network(sizes)
        rate = fastmlp.find_learning_rate(network, digits.train, backend=backend)
        settings = {"epochs": 6, "batch_size": 32, "learning_rate": rate, "backend": backend}
        fastmlp.train(network, digits.train, **settings)
        assert network.accuracy(digits.test.images, digits.test.labels) > 0.85, (sizes, rate)


def test_mnist_trains_with_what_is_suggested_and_from_8_by_halving(mnist):
    network = fastmlp.Network((784, 128, 10))
    rate = fastmlp.find_learning_rate(network, mnist.train)
    fastmlp.train(network, mnist.train, epochs=2, batch_size=32, learning_rate=rate)
    assert network.accuracy(mnist.test.images, mnist.test.labels) > 0.9
    network = fastmlp.Network((784, 128, 10))
    fastmlp.train(network, mnist.train, learning_rate=8, **SETTINGS | {"epochs": 2})
    assert network.accuracy(mnist.test.images, mnist.test.labels) > 0.9


def test_the_cost_of_guessing_is_that_of_the_best_constant_answer(backend):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 50)
    for output, cost, y in (
        ("softmax", "cross_entropy", labels),
        ("softmax", "cross_entropy", rng.dirichlet(np.ones(3), 50)),
        ("sigmoid", "cross_entropy", labels),
        ("sigmoid", "cross_entropy", rng.random((50, 3))),
        ("identity", "squared_error", labels),
        ("identity", "squared_error", rng.normal(3, 5, (50, 3))),
    ):
        network = fastmlp.Network((2, 3), output=output, cost=cost, dtype="float64")
        found = guessing.cost_of_guessing(network, y)
        m = np.bincount(labels) / 50 if y.ndim == 1 else y.mean(axis=0)
        network.weights[0][...] = 0
        inverse = {"softmax": np.log, "sigmoid": lambda p: np.log(p / (1 - p))}
        network.biases[0][...] = inverse.get(output, lambda p: p)(m)
        images = np.zeros((50, 2))
        assert found == pytest.approx(network.evaluate(images, y, backend).cost)
        for _ in range(20):
            network.biases[0][...] += rng.normal(0, 0.1, 3)
            assert network.evaluate(images, y, backend).cost >= found - 1e-12


def test_the_search_passes_by_rates_that_lower_the_cost_by_chance():
    costs = [2.38, 2.36, np.inf, 2.37, 2.1, 0.9, 0.5, 0.6]
    found = search.Search(before=2.39, guessing=2.3)
    assert [found.continues(cost) for cost in costs] == [True] * 7 + [False]
    assert (found.lowest, found.found) == (0.5, True)


def test_one_step_in_all_has_the_rate_of_its_middle(digits, backend):
    images, labels = small(digits, 100)
    for schedule in fastmlp.training.SCHEDULES:
        network = fastmlp.Network((784, 10))
        before = network.evaluate(images, labels, backend).cost
        settings = {"epochs": 1, "batch_size": 100, "learning_rate": 0.1, "schedule": schedule}
        history = fastmlp.train(network, (images, labels), backend=backend, **settings)
        assert history.learning_rate[0] >= 0.01
        assert network.evaluate(images, labels, backend).cost < before


def test_the_command_trains_from_8_and_keeps_the_older_model_where_nothing_is_learnt(
    tmp_path, digits, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    images, labels = small(digits)
    test = {"x_test": digits.test.images, "y_test": digits.test.labels}
    np.savez("good.npz", x_train=images, y_train=labels, **test)
    huge = np.where(images > 0, np.float32(1e19), np.float32(0))
    np.savez("huge.npz", x_train=huge, y_train=labels, **test)
    command = ["train", "--backend", "numpy", "--model", "m.safetensors", "--dataset"]
    plain = ["--scaling", "none", "--optimizer", "sgd"]
    halving = ["--learning-rate", "8", "--schedule", "halving"]
    done = CliRunner().invoke(main, [*command, "good.npz", *halving])
    assert done.exit_code == 0, done.output
    network = fastmlp.Network.load("m.safetensors")
    assert network.accuracy(digits.test.images, digits.test.labels) > 0.85
    older = (tmp_path / "m.safetensors").read_bytes()
    for extra in ([], halving):
        done = CliRunner().invoke(main, [*command, "huge.npz", *plain, *extra])
        assert done.exit_code == 1
        assert "images reach 1e+19" in done.stderr
        assert "has its initial parameters" in done.stderr
        assert (tmp_path / "m.safetensors").read_bytes() == older
