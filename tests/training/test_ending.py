"""The state after a run does not depend on its end: with early stopping, the best parameters."""

import json
import re
import signal

import numpy as np
import pytest
from click.testing import CliRunner

import fastmlp
from fastmlp.cli import main
from fastmlp.errors import ArgumentError, CheckpointError, DivergedError
from fastmlp.system import files, interrupts
from fastmlp.training import EarlyStopping, checkpoint, parameters
from fastmlp.training.validation import hold_out

SETTINGS = {"epochs": 12, "batch_size": 8, "learning_rate": 0.5}


@pytest.fixture(params=["numpy", "compiled"])
def backend(request):
    return request.param


def made(seed=0, count=64):
    """Inputs with labels drawn apart from them: what is learnt of them helps with no others."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 6)).astype(np.float32), rng.integers(0, 3, count)


def arrays(network):
    return [array.copy() for array in (*network.weights, *network.biases)]


def same(network, wanted):
    return all(map(np.array_equal, arrays(network), wanted))


class Planted(Exception):
    """Raised by a callback."""


def run(end, backend, epoch=9, **changes):
    """Train until `end` is called after an epoch; return network, history, arrays after each."""
    network, after, seen = fastmlp.Network((6, 40, 3)), [], []

    def watch(progress):
        seen[:] = [progress.history]
        if not progress.epoch_ended:  # on a busy machine, an epoch is several calls
            return None
        after.append(arrays(network))
        return end(network) if progress.epoch == epoch else None

    settings = {**SETTINGS, "validation": made(1), "backend": backend, **changes}
    error = None
    try:
        fastmlp.train(network, made(), callbacks=[watch], **settings)
    except BaseException as why:
        error = why
    return network, seen[0], after, error


def raises(error):
    def end(network):
        raise error

    return end


def signals(number):
    return lambda network: signal.raise_signal(number)


def breaks(network):
    network.weights[0][...] = 3e38


STOPPING = EarlyStopping(20)
ENDS = {
    "a callback asked for it": (lambda network: True, None, {}),
    "interrupted": (raises(KeyboardInterrupt()), KeyboardInterrupt, {}),
    "terminated": (signals(signal.SIGTERM), interrupts.Terminated, {}),
    "an exception in a callback: Planted": (raises(Planted()), Planted, {}),
    "an exception in a callback: SystemExit": (raises(SystemExit(3)), SystemExit, {}),
    "an exception in a callback: ArgumentError": (lambda network: "stop", ArgumentError, {}),
    "diverged in epoch 10": (breaks, DivergedError, {}),
    "all 12 epochs done": (lambda network: None, None, {}),
    "target accuracy 0 reached": (lambda network: None, None, {"target_accuracy": 0}),
}


@pytest.mark.parametrize("reason", ENDS)
def test_the_best_parameters_come_back_whatever_ends_the_run(backend, reason):
    end, expected, changes = ENDS[reason]
    with interrupts.raise_terminated():
        network, history, after, error = run(end, backend, early_stopping=STOPPING, **changes)
    assert type(error) is (expected or type(None))
    assert history.stopped == reason
    best = int(np.argmin(history.validation_cost))
    assert history.restored_epoch == best + 1
    assert best < 8
    assert same(network, after[best])
    if expected is DivergedError:
        assert f"has the parameters of epoch {best + 1}, the best" in str(error)


def test_patience_leaves_the_best_too_and_says_so(backend):
    network, history, after, _ = run(lambda network: None, backend, early_stopping=2)
    best = int(np.argmin(history.validation_cost))
    assert (history.restored_epoch, len(history)) == (best + 1, best + 3)
    assert history.stopped == f"validation cost has not fallen since epoch {best + 1}"
    assert same(network, after[best])


def test_the_network_that_reached_the_target_stays(backend):
    _, history, *_ = run(lambda network: None, backend, validation=made(7))
    reached = int(np.argmax(history.validation_accuracy))
    assert np.argmin(history.validation_cost[: reached + 1]) < reached
    own = {"early_stopping": STOPPING, "validation": made(7)}
    own["target"] = history.validation_accuracy[reached]
    network, history, after, _ = run(lambda network: None, backend, **own)
    assert history.stopped.startswith("target accuracy ")
    assert history.restored_epoch == len(history) == reached + 1
    assert same(network, after[reached])


@pytest.mark.parametrize("stopping", [None, EarlyStopping(20, restore_best=False)])
def test_without_restoring_the_parameters_are_those_of_the_last_step(backend, stopping):
    for reason, (end, _, _) in ENDS.items():
        if "callback" in reason or reason == "interrupted":
            network, history, after, _ = run(end, backend, early_stopping=stopping)
            assert (history.stopped, history.restored_epoch) == (reason, None)
            assert same(network, after[8])


def test_after_a_divergence_they_are_those_of_the_last_good_epoch(backend):
    def grows(progress):
        seen[:] = [progress.history]
        if progress.epoch_ended:
            after.append(arrays(network))

    network, after, seen = (
        fastmlp.Network((6, 20, 3), "identity", "identity", "squared_error"),
        [],
        [],
    )
    with pytest.raises(DivergedError, match=r"at learning rate 1e\+30\. .* epoch 3, the last good"):
        fastmlp.train(
            network,
            made(),
            schedule=lambda progress: 1e31 if progress > 0.25 else 1,
            callbacks=[grows],
            backend=backend,
            **SETTINGS | {"learning_rate": 0.1, "batch_size": 16},
        )
    assert seen[0].stopped == "diverged in epoch 4"
    assert len(seen[0]) == 3
    assert same(network, after[2])


def test_a_network_that_never_got_through_an_epoch_is_as_it_began(backend):
    network = fastmlp.Network((6, 20, 3), output="identity", cost="squared_error")
    wanted = arrays(network)
    with pytest.raises(DivergedError, match=r"epoch 1: .* has its initial parameters"):
        fastmlp.train(
            network,
            made(),
            validation=made(1),
            early_stopping=3,
            backend=backend,
            callbacks=[lambda progress: None],
            **SETTINGS | {"learning_rate": 1e4},
        )
    assert same(network, wanted)


def test_a_second_interrupt_while_the_best_come_back_waits(monkeypatch):
    copyto, sent = np.copyto, []

    def interrupted(target, source):
        copyto(target, source)
        if not sent and armed:
            sent.append(signal.raise_signal(signal.SIGINT))

    armed = []
    monkeypatch.setattr(parameters.np, "copyto", interrupted)

    def end(network):
        armed.append(True)
        raise KeyboardInterrupt

    network, history, after, error = run(end, "numpy", early_stopping=STOPPING)
    assert sent
    assert isinstance(error, KeyboardInterrupt)
    assert same(network, after[history.restored_epoch - 1])


def test_a_checkpoint_that_cannot_be_written_ends_the_run_the_same_way(tmp_path, monkeypatch):
    def full(path, data):
        if path.name == "checkpoint-000009.safetensors":
            raise OSError(28, "No space left on device")
        files.write_whole(path, data)

    monkeypatch.setattr(checkpoint, "write_whole", full)
    network, history, after, error = run(
        lambda network: None, "numpy", early_stopping=STOPPING, checkpoint=tmp_path
    )
    assert isinstance(error, CheckpointError)
    assert history.stopped == "an exception: CheckpointError"
    assert same(network, after[history.restored_epoch - 1])


def test_a_validation_cost_that_is_infinite_is_a_divergence(backend):
    images, labels = made(1)
    images[5] = 1.8e19
    network = fastmlp.Network((6, 20, 3), output="identity", cost="squared_error")
    wanted = arrays(network)
    match = r"the validation cost became NaN or infinite .* The validation images reach 1.8e\+19"
    with pytest.raises(DivergedError, match=match):
        fastmlp.train(
            network,
            made(),
            validation=(images, labels),
            backend=backend,
            scaling="none",
            **SETTINGS | {"learning_rate": 1e-3},
        )
    assert same(network, wanted)


@pytest.mark.parametrize("schedule", ["linear", "halving"])
@pytest.mark.parametrize(
    ("data", "match"),
    [
        ((np.full((9, 6), 1e19, np.float32), np.arange(9) % 3), "The split images reach 1e\\+19"),
        ((np.ones((9, 6)), np.full((9, 3), 1.8e19)), "The split targets reach 1.8e\\+19"),
    ],
)
def test_inputs_that_are_too_large_are_named(backend, data, match, schedule):
    network = fastmlp.Network((6, 20, 3), output="identity", cost="squared_error")
    try:
        how = SETTINGS | {"schedule": schedule, "backend": backend, "scaling": "none"}
        history = fastmlp.train(network, data, **how)
    except DivergedError as error:
        assert re.search(match, str(error))  # noqa: PT017
        return
    # NumPy sums costs in double precision, and "halving" finds a rate that is low enough
    assert (backend, schedule) == ("numpy", "halving")
    assert np.isfinite(history.train_cost).all()


def test_json_is_valid_whatever_the_numbers():
    history = fastmlp.History(train_cost=[np.float32(1.5), np.nan], validation_cost=[np.inf, None])
    history.threads = np.int64(2)

    def refuse(constant):
        raise AssertionError(constant)

    found = json.loads(history.to_json(), parse_constant=refuse)
    assert found["train_cost"] == [1.5, None]
    assert found["validation_cost"] == [None, None]
    assert found["threads"] == 2
    state = checkpoint.State(1, {}, {"lowest": np.inf})
    facts = checkpoint.to_bytes(state)
    assert b"Infinity" not in facts


@pytest.mark.parametrize("extra", [[], ["--early-stopping", "20"]])
def test_the_command_saves_what_was_good_before_a_divergence(tmp_path, monkeypatch, digits, extra):
    monkeypatch.chdir(tmp_path)
    train, test = digits.train, digits.test
    data = {"x_train": train.images[:600], "y_train": train.labels[:600]}
    np.savez("data.npz", **data, x_test=test.images, y_test=test.labels)
    options = "train --backend numpy --dataset data.npz --output identity --cost squared_error"
    options += " --schedule one_cycle --learning-rate 6 --epochs 20 --validation 0.2 --json"
    done = CliRunner().invoke(main, [*options.split(), *extra])
    assert done.exit_code == 1
    history = json.loads(done.stdout)["history"]
    good = len(history["train_cost"])
    assert 0 < good < 20
    assert history["stopped"] == f"diverged in epoch {good + 1}"
    held = int(np.argmin(history["validation_cost"])) + 1 if extra else good
    assert history["restored_epoch"] == (held if extra else None)
    assert f"Error: training diverged in epoch {good + 1}" in done.stderr
    assert f"has the parameters of epoch {held}" in done.stderr
    assert "model saved to data.safetensors" in done.stderr
    _, rows = hold_out(train.labels[:600], 0.2, 0)
    judged = fastmlp.Network.load("data.safetensors").evaluate(
        train.images[:600][rows], train.labels[:600][rows], "numpy"
    )
    assert judged.cost == pytest.approx(history["validation_cost"][held - 1])
