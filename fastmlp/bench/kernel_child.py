"""One side of the grid of kernels, in this process alone: seconds and error of every case.

fastmlp's kernels are called as training calls them, many times from compiled code; the reference's
as its training calls them, from Python.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from fastmlp import reference
from fastmlp.functions import ACTIVATIONS, Array
from fastmlp.kernels import layers, pack_weights, prepare, unpack_weights
from fastmlp.kernels.elementwise import SIGMOID
from fastmlp.kernels.layout import aligned_zeros, panel_width, round_up
from fastmlp.kernels.options import Shared

SAMPLES = 5
# Seconds of one sample: short calls are repeated until they take so long
SAMPLE_SECONDS = 4e-4
MOST_CALLS = 2000
EPS = float(np.finfo(np.float32).eps)


@dataclass
class Case:
    """One kernel at one shape: how to run it so many times, and its result beside the exact one.

    terms : sum of the sizes of what each element of the result is a sum of
    """

    run: Callable[[int], object]
    result: Callable[[], Array]
    exact: Array
    terms: Array

    def error(self) -> float:
        """Return the largest error in units of eps times its terms: a few, for any order."""
        wrong = np.abs(self.result() - self.exact)
        return float((wrong / np.maximum(EPS * self.terms, 1e-300)).max())


def measure_side(task: dict[str, Any]) -> dict[str, Any]:
    """Return (seconds, error) of each case in the task, in its order."""
    ours = task["side"] == "fastmlp"
    if ours:
        prepare(np.dtype(np.float32))
    return {"rows": [measure(ours, *case) for case in task["kernels"]]}


def measure(ours: bool, kernel: str, batch: int, inputs: int, outputs: int) -> tuple[float, float]:
    """Return the median seconds and the error of one case."""
    rng = np.random.default_rng([batch, inputs, outputs])
    case = CASES[kernel](rng, batch, inputs, outputs, ours)
    case.run(1)
    wrong = case.error()
    began = perf_counter()
    case.run(1)
    times = min(MOST_CALLS, max(1, int(SAMPLE_SECONDS / (perf_counter() - began))))
    case.run(times)
    samples = []
    for _ in range(SAMPLES):
        began = perf_counter()
        case.run(times)
        samples.append((perf_counter() - began) / times)
    return statistics.median(samples), wrong


def draw(rng: np.random.Generator, *shape: int) -> tuple[Array, Array]:
    """Return random float32 numbers, and the same as float64."""
    numbers = rng.normal(size=shape).astype(np.float32)
    return numbers, numbers.astype(np.float64)


def repeated(function: Callable[..., object], *arguments: Any) -> Callable[[int], object]:
    """Return a function that makes a call so many times from Python."""

    def run(times: int) -> None:
        for _ in range(times):
            function(*arguments)

    return run


def forward(rng: Any, batch: int, inputs: int, outputs: int, ours: bool) -> Case:
    """a = relu(x w + b)."""
    (x, x8), (w, w8) = draw(rng, batch, inputs), draw(rng, inputs, outputs)
    b, b8 = draw(rng, outputs)
    a = np.empty((batch, outputs), np.float32)
    run = (
        layers.forward_call(x, pack_weights(w), b, "relu", a).run
        if ours
        else repeated(reference.forward, x, w, b, "relu", a)
    )
    terms = np.abs(x8) @ np.abs(w8) + np.abs(b8)
    return Case(run, lambda: a, np.maximum(x8 @ w8 + b8, 0), terms)


def delta(rng: Any, batch: int, inputs: int, outputs: int, ours: bool) -> Case:
    """dx = (dz w^T) relu'(a)."""
    (dz, dz8), (w, w8) = draw(rng, batch, outputs), draw(rng, inputs, outputs)
    a, dx = draw(rng, batch, inputs)[0], np.empty((batch, inputs), np.float32)
    run = (
        layers.delta_call(dz, pack_weights(w), a, "relu", dx).run
        if ours
        else repeated(reference.delta, dz, w, a, "relu", dx)
    )
    return Case(run, lambda: dx, (dz8 @ w8.T) * (a > 0), np.abs(dz8) @ np.abs(w8.T))


def update(rng: Any, batch: int, inputs: int, outputs: int, ours: bool) -> Case:
    """dw = x^T dz, db = sum of dz."""
    (x, x8), (dz, dz8) = draw(rng, batch, inputs), draw(rng, batch, outputs)
    dw, db = np.empty((inputs, outputs), np.float32), np.empty(outputs, np.float32)
    exact, terms = x8.T @ dz8, np.abs(x8.T) @ np.abs(dz8)
    if not ours:
        return Case(repeated(reference.gradient, x, dz, dw, db), lambda: dw, exact, terms)
    packed = pack_weights(np.zeros_like(dw))
    run = layers.gradient_call(x, dz, packed, db).run

    def result() -> Array:
        unpack_weights(packed, dw)
        return dw

    return Case(run, result, exact, terms)


def output(rng: Any, batch: int, _: int, outputs: int, ours: bool) -> Case:
    """a = softmax(z), cross entropy, and dz = (a - y) / B."""
    (z, z8), y = draw(rng, batch, outputs), rng.integers(0, outputs, batch)
    a, dz, costs = np.empty_like(z), np.empty_like(z), np.empty(batch)
    settings = (y, "softmax", "cross_entropy", a, dz)
    run = (
        layers.output_call(z, *settings, costs).run
        if ours
        else repeated(reference.output, z, *settings)
    )
    exact = np.exp(z8 - z8.max(axis=1, keepdims=True))
    exact /= exact.sum(axis=1, keepdims=True)
    return Case(run, lambda: a, exact, exact * (1 + np.abs(z8 - z8.max(axis=1, keepdims=True))))


def exp(rng: Any, batch: int, _: int, outputs: int, ours: bool) -> Case:
    """a = 1 / (1 + e^-z): the exponential as a network uses it."""
    z, z8 = draw(rng, batch, outputs)
    exact = 1 / (1 + np.exp(-z8))
    if not ours:
        a = np.empty_like(z)
        return Case(repeated(ACTIVATIONS["sigmoid"].f, z, a), lambda: a, exact, exact)
    columns = round_up(outputs, panel_width(outputs, z.dtype))
    padded, b = aligned_zeros((2, batch, columns), z.dtype), aligned_zeros((columns,), z.dtype)
    padded[0, :, :outputs] = z
    source, target = padded[0].ctypes.data, padded[1].ctypes.data
    activate = Shared.by_name["activate"].compiled["float32"].ctypes
    place = (target, columns, source, columns, b.ctypes.data)
    run = repeated(activate, SIGMOID, *place, batch, columns, 0.0)
    return Case(run, lambda: (padded, b)[0][1, :, :outputs], exact, exact)


CASES = {"forward": forward, "delta": delta, "update": update, "output": output, "exp": exp}
