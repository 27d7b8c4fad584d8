"""The search for a learning rate: the range test, and what both modes return."""

import numpy as np
import pytest

import fastmlp
from fastmlp.errors import ArgumentError
from fastmlp.training import range_test, rate


@pytest.fixture(params=["numpy", "compiled"])
def backend(request):
    return request.param


def table(count=20_000, seed=0):
    """Gaussian inputs, and two classes by a rule that is not linear."""
    rng, rule = np.random.default_rng(seed), np.random.default_rng(7)
    x = rng.normal(size=(count, 28)).astype(np.float32)
    w, c = rule.normal(size=(28, 12)) / 3, rule.normal(size=12)
    return x, (np.tanh(x @ w) @ c + x[:, 0] * x[:, 1] > 0).astype(np.int64)


def cost_after(data, test, sizes, batch_size, learning_rate, seed):
    network = fastmlp.Network(sizes, seed=seed)
    settings = {"epochs": 2, "batch_size": batch_size, "seed": seed}
    try:
        fastmlp.train(network, data, learning_rate=learning_rate, **settings)
    except fastmlp.DivergedError:
        return np.inf
    return network.evaluate(*test).cost


def check_within_a_factor_of_2(data, test, sizes, batch_size):
    """A quarter and four times the suggestion are worse than the best of half, it, and twice."""
    costs = []
    for seed in range(3):
        network = fastmlp.Network(sizes, seed=seed)
        found = fastmlp.find_learning_rate(network, data, batch_size=batch_size, seed=seed)
        rates = [found * factor for factor in (0.25, 0.5, 1, 2, 4)]
        costs.append([cost_after(data, test, sizes, batch_size, r, seed) for r in rates])
    quarter, half, once, twice, four = np.mean(costs, axis=0)
    assert min(half, once, twice) < min(quarter, four)
    assert once < min(2 * min(half, twice), four)


@pytest.mark.parametrize(("sizes", "batch_size"), [((784, 128, 10), 32), ((784, 16, 16, 10), 10)])
def test_on_mnist_the_suggestion_is_within_a_factor_of_2_of_the_best(mnist, sizes, batch_size):
    data, test = ((s.images, s.labels) for s in (mnist.train, mnist.test))
    check_within_a_factor_of_2(data, test, sizes, batch_size)


def test_on_a_dense_table_the_suggestion_is_within_a_factor_of_2_of_the_best():
    check_within_a_factor_of_2(table(), table(4000, 1), (28, 64, 64, 2), 64)


@pytest.mark.parametrize("mode", rate.MODES)
def test_the_result_is_a_float_with_its_curve(backend, mode):
    network, probes = fastmlp.Network((28, 16, 2)), []
    before = [w.copy() for w in network.weights]
    found = fastmlp.find_learning_rate(
        network,
        table(2000),
        backend=backend,
        mode=mode,
        on_probe=lambda *probe: probes.append(probe),
    )
    assert isinstance(found, float)
    assert [(r, c) for r, _, c in probes] == list(zip(found.rates, found.costs, strict=True))
    assert found.rates.min() <= found <= found.rates.max()
    assert found.costs.min() < probes[0][1]
    assert all(map(np.array_equal, before, network.weights))
    if mode == "range":
        assert (np.diff(found.rates) > 0).all()
        assert np.nanmin(found.costs) < found.costs[0]


def test_both_backends_suggest_the_same():
    found = [
        fastmlp.find_learning_rate(
            fastmlp.Network((28, 16, 2), dtype="float64"), table(2000), backend=backend
        )
        for backend in ("numpy", "compiled")
    ]
    assert found[0] == pytest.approx(found[1], rel=0.01)


def test_the_rule_takes_the_middle_of_the_rates_with_nearly_the_lowest_cost():
    """Costs that fall again after they have risen do not count, nor infinite ones."""
    rates = np.geomspace(0.001, 1, 8)
    costs = np.array([0.6, 0.4, 0.23, 0.2, 0.23, 0.25, 0.5, 0.1])
    for last in (0.1, np.inf):
        costs[-1] = last
        for batch, factor in ((32, 1), (4, 0.5), (500, 1)):
            found = range_test.suggest(rates, costs, 0.6 - costs, np.inf, batch)
            middle = (rates[2] * rates[4]) ** 0.5
            assert found == pytest.approx(middle * factor, rel=0.005)
    # with the cost of guessing, 0.3, only costs of up to 0.21 are good
    found = range_test.suggest(rates, costs, 0.6 - costs, 0.3, 32)
    assert found == pytest.approx(rates[3], rel=0.005)
    rising = np.linspace(0.6, 0.7, 8)
    assert range_test.suggest(rates, rising, 0.6 - rising, 0.3, 32) is None


@pytest.mark.parametrize("seed", range(3))
def test_samples_of_other_costs_are_no_fall(seed):
    """With few samples, the costs of windows differ by more than low rates change them."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, 400)
    x = (rng.normal(size=(4, 20))[y] + rng.normal(size=(400, 20))).astype(np.float32)
    network = fastmlp.Network(20, 16, 4, seed=seed)
    assert fastmlp.find_learning_rate(network, x, y, start=1e-2, seed=seed) > 1e-3
    with pytest.raises(ArgumentError, match=r"start must lead to a rate that lowers the cost"):
        fastmlp.find_learning_rate(network, x, y, start=1e-8, seed=seed)


def test_noise_of_costs_that_still_fall_does_not_end_the_curve():
    """The suggestion is near the rate with the lowest cost of the whole curve."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(200, 4))
        network = fastmlp.Network(4, 16, 1, output="identity", cost="squared_error", seed=seed)
        data = x, x @ rng.normal(size=4)
        found = fastmlp.find_learning_rate(network, *data, batch_size=4, seed=seed)
        assert 1 < found.rates[found.costs.argmin()] / found < 20


def test_costs_after_a_divergence_are_infinite(backend):
    network = fastmlp.Network((28, 16, 2), output="identity", cost="squared_error")
    found = fastmlp.find_learning_rate(network, table(2000), backend=backend, start=1e6)
    assert np.isfinite(found.costs[0])
    assert (np.diff(np.isinf(found.costs).astype(int)) >= 0).all()
    assert found < found.rates[-1]


@pytest.mark.parametrize("mode", rate.MODES)
def test_one_sample_and_few_are_enough(backend, mode):
    images, labels = table(3)
    for count in (1, 3):
        found = fastmlp.find_learning_rate(
            fastmlp.Network((28, 8, 2)),
            (images[:count], labels[:count]),
            mode=mode,
            backend=backend,
        )
        assert found > 0


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"mode": "grid"}, "mode must name a mode; got 'grid'. Choose from range, halving"),
        ({"start": 0}, "start must be a number of at least 1e-30; got 0. Pass start >= 1e-30"),
        ({"start": np.nan}, "start must be a number of at least 1e-30; got nan"),
        ({"start": np.inf}, "start must be finite; got inf. Pass start=8"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"samples": 0}, "samples must be"),
    ],
)
def test_bad_arguments_are_named(bad, message):
    with pytest.raises(ArgumentError, match=message):
        fastmlp.find_learning_rate(fastmlp.Network((28, 2)), table(30), backend="numpy", **bad)
