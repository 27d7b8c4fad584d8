"""Regression and several labels: targets, metrics, history, logs, and what ends a run."""

import csv
import json

import numpy as np
import pytest

import fastmlp
from fastmlp.errors import ArgumentError
from fastmlp.functions import COSTS, metrics_of
from fastmlp.training import callbacks, schedules

REGRESSION = [(COSTS[name].outputs[0], name) for name in ("absolute_error", "huber", "poisson")]
BACKENDS = pytest.mark.parametrize("backend", ["compiled", "numpy"])


def line(count=64, seed=0):
    x = np.random.default_rng(seed).normal(size=(count, 3))
    return x, x @ [1.0, -2.0, 0.5]


def labels(count=64):
    x, _ = line(count)
    return x, (x > 0).astype(float)


def fitted(data, output="identity", cost="squared_error", outputs=1, **settings):
    network = fastmlp.Network((3, outputs), output=output, cost=cost, dtype="float64")
    settings = {"epochs": 20, "batch_size": 8, "learning_rate": 0.05, **settings}
    return network, fastmlp.train(network, data, **settings)


@BACKENDS
@pytest.mark.parametrize(("output", "cost"), [("identity", "squared_error"), *REGRESSION])
def test_a_regression_is_learnt_from_targets_of_one_dimension(output, cost, backend):
    x, y = line()
    y = np.exp(y / 4) if cost == "poisson" else y
    network, history = fitted((x, y), output, cost, epochs=60, backend=backend)
    found = network.evaluate(x, y, backend)
    assert network.task == history.task == "regression"
    assert found.metrics["r2"] > 0.9
    assert found.accuracy is None
    assert history.train_accuracy == [None] * 60
    same = network.evaluate(x, y.reshape(-1, 1), backend)
    assert (same, same.metrics) == (found, found.metrics)
    one, other = (
        fastmlp.gradients(network, x, y, backend),
        fastmlp.gradients(network, x, y[:, None]),
    )
    assert one[0] == pytest.approx(other[0])
    with pytest.raises(ArgumentError, match="labels must be classes to have an accuracy"):
        network.accuracy(x, y)


def test_predictions_of_several_labels_are_those_of_at_least_one_half(tmp_path):
    x, y = labels()
    settings = {"output": "sigmoid", "cost": "cross_entropy", "outputs": 3, "backend": "numpy"}
    network, _ = fitted((x, y), **settings, learning_rate=2, epochs=50)
    a = network.predict_proba(x, "numpy")
    np.testing.assert_array_equal(network.predict(x, "numpy"), a >= 0.5)
    np.testing.assert_array_equal(network.predict(x[0], "numpy"), a[0] >= 0.5)
    assert (network.predict(x, "numpy") == y).mean() > 0.95
    network.save(tmp_path / "network")
    assert fastmlp.Network.load(tmp_path / "network").several_labels
    one, _ = fitted((x, y.argmax(axis=1)), **settings)
    assert one.predict(x, "numpy").shape == (len(x),)  # of classes


def test_a_regression_predicts_its_outputs_unless_it_was_trained_on_labels():
    x, y = line()
    for targets in (y, np.stack([y, -y], axis=1)):
        network, _ = fitted((x, targets), outputs=targets[0].size, backend="numpy")
        found = network.predict(x, "numpy")
        assert found.shape == targets.shape
        np.testing.assert_allclose(found, targets, atol=0.1)
        np.testing.assert_allclose(network.predict(x[3], "numpy"), found[3])
    network, _ = fitted((x, (y > 0).astype(int)), outputs=2, backend="numpy")
    assert set(network.predict(x, "numpy")) == {0, 1}


def test_a_regression_needs_a_network_of_one():
    x, y = np.random.default_rng(0).normal(size=(2, 30))
    split = fastmlp.Split(x[:, None], y)
    data = fastmlp.Dataset("own", split, split, (), (1,), "made here")
    two = fastmlp.Network(1, 4, 2, output="identity", cost="squared_error")
    for network in (fastmlp.Network(1, 4, 30), fastmlp.Network(1, 4, 1, output="sigmoid"), two):
        with pytest.raises(ArgumentError, match="network must be one of a regression"):
            fastmlp.train(network, data)
    with pytest.raises(ArgumentError, match=r"one output, .* for O outputs, targets are .N, O"):
        fastmlp.train(two, x[:, None], y)


@pytest.mark.parametrize(
    ("names", "outputs", "pair", "is_refused"),
    [
        ("345", 1, ("identity", "squared_error"), True),
        ("abc", 1, ("relu", "absolute_error"), True),
        ("012", 3, ("exponential", "poisson"), True),
        ("012", 1, ("exponential", "poisson"), False),  # the values are the numbers of classes
        ("345", 3, ("identity", "squared_error"), False),
        ("ab", 1, ("identity", "squared_error"), False),
        ("ab", 1, ("sigmoid", "squared_error"), False),
    ],
)
def test_numbers_of_classes_are_not_learnt_as_quantities(names, outputs, pair, is_refused):
    x, y = np.random.default_rng(0).normal(size=(30, 1)), np.arange(30) % len(names)
    split = fastmlp.Split(x, y, class_names=tuple(names))
    network = fastmlp.Network((1, outputs), output=pair[0], cost=pair[1])
    other = fastmlp.train, fastmlp.find_learning_rate, fastmlp.Network.evaluate
    for call in other if is_refused else ():
        with pytest.raises(ArgumentError, match=r'must be quantities .* classes, .*"regression"'):
            call(network, split, backend="numpy")
    if not is_refused:
        fastmlp.train(network, split, epochs=1, backend="numpy")
        assert np.isfinite(network.evaluate(split, backend="numpy").cost)


def test_a_split_with_fractions_trains_a_regression():
    x, y = line()
    network, history = fitted(fastmlp.Split(x, y), validation=0.2, backend="numpy")
    assert history.task == "regression"
    assert network.evaluate(fastmlp.Split(x, y), backend="numpy").metrics["r2"] > 0.9


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_the_best_constant_output_is_the_quantile(q):
    y = np.random.default_rng(0).exponential(size=999)
    x = np.zeros((999, 3))
    network, _ = fitted((x, y), cost=f"quantile:{q}", epochs=300, schedule="linear")
    assert network.biases[0][0] == pytest.approx(np.quantile(y, q), abs=0.02)


def test_a_setting_of_a_cost_is_kept(tmp_path):
    network = fastmlp.Network((3, 1), output="identity", cost="huber:1.350")
    assert network.cost == "huber:1.35"
    assert fastmlp.Network((3, 1), output="identity", cost="huber:1").cost == "huber"
    network.save(tmp_path / "m")
    assert fastmlp.Network.load(tmp_path / "m").cost == "huber:1.35"
    inside, outside = ([[0.0]], [[3.0]])
    zero = fastmlp.Network((3, 1), output="identity", cost="huber:2")
    zero.weights[0][...] = 0
    assert zero.evaluate(np.ones((1, 3)), inside).cost == 0
    assert zero.evaluate(np.ones((1, 3)), outside).cost == 2 * (3 - 1)


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        ("quantile:1", "must set q of 'quantile' to a number above 0 and below 1"),
        ("huber:nan", "must set d of 'huber' to a number above 0"),
        ("huber:", "must set d"),
        ("squared_error:2", "must not set 'squared_error'"),
        ("median", "must name a cost"),
        ("poisson", "'poisson' needs one of these outputs: exponential"),
    ],
)
def test_a_wrong_cost_is_refused(cost, said):
    with pytest.raises(ArgumentError, match=said):
        fastmlp.Network((3, 1), output="identity", cost=cost)


def test_poisson_refuses_counts_below_zero():
    network = fastmlp.Network((3, 1), output="exponential", cost="poisson")
    with pytest.raises(ArgumentError, match=r"targets in 0 … inf for the cost 'poisson'"):
        network.evaluate(np.ones((2, 3)), [-1, 4])
    assert np.isfinite(network.evaluate(np.ones((2, 3)), [7, 4]).cost)


def test_labels_are_classes_whatever_the_task():
    network = fastmlp.Network((3, 4), output="identity", cost="squared_error")
    assert network.task == "regression"
    found = network.evaluate(np.ones((4, 3)), [0, 1, 2, 3])
    assert found.metrics == {"accuracy": found.accuracy} == {"accuracy": 0.25}
    cost, accuracy = found
    assert (cost, accuracy) == (found.cost, 0.25)


@pytest.mark.parametrize(
    ("data", "how", "task"),
    [
        (line(), {}, "regression"),
        (labels(), {"output": "sigmoid", "cost": "cross_entropy", "outputs": 3}, "labels"),
    ],
)
def test_history_and_logs_have_the_metrics_of_the_task(tmp_path, data, how, task):
    logs = [callbacks.CSVLog(tmp_path / "log.csv"), callbacks.JSONLinesLog(tmp_path / "log.jsonl")]
    network, history = fitted(data, validation=data, epochs=3, callbacks=logs, **how)
    names = [row.name for row in metrics_of(task)]
    assert list(history.validation_metrics) == names
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    final = network.evaluate(*data)
    for name in names:
        assert history.validation_metrics[name][-1] == final.metrics[name]
        assert float(rows[-1][f"validation_{name}"]) == last[f"validation_{name}"]
        assert last[f"validation_{name}"] == final.metrics[name]
    assert not any("accuracy" in name for name in last if name != "validation_label_accuracy")
    assert f"val {metrics_of(task)[0].title}" in history.table()


def test_a_run_ends_at_the_target_of_its_task():
    network, history = fitted(line(), validation=line(), target=0.5)
    assert history.stopped == "target R2 0.5 reached"
    reached = history.validation_metrics["r2"]
    assert reached[-1] >= 0.5 > max(reached[:-1], default=-1)
    assert network.evaluate(*line()).metrics["r2"] == reached[-1]


@pytest.mark.parametrize("monitor", ["r2", "mean_absolute_error", "cost"])
def test_early_stopping_keeps_the_epoch_with_the_best_monitor(monitor):
    x, y = line()
    noise = np.random.default_rng(5).normal(size=64)
    rule = fastmlp.EarlyStopping(3, monitor=monitor)
    settings = {"validation": (x, y + noise), "early_stopping": rule, "learning_rate": 0.2}
    network, history = fitted((x, y), epochs=60, **settings)
    values = np.array(history.validated(monitor))
    best = int((-values if monitor == "r2" else values).argmin())
    assert history.restored_epoch == best + 1
    found = network.evaluate(x, y + noise)
    assert {"cost": found.cost, **found.metrics}[monitor] == values[best]
    title = {"r2": "R2 has not risen", "mean_absolute_error": "MAE has not fallen"}.get(
        monitor, "cost has not fallen"
    )
    assert history.stopped.startswith(f"validation {title} since epoch") or len(history) == 60


def test_plateau_lowers_the_rate_when_its_metric_does_not_rise():
    x, y = line()
    far = (x, -y)  # R2 falls while the network learns
    plan = schedules.Plateau(patience=1, monitor="r2")
    _, history = fitted((x, y), validation=far, epochs=5, schedule=plan)
    assert history.learning_rate[-1] < history.learning_rate[0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"target": 0.9}, "^target needs validation data"),
        ({"target_accuracy": 0.9}, "^target_accuracy needs validation data"),
        ({"target": 0.9, "target_accuracy": 0.9}, "target must be given once"),
        ({"schedule": schedules.Plateau(monitor="r2")}, "monitor needs validation data"),
        ({"schedule": schedules.Plateau(monitor="accuracy")}, "of the task 'regression'"),
        (
            {"early_stopping": fastmlp.EarlyStopping(2, monitor="f1_micro"), "validation": line()},
            "monitor must name a cost or a metric of the task 'regression'; got 'f1_micro'",
        ),
    ],
)
def test_what_another_task_has_is_refused(settings, said):
    with pytest.raises(ArgumentError, match=said):
        fitted(line(), **settings)


def test_a_resumed_regression_has_the_whole_history(tmp_path):
    settings = {"validation": line(), "checkpoint": tmp_path, "epochs": 4}
    rule = fastmlp.EarlyStopping(3, monitor="r2")
    whole = fitted(line(), early_stopping=rule, **settings)[1]
    for path in sorted(tmp_path.glob("*"))[1:]:
        path.unlink()
    again = fitted(line(), early_stopping=rule, resume=True, **settings)[1]
    assert again.validation_metrics == whole.validation_metrics
    assert len(again.validation_metrics["r2"]) == 4
