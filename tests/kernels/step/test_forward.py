"""Outputs that are zero are left out of the products of the layers around."""

import hashlib
import itertools

import numba
import numpy as np
import pytest
from networks import FORMS

import fastmlp
from fastmlp.kernels.engine import Engine
from fastmlp.kernels.memory.records import BY_COLUMNS
from fastmlp.kernels.memory.tuning import DENSE_FROM, PART
from fastmlp.kernels.step.nonzeros import leaves_out
from fastmlp.kernels.team.plan import Plan

# sizes, batch size, activations: whole panels and others, parts of a batch and others
NETWORKS = [
    ((50, 64, 128, 10), 64, ("relu", "relu", "softmax")),
    ((30, 130, 200, 70, 4), 150, ("relu", "relu", "relu", "softmax")),
    ((30, 65, 127, 64, 3), 300, ("relu", "sigmoid", "relu", "softmax")),
    ((40, 100, 90, 5), 20, ("relu", "relu", "softmax")),
    ((20, 96, 64, 64), 129, ("leaky_relu", "relu", "sigmoid")),
]


def engine_for(sizes, batch_size, activations, dtype="float32", step=("sgd", {}), threads=1):
    network = fastmlp.Network(sizes, dtype=dtype, seed=2)
    for b in network.biases:
        b[...] = np.random.default_rng(3).normal(0, 0.1, len(b))
    own = network.weights, network.biases, activations, "squared_error", batch_size
    return Engine(*own, *step, threads)


@pytest.fixture(autouse=True)
def by_columns(monkeypatch):
    """Share steps by columns, whatever the sizes."""
    monkeypatch.setattr("fastmlp.kernels.team.plan.plan_of", lambda *_: Plan(BY_COLUMNS))


def trained(engine, sizes, batch_size, images, dtype):
    """Train for some steps, the last on fewer samples; return the fingerprint of all numbers."""
    samples = 3 * batch_size + 7
    y = np.random.default_rng(1).integers(0, sizes[-1], samples)
    rates = np.full(4, 0.05)
    costs, correct = engine.train(images, y, np.arange(samples), rates, 1 / 255)
    shapes = list(itertools.pairwise(sizes))
    weights, biases = [np.empty(s, dtype) for s in shapes], [np.empty(s[1], dtype) for s in shapes]
    engine.read(weights, biases)
    assert all(np.isfinite(w).all() for w in weights)
    numbers = b"".join(n.tobytes() for n in (*weights, *biases, costs))
    return hashlib.sha256(numbers).hexdigest(), correct


def images_for(sizes, batch_size, density=1.0):
    rng = np.random.default_rng(0)
    images = rng.integers(1, 256, (3 * batch_size + 7, sizes[0]), np.uint8)
    images[rng.random(images.shape) > density] = 0
    return images


@pytest.mark.parametrize("step", FORMS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_every_team_leaves_out_the_same_zeros(network, dtype, step):
    sizes, batch_size, _ = network
    for density in (1.0, 0.2):
        images, prints = images_for(sizes, batch_size, density), set()
        for threads in (1, 2, 3, 5):
            engine = engine_for(*network, dtype, FORMS[step], threads)
            assert engine.layers["nonzeros"].any()
            prints.add(trained(engine, sizes, batch_size, images, dtype))
        assert len(prints) == 1


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_leaving_zeros_out_changes_no_sum_but_its_order(network):
    sizes, batch_size, _ = network
    images, traces = images_for(sizes, batch_size, 0.2), []
    y, order = np.arange(len(images)) % sizes[-1], np.arange(batch_size)
    for marks in (False, True):
        engine = engine_for(*network, "float64")
        if not marks:
            engine.layers["nonzeros"] = 0
            engine._use(engine.plan)
        traces.append(engine.trace(images, y, order, 1 / 255))
    for name in ("a", "dz", "dw", "db"):
        for one, other in zip(*(getattr(trace, name) for trace in traces), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_what_is_marked_are_the_outputs_that_are_not_zero(network):
    sizes, batch_size, activations = network
    engine = engine_for(*network)
    trained(engine, sizes, batch_size, images_for(sizes, batch_size), "float32")
    for l, arrays in enumerate(engine.buffers):
        if "nonzeros" not in arrays:
            continue
        layer, samples = engine.layers[l], 7  # those of the last step
        width, row, panel = int(layer["width"]), int(layer["a_row"]), int(layer["a_panel"])
        a, marked = arrays["a"].reshape(-1), arrays["nonzeros"].view(np.uint64)
        for j in range(sizes[l + 1]):
            p, column = divmod(j, width)
            values = a[p * panel + column + row * np.arange(samples)]
            bits = marked[p, :samples] >> np.uint64(column) & np.uint64(1)
            np.testing.assert_array_equal(bits, values != 0)
        padding = int(layer["panels"]) * width - sizes[l + 1]
        assert not (marked[-1, :samples] >> np.uint64(width - padding)).any() or padding == 0
    marking = [l for l, layer in enumerate(engine.layers) if layer["nonzeros"]]
    assert marking
    assert all(activations[l] == "relu" for l in marking)


def test_zeros_are_left_out_where_they_are_many():
    sizes, batch_size = (8, 64, 64, 3), PART
    engine = engine_for(sizes, batch_size, ("relu", "relu", "softmax"))
    layers = engine.layers.view(np.recarray)
    decide = numba.njit(
        lambda layers, one, other, batch, first, end: leaves_out(
            layers[one], layers[other], batch, first, end
        )
    )
    marked = engine.buffers[0]["nonzeros"]
    panels = len(marked)
    share = 64 // panels
    for columns in range(share + 1):
        marked[...] = -1 if columns == 64 else (1 << columns) - 1
        assert decide(layers, 0, 1, batch_size, 0, panels) == (columns < DENSE_FROM * share)
    if panels > 1:
        marked[1:] = 0
        assert decide(layers, 0, 1, batch_size, 1, panels)
    marked[...] = 0
    assert not decide(layers, 0, 2, batch_size, 0, panels)  # its panels are slim
    assert not decide(layers, 2, 1, batch_size, 0, 1)  # it does not mark
