"""A run that has learnt nothing says so, with the likely cause; a run that has, does not."""

import pickle
import re
import warnings

import numpy as np
import pytest

import fastmlp
from fastmlp.errors import TrainingWarning
from fastmlp.training.guessing import cost_of_constant

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 6)).astype(np.float32)
CLASSES = np.digitize(X[:, 0], [-0.5, 0.5])
VALUES = X @ [1, 2, 3, 0, 1, 0.5] + 1


def trained(x, y, cost="", outputs=3, named="", **settings):
    own = {"output": "identity", "cost": cost} if cost else {}
    outputs = 1 if cost else outputs
    network = fastmlp.Network(x.shape[1], 8, outputs, **own)
    network.class_names = tuple(named.split()) or None
    settings = {"epochs": 3, "backend": "numpy", "learning_rate": 0.02, **settings}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = fastmlp.train(network, x, y, **settings)
    assert [str(one.message) for one in caught] == [*history.warnings]
    for one in caught:
        assert (one.category, one.filename) == (TrainingWarning, __file__)
    return " ".join(history.warnings)


SMALL = {"learning_rate": 1e-7}
PLAIN = {"scaling": "none"}
FAILURES = {
    "scale": (
        60.0 * (X > 0),
        RNG.permutation(CLASSES),
        PLAIN,
        "The images reach 60: train a new network with scaling=.standardize.[.]",
    ),
    "twice": (
        (X > 0).astype(np.uint8),
        CLASSES,
        PLAIN,
        "The images reach only 0.0039: .*=.standardize.. Scale pixels once",
    ),
    "rate": (X, RNG.permutation(CLASSES), {"learning_rate": 9}, "learning_rate=9 may be too high"),
    "low": (X, CLASSES, SMALL, "learning_rate=1e-07 may be too low: find_learning_rate"),
    "far targets": (
        X,
        1e5 + 1e4 * VALUES,
        {"cost": "squared_error", "optimizer": "adam"},
        "The targets reach .*: scale them, as",
    ),
    "outlier": (
        np.where(np.arange(600)[:, None] == 5, 1e6, X),
        RNG.permutation(CLASSES),
        {},
        "The images reach 24.*: they are scaled, but a few are far",
    ),
    "names": (
        X,
        np.array(["cat", "dog", "owl"])[0 * CLASSES + 1],
        {"named": "cat dog owl"},
        "commonest class, dog. All labels are dog,",
    ),
    "labels": (X, 0 * CLASSES + 2, {}, "100.00 %.*All labels are 2, so there is nothing to learn"),
    "images": (0 * X + 1, CLASSES, {}, "All samples are the same"),
    "rare": (X, (X[:, 0] > 2.2).astype(int), {"outputs": 2, "epochs": 2}, "class_weight="),
    "validation": (X, CLASSES, {**SMALL, "seed": 4, "validation": 0.2}, "its validation accuracy"),
    "mean": (X, VALUES, {**SMALL, "cost": "squared_error"}, "training cost, .* best constant"),
    "median": (X, VALUES, {**SMALL, "cost": "absolute_error"}, "training cost, .* best constant"),
    "targets": (X, 0 * VALUES + 3, {"cost": "squared_error"}, "All targets are equal"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_run_without_success_says_the_likely_cause(name):
    x, y, settings, said = FAILURES[name]
    text = trained(x, y, **settings)
    assert text.startswith("The network has not learnt: its ")
    assert re.search(said, text), text


@pytest.mark.parametrize("weights", [{}, {"class_weight": "balanced"}])
def test_what_is_only_learnt_by_heart_is_not_learnt(weights):
    y, settings = np.random.default_rng(7).integers(0, 2, 600), {"optimizer": "adam", "epochs": 60}
    settings |= {"validation": 0.4, **weights}
    assert "not learnt: its validation " in trained(X, y, outputs=2, **settings)


SUCCESSES = {
    "classes": (X, CLASSES, {"learning_rate": 0.1}),
    "held out": (X, CLASSES, {"learning_rate": 0.1, "validation": 0.2}),
    "smoothed": (X, CLASSES, {"learning_rate": 0.1, "label_smoothing": 0.8}),
    "rare, weighted": (
        np.repeat(X, 4, axis=0),
        np.repeat((X[:, 0] + RNG.normal(0, 0.5, 600) > 1.7).astype(int), 4),
        {"learning_rate": 0.05, "class_weight": "balanced", "validation": 0.2},
    ),
    "rare, of heavy samples": (
        np.repeat(X, 4, axis=0),
        np.repeat((X[:, 0] > 1.7).astype(int), 4),
        {
            "learning_rate": 0.05,
            "sample_weight": np.repeat(1 + 20.0 * (X[:, 0] > 1.7), 4),
            "validation": 0.2,
        },
    ),
    "squares": (X, VALUES, {"cost": "squared_error"}),
    "errors": (X, VALUES, {"cost": "absolute_error"}),
    "one class is held out": (X, CLASSES, {"validation": (X[CLASSES == 2], CLASSES[CLASSES == 2])}),
    "one row is held out": (
        X,
        VALUES,
        {"cost": "squared_error", "validation": (X[:1], VALUES[:1])},
    ),
    "weak": (X, VALUES + RNG.normal(0, 10, 600), {"cost": "squared_error", "learning_rate": 1e-3}),
}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"learning_rate": 1e-7}, "its training cost, -364.*, is not below -366.*may be too low"),
        ({"optimizer": "adam", "rate_factors": [0]}, "not below -366.*learning_rate=0.001 may be"),
        ({"learning_rate": 1e-3}, "^$"),
    ],
)
def test_negative_costs_are_judged_by_their_distance_from_the_least(settings, said):
    network = fastmlp.Network(6, 1, output="exponential", cost="poisson")
    network.weights[0][:], network.biases[0][:] = 0, np.log(120)
    y = np.random.default_rng(1).poisson(100 * np.exp(X[:, 0] / 4))
    history = fastmlp.train(network, X, y, backend="numpy", **settings)
    assert re.search(said, " ".join(history.warnings)), history.warnings


@pytest.mark.parametrize("output", ["relu", "softplus"])
def test_targets_of_outputs_that_cannot_be_negative_are_not_to_be_scaled_around_0(output):
    network = fastmlp.Network(6, 1, output=output, cost="squared_error")
    history = fastmlp.train(network, X, 1e3 + VALUES, backend="numpy", learning_rate=1e-9)
    said = r"The targets reach 1,0(\d\d): scale them, as y / 10\1\.$"
    assert re.search(said, history.warnings[0])


def test_costs_of_smoothed_labels_are_compared_with_those_of_such_a_constant():
    network = fastmlp.Network(6, 16, 4, output="sigmoid")
    settings = {"epochs": 30, "optimizer": "adam", "learning_rate": 0.02, "backend": "numpy"}
    history = fastmlp.train(network, X, (X[:, :4] > 2) * 1, label_smoothing=0.2, **settings)
    assert history.warnings == ()


@pytest.mark.parametrize("name", SUCCESSES)
def test_a_run_with_success_says_nothing(name):
    x, y, settings = SUCCESSES[name]
    assert trained(x, y, **{"epochs": 8, **settings}) == ""


def test_dead_layers_are_counted_on_the_training_data():
    network = fastmlp.Network(6, 8, 5, 3)
    network.biases[1][:] = -100
    history = fastmlp.train(network, X, CLASSES, epochs=1, backend="numpy")
    assert "All 5 units of hidden layer 2 (relu) are 0 for all samples" in history.warnings[0]
    network.biases[1][2] = 100
    history = fastmlp.train(network, X, CLASSES, epochs=1, backend="numpy", learning_rate=1e-9)
    assert "units of" not in history.warnings[0]


def test_one_epoch_says_nothing_of_the_rate():
    history = fastmlp.train(fastmlp.Network(6, 8, 3), X, CLASSES[::-1], epochs=1, backend="numpy")
    assert history.warnings[0].endswith("This was one epoch: train for more epochs.")
    network = fastmlp.Network(1, 8, 1, hidden="tanh", output="identity", cost="squared_error")
    x = np.linspace(0, 6, 100)[:, None]
    history = fastmlp.train(network, x, np.sin(3 * x), epochs=1, backend="numpy")
    assert "may be too high" in history.warnings[0]  # the cost is 90 times that of a constant


def test_a_search_does_not_warn_of_its_trials():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network = fastmlp.Network(6, 8, 3)
        fastmlp.find_learning_rate(network, X, CLASSES, mode="halving", backend="numpy")


@pytest.mark.parametrize("cost", ["absolute_error", "huber", "quantile:0.9", "poisson"])
def test_no_constant_output_costs_less(cost):
    from fastmlp.functions import total_cost

    output = "exponential" if cost == "poisson" else "identity"
    network, y = fastmlp.Network(6, 1, output=output, cost=cost), np.exp(VALUES[:, None] / 9)
    found = []
    for constant in np.linspace(y.min(), y.max(), 300):
        a = np.full(y.shape, constant)
        z = np.log(a) if cost == "poisson" else a
        found.append(total_cost(z, a, y, output, cost) / len(y))
    # of huber, the median is near the best
    near = {"rel": 0.03 if "hub" in cost else 1e-3}
    assert cost_of_constant(network, y) == pytest.approx(min(found), **near)
    times = np.arange(len(y)) % 3  # a weight of 2 is a sample twice
    twice = cost_of_constant(network, np.repeat(y, times, axis=0))
    assert cost_of_constant(network, y, times.astype(float)) == pytest.approx(twice)


def test_train_can_be_sent_to_another_process():
    assert pickle.loads(pickle.dumps(fastmlp.train)) is fastmlp.train
    assert "sgd: learning_rate=0.5" in fastmlp.train.__doc__
