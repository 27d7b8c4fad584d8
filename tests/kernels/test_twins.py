"""Every kernel against the float64 reference, in units of eps times the length of its sums."""

import inspect
import itertools

import numpy as np
import pytest

from fastmlp import kernels, reference
from fastmlp.errors import ArgumentError
from fastmlp.functions import ACTIVATIONS, COSTS

SIZES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 64, 100, 784)
HIDDEN = [name for name, row in ACTIVATIONS.items() if row.derivative is not None]
DTYPES = [np.float32, np.float64]
# the test ratio of the netlib BLAS: errors in units of eps |x| |w| stay below it
THRESHOLD = 16


def check(got, exact, bound):
    """Demand abs(got - exact) < THRESHOLD eps bound everywhere; NaN fails."""
    ratio = np.abs(got - exact) / (np.finfo(got.dtype).eps * np.maximum(bound, 1e-30))
    assert np.all(ratio < THRESHOLD), float(ratio.max())


def draw(rng, dtype, *shape):
    return rng.normal(size=shape).astype(dtype)


def wide(*arrays):
    return [array.astype(np.float64) for array in arrays]


def test_both_backends_have_the_same_doors():
    assert kernels.__all__ == reference.__all__
    for name in kernels.__all__:
        ours, theirs = getattr(kernels, name), getattr(reference, name)
        if name != "Engine":
            assert inspect.signature(ours) == inspect.signature(theirs), name
            continue
        for method in ("__init__", "train", "read", "read_velocities", "write_velocities"):
            assert inspect.signature(getattr(ours, method)) == inspect.signature(
                getattr(theirs, method)
            ), method


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", SIZES)
def test_layer_functions_at_every_size(dtype, batch):
    rng = np.random.default_rng(batch)
    for inputs, outputs in itertools.product(SIZES, SIZES):
        x, w, b = (
            draw(rng, dtype, batch, inputs),
            draw(rng, dtype, inputs, outputs),
            draw(rng, dtype, outputs),
        )
        dz, a_below = draw(rng, dtype, batch, outputs), draw(rng, dtype, batch, inputs)
        a, dx = np.full((batch, outputs), np.nan, dtype), np.full((batch, inputs), np.nan, dtype)
        packed = kernels.pack_weights(w)
        x8, w8, b8, dz8, below8 = wide(x, w, b, dz, a_below)

        kernels.forward(x, packed, b, "identity", a)
        check(a, x8 @ w8 + b8, np.abs(x8) @ np.abs(w8) + np.abs(b8))

        kernels.delta(dz, packed, a_below, "relu", dx)
        check(dx, (dz8 @ w8.T) * (below8 > 0), np.abs(dz8) @ np.abs(w8.T))

        dw, db = kernels.pack_weights(np.full_like(w, np.nan)), np.full_like(b, np.nan)
        kernels.gradient(x, dz, dw, db)
        slope = np.empty_like(w)
        kernels.unpack_weights(dw, slope)
        check(slope, x8.T @ dz8, np.abs(x8.T) @ np.abs(dz8))
        check(db, dz8.sum(axis=0), np.abs(dz8).sum(axis=0))

        kernels.update(x, dz, packed, b, np.zeros_like(packed), np.zeros_like(b), 0.25)
        kernels.unpack_weights(packed, w)
        check(w, w8 - 0.25 * (x8.T @ dz8), np.abs(w8) + np.abs(x8.T) @ np.abs(dz8))
        check(b, b8 - 0.25 * dz8.sum(axis=0), np.abs(b8) + np.abs(dz8).sum(axis=0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_and_their_slopes(dtype, activation):
    rng = np.random.default_rng(0)
    nonzeros, size = 0, 0
    for batch, outputs in itertools.product((1, 3, 9, 64), (1, 2, 10, 16, 17, 100)):
        x, w, b = (
            draw(rng, dtype, batch, 20),
            draw(rng, dtype, 20, outputs),
            draw(rng, dtype, outputs),
        )
        a, exact = np.empty((batch, outputs), dtype), np.empty((batch, outputs))
        kernels.forward(x, kernels.pack_weights(w), b, activation, a)
        x8, w8, b8 = wide(x, w, b)
        reference.forward(x8, w8, b8, activation, exact)
        bound = np.abs(x8) @ np.abs(w8) + np.abs(b8)
        clear = np.abs(x8 @ w8 + b8) > 100 * np.finfo(dtype).eps * bound
        check(a[clear], exact[clear], bound[clear] + 1)
        nonzeros, size = nonzeros + np.count_nonzero(a), size + a.size
        if activation == "softmax":
            continue
        dz, upper = draw(rng, dtype, batch, 7), draw(rng, dtype, outputs, 7)
        dx, exact_dx = np.empty_like(a), np.empty_like(exact)
        kernels.delta(dz, kernels.pack_weights(upper), a, activation, dx)
        reference.delta(*wide(dz, upper, a), activation, exact_dx)
        check(dx, exact_dx, np.abs(dz.astype(float)) @ np.abs(upper.astype(float).T))
    assert nonzeros >= 0.3 * size


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("labelled", [True, False], ids=["labels", "targets"])
@pytest.mark.parametrize("cost", COSTS.values(), ids=COSTS)
def test_output_costs_and_deltas(dtype, labelled, cost):
    rng = np.random.default_rng(0)
    for output, batch, outputs in itertools.product(
        cost.outputs or ACTIVATIONS, (1, 2, 9, 64), (1, 2, 10, 17, 100)
    ):
        z = draw(rng, dtype, batch, outputs) * 4
        y = rng.integers(0, outputs, batch)
        if not labelled:
            y = rng.uniform(size=(batch, outputs)).astype(dtype)
            y /= y.sum(axis=1, keepdims=True)
        a, dz, a8, dz8 = (np.empty((batch, outputs), kind) for kind in (dtype, dtype, float, float))
        total = kernels.output(z, y, output, cost.name, a, dz)
        y8 = y if labelled else y.astype(float)
        exact = reference.output(z.astype(float), y8, output, cost.name, a8, dz8)
        # the costs are sums of this many terms of this size
        size = float(np.maximum(np.abs(z.astype(float)), 1).sum() * (1 + np.abs(z).max()))
        check(a, a8, 1 + np.abs(a8))
        check(dz * batch, dz8 * batch, np.full(dz.shape, 2.0 + np.abs(a8).max()) * outputs)
        check(np.array([total], dtype), np.array([exact]), np.array([size]))


def engines(rng, dtype, hidden, output, cost, **settings):
    sizes = (30, 33, 17, 4)
    shapes = list(itertools.pairwise(sizes))
    w = [(rng.normal(size=shape) / np.sqrt(shape[0])).astype(dtype) for shape in shapes]
    b = [draw(rng, dtype, shape[1]) * dtype(0.1) for shape in shapes]
    names = (hidden, hidden, output)
    compiled = kernels.Engine(w, b, names, cost, 16, **settings)
    exact = reference.Engine(
        [v.astype(float) for v in w], [v.astype(float) for v in b], names, cost, 16, **settings
    )
    return compiled, exact, w, b


def parameters(engine, w, b, dtype):
    w, b = [np.empty(v.shape, dtype) for v in w], [np.empty(v.shape, dtype) for v in b]
    engine.read(w, b)
    return w + b


SETTINGS = [
    {},
    {"weight_decay": 0.01},
    {"momentum": 0.9, "weight_decay": 0.01},
    {"momentum": 0.9, "nesterov": True},
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("cost", COSTS.values(), ids=COSTS)
def test_ten_steps_agree(dtype, cost, settings):
    eps = np.finfo(dtype).eps
    for hidden, output in itertools.product(HIDDEN, cost.outputs or ACTIVATIONS):
        rng = np.random.default_rng(7)
        compiled, exact, w, b = engines(rng, dtype, hidden, output, cost.name, **settings)
        images = rng.integers(0, 256, (157, 30), np.uint8)
        y, order = rng.integers(0, 4, 157), rng.permutation(157)  # a last batch of 13
        rates = np.full(10, 0.01 if "momentum" in settings else 0.05)
        got, _ = compiled.train(images, y, order, rates, 1 / 255)
        wanted, _ = exact.train(images, y, order, rates, 1 / 255)
        # ten steps of sums over at most 33 terms of about 1, each step handing on its errors
        assert np.all(np.abs(got - wanted) <= THRESHOLD * eps * 33 * 16 * (1 + np.abs(wanted)))
        moved = 0.0
        for mine, theirs, start in zip(
            parameters(compiled, w, b, dtype), parameters(exact, w, b, float), w + b, strict=True
        ):
            difference = np.abs(mine - theirs).max()
            assert difference <= THRESHOLD * eps * 33 * 10, (hidden, output, difference)
            moved = max(moved, float(np.abs(theirs - start).max()))
        assert moved > 1e-4 or (output == "step" and cost.name == "squared_error")


def test_the_comparison_can_fail(monkeypatch):
    rng = np.random.default_rng(0)
    x, w, b = draw(rng, np.float32, 8, 50), draw(rng, np.float32, 50, 20), draw(rng, np.float32, 20)
    a = np.empty((8, 20), np.float32)
    kernels.forward(x, kernels.pack_weights(w), b, "identity", a)
    x8, w8, b8 = wide(x, w, b)
    bound = np.abs(x8) @ np.abs(w8) + np.abs(b8)
    check(a, x8 @ w8 + b8, bound)
    for planted in (a * np.float32(1 + 1e-4), np.full_like(a, np.nan)):
        with pytest.raises(AssertionError):
            check(planted, x8 @ w8 + b8, bound)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((4, 6), np.float16)}, "x must be float32 or float64"),
        ({"x": np.zeros(6, np.float32)}, r"x must have shape \(any, any\)"),
        ({"x": np.zeros((6, 4), np.float32).T}, "x must be C-contiguous"),
        ({"w": np.zeros((6, 3), np.float32)}, r"Pass pack_weights\(w\)"),
        ({"b": np.zeros(3)}, "b must be float32"),
        ({"a": np.zeros((4, 5), np.float32)}, r"a must have shape \(4, 3\)"),
        ({"a": np.zeros((3, 4), np.float32).T}, "a must be C-contiguous"),
        ({"activation": "swish"}, "activation must name an activation"),
    ],
)
def test_doors_refuse_what_does_not_fit(change, message):
    arguments = {
        "x": np.zeros((4, 6), np.float32),
        "w": kernels.pack_weights(np.zeros((6, 3), np.float32)),
        "b": np.zeros(3, np.float32),
        "activation": "relu",
        "a": np.zeros((4, 3), np.float32),
    }
    with pytest.raises(ArgumentError, match=message):
        kernels.forward(**(arguments | change))


def test_doors_refuse_outputs_that_cannot_be_written():
    x, b = np.zeros((3, 3), np.float32), np.zeros(3, np.float32)
    w = kernels.pack_weights(np.zeros((3, 3), np.float32))
    with pytest.raises(ArgumentError, match="a must not overlap x"):
        kernels.forward(x, w, b, "relu", x)
    a = np.zeros((3, 3), np.float32)
    a.flags.writeable = False
    with pytest.raises(ArgumentError, match="a must be writable"):
        kernels.forward(x, w, b, "relu", a)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("inputs", "outputs"), [(100, 100), (784, 130), (33, 64)])
def test_delta_has_the_same_bits_for_many_samples_as_for_a_few(dtype, inputs, outputs):
    rng = np.random.default_rng(0)
    dz, w, a = (
        draw(rng, dtype, 17, outputs),
        draw(rng, dtype, inputs, outputs),
        draw(rng, dtype, 17, inputs),
    )
    packed, dx, dx_few = kernels.pack_weights(w), np.empty_like(a), np.empty_like(a)
    kernels.delta(dz, packed, a, "sigmoid", dx)
    for few in np.split(np.arange(17), [3, 8, 9]):
        part = np.empty_like(a[few])
        kernels.delta(dz[few], packed, a[few], "sigmoid", part)
        dx_few[few] = part
    np.testing.assert_array_equal(dx, dx_few)
