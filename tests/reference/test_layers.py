"""The oracle's proof: central finite differences in float64, for every activation and cost."""

import numpy as np
import pytest

import fastmlp
from fastmlp.functions import ACTIVATIONS, HIDDEN, PAIRS

STEP = 1e-6


def numeric_gradient(network, images, y, weight=None):
    """dC/dp = (C(p + h) - C(p - h)) / 2h for every parameter."""
    slopes = []
    for parameter in (*network.weights, *network.biases):
        slope = np.empty_like(parameter)
        for index in np.ndindex(parameter.shape):
            kept = parameter[index]
            costs = []
            for value in (kept + STEP, kept - STEP):
                parameter[index] = value
                costs.append(
                    network.evaluate(images, y, backend="numpy", sample_weight=weight).cost
                )
            parameter[index] = kept
            slope[index] = (costs[0] - costs[1]) / (2 * STEP)
        slopes.append(slope)
    return slopes


def make_case(rng, sizes, hidden, output, cost, labelled):
    network = fastmlp.Network(sizes, hidden, output, cost, seed=rng, dtype="float64")
    for b in network.biases:
        b[:] = rng.normal(size=b.shape)
    network.biases[-1][0] = 2  # so that not all outputs of ReLU are 0
    images = rng.normal(size=(5, sizes[0]))
    if labelled:
        return network, images, rng.integers(0, sizes[-1], 5)
    y = rng.uniform(size=(5, sizes[-1]))
    return network, images, y / y.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("labelled", [True, False], ids=["labels", "targets"])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize(("output", "cost"), PAIRS)
def test_gradient_equals_finite_differences(output, cost, depth, labelled):
    rng = np.random.default_rng(depth)
    # each hidden activation has its turn, as there are more pairs
    hidden = HIDDEN[(PAIRS.index((output, cost)) + depth * labelled) % len(HIDDEN)]
    sizes = (4, 5, 6, 3)[-depth - 1 :]
    network, images, y = make_case(rng, sizes, hidden, output, cost, labelled)
    _, dw, db = fastmlp.gradients(network, images, y, backend="numpy")
    got = np.concatenate([slope.ravel() for slope in (*dw, *db)])
    wanted = np.concatenate([s.ravel() for s in numeric_gradient(network, images, y)])
    flat = output == "step" and cost == "squared_error"
    assert flat or np.linalg.norm(wanted) > 1e-3
    assert np.linalg.norm(got - wanted) <= 1e-6 * np.linalg.norm(wanted)


@pytest.mark.parametrize("labelled", [True, False], ids=["labels", "targets"])
@pytest.mark.parametrize(("output", "cost"), PAIRS)
def test_weighted_gradient_equals_finite_differences(output, cost, labelled):
    rng = np.random.default_rng(0)
    network, images, y = make_case(rng, (4, 6, 3), "tanh", output, cost, labelled)
    weight = np.array([0.0, 0.5, 3.0, 1.0, 2.0])
    found = fastmlp.gradients(network, images, y, "numpy", weight)
    got = np.concatenate([slope.ravel() for slope in (*found[1], *found[2])])
    wanted = np.concatenate([s.ravel() for s in numeric_gradient(network, images, y, weight)])
    assert np.linalg.norm(got - wanted) <= 1e-6 * np.linalg.norm(wanted)
    assert found[0] == pytest.approx(network.evaluate(images, y, "numpy", weight).cost)


def test_the_proof_can_fail(monkeypatch):
    rng = np.random.default_rng(0)
    network, images, y = make_case(rng, (4, 5, 3), "tanh", "softmax", "cross_entropy", True)
    monkeypatch.setattr(
        "fastmlp.reference.layers.ACTIVATIONS",
        {**ACTIVATIONS, "tanh": ACTIVATIONS["sigmoid"]},
    )
    _, dw, _ = fastmlp.gradients(network, images, y, backend="numpy")
    monkeypatch.undo()
    assert np.abs(dw[0] - numeric_gradient(network, images, y)[0]).max() > 1e-3
