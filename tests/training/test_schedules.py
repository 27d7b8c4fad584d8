"""Schedules: their formulas, the warm-up before them, and those that depend on results."""

from dataclasses import fields, is_dataclass

import numpy as np
import pytest

import fastmlp
from fastmlp import schedules
from fastmlp.errors import ArgumentError
from fastmlp.training.adaptive import Plateau
from fastmlp.training.schedules import SCHEDULES, schedule_named, step_rates, warmup_epochs

SETTINGS = {"batch_size": 16, "learning_rate": 0.2, "momentum": 0.9, "backend": "numpy", "seed": 3}


def made(seed=0, count=96):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 6)).astype(np.float32), rng.integers(0, 3, count)


def trained(**changes):
    network = fastmlp.Network((6, 12, 3), seed=1)
    history = fastmlp.train(network, made(), **{"epochs": 14, **SETTINGS, **changes})
    return [a.tobytes() for a in (*network.weights, *network.biases)], history


@pytest.mark.parametrize("name", SCHEDULES)
def test_factors_lie_between_0_and_1_and_reach_1(name):
    factors = [SCHEDULES[name]()(progress) for progress in np.linspace(0, 1, 1001)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert max(factors) == pytest.approx(1)


@pytest.mark.parametrize("name", SCHEDULES)
def test_each_schedule_trains_by_its_name_and_as_an_object(name):
    by_name, history = trained(schedule=name, epochs=4)
    as_object, _ = trained(schedule=SCHEDULES[name](), epochs=4)
    assert by_name == as_object
    assert len(history) == 4


@pytest.mark.parametrize(
    ("schedule", "points"),
    [
        (schedules.Exponential(0.01), {0: 1, 0.25: 0.01**0.25, 0.5: 0.1, 1: 0.01}),
        (schedules.Polynomial(), {0: 1, 0.5: 0.25, 0.9: 0.01, 1: 0}),
        (schedules.Polynomial(power=1, final=0.2), {0: 1, 0.5: 0.6, 1: 0.2}),
        # cycles of lengths 1, 2 and 4: they begin at 0, 1/7 and 3/7
        (
            schedules.CosineRestarts(),
            {0: 1, 0.5 / 7: 0.5, 1.0001 / 7: 1, 2 / 7: 0.5, 3.0001 / 7: 1, 5 / 7: 0.5, 1: 0},
        ),
        (schedules.CosineRestarts(2, 1), {0: 1, 0.25: 0.5, 0.4999: 0, 0.5: 1, 0.75: 0.5, 1: 0}),
    ],
    ids=str,
)
def test_the_formulas_have_these_values(schedule, points):
    found = [schedule(progress) for progress in points]
    assert found == pytest.approx(list(points.values()), abs=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.Exponential(0), "final must lie between 0 and 1"),
        (lambda: schedules.Polynomial(power=-1), "power must be a number of at least 0"),
        (lambda: schedules.CosineRestarts(0), "cycles must be a whole number of at least 1"),
        (lambda: schedules.CosineRestarts(growth=0.5), "growth must be a number of at least 1"),
        (lambda: schedules.CosineRestarts(2000), "growth must give cycles of finite length"),
        (lambda: schedules.CosineRestarts(3, 1e200), "growth must give cycles of finite length"),
        (lambda: schedules.CosineRestarts(1, np.inf), "growth must give cycles of finite length"),
        (lambda: schedules.Polynomial(final=np.inf), "final must be finite"),
        (lambda: schedules.Halving(np.inf), "factor must be finite"),
        (lambda: Plateau(factor=1), "factor must lie between 0 and 1"),
        (lambda: Plateau(patience=0), "patience must be a whole number of at least 1"),
        (lambda: Plateau(min_delta=-1), "min_delta must be"),
        (lambda: Plateau(minimum="low"), "minimum must be"),
        (lambda: Plateau(monitor="rate"), "monitor must name a cost or a metric; got 'rate'"),
    ],
)
def test_bad_settings_are_named(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_the_warm_up_multiplies_the_factors_by_a_ramp():
    cosine = schedule_named("cosine")
    without = np.concatenate([step_rates(cosine, 2.0, epoch, 5, 4) for epoch in range(5)])
    rates = np.concatenate([step_rates(cosine, 2.0, epoch, 5, 4, 2.0) for epoch in range(5)])
    middle = (np.arange(20) + 0.5) / 20
    np.testing.assert_allclose(rates[:8], without[:8] * middle[:8] / 0.4)
    np.testing.assert_array_equal(rates[8:], without[8:])


def test_a_warm_up_is_a_share_or_a_number_of_epochs():
    assert [warmup_epochs(w, 20) for w in (0, 0.1, 0.999, 1, 2.5, np.int64(20))] == [
        *(0, 2, 0.999 * 20, 1, 2.5, 20)
    ]
    assert trained(warmup=2)[0] == trained(warmup=2 / 14)[0] != trained()[0]
    for bad in (-0.1, 21, "long", np.nan):
        with pytest.raises(ArgumentError, match="warmup must"):
            warmup_epochs(bad, 20)


def test_a_warm_up_of_epochs_does_not_depend_on_their_number():
    plan, steps = schedule_named("constant"), 7
    for warmup in (1.0, 3.0, 4.5):
        few, many = (step_rates(plan, 0.3, 0, n, steps, warmup, several=5) for n in (5, 37))
        np.testing.assert_array_equal(few, many)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_name_takes_each_setting_of_its_schedule(name):
    default = SCHEDULES[name]()
    known = (
        {one.name: one.default for one in fields(default) if one.init}
        if is_dataclass(default)
        else {}
    )
    text = ",".join(f"{key}={value}" for key, value in known.items())
    assert schedule_named(f"{name}:{text}" if text else name) == default
    with pytest.raises(
        ArgumentError, match=f"It has {next(iter(known))}=" if known else "no settings"
    ):
        schedule_named(f"{name}:height=2")


@pytest.mark.parametrize("text", ["plateau:", "plateau:patience", "plateau:patience=x", "none:a=1"])
def test_wrong_settings_are_refused(text):
    with pytest.raises(ArgumentError, match="schedule"):
        schedule_named(text)


@pytest.mark.parametrize("schedule", ["cosine", "halving", "plateau"])
def test_a_run_with_a_warm_up_is_resumed_with_the_same_bits(tmp_path, schedule):
    settings = {"schedule": schedule, "warmup": 3}
    wanted, whole = trained(**settings)
    end = [lambda progress: progress.epoch_ended and progress.epoch == 2]
    trained(checkpoint=tmp_path, callbacks=end, **settings)
    got, history = trained(checkpoint=tmp_path, resume=True, **settings)
    assert (got, history.learning_rate) == (wanted, whole.learning_rate)
    assert history.resumed_epoch == 2
    with pytest.raises(ArgumentError, match="resume needs the same warmup as before, 3"):
        trained(checkpoint=tmp_path, resume=True, **settings | {"warmup": 4})


def expected_rates(costs, rate, factor, patience, min_delta, minimum):
    """Return the rates after these costs by the rule in words, counted anew for each epoch."""
    rates, begin = [rate], 0
    for epoch in range(len(costs)):
        seen = costs[: epoch + 1]
        record = 0
        for number in range(1, len(seen)):
            if seen[number] < seen[record] - min_delta:
                record = number
        if epoch - max(record, begin) >= patience:
            rate, begin = max(rate * factor, minimum), epoch
        rates.append(rate)
    return rates


@pytest.mark.parametrize("monitor", ["validation_cost", "train_cost"])
@pytest.mark.parametrize(
    "settings", [(0.5, 1, 0.0, 0.001), (0.5, 2, 0.02, 0.2), (0.1, 3, 0.0, 0.05)]
)
def test_plateau_lowers_the_rate_when_the_cost_does_not_fall(monitor, settings):
    plateau = Plateau(*settings, monitor=monitor)
    _, history = trained(schedule=plateau, validation=made(1), learning_rate=1.0, epochs=20)
    costs = getattr(history, monitor)
    assert history.learning_rate == pytest.approx(expected_rates(costs, 1.0, *settings)[:-1])
    assert len(set(history.learning_rate)) > 1
    assert vars(plateau) == vars(Plateau(*settings, monitor=monitor))


def test_without_validation_data_plateau_watches_the_training_cost():
    _, history = trained(schedule="plateau", epochs=40)
    default = Plateau()
    settings = (default.factor, default.patience, default.min_delta, default.minimum)
    wanted = expected_rates(history.train_cost, 0.2, *settings)
    assert history.learning_rate == pytest.approx(wanted[:-1])


@pytest.mark.parametrize("stopped", range(1, 13, 2))
def test_plateau_is_resumed_with_the_same_bits(tmp_path, stopped):
    settings = {"schedule": Plateau(patience=2), "validation": made(1), "learning_rate": 0.5}
    wanted, whole = trained(**settings)
    assert len(set(whole.learning_rate)) > 2
    end = [lambda progress: progress.epoch_ended and progress.epoch == stopped]
    trained(checkpoint=tmp_path, callbacks=end, **settings)
    got, history = trained(checkpoint=tmp_path, resume=True, **settings)
    assert (got, history.learning_rate) == (wanted, whole.learning_rate)


@pytest.mark.parametrize(
    ("first", "equal", "other"),
    [
        (schedules.Exponential(), "exponential", "exponential:final=0.1"),
        (schedules.Exponential(0.1), "exponential:final=0.1", schedules.Exponential()),
        (schedules.Polynomial(2), schedules.Polynomial(2.0), schedules.Polynomial(3)),
        (Plateau(patience=2), Plateau(patience=np.int64(2)), "plateau"),
    ],
)
def test_a_resumed_run_needs_the_same_settings_of_its_schedule(tmp_path, first, equal, other):
    trained(checkpoint=tmp_path, schedule=first)
    assert trained(checkpoint=tmp_path, schedule=equal, resume=True)[1].resumed_epoch == 14
    with pytest.raises(ArgumentError, match="resume needs the same schedule as before"):
        trained(checkpoint=tmp_path, schedule=other, resume=True)
