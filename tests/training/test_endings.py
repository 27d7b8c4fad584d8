"""What ends a run, and what it leaves; what callbacks may do; what a resumed run may change."""

import json

import numpy as np
import pytest

import fastmlp
from fastmlp.training import resuming
from fastmlp.training.schedules import Halving, schedule_named, step_rates

BACKENDS = pytest.mark.parametrize("backend", ["compiled", "numpy"])


class Broken(Exception):
    pass


def noise(count=64, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 6)).astype(np.float32), rng.integers(0, 3, count)


def run(network, callback=None, **settings):
    """Train on noise, so that the validation cost soon rises."""
    callbacks = [] if callback is None else [callback]
    given = {"epochs": 20, "batch_size": 8, "learning_rate": 1.0, "callbacks": callbacks}
    return fastmlp.train(network, noise(), **{**given, **settings})


def parameters(network):
    return [array.copy() for array in (*network.weights, *network.biases)]


def ends_at(epoch, ending):
    """Return a callback that ends the run after an epoch, and the history it saw."""
    seen = []

    def callback(progress):
        seen[:] = [progress.history]
        if progress.epoch == epoch and progress.epoch_ended:
            return ending()
        return None

    return callback, seen


def raising(error):
    def ending():
        raise error

    return ending


@BACKENDS
@pytest.mark.parametrize(
    ("ending", "error", "stopped"),
    [
        (lambda: True, None, "a callback asked for it"),
        (lambda: np.bool_(True), None, "a callback asked for it"),
        (raising(KeyboardInterrupt()), KeyboardInterrupt, "interrupted"),
        (raising(Broken()), Broken, "an exception in a callback: Broken"),
        (lambda: "stop", fastmlp.ArgumentError, "an exception in a callback: ArgumentError"),
        (lambda: 1, fastmlp.ArgumentError, "an exception in a callback: ArgumentError"),
    ],
)
def test_whatever_ends_a_run_leaves_the_best_parameters(backend, ending, error, stopped):
    callback, seen = ends_at(9, ending)
    network = fastmlp.Network((6, 32, 3))
    stopping = {"validation": noise(seed=2), "early_stopping": 15, "backend": backend}
    if error:
        with pytest.raises(error):
            run(network, callback, **stopping)
    else:
        run(network, callback, **stopping)
    history = seen[0]
    assert history.stopped == stopped
    best = int(np.argmin(history.validation_cost))
    assert best < 8
    assert history.restored_epoch == best + 1
    cost = network.evaluate(*noise(seed=2), backend).cost
    assert cost == pytest.approx(history.validation_cost[best], rel=1e-6)


@BACKENDS
def test_divergence_leaves_the_best_parameters_or_the_last_good_ones(backend):
    for stopping in ({}, {"validation": noise(seed=2), "early_stopping": 15}):
        kept, network = [], fastmlp.Network((6, 32, 3), "identity", "identity", "squared_error")

        def callback(progress, kept=kept, network=network):
            if progress.epoch_ended:
                kept.append(parameters(network))

        def schedule(progress):
            return 1e-3 if progress < 0.5 else 1e12

        with pytest.raises(fastmlp.DivergedError, match="last good parameters"):
            run(network, callback, schedule=schedule, backend=backend, **stopping)
        assert len(kept) == 10
        for array, good in zip(parameters(network), kept[-1], strict=True):
            assert np.isfinite(array).all()
            if not stopping:
                np.testing.assert_array_equal(array, good)


@BACKENDS
def test_a_validation_cost_that_is_not_finite_is_divergence(backend):
    images, targets = noise()[0], np.full((64, 4), 1.7e19, np.float32)
    network = fastmlp.Network((6, 4, 4), output="identity", cost="squared_error")
    small = images, np.zeros((64, 4), np.float32)
    with pytest.raises(fastmlp.DivergedError, match=r"validation cost.*targets reach 1.7e\+19"):
        fastmlp.train(
            network,
            small,
            epochs=2,
            batch_size=8,
            learning_rate=0.01,
            validation=(images, targets),
            backend=backend,
        )


def test_large_inputs_are_named_where_training_diverges():
    images, labels = noise()
    network = fastmlp.Network((6, 8, 3))
    with pytest.raises(fastmlp.DivergedError, match="split images reach 1e"):
        fastmlp.train(
            network,
            (images / np.abs(images).max() * 1e15, labels),
            epochs=9,
            batch_size=8,
            learning_rate=1e9,
        )


def test_json_has_no_nan():
    history = fastmlp.History(train_cost=[float("nan"), np.inf, 1.0], validation_cost=[None])
    found = json.loads(history.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert found["train_cost"] == [None, None, 1.0]


@BACKENDS
@pytest.mark.parametrize("batch_size", [1, 8, 16, 64])
def test_parameters_that_a_callback_writes_count_from_the_next_step_on(backend, batch_size):
    def clear(progress):
        for array in (*network.weights, *network.biases):
            array[...] = 0

    network = fastmlp.Network((6, 5, 3))
    run(network, clear, epochs=1, batch_size=batch_size, backend=backend)
    assert not any(array.any() for array in parameters(network))

    def replace(progress):
        if progress.epoch_ended and progress.epoch == 1:
            network.weights[0] = np.zeros((6, 5), np.float32)

    run(network, replace, epochs=2, batch_size=batch_size, learning_rate=0.0, backend=backend)
    assert not network.weights[0].any()


@BACKENDS
@pytest.mark.parametrize("written", [np.nan, np.inf])
def test_parameters_that_are_not_finite_are_refused_and_taken_back(backend, written):
    network = fastmlp.Network((6, 5, 3))

    def spoil(progress):
        network.weights[0][1, 1] = written

    with pytest.raises(fastmlp.ArgumentError, match="weights"):
        run(network, spoil, backend=backend)
    assert all(np.isfinite(array).all() for array in parameters(network))


@BACKENDS
def test_labels_that_a_callback_writes_have_no_effect(backend):
    results = []
    for writes in (False, True):
        (images, labels), network = noise(), fastmlp.Network((6, 5, 3))

        def callback(progress, labels=labels, writes=writes):
            labels[...] = 0 if writes else labels

        settings = {"epochs": 3, "batch_size": 8, "learning_rate": 0.1, "backend": backend}
        fastmlp.train(network, (images, labels), callbacks=[callback], **settings)
        results.append(parameters(network))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


class Falling:
    def __call__(self, progress):
        return 1 - progress


class Counting:
    def __init__(self):
        self.calls = 0

    def __call__(self, progress):
        self.calls += 1
        return 1.0


def same(one, other, name="schedule"):
    return resuming._comparable(name, one) == resuming._comparable(name, other)


def test_equal_settings_are_equal_and_others_are_not():
    assert same(np.int64(16), 16)
    assert same(np.float32(0.5), 0.5)
    assert same(lambda p: 1 - p, Falling())
    assert not same(lambda p: 1 - p, lambda p: 1 - p / 2)
    assert same(np.random.default_rng(3), np.random.default_rng(3))
    assert not same(np.random.default_rng(3), np.random.default_rng(4))


def test_a_resumed_run_takes_equal_settings_and_refuses_others(tmp_path):
    settings = {"validation": noise(seed=2), "checkpoint": tmp_path, "epochs": 2}
    run(fastmlp.Network((6, 5, 3)), schedule=lambda p: 1 - p, early_stopping=3, **settings)
    same = {"early_stopping": fastmlp.EarlyStopping(3), "batch_size": np.int64(8), "resume": True}
    run(fastmlp.Network((6, 5, 3)), schedule=Falling(), **same, **settings)
    with pytest.raises(fastmlp.ArgumentError, match="same schedule"):
        run(fastmlp.Network((6, 5, 3)), schedule=lambda p: 1.0, **same, **settings)


def test_a_schedule_that_cannot_be_compared_is_refused_at_the_start(tmp_path):
    for schedule in (Counting(), lambda p: np.random.default_rng().random(), lambda p: 1 / 0):
        with pytest.raises(fastmlp.ArgumentError, match=r"schedule must depend.*or no checkpoint"):
            run(fastmlp.Network((6, 5, 3)), schedule=schedule, checkpoint=tmp_path)


def test_one_step_in_all_has_the_rate_of_its_middle():
    for name in ("linear", "cosine", "one_cycle"):
        assert step_rates(schedule_named(name), 1.0, 0, 1, 1)[0] > 0.3
    network = fastmlp.Network((6, 5, 3))
    before = network.weights[0].copy()
    run(network, epochs=1, batch_size=64, schedule="linear")
    assert np.abs(network.weights[0] - before).max() > 1e-3


@BACKENDS
def test_halving_trains_from_a_rate_far_too_high(digits, backend):
    network = fastmlp.Network((784, 32, 10))
    history = fastmlp.train(
        network,
        digits.train,
        epochs=6,
        batch_size=32,
        learning_rate=8.0,
        schedule="halving",
        backend=backend,
    )
    assert history.learning_rate[0] < 8
    assert network.accuracy(digits.test.images, digits.test.labels) > 0.85


def test_halving_ends_the_same_after_a_resume(tmp_path):
    networks = [fastmlp.Network((6, 32, 3)) for _ in range(2)]
    run(networks[0], schedule="halving", learning_rate=4.0)
    callback, _ = ends_at(7, raising(KeyboardInterrupt()))
    settings = {"schedule": "halving", "learning_rate": 4.0, "checkpoint": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        run(networks[1], callback, **settings)
    run(networks[1], resume=True, **settings)
    for one, other in zip(*map(parameters, networks), strict=True):
        np.testing.assert_array_equal(one, other)
    assert Halving().factor == 1


def test_the_rate_that_is_found_trains(digits):
    network = fastmlp.Network((784, 32, 10))
    rate = fastmlp.find_learning_rate(network, digits.train)
    fastmlp.train(network, digits.train, epochs=6, batch_size=32, learning_rate=rate)
    assert network.accuracy(digits.test.images, digits.test.labels) > 0.85
