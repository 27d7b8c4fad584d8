"""The training loop: its history, its end, and the arguments that it refuses."""

import json

import numpy as np
import pytest

import fastmlp
from fastmlp.errors import ArgumentError, DivergedError
from fastmlp.training import SCHEDULES
from fastmlp.training.schedules import schedule_named, step_rates

SETTINGS = {"epochs": 3, "batch_size": 32, "learning_rate": 0.2}


@pytest.fixture(params=["numpy", "compiled"])
def backend(request):
    return request.param


def parameters(network):
    return [p.copy() for p in (*network.weights, *network.biases)]


def test_digits_are_learned(digits, backend):
    network = fastmlp.Network((784, 32, 10))
    history = fastmlp.train(
        network, digits.train, validation=digits.test, backend=backend, **SETTINGS
    )
    assert history.validation_accuracy[-1] == network.accuracy(
        digits.test.images, digits.test.labels, backend
    )
    assert history.validation_accuracy[-1] > 0.8
    assert history.train_cost == sorted(history.train_cost, reverse=True)
    assert all(len(values) == 3 for values in vars(history).values() if isinstance(values, list))
    assert history.samples_per_second[0] == pytest.approx(4000 / history.epoch_seconds[0])
    assert json.loads(history.to_json())["train_cost"] == history.train_cost
    assert len(history.table().splitlines()) == 4
    if backend == "compiled":  # 784 x 32 weights and 32 samples are worth three members
        assert history.first_members == min(history.threads or 1, 2)  # as many as slices
    else:
        assert history.first_members is None


def test_both_backends_take_the_same_run(digits):
    runs = {}
    for backend in ("numpy", "compiled"):
        network = fastmlp.Network((784, 32, 10), dtype="float64")
        runs[backend] = fastmlp.train(network, digits.train, backend=backend, **SETTINGS).train_cost
    np.testing.assert_allclose(runs["numpy"], runs["compiled"], rtol=1e-9)


def test_the_same_seed_gives_the_same_bits(digits, backend):
    runs = []
    for seed in (1, 1, 2):
        network = fastmlp.Network((784, 20, 10))
        history = fastmlp.train(network, digits.train, seed=seed, backend=backend, **SETTINGS)
        runs.append((history.train_cost, parameters(network)))
    assert runs[0][0] == runs[1][0]
    assert runs[0][0] != runs[2][0]
    assert all((a == b).all() for a, b in zip(runs[0][1], runs[1][1], strict=True))


def test_a_short_last_batch_is_trained(backend):
    images, labels = np.eye(5, dtype=np.float32), np.arange(5)
    network = fastmlp.Network((5, 5))
    fastmlp.train(
        network, (images, labels), epochs=1, batch_size=4, learning_rate=1.0, backend=backend
    )
    # each sample alone moves its own row of the weights
    before = fastmlp.Network((5, 5)).weights[0]
    assert (network.weights[0] != before).any(axis=1).all()


def test_momentum_nesterov_and_decay_change_the_run(digits, backend):
    costs = set()
    for extra in (
        {},
        {"momentum": 0.5},
        {"momentum": 0.5, "nesterov": True},
        {"weight_decay": 0.01},
    ):
        network = fastmlp.Network((784, 16, 10))
        costs.add(
            fastmlp.train(network, digits.train, backend=backend, **SETTINGS, **extra).train_cost[
                -1
            ]
        )
    assert len(costs) == 4


def test_divergence_names_epoch_rate_and_remedy_and_keeps_the_last_good_parameters(backend):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(100, 10)).astype(np.float32), rng.integers(0, 3, 100)
    network = fastmlp.Network((10, 20, 3), output="identity", cost="squared_error")
    with pytest.raises(DivergedError, match=r"epoch 1: .* learning rate 1000\. Try half of it"):
        fastmlp.train(network, data, epochs=5, batch_size=10, learning_rate=1000, backend=backend)
    assert all(np.isfinite(p).all() for p in parameters(network))
    assert (network.weights[0] == fastmlp.Network((10, 20, 3)).weights[0]).all()


def test_early_stopping_brings_back_the_best(digits, backend):
    network, best = fastmlp.Network((784, 16, 10)), []
    history = fastmlp.train(
        network,
        (digits.train.images[:100], digits.train.labels[:100]),
        epochs=200,
        batch_size=10,
        learning_rate=0.3,
        validation=digits.test,
        early_stopping=fastmlp.EarlyStopping(patience=4),
        backend=backend,
        callbacks=[
            lambda progress: best.append(parameters(network)) if progress.epoch_ended else 0
        ],
    )
    lowest = int(np.argmin(history.validation_cost))
    assert len(history) == lowest + 5 < 200
    assert history.restored_epoch == lowest + 1
    assert "has not fallen" in history.stopped
    for now, then in zip(parameters(network), best[lowest], strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_target_ends_the_run(digits, backend):
    network = fastmlp.Network((784, 32, 10))
    history = fastmlp.train(
        network,
        digits.train,
        epochs=50,
        batch_size=32,
        learning_rate=0.2,
        target_accuracy=0.8,
        backend=backend,
    )
    assert history.train_accuracy[-1] >= 0.8
    assert all(accuracy < 0.8 for accuracy in history.train_accuracy[:-1])
    assert history.stopped == "target accuracy 0.8 reached"


def test_callbacks_see_progress_and_can_stop(digits, backend):
    seen = []

    def watch(progress):
        seen.append(progress)
        return progress.epoch == 2 and progress.epoch_ended

    history = fastmlp.train(
        fastmlp.Network((784, 16, 10)), digits.train, backend=backend, callbacks=[watch], **SETTINGS
    )
    assert len(history) == 2
    assert [p.epoch for p in seen if p.epoch_ended] == [1, 2]
    assert seen[-1].step == seen[-1].steps == 125
    assert all(p.cost > 0 and p.samples_per_second > 0 for p in seen)


def test_schedules_begin_and_end_where_they_say():
    ends = {name: (make()(0.0), make()(0.999999)) for name, make in SCHEDULES.items()}
    assert ends["constant"] == (1, 1)
    assert ends["linear"] == pytest.approx((0, 0), abs=1e-5)
    assert ends["cosine"] == pytest.approx((1, 0), abs=1e-5)
    assert ends["step"] == pytest.approx((1, 0.01))
    assert ends["one_cycle"] == pytest.approx((1 / 25, 1 / 250_000), abs=1e-6)
    assert SCHEDULES["linear"]()(0.1) == pytest.approx(1)
    assert SCHEDULES["one_cycle"]()(0.3) == pytest.approx(1)


def test_a_callable_schedules_each_step():
    rates = step_rates(schedule_named(lambda progress: 1 - progress), 2.0, 1, 2, 4)
    np.testing.assert_allclose(rates, 2 * (1 - np.arange(4.5, 8) / 8))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1; got 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"epochs": -1}, "epochs must be a whole number of at least 0"),
        ({"learning_rate": -0.1}, "learning_rate must be a number of at least 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be"),
        ({"learning_rate": float("inf")}, "learning_rate must be finite"),
        ({"momentum": 1.0}, "momentum must be below 1"),
        ({"nesterov": True}, "nesterov needs a momentum"),
        ({"weight_decay": -1}, "weight_decay must be"),
        ({"schedule": "sawtooth"}, "schedule must name a schedule"),
        ({"schedule": "Cosine"}, r"schedule must name a schedule, .* Did you mean cosine"),
        ({"dropout": [0.1, 0.2]}, r"dropout must be .* or 0 numbers: one for each hidden layer"),
        ({"schedule": lambda progress: float("nan")}, "schedule must return finite factors"),
        ({"early_stopping": 2}, "early_stopping needs validation data"),
        ({"threads": 0}, "threads must be a whole number of at least 1"),
        ({"backend": "cuda"}, "backend must name a backend"),
        ({"split": (np.zeros((0, 4)), [])}, "split images must not be empty"),
        ({"split": (np.zeros((3, 5)), [0, 1, 2])}, "split images must have 4 values each"),
        ({"split": (np.zeros((3, 4)), [0, 9, 9])}, "split labels must lie in 0"),
        ({"split": (np.full((3, 4), np.nan), [0, 1, 2])}, "split images must be finite"),
        (
            {"validation": (np.zeros((3, 4)), [0, 1])},
            "validation labels must be one for each of 3 images; got 2",
        ),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
)
def test_bad_settings_are_named(change, message):
    arguments = SETTINGS | {"split": (np.zeros((3, 4)), [0, 1, 2]), "backend": "numpy"} | change
    with pytest.raises(ArgumentError, match=message):
        fastmlp.train(fastmlp.Network((4, 3)), **arguments)


def test_mnist_reaches_98_percent(mnist):
    network = fastmlp.Network((784, 128, 10))
    fastmlp.train(
        network, mnist.train, epochs=6, batch_size=32, learning_rate=0.5, schedule="linear"
    )
    assert network.accuracy(mnist.test.images, mnist.test.labels) >= 0.978


def test_a_run_of_very_many_tiny_epochs_does_not_overflow():
    images = np.full((4, 3), 9, np.uint8)
    settings = {"batch_size": 4, "learning_rate": 0.01, "epochs": 1200, "backend": "numpy"}
    history = fastmlp.train(fastmlp.Network((3, 2)), (images, [0, 1, 0, 1]), **settings)
    assert len(history) == 1200
