"""A resumed run: equal settings compare equal; what cannot be compared is refused at once."""

import functools
import itertools
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.errors import ArgumentError
from fastmlp.training import EarlyStopping, checkpoint, schedules

SETTINGS = {"epochs": 4, "batch_size": 16, "learning_rate": 0.5, "backend": "numpy"}


def made(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(64, 5)).astype(np.float32), rng.integers(0, 3, 64)


def trained(folder, until=None, **changes):
    network = fastmlp.Network((5, 6, 3))
    settings = {**SETTINGS, "validation": made(1), "checkpoint": folder} | changes
    end = [lambda progress: progress.epoch_ended and progress.epoch == until]
    history = fastmlp.train(network, made(), callbacks=end, **settings)
    return [a.tobytes() for a in (*network.weights, *network.biases)], history


def goes_on(folder, first, second):
    """Return whether a run with the second settings goes on with one of the first, to its end."""
    wanted, _ = trained(None, **first)
    trained(folder, 2, **first)
    refused = None
    try:
        got, history = trained(folder, resume=True, **second)
    except ArgumentError as error:
        refused = str(error)
    if refused is not None:
        assert "resume needs the same" in refused
        return False
    assert (got, history.resumed_epoch) == (wanted, 2)
    return True


class Name(str):
    """A subclass of str."""


class Falling:
    """A schedule that is an object."""

    def __init__(self, to):
        self.to = to

    def __call__(self, progress):
        return 1 - (1 - self.to) * progress

    def method(self, progress):
        return self(progress)


class Slots:
    """One without a dictionary."""

    __slots__ = ("to",)

    def __init__(self, to):
        self.to = to

    def __call__(self, progress):
        return 1 - (1 - self.to) * progress


def falling(progress, to=0.5):
    return 1 - (1 - to) * progress


EQUAL = {
    "batch_size": [16, np.int64(16), np.uint8(16)],
    "epochs": [4, np.int32(4)],
    "learning_rate": [0.5, np.float32(0.5), np.float64(0.5)],
    "momentum": [0, 0.0, np.float32(0)],
    "nesterov": [False, np.bool_(False)],
    "weight_decay": [None, 0, 0.0, np.float32(0)],
    "optimizer_settings": [None, {}, {"weight_decay": 0}],
    "rate_factors": [None, (1, 1), np.ones(2)],
    "target_accuracy": [1, 1.0, np.float32(1)],
    "early_stopping": [3, np.int64(3), EarlyStopping(3), EarlyStopping(np.int64(3))],
    "seed": [7, np.int64(7), np.uint8(7)],
    "backend": ["numpy", Name("numpy"), np.str_("numpy")],
    "schedule": ["cosine", Name("cosine"), schedules.cosine],
}


@pytest.mark.parametrize("name", EQUAL)
def test_equal_settings_go_on(tmp_path, name):
    first, *others = EQUAL[name]
    for number, other in enumerate(others):
        assert goes_on(tmp_path / f"{number}", {name: first}, {name: other}), other
        assert goes_on(tmp_path / f"{number}-back", {name: other}, {name: first}), other


DATA = r"data as before, with the same held-out part, weights and scaling; got others\. Pass those"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sample_weight": np.arange(64)}, DATA),
        ({"class_weight": {1: 2}}, DATA),
        ({"scaling": "standardize"}, DATA),
        ({"seed": 4}, r"seed as before, 0 in .*; got 4\. Pass the earlier value"),
        ({"validation": 0.3}, DATA),
        ({"validation": made(4)}, r"validation data as before; got others\. Pass those"),
    ],
)
def test_other_data_are_refused_by_their_arguments(tmp_path, change, said):
    is_given = isinstance(change.get("validation"), tuple)
    first = {"epochs": 1, "validation": made(5) if is_given else 0.2}
    trained(tmp_path, **first)
    with pytest.raises(ArgumentError, match=f"resume needs the same {said}"):
        trained(tmp_path, resume=True, **first | change)


SCHEDULES = [
    lambda progress: 1 - 0.5 * progress,
    Falling(0.5),
    Falling(0.5).method,
    Slots(0.5),
    falling,
    functools.partial(falling, to=0.5),
]
OTHERS = [
    lambda progress: 1 - 0.6 * progress,
    Falling(0.4),
    Slots(0.4),
    functools.partial(falling, to=0.4),
    "linear",
    schedules.Halving(),
]


@pytest.mark.parametrize("number", range(len(SCHEDULES)))
def test_a_callable_is_what_its_values_are(tmp_path, number):
    first, equal = {"schedule": SCHEDULES[number]}, {"schedule": SCHEDULES[number - 1]}
    assert goes_on(tmp_path / "same", first, equal)
    other = {"schedule": OTHERS[number]}
    assert not goes_on(tmp_path / "other", first, other)


def test_a_difference_of_one_step_is_seen(tmp_path):
    def one(progress):
        return 1.0

    def two(progress):
        return 0.9 if 0.70 < progress < 0.75 else 1.0  # of 16 steps the twelfth alone

    assert not goes_on(tmp_path, {"schedule": one}, {"schedule": two})


def counting():
    calls = itertools.count()
    return lambda progress: 1 / (1 + next(calls))


def drifting():
    state = {"calls": 0}

    def schedule(progress):
        state["calls"] += 1
        return 1.0 if state["calls"] < 10_000 else 0.5

    return schedule


class Remembers:
    """A schedule that changes when it is called."""

    calls = 0

    def __call__(self, progress):
        self.calls += 1
        return 1.0


class Uncopyable(Falling):
    """One that cannot be copied."""

    def __deepcopy__(self, memo):
        raise TypeError("no copies of this")


def random():
    rng = np.random.default_rng(0)
    return lambda progress: rng.random()


@pytest.mark.parametrize(
    "schedule", [counting(), drifting(), Remembers(), Uncopyable(0.5), random()]
)
def test_what_cannot_be_compared_is_refused_at_the_start(tmp_path, schedule):
    folder = tmp_path / "run"
    match = (
        r"schedule must be a function of progress alone where checkpoint= .*leave out checkpoint"
    )
    with pytest.raises(ArgumentError, match=match):
        trained(folder, schedule=schedule)
    assert not folder.exists()
    assert len(trained(None, schedule=schedule)[1]) == 4


def test_looking_at_an_objects_values_does_not_change_it(tmp_path):
    schedule = Remembers()
    with pytest.raises(ArgumentError):
        trained(tmp_path, schedule=schedule)
    assert schedule.calls == 0


def test_halving_passed_as_an_object_stays_as_it_is(tmp_path):
    schedule = schedules.Halving()
    assert goes_on(tmp_path, {"schedule": "halving"}, {"schedule": schedule})
    assert vars(schedule) == vars(schedules.Halving())


@pytest.mark.parametrize("make", [np.random.PCG64, np.random.MT19937, np.random.Philox])
def test_a_generator_is_compared_by_its_state_at_the_start(tmp_path, make):
    trained(tmp_path, 2, seed=np.random.Generator(make(3)))
    with pytest.raises(ArgumentError, match="the same seed"):
        trained(tmp_path, seed=np.random.Generator(make(4)), resume=True)
    got, history = trained(tmp_path, seed=np.random.Generator(make(3)), resume=True)
    assert got == trained(None, seed=np.random.Generator(make(3)))[0]
    assert history.resumed_epoch == 2


def test_checkpoints_of_the_first_version_stay_readable(tmp_path):
    """In them early stopping may be its patience alone, and infinity a number."""
    trained(tmp_path, 2, early_stopping=3, schedule="halving")
    path = Path(max(tmp_path.iterdir()))
    state = checkpoint.read(path)
    state.facts["identity"]["early_stopping"] = 3
    path.write_bytes(checkpoint.to_bytes(state))
    assert (
        trained(tmp_path, early_stopping=3, schedule="halving", resume=True)[1].resumed_epoch == 2
    )
