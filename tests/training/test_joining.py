"""Epochs that are trained in one call: the same as one by one, whatever ends the run."""

import signal

import numpy as np
import pytest

import fastmlp
from fastmlp.errors import DivergedError
from fastmlp.training import joining

EPOCHS = 8
RANDOM = np.random.default_rng(2).random(500)
# 500 samples, with a short minibatch at the end of each epoch, but for the last
SETTINGS = {
    "sgd": {},
    "adam, cosine": {"optimizer": "adam", "schedule": "cosine", "batch_size": 70},
    "weights": {"sample_weight": RANDOM, "batch_size": 300, "threads": 1},
    "dropout": {"dropout": 0.3, "input_dropout": 0.1},
    "clipped": {"clip_norm": 0.5, "optimizer": "momentum"},
    "two steps": {"batch_size": 300},
    "NumPy": {"backend": "numpy"},
    "whole minibatches": {"batch_size": 50},
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    table = rng.normal(size=(500, 10))
    images = np.where(rng.random((500, 64)) < 0.2, rng.integers(1, 256, (500, 64)), 0)
    return {"table": table, "images": images.astype(np.uint8), "y": (table[:, 0] > 0) * 1}


@pytest.fixture
def joined(monkeypatch):
    """The numbers of epochs that were trained in one call."""
    counts = []

    def counted(run, orders, rates):
        counts.append(len(orders))
        return train(run, orders, rates)

    train = joining.train_joined
    monkeypatch.setattr("fastmlp.training.epochs.train_joined", counted)
    monkeypatch.setattr(joining, "CHUNK_SECONDS", 100.0)  # on the slowest machine, too
    return counts


def trained(x, y, hidden, **settings):
    network = fastmlp.Network((x.shape[1], *hidden, 2))
    history = fastmlp.train(network, x, y, epochs=EPOCHS, verbose=False, **settings)
    return network, history


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(("kind", "hidden"), [("table", (32,)), ("images", (16, 16))])
def test_they_have_the_bits_of_single_epochs(data, joined, kind, hidden, name):
    x, y = data[kind], data["y"]
    network, history = trained(x, y, hidden, **SETTINGS[name])
    assert sum(joined) == EPOCHS
    single, expected = trained(x, y, hidden, callbacks=[lambda p: None], **SETTINGS[name])
    assert sum(joined) == EPOCHS
    for found, wanted in zip(network.weights, single.weights, strict=True):
        np.testing.assert_array_equal(found, wanted)
    for values in ("train_cost", "train_accuracy", "learning_rate", "stopped"):
        assert getattr(history, values) == getattr(expected, values)
    assert len(history.members) == len(history.epoch_seconds) == EPOCHS


BETWEEN = {
    "a callback": {"callbacks": [lambda p: None]},
    "validation": {"validation": 0.1},
    "a target": {"target": 1.0},
    "an average": {"average": "ema"},
    "a schedule that watches": {"schedule": "plateau"},
    "a line for each epoch": {"verbose": True},
}


@pytest.mark.parametrize("name", BETWEEN)
def test_they_are_single_where_something_happens_between_them(data, joined, name):
    network = fastmlp.Network(10, 32, 2)
    fastmlp.train(network, data["table"], data["y"], epochs=3, **{"verbose": False} | BETWEEN[name])
    assert not joined


def test_a_divergence_keeps_the_last_good_epoch(data, joined):
    rates = [0.1, 0.1, 0.1, 1e30, 0.1]  # of the five epochs
    messages, ends = [], []
    for callbacks in ((), [lambda p: None]):
        network = fastmlp.Network(10, 32, 2)
        with pytest.raises(DivergedError) as error:
            fastmlp.train(
                network,
                (data["table"], data["y"]),
                epochs=5,
                learning_rate=1.0,
                schedule=lambda progress: rates[min(4, int(5 * progress))],
                callbacks=callbacks,
            )
        messages.append(str(error.value))
        ends.append(network.weights[0])
    assert joined == [5]
    assert messages[0] == messages[1]
    np.testing.assert_array_equal(*ends)


def test_an_interrupt_waits_until_history_and_parameters_agree(data, joined, monkeypatch):
    train, runs = joining.train_joined, []

    def interrupted(run, orders, rates):
        team, record = run.engine.team, run.engine.team.record

        def then(*chunk):  # behind the first steps of the call
            team.record = record
            record(*chunk)
            signal.raise_signal(signal.SIGINT)

        team.record = then
        runs.append(run)
        return train(run, orders, rates)

    monkeypatch.setattr("fastmlp.training.epochs.train_joined", interrupted)
    network = fastmlp.Network(10, 32, 2)
    with pytest.raises(KeyboardInterrupt):
        fastmlp.train(network, data["table"], data["y"], epochs=EPOCHS, verbose=False)
    single, expected = trained(data["table"], data["y"], (32,), callbacks=[lambda p: None])
    np.testing.assert_array_equal(network.weights[0], single.weights[0])
    assert runs[0].history.train_cost == expected.train_cost
    assert runs[0].history.stopped == "interrupted"
