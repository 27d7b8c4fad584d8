"""A traced step against the float64 reference, in units of eps times the length of its sums."""

import inspect
import itertools

import numpy as np
import pytest
from networks import TWINS, parameters, rate_for, read, wide

from fastmlp import backends, kernels, reference
from fastmlp.functions import ACTIVATIONS, COSTS, HIDDEN, PAIRS, Trace
from fastmlp.reference import layers as exact_layers
from fastmlp.verify.tables import TABLES

SIZES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 64, 100, 784)
DTYPES = [np.float32, np.float64]
# the test ratio of the netlib BLAS: errors in units of eps |x| |w| stay below it
THRESHOLD = 16


def check(got, exact, bound):
    """Demand abs(got - exact) < THRESHOLD eps bound everywhere; NaN fails."""
    ratio = np.abs(got - exact) / (np.finfo(got.dtype).eps * np.maximum(bound, 1e-30))
    assert np.all(ratio < THRESHOLD), float(ratio.max())


def draw(rng, dtype, *shape):
    return rng.normal(size=shape).astype(dtype)


def public(kind):
    """Return the methods of a contract by name."""
    names = [name for name in vars(kind) if name == "__init__" or not name.startswith("_")]
    return {name: method for name in names if inspect.isfunction(method := vars(kind)[name])}


def test_both_backends_keep_the_contract():
    assert kernels.__all__ == reference.__all__
    for module in TWINS:
        doors = [name for name in public(backends.Backend) if name != "__init__"]
        assert {"Engine", "Predictor", *doors} == set(module.__all__)
        pairs = [(getattr(module, name), public(backends.Backend)[name], 1) for name in doors]
        for kind in (backends.Engine, backends.Predictor):
            own = getattr(module, kind.__name__)
            pairs += [(getattr(own, name), method, 0) for name, method in public(kind).items()]
        for ours, theirs, skipped in pairs:
            found, asked = inspect.signature(ours), inspect.signature(theirs)
            kept = list(asked.parameters.values())[skipped:]
            assert list(found.parameters.values()) == kept, ours
        engine = module.Engine([np.ones((3, 2))], [np.ones(2)], ("tanh",), "squared_error", 4)
        for name in backends.Engine.__annotations__:
            assert hasattr(engine, name), name


def test_there_is_a_vector_formula_for_each_row_of_the_tables():
    from fastmlp.functions import OPTIMIZERS, vector_costs, vector_steps, vectors
    from fastmlp.kernels.memory.records import MOST_SLOTS

    assert list(vectors.ACTIVATIONS) == list(ACTIVATIONS)
    general = {name for name, row in OPTIMIZERS.items() if not row.fused}
    assert vector_steps.OPTIMIZERS.keys() == general
    assert vector_costs.COSTS.keys() == {name for name, row in COSTS.items() if row.f is not None}
    for table in (ACTIVATIONS, COSTS, OPTIMIZERS):
        codes = [row.code for row in table.values()]
        assert len(set(codes)) == len(codes)
        assert min(codes) >= 0
        assert max(codes) < 63  # a bit of a word stands for each
        assert all(name == row.name for name, row in table.items())
    assert all(len(row.slots) <= MOST_SLOTS for row in OPTIMIZERS.values())
    for name, row in ACTIVATIONS.items():
        has_integral = vectors.ACTIVATIONS[name].integral is not None
        assert has_integral == (row.integral is not None and name != "softmax"), name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", SIZES)
def test_layers_at_every_size(dtype, batch):
    rng = np.random.default_rng(batch)
    for inputs, hidden in itertools.product(SIZES, SIZES):
        (w, v), (b, c) = parameters(rng, (inputs, hidden, 2), dtype)
        x, y = draw(rng, dtype, batch, inputs), draw(rng, dtype, batch, 2)
        engine = kernels.Engine([w, v], [b, c], ("relu", "identity"), "squared_error", batch)
        found = engine.trace(x, y, np.arange(batch))
        x8, w8, b8, v8, a8, dz8, top8 = wide((x, w, b, v, found.a[0], found.dz[0], found.dz[1]))
        z = x8 @ w8 + b8
        check(found.a[0], np.maximum(z, 0), np.abs(x8) @ np.abs(w8) + np.abs(b8))
        check(found.dz[0], (top8 @ v8.T) * (a8 > 0), np.abs(top8) @ np.abs(v8.T))
        alike = 1 + batch / 64  # samples that are alike are rounded alike
        for a, dz, dw, db in zip((x8, a8), (dz8, top8), found.dw, found.db, strict=True):
            check(dw, a.T @ dz, np.abs(a.T) @ np.abs(dz) * alike)
            check(db, dz.sum(axis=0), np.abs(dz).sum(axis=0) * alike)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", HIDDEN)
def test_activations_and_their_slopes(dtype, activation):
    rng, nonzeros, size = np.random.default_rng(0), 0, 0
    for batch, outputs in itertools.product((1, 3, 9, 64), (1, 2, 10, 16, 17, 100)):
        (w, v), (b, c) = parameters(rng, (20, outputs, 7), dtype)
        x, y = draw(rng, dtype, batch, 20), draw(rng, dtype, batch, 7)
        engine = kernels.Engine([w, v], [b, c], (activation, "tanh"), "squared_error", batch)
        found = engine.trace(x, y, np.arange(batch))
        x8, w8, b8, v8, a8, top8 = wide((x, w, b, v, found.a[0], found.dz[1]))
        z, a, dx = np.empty_like(a8), np.empty_like(a8), np.empty_like(a8)
        exact_layers.forward(x8, w8, b8, activation, z, a)
        bound = np.abs(x8) @ np.abs(w8) + np.abs(b8)
        clear = np.abs(z) > 100 * np.finfo(dtype).eps * bound
        check(found.a[0][clear], a[clear], bound[clear] + 1)
        nonzeros, size = nonzeros + np.count_nonzero(a), size + a.size
        keeps_z = ACTIVATIONS[activation].keeps == "z"
        exact_layers.delta(top8, v8, z if keeps_z else a8, activation, dx)
        check(found.dz[0], dx, (np.abs(top8) @ np.abs(v8.T)) * (1 + keeps_z * bound))
    assert nonzeros >= 0.3 * size


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("labelled", [True, False], ids=["labels", "targets"])
@pytest.mark.parametrize(("output", "cost"), PAIRS)
def test_output_costs_and_deltas(dtype, labelled, output, cost):
    rng = np.random.default_rng(0)
    for batch, outputs in itertools.product((1, 2, 9, 64), (1, 2, 10, 17, 100)):
        if outputs < ACTIVATIONS[output].least:
            continue
        z = draw(rng, dtype, batch, outputs) * 4
        y = rng.integers(0, outputs, batch)
        if not labelled:
            y = rng.uniform(size=(batch, outputs)).astype(dtype)
            y /= y.sum(axis=1, keepdims=True)
        found = []
        for module, kind in ((kernels, dtype), (reference, np.float64)):
            one, zero = np.eye(outputs, dtype=kind), np.zeros(outputs, kind)
            engine = module.Engine([one], [zero], (output,), cost, batch)
            answers = y if labelled else y.astype(kind)
            found.append(engine.trace(z.astype(kind), answers, np.arange(batch)))
        (total, _, (a,), (dz,), *_), (exact, _, (a8,), (dz8,), *_) = found
        # the costs are sums of this many terms of this size
        size = float(np.maximum(np.abs(z.astype(float)), 1).sum() * (1 + np.abs(z).max()))
        check(a, a8, 1 + np.abs(a8))
        steep = 1.0
        if output == "exponential":  # outputs and slopes are as large as e^z
            steep += np.abs(a8).max()
            size += steep * np.abs(a8).sum()
        check(dz * batch, dz8 * batch, np.full(dz.shape, 2.0 + np.abs(a8).max()) * outputs * steep)
        check(np.array([total], dtype), np.array([exact]), np.array([size]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", TABLES["step"])
@pytest.mark.parametrize("cost", COSTS)
def test_ten_steps_agree(dtype, cost, step):
    eps, (optimizer, settings) = np.finfo(dtype).eps, TABLES["step"][step]
    for number, (output, _) in enumerate(pair for pair in PAIRS if pair[1] == cost):
        rng, hidden = np.random.default_rng(7), [HIDDEN[(number + k) % len(HIDDEN)] for k in (0, 5)]
        w, b = parameters(rng, (30, 33, 17, 4), dtype)
        what = (*hidden, output), cost, 16, optimizer, settings
        compiled, exact = kernels.Engine(w, b, *what), reference.Engine(wide(w), wide(b), *what)
        images = rng.integers(0, 256, (157, 30), np.uint8)
        y, order = rng.integers(0, 4, 157), rng.permutation(157)  # a last batch of 13
        rate = rate_for(optimizer, settings, 0.05 if optimizer == "sgd" else 0.01)
        rates = np.full(10, rate)
        got, _ = compiled.train(images, y, order, rates, 1 / 255)
        wanted, _ = exact.train(images, y, order, rates, 1 / 255)
        # ten steps of sums over at most 33 terms of about 1, each step handing on its errors
        assert np.all(np.abs(got - wanted) <= THRESHOLD * eps * 33 * 16 * (1 + np.abs(wanted)))
        moved, found = 0.0, read(exact, wide(w), wide(b))
        for place, (mine, theirs) in enumerate(zip(read(compiled, w, b), found, strict=True)):
            difference, size = np.abs(mine - theirs).max(), max(1, np.abs(theirs).max())
            assert difference <= THRESHOLD * eps * 33 * 10 * size, (hidden, output, difference)
            if place < 6:
                moved = max(moved, float(np.abs(theirs - [*w, *b][place]).max()))
        flat = output == "step" and cost == "squared_error"
        assert moved > 1e-5 or flat


def test_the_comparison_can_fail():
    rng = np.random.default_rng(0)
    (w,), (b,) = parameters(rng, (50, 20), np.float32)
    x, y = draw(rng, np.float32, 8, 50), np.zeros((8, 20), np.float32)
    engine = kernels.Engine([w], [b], ("identity",), "squared_error", 8)
    a, (x8, w8, b8) = engine.trace(x, y, np.arange(8)).a[0], wide((x, w, b))
    bound = np.abs(x8) @ np.abs(w8) + np.abs(b8)
    check(a, x8 @ w8 + b8, bound)
    for planted in (a * np.float32(1 + 1e-4), np.full_like(a, np.nan)):
        with pytest.raises(AssertionError):
            check(planted, x8 @ w8 + b8, bound)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("inputs", "outputs"), [(100, 100), (784, 130), (33, 64)])
def test_delta_has_the_same_bits_for_many_samples_as_for_a_few(dtype, inputs, outputs):
    rng = np.random.default_rng(0)
    w, b = parameters(rng, (9, inputs, outputs), dtype)
    x, y = draw(rng, dtype, 16, 9), draw(rng, dtype, 16, outputs)
    engine = kernels.Engine(w, b, ("sigmoid", "identity"), "perceptron", 16)
    many = engine.trace(x, y, np.arange(16))
    # more than FEW_SAMPLES; a mean over a power of two is divided by it, which changes no bit
    for few in (4, 8):
        for part in np.arange(16).reshape(-1, few):
            found = engine.trace(x, y, part)
            np.testing.assert_array_equal(found.dz[0] * few, many.dz[0][part] * 16)


def test_a_trace_names_what_it_is_for_each_layer():
    w, b = parameters(np.random.default_rng(0), (9, 5, 4, 3), np.float32)
    for module in TWINS:
        engine = module.Engine(w, b, ("relu", "gelu", "softmax"), "cross_entropy", 8)
        found = engine.trace(np.ones((8, 9)), np.zeros(8, int), np.arange(6))
        assert isinstance(found, Trace)
        assert (
            [a.shape for a in found.a] == [dz.shape for dz in found.dz] == [(6, 5), (6, 4), (6, 3)]
        )
        assert [dw.shape for dw in found.dw] == [p.shape for p in w]
        assert [db.shape for db in found.db] == [p.shape for p in b]
