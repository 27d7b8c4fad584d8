"""Random cases: what one kernel computes, what is exact, and how large a rounding error may be.

Each function draws a case from a generator alone, so that a seed tells it all. Shapes favour the
edges of tiles and vectors. Arrays come as views into larger ones, so that they begin anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp import kernels, reference
from fastmlp.functions import Array

EDGES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 129)
HIDDEN = ("identity", "sigmoid", "relu", "leaky_relu", "tanh")
# In eps times the sum of the terms' sizes: the ratio that the netlib BLAS tests allow
ALLOWED = 16.0


@dataclass(frozen=True)
class Check:
    """One result of a case.

    size : for each element, the sum of the sizes of the terms that it is a sum of
    """

    name: str
    got: Array
    exact: Array
    size: Array
    allowed: float = ALLOWED

    def ratio(self) -> float:
        """Return the largest error over eps times size, over what is allowed: at most 1."""
        eps = np.finfo(self.got.dtype).eps
        room = self.allowed * eps * np.maximum(np.abs(self.size), np.finfo(np.float32).tiny)
        with np.errstate(invalid="ignore", over="ignore"):
            wrong = np.abs(self.got - self.exact) / room
        worst = float(wrong.max()) if wrong.size else 0.0
        return worst if np.isfinite(self.got).all() else float("inf")

    def is_empty(self) -> bool:
        """Whether so much is zero that being right means little."""
        return int(np.count_nonzero(self.exact)) < 0.05 * max(1, self.exact.size)


@dataclass(frozen=True)
class Case:
    """A description to print, and the results."""

    what: str
    checks: tuple[Check, ...]


def edge(rng: np.random.Generator) -> int:
    """Return a size: one at the edge of a tile, or any up to 200."""
    return int(rng.choice(EDGES)) if rng.random() < 0.7 else int(rng.integers(1, 201))


def placed(rng: np.random.Generator, array: Array) -> Array:
    """Return a contiguous copy that begins somewhere in a larger array."""
    room = np.full(array.size + 64, np.nan, array.dtype)
    start = int(rng.integers(0, 64))
    view = room[start : start + array.size].reshape(array.shape)
    view[...] = array
    return view


def drawn(rng: np.random.Generator, dtype: Any, *shape: int) -> tuple[Array, Array]:
    """Return random numbers, some of them zero, in a precision and as float64."""
    numbers = rng.normal(size=shape) * rng.choice([0.1, 1.0, 3.0])
    numbers[rng.random(shape) < rng.choice([0.0, 0.0, 0.5])] = 0
    values = placed(rng, numbers.astype(dtype))
    return values, values.astype(np.float64)


def shape_of(rng: np.random.Generator) -> tuple[Any, int, int, int]:
    """Return precision, batch, inputs and outputs."""
    return (np.float32, np.float64)[rng.integers(2)], edge(rng), edge(rng), edge(rng)


def forward(rng: np.random.Generator) -> Case:
    """a = f(x w + b)."""
    dtype, batch, inputs, outputs = shape_of(rng)
    f = str(rng.choice(HIDDEN))
    (x, x8), (w, w8) = drawn(rng, dtype, batch, inputs), drawn(rng, dtype, inputs, outputs)
    b, b8 = drawn(rng, dtype, outputs)
    a, exact = placed(rng, np.full((batch, outputs), np.nan, dtype)), np.empty((batch, outputs))
    kernels.forward(x, kernels.pack_weights(w), b, f, a)
    reference.forward(x8, w8, b8, f, exact)
    terms = np.abs(x8) @ np.abs(w8) + np.abs(b8)
    # |f'| is at most 1, and f itself is right to a few eps of what it returns
    size = terms + np.abs(exact)
    what = f"B={batch} I={inputs} O={outputs} {f} {np.dtype(dtype)}"
    return Case(what, (Check("a", a, exact, size),))


def delta(rng: np.random.Generator) -> Case:
    """dx = (dz w^T) f'(z)."""
    dtype, batch, inputs, outputs = shape_of(rng)
    f = str(rng.choice(HIDDEN))
    (dz, dz8), (w, w8) = drawn(rng, dtype, batch, outputs), drawn(rng, dtype, inputs, outputs)
    a = drawn(rng, dtype, batch, inputs)[0]
    if f in ("sigmoid", "tanh"):
        a[...] = np.tanh(a)
    dx, exact = placed(rng, np.full((batch, inputs), np.nan, dtype)), np.empty((batch, inputs))
    kernels.delta(dz, kernels.pack_weights(w), a, f, dx)
    reference.delta(dz8, w8, a.astype(np.float64), f, exact)
    size = (np.abs(dz8) @ np.abs(w8.T)) * 2
    what = f"B={batch} I={inputs} O={outputs} {f} {np.dtype(dtype)}"
    return Case(what, (Check("dx", dx, exact, size),))


def gradient(rng: np.random.Generator) -> Case:
    """dw = x^T dz, db = sum of dz."""
    dtype, batch, inputs, outputs = shape_of(rng)
    (x, x8), (dz, dz8) = drawn(rng, dtype, batch, inputs), drawn(rng, dtype, batch, outputs)
    dw = np.empty((inputs, outputs), dtype)
    packed, db = kernels.pack_weights(np.full_like(dw, np.nan)), np.full(outputs, np.nan, dtype)
    kernels.gradient(x, dz, packed, db)
    kernels.unpack_weights(packed, dw)
    checks = (
        Check("dw", dw, x8.T @ dz8, np.abs(x8.T) @ np.abs(dz8)),
        Check("db", db, dz8.sum(axis=0), np.abs(dz8).sum(axis=0)),
    )
    return Case(f"B={batch} I={inputs} O={outputs} {np.dtype(dtype)}", checks)


def update(rng: np.random.Generator) -> Case:
    """One SGD step on a layer, with momentum, Nesterov and weight decay or without."""
    dtype, batch, inputs, outputs = shape_of(rng)
    (x, x8), (dz, dz8) = drawn(rng, dtype, batch, inputs), drawn(rng, dtype, batch, outputs)
    (w, w8), (b, b8) = drawn(rng, dtype, inputs, outputs), drawn(rng, dtype, outputs)
    (vw, vw8), (vb, vb8) = drawn(rng, dtype, inputs, outputs), drawn(rng, dtype, outputs)
    momentum = float(rng.choice([0.0, 0.9]))
    rate, decay = float(rng.choice([0.1, 4.0])), float(rng.choice([0.0, 0.01]))
    step = (rate, momentum, momentum > 0 and rng.random() < 0.5, decay)
    gw, gb = np.abs(x8.T) @ np.abs(dz8) + np.abs(w8), np.abs(dz8).sum(axis=0)
    size_w = np.abs(w8) + 2 * rate * (gw + np.abs(vw8))
    size_b = np.abs(b8) + 2 * rate * (gb + np.abs(vb8))
    packed, speed, own = kernels.pack_weights(w), kernels.pack_weights(vw), np.empty_like(w)
    kernels.update(x, dz, packed, b, speed, vb, *step)
    kernels.unpack_weights(packed, own)
    reference.update(x8, dz8, w8, b8, vw8, vb8, *step)
    checks = (Check("w", own, w8, size_w), Check("b", b, b8, size_b))
    return Case(f"B={batch} I={inputs} O={outputs} {np.dtype(dtype)} step={step}", checks)


def output(rng: np.random.Generator) -> Case:
    """a = f(z), the cost, and dz."""
    dtype, batch, _, outputs = shape_of(rng)
    pairs = [("softmax", "cross_entropy"), ("sigmoid", "cross_entropy")]
    pairs += [(f, "squared_error") for f in ("softmax", "sigmoid", "tanh", "identity")]
    f, cost = pairs[rng.integers(len(pairs))]
    z, z8 = drawn(rng, dtype, batch, outputs)
    y = rng.integers(0, outputs, batch)
    a, dz = (np.full((batch, outputs), np.nan, dtype) for _ in range(2))
    a8, dz8 = np.empty((batch, outputs)), np.empty((batch, outputs))
    total = kernels.output(z, y, f, cost, a, dz)
    total8 = reference.output(z8, y, f, cost, a8, dz8)
    span = 1 + np.abs(z8).max(axis=1, keepdims=True) + np.log2(outputs)
    checks = (
        Check("a", a, a8, np.abs(a8) * span),
        Check("dz", dz, dz8, (np.abs(dz8) + np.abs(a8) / batch) * span * 4),
        Check("cost", np.array([total], dtype), np.array([total8]), np.array([total8 + batch])),
    )
    return Case(f"B={batch} O={outputs} {f} {cost} {np.dtype(dtype)}", checks)


def steps(rng: np.random.Generator) -> Case:
    """Whole SGD steps by the engine: sparse or dense pixels, threads, momentum, a short batch."""
    sizes = [edge(rng), *(edge(rng) for _ in range(rng.integers(0, 3))), int(rng.integers(2, 20))]
    hidden = [str(rng.choice(HIDDEN)) for _ in sizes[2:]]
    batch, count, density = edge(rng), edge(rng), float(rng.choice([0.02, 0.2, 0.38, 1.0]))
    images = rng.integers(1, 256, (count, sizes[0]), np.uint8)
    images[rng.random(images.shape) >= density] = 0
    y, threads = rng.integers(0, sizes[-1], count), int(rng.choice([1, 1, 2, 3]))
    # a rate so high that what is learnt in one step counts as much as the weights
    rate, momentum = float(rng.choice([0.1, 2.0])), float(rng.choice([0.0, 0.0, 0.9]))
    decay, order = float(rng.choice([0.0, 0.0, 0.01])), rng.permutation(count)[:batch]
    rates = np.full(1, rate)
    scales = [1 / max(1.0, inputs * density) ** 0.5 for inputs in sizes]
    weights = [
        (rng.normal(size=shape) * scale).astype(np.float32)
        for *shape, scale in zip(sizes[:-1], sizes[1:], scales, strict=False)
    ]
    biases = [(0.1 * rng.normal(size=n)).astype(np.float32) for n in sizes[1:]]
    results = {}
    for name, module, dtype in (
        ("got", kernels, np.float32),
        ("exact", reference, np.float64),
        ("numpy", reference, np.float32),
    ):
        parameters = [[p.astype(dtype) for p in group] for group in (weights, biases)]
        settings = ([*hidden, "softmax"], "cross_entropy", batch, momentum, False, decay, threads)
        engine = module.Engine(*parameters, *settings)
        costs, _ = engine.train(images, y, order, rates, 1 / 255)
        engine.read(*parameters)
        results[name] = [*parameters[0], *parameters[1], costs.astype(dtype)]
    checks = []
    for number, (got, exact, twin) in enumerate(zip(*results.values(), strict=True)):
        # how far the reference in single precision is off tells how the errors are carried on
        eps = float(np.finfo(np.float32).eps)
        room = np.abs(exact).max() + np.abs(twin - exact).max() / eps
        size = np.full(exact.shape, room)
        checks.append(Check(f"parameter {number}", got, exact, size))
    what = f"sizes={sizes} {hidden} batch={batch} density={density} threads={threads} "
    return Case(what + f"rate={rate} momentum={momentum} decay={decay}", tuple(checks))


def infer(rng: np.random.Generator) -> Case:
    """The outputs of a network for images: few or many, sparse or dense, bytes or floats."""
    sizes = [edge(rng), edge(rng), int(rng.integers(2, 20))]
    count, density = edge(rng), float(rng.choice([0.05, 0.3, 1.0]))
    images: Array = rng.integers(1, 256, (count, sizes[0]), np.uint8)
    images[rng.random(images.shape) >= density] = 0
    if rng.random() < 0.3:
        images = images.astype(np.float32)
    f, threads = str(rng.choice(HIDDEN)), int(rng.choice([1, 2]))
    (w1, w18), (w2, w28) = (
        drawn(rng, np.float32, *shape) for shape in ((sizes[0], sizes[1]), (sizes[1], sizes[2]))
    )
    (b1, b18), (b2, b28) = drawn(rng, np.float32, sizes[1]), drawn(rng, np.float32, sizes[2])
    a, exact = np.full((count, sizes[2]), np.nan, np.float32), np.empty((count, sizes[2]))
    functions, scale = (f, "identity"), 1 / 255
    kernels.infer((w1, w2), (b1, b2), functions, images, a, scale, threads)
    reference.infer((w18, w28), (b18, b28), functions, images, exact, scale)
    terms = np.abs(images * scale) @ np.abs(w18) + np.abs(b18)
    size = 2 * (terms + 1) @ np.abs(w28) + np.abs(b28)
    what = f"sizes={sizes} {f} N={count} density={density} {images.dtype} threads={threads}"
    return Case(what, (Check("a", a, exact, size),))


CASES: dict[str, Callable[[np.random.Generator], Case]] = {
    case.__name__: case for case in (forward, delta, gradient, update, output, steps, infer)
}
