"""The layers below a wide output layer learn as the reference does, whatever its activation."""

import numpy as np
import pytest

import fastmlp
from fastmlp import kernels
from fastmlp.functions import PAIRS
from fastmlp.kernels.llvm.emitter import VECTOR_BYTES
from fastmlp.kernels.memory.tuning import ALONE, PANEL_VECTORS


def learnt(backend, output, cost, width, dtype, images, y, **settings):
    """What one epoch changes in each weight."""
    network = fastmlp.Network((20, width, width), "relu", output, cost, dtype=dtype)
    before = [w.copy() for w in network.weights]
    settings = {"epochs": 1, "batch_size": 16, "learning_rate": 0.01} | settings
    fastmlp.train(network, (images, y), backend=backend, **settings)
    return [w - old for w, old in zip(network.weights, before, strict=True)]


@pytest.mark.parametrize(("output", "cost"), PAIRS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_layers_learn_below_a_wide_output(output, cost, dtype):
    panel = PANEL_VECTORS * VECTOR_BYTES // np.dtype(dtype).itemsize
    rng = np.random.default_rng(0)
    for density, width in ((1.0, panel), (0.2, panel), (1.0, panel // 2 + 1)):
        images = rng.integers(1, 256, (64, 20), np.uint8)
        images[rng.random(images.shape) >= density] = 0
        what = output, cost, width, dtype, images, rng.integers(0, width, 64)
        for settings in ({}, {"momentum": 0.9}, {"threads": 2}):
            got = learnt("compiled", *what, **settings)
            settings.pop("threads", None)
            for mine, theirs in zip(got, learnt("numpy", *what, **settings), strict=True):
                assert np.abs(theirs).max() > 0 or (output, cost) == ("step", "squared_error")
                room = 1e-4 if dtype == "float32" else 1e-11
                assert np.abs(mine - theirs).max() <= room * max(np.abs(theirs).max(), 1e-2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [(100,), (70, 40), (64, 64)])
def test_few_outputs_learn_as_in_the_reference(dtype, hidden):
    lanes, rng = VECTOR_BYTES // np.dtype(dtype).itemsize, np.random.default_rng(0)
    x = rng.normal(size=(258, 20)).astype(np.float32)
    # up to half of a vector, or three quarters, w lies transposed
    for outputs in sorted(
        {2, *(max(2, n + k) for n in (lanes // 2, lanes * 3 // 4) for k in (0, 1))}
    ):
        y, found = rng.integers(0, outputs, len(x)), {}
        for backend in ("compiled", "numpy"):
            network = fastmlp.Network((20, *hidden, outputs), dtype=dtype, seed=0)
            # minibatches of which the last block has one sample
            for batch in (129, 17, 9):
                fastmlp.train(network, (x, y), backend=backend, epochs=1, batch_size=batch)
            found[backend] = np.concatenate([w.ravel() for w in network.weights])
        error = np.abs(found["compiled"] - found["numpy"]).max()
        assert error <= (1e-4 if dtype == "float32" else 1e-11)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_targets_of_any_number_of_outputs_are_learnt_as_in_the_reference(dtype, smoothing):
    lanes, rng = VECTOR_BYTES // np.dtype(dtype).itemsize, np.random.default_rng(0)
    x = rng.normal(size=(150, 20)).astype(dtype)
    output, cost = ("sigmoid", "cross_entropy") if smoothing else ("identity", "squared_error")
    for outputs in (1, 3, lanes + 1, 5 * lanes, ALONE * lanes):
        y = (rng.random((len(x), outputs)) < 0.5).astype(dtype)
        # minibatches of which the last block has one sample, and a single one
        for batch in (129, 17, 1):
            settings = {"batch_size": batch, "label_smoothing": smoothing, "learning_rate": 0.01}
            found = {}
            for backend in ("compiled", "numpy"):
                network = fastmlp.Network((20, 16, outputs), "relu", output, cost, dtype=dtype)
                fastmlp.train(network, (x, y), backend=backend, epochs=1, **settings)
                found[backend] = np.concatenate([w.ravel() for w in network.weights])
            error = np.abs(found["compiled"] - found["numpy"]).max()
            assert error <= (1e-4 if dtype == "float32" else 1e-11)


@pytest.mark.parametrize("per_lane", [ALONE * 3 // 4, ALONE])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_of_many_outputs_are_each_taken_alone(dtype, per_lane):
    lanes, rng = VECTOR_BYTES // np.dtype(dtype).itemsize, np.random.default_rng(0)
    wide, rows = per_lane * lanes, lanes // 2
    w, b = [np.eye(wide, dtype=dtype)], [np.zeros(wide, dtype)]
    engine = kernels.Engine(w, b, ("softmax",), "cross_entropy", 64)
    z, y = rng.normal(size=(64, wide)).astype(dtype), rng.integers(0, wide, 64)
    alone = [engine.trace(z, y, np.array([k])) for k in range(rows)]
    few, many = (engine.trace(z, y, np.arange(count)) for count in (rows, 64))
    for k, one in enumerate(alone):
        np.testing.assert_array_equal(few.a[0][k], one.a[0][0])
    # samples in the lanes: other sums, which can be the same in a single row
    is_same = (few.a[0] == many.a[0][:rows]).all()
    assert is_same if per_lane == ALONE else rows == 1 or not is_same
    np.testing.assert_allclose(few.a[0], many.a[0][:rows], rtol=100 * np.finfo(dtype).eps)
