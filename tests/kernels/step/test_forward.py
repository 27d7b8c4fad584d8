"""Outputs that are zero are left out of the products of the layers around: the same bits."""

import hashlib
import itertools

import numba
import numpy as np
import pytest
from fastmlp.kernels.masks import PART
from fastmlp.kernels.nonzeros import DENSE_FROM, leaves_out

import fastmlp
from fastmlp.kernels.engine import Engine

# sizes, batch size, activations: whole panels and others, parts of a batch and others
NETWORKS = [
    ((50, 64, 128, 10), 64, ("relu", "relu", "softmax")),
    ((30, 130, 200, 70, 4), 150, ("relu", "relu", "relu", "softmax")),
    ((30, 65, 127, 64, 3), 300, ("relu", "sigmoid", "relu", "softmax")),
    ((40, 100, 90, 5), 20, ("relu", "relu", "softmax")),
    ((20, 96, 64, 64), 129, ("leaky_relu", "relu", "sigmoid")),
]


def engine_for(sizes, batch_size, activations, dtype="float32", **settings):
    network = fastmlp.Network(sizes, dtype=dtype, seed=2)
    for b in network.biases:
        b[...] = np.random.default_rng(3).normal(0, 0.1, len(b))
    return Engine(
        network.weights, network.biases, activations, "squared_error", batch_size, **settings
    )


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


@pytest.mark.parametrize("settings", [{}, {"weight_decay": 0.01}, {"momentum": 0.9}], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_leaving_zeros_out_changes_no_bit(network, dtype, settings):
    sizes, batch_size, _ = network
    for density in (1.0, 0.2):
        images, prints = images_for(sizes, batch_size, density), set()
        for threads, notes in ((1, False), (1, True), (2, True), (3, True)):
            engine = engine_for(*network, dtype, threads=threads, **settings)
            assert threads > 1 or engine._layers["nonzeros"].any()
            if not notes:
                engine._layers["nonzeros"] = 0
            prints.add(trained(engine, sizes, batch_size, images, dtype))
        assert len(prints) == 1


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_what_is_noted_are_the_outputs_that_are_not_zero(network):
    sizes, batch_size, activations = network
    engine = engine_for(*network, threads=1)
    trained(engine, sizes, batch_size, images_for(sizes, batch_size), "float32")
    for l, arrays in enumerate(engine._arrays):
        if "nonzeros" not in arrays:
            continue
        layer, samples = engine._layers[l], 7  # those of the last step
        width, row, panel = int(layer["width"]), int(layer["a_row"]), int(layer["a_panel"])
        a, noted = arrays["a"].reshape(-1), arrays["nonzeros"].view(np.uint64)
        for j in range(sizes[l + 1]):
            p, column = divmod(j, width)
            values = a[p * panel + column + row * np.arange(samples)]
            bits = noted[p, :samples] >> np.uint64(column) & np.uint64(1)
            np.testing.assert_array_equal(bits, values != 0)
        padding = int(layer["panels"]) * width - sizes[l + 1]
        assert not (noted[-1, :samples] >> np.uint64(width - padding)).any() or padding == 0
    noting = [l for l, layer in enumerate(engine._layers) if layer["nonzeros"]]
    assert noting
    assert all(activations[l] == "relu" for l in noting)


def test_zeros_are_left_out_where_they_are_many():
    sizes, batch_size = (8, 64, 64, 3), PART
    engine = engine_for(sizes, batch_size, ("relu", "relu", "softmax"), threads=1)
    layers = engine._layers.view(np.recarray)
    decide = numba.njit(
        lambda layers, one, other, batch: leaves_out(layers[one], layers[other], batch)
    )
    noted = engine._arrays[0]["nonzeros"]
    share = 64 // engine._arrays[0]["nonzeros"].shape[0]
    for columns in range(share + 1):
        noted[...] = -1 if columns == 64 else (1 << columns) - 1
        assert decide(layers, 0, 1, batch_size) == (columns < DENSE_FROM * share)
    noted[...] = 0
    assert not decide(layers, 0, 2, batch_size)  # its panels are slim
    assert not decide(layers, 2, 1, batch_size)  # it does not note
