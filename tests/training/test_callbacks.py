"""A callback, by its result and its changes to the network, has the documented effects."""

import signal
from itertools import pairwise

import numpy as np
import pytest

import fastmlp
from fastmlp.errors import ArgumentError
from fastmlp.training import callbacks

SETTINGS = {"epochs": 3, "learning_rate": 0.3, "momentum": 0.5}
BATCH_SIZES = (1, 7, 8, 16, 32, 40)


@pytest.fixture(params=["numpy", "compiled"])
def backend(request):
    return request.param


def made():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 6)), rng.integers(0, 3, 40)


def new():
    return fastmlp.Network((6, 40, 3), dtype="float64")


def arrays(network):
    return [array.copy() for array in (*network.weights, *network.biases)]


def trained(network, backend, callbacks=(), data=None, **changes):
    settings = {"batch_size": 8, **SETTINGS, "backend": backend, **changes}
    return fastmlp.train(network, data or made(), callbacks=callbacks, **settings)


@pytest.mark.parametrize("answer", [True, np.bool_(True), np.float64(1) > 0])
def test_true_ends_the_run(backend, answer):
    history = trained(new(), backend, [lambda p: None, lambda p: p.epoch_ended and answer])
    assert (len(history), history.stopped) == (1, "a callback asked for it")


@pytest.mark.parametrize("answer", [None, False, np.bool_(False), 0])
def test_none_and_false_go_on(backend, answer):
    assert len(trained(new(), backend, [lambda p: answer])) == 3


@pytest.mark.parametrize(
    "answer", [1, "stop", "", 2.0, np.int64(1), np.array([True]), [], ..., np.float64(0)]
)
def test_anything_else_is_refused(answer):
    with pytest.raises(ArgumentError, match=r"callbacks must return True to end the run.*; got"):
        trained(new(), "numpy", [lambda p: answer])


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
def test_what_is_written_to_parameters_counts_from_the_next_step(backend, batch_size):
    """An epoch after a write is the same as one that begins with what was written."""
    start = fastmlp.Network((6, 40, 3), dtype="float64", seed=5)

    def write(progress):
        if progress.epoch_ended and progress.epoch == 1:
            network.weights[0][...] = start.weights[0]
            network.weights[1] = np.asfortranarray(start.weights[1])
            network.biases[0][...] = 0
            network.biases[1] = start.biases[1].copy()

    network, generator = new(), np.random.default_rng(3)
    trained(network, backend, [write], batch_size=batch_size, epochs=2, momentum=0, seed=generator)
    generator = np.random.default_rng(3)
    generator.permutation(40)
    trained(start, backend, batch_size=batch_size, epochs=1, momentum=0, seed=generator)
    for got, wanted in zip(arrays(network), arrays(start), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_arrays_hold_the_parameters_of_the_step_in_the_middle_of_an_epoch(backend):
    """Pinning a bias after each call holds it: it moves by at most the steps between two calls."""
    moved, steps = [], []

    def watch(progress):
        steps.append((progress.epoch, progress.step))
        moved.append(arrays(network))

    network = new()
    trained(network, backend, [watch], batch_size=1, epochs=1)
    assert steps[0] == (1, 1)
    assert len(steps) > 1
    assert all(not np.array_equal(one[0], two[0]) for one, two in pairwise(moved))
    for got, wanted in zip(arrays(network), moved[-1], strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_write_in_the_middle_of_an_epoch_counts(backend):
    def write(progress):
        if progress.step == 1 and not progress.epoch_ended:
            for array in (*network.weights, *network.biases):
                array[...] = 0

    network = new()
    trained(network, backend, [write], batch_size=1, epochs=1, momentum=0)
    # with weights of 0 only the last layer's biases ever move
    assert not network.weights[0].any()
    assert not network.weights[1].any()
    assert network.biases[1].any()


def test_the_last_write_stays_and_is_in_the_checkpoint(backend, tmp_path):
    def write(progress):
        if progress.epoch_ended:
            network.biases[0][...] += 1

    whole = network = new()
    trained(network, backend, [write])
    network = new()

    def stop(progress):
        if progress.epoch_ended and progress.epoch == 2:
            raise KeyboardInterrupt

    halfway = [write, lambda p: None]
    trained(
        network, backend, [*halfway, lambda p: p.epoch == 2 and p.epoch_ended], checkpoint=tmp_path
    )
    network = new()
    trained(network, backend, [write], checkpoint=tmp_path, resume=True)
    for got, wanted in zip(arrays(network), arrays(whole), strict=True):
        np.testing.assert_array_equal(got, wanted)


def bad(change):
    def write(network):
        if change == "shape":
            network.weights[0] = np.zeros((2, 2))
        elif change == "dtype":
            network.biases[0] = np.zeros(40, np.float32)
        elif change == "nan":
            network.weights[1][1, 1] = np.nan
        elif change == "infinite":
            network.biases[1][0] = -np.inf
        else:
            network.weights[0] = np.broadcast_to(0.0, (6, 40))

    return write


@pytest.mark.parametrize("change", ["shape", "dtype", "nan", "infinite", "read-only"])
def test_parameters_that_break_the_rules_are_refused_and_undone(backend, change):
    seen = []

    def write(progress):
        if progress.epoch_ended and progress.epoch == 2:
            seen.extend(arrays(network))
            bad(change)(network)

    network = new()
    with pytest.raises(ArgumentError, match=r"^(weights|biases)"):
        trained(network, backend, [write])
    for got, wanted in zip(arrays(network), seen, strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("kind", ["int64", "uint8", "targets", "targets32", "one"])
def test_labels_changed_later_have_no_effect(backend, batch_size, kind):
    images, labels = made()
    sizes, output, cost = (6, 40, 3), "softmax", "cross_entropy"
    if kind in ("int64", "uint8"):
        labels = labels.astype(kind)
    elif kind == "one":
        sizes, output, labels = (6, 40, 1), "sigmoid", (labels > 1).astype(np.float64)[:, None]
    else:
        labels = np.eye(3, dtype=np.float64 if kind == "targets" else np.float32)[labels]
    runs = []
    for change in (False, True):
        y = labels.copy()

        def write(progress, y=y, change=change):
            if change:
                y[...] = 0

        network = fastmlp.Network(sizes, output=output, cost=cost, dtype="float64")
        trained(network, backend, [write], data=(images, y), batch_size=batch_size)
        runs.append(arrays(network))
    for got, wanted in zip(*runs, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_ctrl_c_right_after_a_line_was_written_does_not_write_it_twice(tmp_path, monkeypatch):
    append, written = callbacks.append_whole, []

    def interrupted(path, line):
        append(path, line)
        written.append(line)
        if len(written) == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(callbacks, "append_whole", interrupted)
    x = np.random.default_rng(0).normal(size=(50, 3))
    log = callbacks.CSVLog(tmp_path / "log.csv")
    with pytest.raises(KeyboardInterrupt):
        fastmlp.train(fastmlp.Network((3, 4, 2)), x, x[:, 0] > 0, epochs=5, callbacks=log)
    assert len(written) == len(set(written)) == 2
