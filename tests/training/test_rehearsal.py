"""A rehearsal tries what a run needs, changes nothing, and says how long the run takes."""

import numpy as np
import pytest

import fastmlp
from fastmlp.errors import ArgumentError, DivergedError, UnwritableError

RNG = np.random.default_rng(0)
X, Y = RNG.random((3000, 8), np.float32), RNG.integers(0, 3, 3000)


def rehearsed(**settings):
    network = fastmlp.Network(8, 6, 3)
    before = [a.tobytes() for a in network.weights]
    found = fastmlp.rehearse(network, X, Y, **{"backend": "numpy", "seconds": 0.2, **settings})
    assert [a.tobytes() for a in network.weights] == before
    return found


def test_it_says_how_long_a_run_takes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    called = []
    settings = {"epochs": 10**6, "validation": 0.2, "batch_size": 8, "checkpoint": "states"}
    found = rehearsed(**settings, callbacks=called.append, verbose=True)
    assert found.steps > 10
    assert 0 < found.epoch_seconds < 5
    assert found.validation_seconds > 0
    assert found.total_seconds == 10**6 * (found.epoch_seconds + found.validation_seconds)
    assert (called, [*tmp_path.iterdir()], capsys.readouterr().out) == ([], [], "")
    # the speed of the rehearsed steps is that of a run
    network = fastmlp.Network(8, 6, 3)
    history = fastmlp.train(network, X, Y, epochs=3, batch_size=8, backend="numpy", validation=0.2)
    assert 0.2 < found.epoch_seconds / min(history.epoch_seconds) < 5


def test_a_short_run_is_rehearsed_to_its_end():
    found = rehearsed(epochs=1, batch_size=1000, seconds=60)
    assert found.steps == 3
    two, settings = fastmlp.Network(8, 6, 3), {"batch_size": 1000, "backend": "numpy"}
    costs = fastmlp.train(two, X, Y, epochs=2, **settings).train_cost
    assert rehearsed(epochs=2, batch_size=1000, seconds=60).cost == pytest.approx(np.mean(costs))
    assert found.validation_seconds == 0


def test_what_a_run_would_refuse_is_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for settings, error in (
        ({"lr": 1}, ArgumentError),
        ({"momentum": 2}, ArgumentError),
        ({"callbacks": [3]}, ArgumentError),
        ({"epochs": 0}, ArgumentError),
        ({"learning_rate": 1e37}, DivergedError),
        ({"checkpoint": file / "states"}, UnwritableError),
        ({"max_seconds": -1}, ArgumentError),
        ({"verbose": "x"}, ArgumentError),
        ({"resume": True}, ArgumentError),
        ({"every": 0, "checkpoint": tmp_path / "new"}, ArgumentError),
        ({"callbacks": fastmlp.EarlyStopping(2)}, ArgumentError),
        ({"checkpoint": tmp_path / "used"}, ArgumentError),
    ):
        if settings.get("checkpoint") == tmp_path / "used":
            network = fastmlp.Network(8, 6, 3)
            fastmlp.train(network, X, Y, epochs=1, backend="numpy", **settings)
        with pytest.raises(error):
            rehearsed(**settings)


def test_what_a_run_would_take_is_taken():
    rehearsed(callbacks=fastmlp.EarlyStopping(2), validation=0.1)


def test_a_run_that_resumes_is_compared_with_its_checkpoints(tmp_path):
    settings = {"checkpoint": tmp_path, "epochs": 2, "seed": np.random.default_rng(1)}
    fastmlp.train(fastmlp.Network(8, 6, 3), X, Y, backend="numpy", **settings)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    settings |= {"seed": np.random.default_rng(1), "resume": True}
    assert rehearsed(**settings).steps > 1
    with pytest.raises(ArgumentError, match="resume needs the same batch_size as before"):
        rehearsed(**settings, batch_size=8)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert rehearsed(**settings | {"checkpoint": tmp_path / "new"}).steps > 1


def test_a_time_limit_is_at_least_an_epoch():
    found = rehearsed(epochs=1000, max_seconds=0, batch_size=8)
    assert found.total_seconds == found.epoch_seconds


def test_a_generator_stays_as_it_is():
    generator = np.random.default_rng(3)
    before = generator.bit_generator.state
    rehearsed(seed=generator, validation=0.2, dropout=0.1)
    assert generator.bit_generator.state == before


def test_a_rehearsal_in_which_no_rate_lowers_the_cost_says_so():
    network = fastmlp.Network(3, 1, output="identity", cost="squared_error")
    nothing = np.zeros((5, 3)), np.zeros(5)
    with pytest.raises(DivergedError, match=r"no learning rate from .* lowers the cost of 0\."):
        fastmlp.rehearse(network, *nothing, schedule="halving", backend="numpy")
