"""Costs and targets: what each pair of output and cost computes, and which targets it takes."""

import numpy as np
import pytest
from click.testing import CliRunner
from one_layer import step_on
from safetensors.numpy import load_file, save_file

import fastmlp
from fastmlp import kernels, reference
from fastmlp.cli import main
from fastmlp.errors import ArgumentError, ModelError
from fastmlp.functions import ACTIVATIONS, COSTS, PAIRS

BACKENDS = pytest.mark.parametrize("backend", ["compiled", "numpy"])
SUMS = (2.0, 0.5, 0.0)
SETTINGS = {"epochs": 1, "batch_size": 4, "learning_rate": 0.1}


def targets_with_sums(rng, rows, outputs, sums):
    """Targets in 0 … 1 whose rows have these sums in turn."""
    y = rng.uniform(0.1, 1, (rows, outputs))
    y *= np.resize(sums, rows)[:, None] / y.sum(axis=1, keepdims=True)
    assert y.max() <= 1
    return y


def defined_cost(z, y, output, cost):
    """The cost by its definition: sums over outputs, and over samples."""
    a = np.empty_like(z)
    ACTIVATIONS[output].f(z, a)
    e = np.abs(a - y)
    by_errors = {
        "squared_error": e**2,
        "absolute_error": e,
        "huber": np.where(e < 1, e**2 / 2, e - 0.5),
        "quantile": e / 2,
        "huber:0.3": np.where(e < 0.3, e**2 / 2, 0.3 * (e - 0.15)),
        "quantile:0.9": np.where(a < y, 0.9, 0.1) * e,
    }
    if cost in by_errors:
        return by_errors[cost].sum()
    if cost == "cross_entropy":
        return -(y * np.log(a) + (output == "sigmoid") * (1 - y) * np.log(1 - a)).sum()
    return ACTIVATIONS[output].integral(z, a).sum() - (y * z).sum()


@pytest.mark.parametrize("module", [kernels, reference])
@pytest.mark.parametrize("outputs", [2, 7, 33])
@pytest.mark.parametrize(
    ("output", "cost"), [*PAIRS, ("identity", "huber:0.3"), ("tanh", "quantile:0.9")]
)
def test_cost_and_delta_follow_the_definition_for_any_sum(output, cost, outputs, module):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(9, outputs))
    y = targets_with_sums(rng, 9, outputs, (1.0, *SUMS) if outputs > 3 else (1.0, 0.5, 0.0))
    found = step_on(module, z, y, output, cost)
    assert found.cost == pytest.approx(defined_cost(z, y, output, cost), rel=1e-12, abs=1e-12)
    slope, step = np.empty_like(z), 1e-6
    for index in np.ndindex(z.shape):
        sides = []
        for h in (step, -step):
            moved = z.copy()
            moved[index] += h
            sides.append(defined_cost(moved, y, output, cost))
        slope[index] = (sides[0] - sides[1]) / (2 * step) / len(z)
    # the differences have the rounding errors of the costs
    rounding = np.finfo(np.float64).eps * abs(found.cost) / step
    np.testing.assert_allclose(found.dz[0], slope, atol=1e-8 + rounding)


@BACKENDS
@pytest.mark.parametrize("total", SUMS)
def test_evaluation_and_training_agree_for_targets_of_any_sum(total, backend):
    rng = np.random.default_rng(1)
    y, images = targets_with_sums(rng, 12, 5, (total,)), rng.normal(size=(12, 6))
    networks = [fastmlp.Network((6, 8, 5), dtype="float64", seed=2) for _ in range(2)]
    z = np.empty((12, 5))
    what = networks[0].weights, networks[0].biases, ("relu", "identity"), 1.0
    reference.Predictor(*what)(images, "outputs", z)
    wanted = defined_cost(z, y, "softmax", "cross_entropy") / 12
    cost, dw, db = fastmlp.gradients(networks[0], images, y, backend)
    settings = {"epochs": 1, "batch_size": 12, "learning_rate": 0.5, "backend": backend}
    history = fastmlp.train(networks[0], (images, y), **settings)
    for found in (cost, history.train_cost[0], networks[1].evaluate(images, y, backend).cost):
        assert found == pytest.approx(wanted, rel=1e-12, abs=1e-12)
    pairs = zip(networks[0].weights + networks[0].biases, dw + db, strict=True)
    for (now, slope), old in zip(pairs, networks[1].weights + networks[1].biases, strict=True):
        np.testing.assert_allclose(now, old - 0.5 * slope, atol=1e-13)


@BACKENDS
@pytest.mark.parametrize("output", COSTS["cross_entropy"].outputs)
@pytest.mark.parametrize(
    ("y", "found"),
    [
        ([[-1, 1, 1], [1, -1, -1]], "targets from -1.0 to 1.0"),
        ([[0, 255, 0], [255, 0, 0]], "targets from 0.0 to 255.0"),
        ([[0.3, 17.5, -4.25], [1, 0, 0]], "targets from -4.25 to 17.5"),
        ([[0, 1.001, 0], [1, 0, 0]], "targets from 0.0 to 1.001"),
        ([[0, np.nan, 0], [1, 0, 0]], "NaN"),
        ([[0, 1e39, 0], [1, 0, 0]], "NaN or infinity"),
    ],
    ids=str,
)
def test_targets_that_are_no_probabilities_are_refused(y, found, output, backend):
    network, images, y = fastmlp.Network((4, 3), output=output), np.ones((2, 4)), np.array(y)
    good = (images, np.array([0, 1]))
    for name, call in {
        "labels": lambda: network.evaluate(images, y, backend),
        "labels ": lambda: network.accuracy(images, y, backend),
        " labels": lambda: fastmlp.gradients(network, images, y, backend),
        "split labels": lambda: fastmlp.train(network, (images, y), backend=backend, **SETTINGS),
        "validation labels": lambda: fastmlp.train(
            network, good, validation=(images, y), backend=backend, **SETTINGS
        ),
        "split labels ": lambda: fastmlp.find_learning_rate(network, (images, y), backend=backend),
    }.items():
        with pytest.raises(ArgumentError, match=f"{name.strip()} must .*got {found}") as caught:
            call()
        if found.startswith("targets"):
            assert "cost='squared_error'" in str(caught.value)
    other = fastmlp.Network((4, 3), output=output, cost="squared_error")
    if "NaN" not in found:
        assert np.isfinite(other.evaluate(images, y, backend).cost)


@BACKENDS
def test_targets_at_the_ends_of_the_range_are_taken(backend):
    y = np.array([[0, 1, 1], [0, 0, 0], [1, 0, np.float64(1) + 1e-9]])
    network = fastmlp.Network((4, 3), output="sigmoid")
    assert np.isfinite(network.evaluate(np.ones((3, 4)), y, backend).cost)
    single = fastmlp.Network((4, 1), output="sigmoid")
    assert np.isfinite(single.evaluate(np.ones((3, 4)), [0, 1, 1], backend).cost)


@pytest.mark.parametrize("sizes", [(6, 8, 1), (6, 1)])
@pytest.mark.parametrize("cost", [cost for output, cost in PAIRS if output == "softmax"])
def test_a_softmax_of_one_output_is_refused(sizes, cost):
    with pytest.raises(ArgumentError, match=r"output 'softmax' needs at least 2.*'sigmoid'"):
        fastmlp.Network(sizes, cost=cost)
    assert fastmlp.Network(sizes, output="sigmoid").sizes[-1] == 1


def test_a_softmax_of_one_output_is_refused_from_the_command_line_and_from_a_file(tmp_path):
    done = CliRunner().invoke(main, ["train", "--dataset", "digits", "--sizes", "784,8,1"])
    assert done.exit_code != 0
    assert "--output sigmoid" in " ".join(done.output.split())
    path = tmp_path / "one.safetensors"
    fastmlp.Network((6, 8, 1), output="sigmoid").save(path)
    with path.open("rb") as file:
        header = file.read(int.from_bytes(file.read(8), "little")).decode()
    spec = header.split('"network":"')[1].split('}"')[0] + "}"
    metadata = {"format": "fastmlp 1", "network": spec.replace('\\"', '"')}
    for output, fine in (("sigmoid", True), ("softmax", False)):
        changed = metadata | {"network": metadata["network"].replace("sigmoid", output)}
        save_file(load_file(path), path, changed)
        if fine:
            assert fastmlp.Network.load(path).output == "sigmoid"
            continue
        with pytest.raises(ModelError, match=r"one\.safetensors: .*at least 2 outputs"):
            fastmlp.Network.load(path)
