"""Metrics against numbers of scikit-learn 1.9, and against weights that repeat samples."""

import numpy as np
import pytest

from fastmlp.functions import METRICS, metrics_of, task_of
from fastmlp.functions.costs import COSTS

# Outputs and targets of each task
CASES = {
    "classification": ([[0.2, 0.8], [0.6, 0.4], [0.1, 0.9], [0.7, 0.3]], [1, 1, 1, 0]),
    "regression": ([[0.5, 1], [-1, 1], [7, -6]], [[0, 2], [-1, 2], [8, -5]]),
    "labels": (
        [[0.9, 0.1, 0.2], [0.8, 0.7, 0.4], [0.3, 0.6, 0.1], [0.5, 0.2, 0.3]],
        [[1, 0, 0], [1, 0, 1], [0, 1, 0], [0, 0, 0]],
    ),
}
WANTED = {
    "accuracy": 0.75,
    "r2": 0.9412391668996365,
    "mean_absolute_error": 0.75,
    "mean_squared_error": 0.7083333333333334,
    "exact_match": 0.5,
    "label_accuracy": 0.75,
    "f1_micro": 0.6666666666666666,
    "f1_macro": 0.48888888888888893,
}


def case(name):
    a, y = CASES[METRICS[name].task]
    return np.array(a, np.float32), np.array(y)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_that_of_scikit_learn(name):
    assert METRICS[name].f(*case(name), None) == pytest.approx(WANTED[name], rel=1e-7)


@pytest.mark.parametrize("name", METRICS)
def test_a_weight_of_two_is_a_sample_twice(name):
    a, y = case(name)
    times = np.arange(len(a)) % 2 + 1
    twice = METRICS[name].f(np.repeat(a, times, axis=0), np.repeat(y, times, axis=0), None)
    assert METRICS[name].f(a, y, times.astype(float)) == pytest.approx(twice)


def test_equal_targets_and_absent_labels_have_metrics():
    ones = np.ones((3, 1))
    assert METRICS["r2"].f(ones, ones, None) == 1
    assert METRICS["r2"].f(ones + 1, ones, None) == 0
    for value in (0.1, 0.7, 3.3):  # whose mean differs from them by rounding
        weights = np.random.default_rng(0).random(101)
        equal = np.full((101, 1), value)
        assert METRICS["r2"].f(equal + 1, equal, None) == 0
        other = np.where(np.arange(101)[:, None] == 0, 9.0, equal)
        weights[0] = 0
        assert METRICS["r2"].f(equal + 1, other, weights) == 0
    assert METRICS["f1_macro"].f(ones * 0, ones * 0, None) == 0


def test_the_first_metric_of_a_task_rises_as_targets_are_reached_from_below():
    for task in CASES:
        assert metrics_of(task)[0].rises
    assert {row.task for row in METRICS.values()} == set(CASES)


def test_the_task_follows_from_output_and_cost():
    assert task_of("softmax", "cross_entropy", 10) == "classification"
    assert task_of("sigmoid", "cross_entropy", 1) == "classification"
    assert task_of("sigmoid", "squared_error", 10) == "classification"
    assert task_of("step", "perceptron", 1) == "classification"
    assert task_of("sigmoid", "cross_entropy", 3) == "labels"
    assert task_of("identity", "squared_error", 1) == "regression"
    for cost in ("absolute_error", "huber:2.0", "quantile:0.9", "poisson"):
        assert task_of(COSTS[cost.split(":")[0]].outputs[0], cost, 2) == "regression"
