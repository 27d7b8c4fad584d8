"""A run that ends in its first epoch, or among the callbacks of an epoch's end, loses nothing."""

from contextlib import suppress

import numpy as np
import pytest

import fastmlp
from fastmlp.errors import TrainingWarning
from fastmlp.training.checkpoint import list_paths

RNG = np.random.default_rng(0)
X, Y = 100 + 50 * RNG.normal(size=(400, 6)), RNG.integers(0, 3, 400)
SETTINGS = {"epochs": 3, "batch_size": 8, "backend": "numpy", "momentum": 0.9}


class Hook:
    """A callback with one hook."""

    def __init__(self, hook, do):
        setattr(self, hook, do)


def fails(progress):
    raise KeyboardInterrupt


def parameters(network):
    return [array.tobytes() for array in (*network.weights, *network.biases)]


UNTRAINED = {
    "stopped": {"callbacks": Hook("on_train_begin", lambda progress: True)},
    "failed": {"callbacks": Hook("on_train_begin", fails)},
    "before a step": {"callbacks": Hook("on_epoch_begin", fails)},
    "diverged": {"learning_rate": 1e300},
    "no rate": {"schedule": "halving", "learning_rate": 1e-30},
}


@pytest.mark.filterwarnings("ignore::fastmlp.errors.TrainingWarning")
@pytest.mark.parametrize("end", UNTRAINED)
def test_a_network_that_is_as_it_began_knows_only_what_it_knew(tmp_path, end):
    network = fastmlp.Network(6, 8, 3)
    wanted = parameters(network)
    with suppress(KeyboardInterrupt, fastmlp.DivergedError):
        fastmlp.train(network, X, Y, checkpoint=tmp_path, **SETTINGS | UNTRAINED[end])
    assert (network.scaling, parameters(network)) == (None, wanted)
    assert list_paths(tmp_path) == []


@pytest.mark.parametrize("how", [{"callbacks": lambda progress: True}, {"epochs": 0}])
def test_one_that_took_steps_or_was_to_take_none_knows_how_its_inputs_are_scaled(how):
    network = fastmlp.Network(6, 8, 3)
    fastmlp.train(network, X, Y, **SETTINGS | how)
    assert network.scaling.kind == "standardize"


def test_one_whose_parameters_a_callback_has_set_knows_how_its_inputs_are_scaled():
    network = fastmlp.Network(6, 8, 3)

    def double(progress):
        network.weights[0][:] *= 2
        return True

    fastmlp.train(network, X, Y, callbacks=Hook("on_train_begin", double), **SETTINGS)
    assert network.scaling.kind == "standardize"


def test_where_no_rate_lowers_the_cost_a_warning_says_so():
    network = fastmlp.Network(6, 8, 3)
    with pytest.warns(TrainingWarning, match=r"not learnt: no learning rate from 1e-30 .* higher"):
        fastmlp.train(network, X, Y, schedule="halving", learning_rate=1e-30, **SETTINGS)


@pytest.mark.parametrize("schedule", ["constant", "halving"])
def test_a_run_that_ended_in_its_first_epoch_is_resumed_from_the_start(tmp_path, schedule):
    def trained(network, **changes):
        history = fastmlp.train(network, X, Y, schedule=schedule, **SETTINGS | changes)
        return parameters(network), history.train_cost

    wanted = trained(fastmlp.Network(6, 8, 3))
    network = fastmlp.Network(6, 8, 3)
    begun = parameters(network)
    with pytest.raises(KeyboardInterrupt):
        trained(network, callbacks=fails, checkpoint=tmp_path)
    assert parameters(network) != begun
    assert trained(network, checkpoint=tmp_path, resume=True) == wanted


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_callbacks_wrote_before_another_failed_is_resumed(tmp_path, every, error):
    """What the one that fails wrote is undone, as it may be half of what it was to write."""

    def trained(fail=False, **changes):
        network = fastmlp.Network(6, 8, 3)

        def halve(progress):
            for array in network.weights:
                array *= 0.5

        def swap(progress):
            if fail and progress.epoch == 2:
                network.weights[0][...] = 0
                raise error

        hooks = [Hook("on_epoch_end", halve), Hook("on_epoch_end", swap)]
        fastmlp.train(network, X, Y, callbacks=hooks, **SETTINGS | changes)
        return parameters(network)

    wanted, saved = trained(), {"checkpoint": tmp_path, "every": every}
    with pytest.raises(error):
        trained(fail=True, **saved)
    assert trained(resume=True, **saved) == wanted
