"""Sparse rows: what the same numbers in an array give, by the reference and by the kernels."""

import numpy as np
import pytest
from networks import TWINS, fingerprint, parameters, rate_for, read

from fastmlp import kernels, reference
from fastmlp.arrays import SparseRows
from fastmlp.functions import OPTIMIZERS
from fastmlp.functions.dropout import Dropout
from fastmlp.kernels.memory.records import BY_ENTRY
from fastmlp.kernels.memory.tuning import ENTRY_ROWS
from fastmlp.verify.tables import TABLES

# no hidden layer, one, and two; one block of inputs, and several
NETWORKS = {
    (301, 4): ("softmax",),
    (ENTRY_ROWS + 77, 40, 3): ("relu", "softmax"),
    (2 * ENTRY_ROWS + 1, 20, 10, 4): ("tanh", "relu", "softmax"),
}
BATCH_SIZES = (1, 10, 64, 300)
HOW = {
    "dropout": lambda layers, count: {"dropout": Dropout((0.3,) * (layers - 1), 5, 0.2)},
    "smoothing": lambda layers, count: {"smoothing": 0.1},
    "factors": lambda layers, count: {"factors": np.linspace(0.5, 2, 2 * layers).reshape(-1, 2)},
    "clip_norm": lambda layers, count: {"step": ("adam", {"clip_norm": 1e-3})},
    "limits": lambda layers, count: {"step": ("momentum", {"clip_value": 0.01, "l1": 1e-4})},
    "weights": lambda layers, count: {"weight": np.random.default_rng(4).random(count)},
}


def sparse_rows(rng, count, inputs, share=0.02):
    """Random rows, of which each fifth is empty, with some entries that are 0."""
    wanted = rng.random((count, inputs)) < share
    wanted[::5] = False
    rows, columns = np.nonzero(wanted)
    values = rng.normal(size=len(rows)) * (rng.random(len(rows)) > 0.1)
    starts = np.searchsorted(rows, np.arange(count + 1))
    return SparseRows(values, columns.astype(np.int32), starts, inputs)


def trained(module, rows, sizes, batch_size, threads=None, weight=None, step=("sgd", {}), **how):
    """Return all parameters and costs after some steps in float64, the last of them short."""
    w, b = parameters(np.random.default_rng(2), sizes, np.float64)
    engine = module.Engine(
        w, b, NETWORKS[sizes], "cross_entropy", batch_size, *step, threads, **how
    )
    rng = np.random.default_rng(3)
    y, order = rng.integers(0, sizes[-1], len(rows)), rng.permutation(len(rows))
    rates = np.full(-(-len(rows) // batch_size), rate_for(*step, 0.1))
    costs, right = engine.train(rows, y, order, rates, 0.5, 0, weight)
    return [*read(engine, w, b), costs, np.array(float(right))]


def check(sizes, batch_size, how):
    count = 2 * batch_size + 3
    rows = sparse_rows(np.random.default_rng(1), count, sizes[0])
    found = [trained(kernels, rows, sizes, batch_size, threads, **how) for threads in (1, 2, 5)]
    assert len({fingerprint(*one) for one in found}) == 1
    for module, data in ((reference, rows), (kernels, rows.dense())):
        for mine, theirs in zip(
            found[0], trained(module, data, sizes, batch_size, **how), strict=True
        ):
            np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_steps_are_those_of_an_array_with_any_number_of_threads(optimizer, batch_size):
    sizes = list(NETWORKS)[(list(OPTIMIZERS).index(optimizer) + batch_size) % len(NETWORKS)]
    settings = {name: s for name, s in TABLES["step"].values() if name == optimizer}[optimizer]
    check(sizes, batch_size, {"step": (optimizer, settings)})


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("sizes", NETWORKS, ids=str)
def test_what_changes_a_step_does_so_for_sparse_rows(sizes, how):
    check(sizes, 20, HOW[how](len(sizes) - 1, 43))


@pytest.mark.parametrize("sizes", NETWORKS, ids=str)
def test_traces_and_outputs_are_those_of_an_array(sizes):
    rng = np.random.default_rng(5)
    rows, y = sparse_rows(rng, 30, sizes[0]), rng.integers(0, sizes[-1], 30)
    w, b = parameters(rng, sizes, np.float64)
    traces = []
    for module in TWINS:
        engine = module.Engine(w, b, NETWORKS[sizes], "cross_entropy", 30)
        traces.append(engine.trace(rows, y, np.arange(30)))
    for mine, theirs in zip(traces[0].dw, traces[1].dw, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)
    for count in (1, 30):
        found = []
        for module, data in ((kernels, rows), (reference, rows), (kernels, rows.dense())):
            found.append(np.empty((count, sizes[-1])))
            predictor = module.Predictor(w, b, NETWORKS[sizes], 1.0)
            predictor(data[:count], "outputs", found[-1])
        np.testing.assert_allclose(found[0], found[1], atol=1e-12)
        np.testing.assert_allclose(found[0], found[2], atol=1e-12)


def test_an_engine_takes_arrays_and_sparse_rows_in_turn():
    sizes, batch_size = (301, 4), 16
    rng = np.random.default_rng(6)
    rows, y = sparse_rows(rng, 48, 301), rng.integers(0, 4, 48)
    w, b = parameters(rng, sizes, np.float64)
    engine = kernels.Engine(w, b, ("softmax",), "cross_entropy", batch_size)
    order, rates, seen = np.arange(48), np.full(3, 0.1), []
    for data in (rows, rows.dense(), rows):
        engine.write(w, b)
        engine.train(data, y, order, rates)
        seen.append((int(engine.job["images_as"][0]), read(engine, w, b)))
    assert seen[0][0] == BY_ENTRY
    assert fingerprint(*seen[0][1]) == fingerprint(*seen[2][1])
    np.testing.assert_allclose(seen[0][1][0], seen[1][1][0], atol=1e-12)
