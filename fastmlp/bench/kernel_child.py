"""Measure one side of the grid of kernels in this process: seconds and error of every case.

Both sides run as in training. fastmlp's phases are repeated in compiled code, on panels as wide as
in training. The functions of the reference are called from Python.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from fastmlp import kernels
from fastmlp.arrays.aligned import aligned_zeros
from fastmlp.bench import phases
from fastmlp.functions import ACTIVATIONS, Array, error_in_eps
from fastmlp.functions.coefficients import COEFFICIENTS
from fastmlp.kernels.launch import run, symbol
from fastmlp.kernels.memory.panels import panel_width, round_up, row_stride, vector_size
from fastmlp.kernels.memory.records import point
from fastmlp.kernels.memory.tuning import PART
from fastmlp.reference import layers as reference

SAMPLES = 5
# The least seconds of one sample: the start of the team, up to 50 us, is 2 % of it or less
SAMPLE_SECONDS = 2.5e-3
MOST_CALLS = 2**14


@dataclass
class Case:
    """One kernel at one shape.

    run : runs it a number of times; result : returns its result; exact : the same in float64
    terms : for each element of the result, the sum of the magnitudes of its terms
    """

    run: Callable[[int], object]
    result: Callable[[], Array]
    exact: Array
    terms: Array

    def error(self) -> float:
        """Return the largest error in units of eps times its terms: a few, for any order."""
        return error_in_eps(np.asarray(self.result()), self.exact, self.terms)


def measure_side(task: dict[str, Any]) -> dict[str, Any]:
    """Return (seconds, error) of each case of the task."""
    ours = task["side"] == "fastmlp"
    if ours:
        kernels.prepare(np.dtype(np.float32))
        assert phases.repeat_forward, "importing the module registers its functions by name"
    return {"rows": [measure(ours, *case) for case in task["kernels"]]}


def measure(ours: bool, kernel: str, batch: int, inputs: int, outputs: int) -> tuple[float, float]:
    """Return the median seconds and the error of one case."""
    rng = np.random.default_rng([batch, inputs, outputs])
    case = CASES[kernel](rng, batch, inputs, outputs, ours)
    case.run(1)
    wrong = case.error()
    times = 1
    while time_calls(case, times) < SAMPLE_SECONDS and times < MOST_CALLS:
        times *= 2
    samples = [time_calls(case, times) / times for _ in range(SAMPLES)]
    return statistics.median(samples), wrong


def time_calls(case: Case, times: int) -> float:
    """Return the seconds of some calls."""
    began = perf_counter()
    case.run(times)
    return perf_counter() - began


def draw(rng: np.random.Generator, *shape: int) -> tuple[Array, Array]:
    """Return random float32 numbers, and the same as float64."""
    numbers = rng.normal(size=shape).astype(np.float32)
    return numbers, numbers.astype(np.float64)


def repeat_call(function: Callable[..., object], *arguments: Any) -> Callable[[int], object]:
    """Return a function that repeats a call from Python."""

    def run(times: int) -> None:
        for _ in range(times):
            function(*arguments)

    return run


def make_engine(
    weights: list[Array], batch: int, activations: tuple[str, ...], threads: int | None
) -> kernels.Engine:
    """Return an engine, whose records and buffers the timed phases use."""
    biases = [np.zeros(w.shape[1], w.dtype) for w in weights]
    cost = "cross_entropy" if activations[-1] == "softmax" else "squared_error"
    return kernels.Engine(weights, biases, activations, cost, batch, threads=threads)


def time_phase(
    phase: str, engine: kernels.Engine, x: Array | None = None, **arrays: Array
) -> Callable[[int], object]:
    """Return a function that repeats a phase.

    x : what the only layer reads; arrays : those to which the job record points
    """
    if x is not None:
        point(engine.layers, x=x)
        engine.layers["x_row"] = x.shape[1]
    point(engine.job, **arrays)

    def run_times(times: int) -> None:
        engine.job["steps"] = times
        run(f"repeat_{phase}", engine.job, engine.layers, engine.threads, np.dtype(np.float32))

    run_times.arrays = x, arrays  # type: ignore[attr-defined]
    return run_times


def put_rows(buffer: Array, values: Array) -> None:
    """Write outputs or deltas `(B, O)` into a layer's buffer: rows, or panels of rows."""
    if buffer.ndim == 2:
        buffer[: len(values), : values.shape[1]] = values
        return
    missing = len(buffer) * buffer.shape[2] - values.shape[1]
    wide = np.pad(values, ((0, 0), (0, missing)))
    buffer[:, : len(values)] = wide.reshape(len(values), len(buffer), -1).transpose(1, 0, 2)


def pad_rows(array: Array) -> Array:
    """Return a copy padded to whole panels and squares of vectors, as dense images are."""
    columns = round_up(array.shape[1], panel_width(2**30, array.dtype))
    rows = round_up(len(array), vector_size(array.dtype))
    wide = aligned_zeros((rows, row_stride(columns, array.dtype)), array.dtype)
    wide[: len(array), : array.shape[1]] = array
    return wide


def forward(
    rng: Any, batch: int, inputs: int, outputs: int, ours: bool, threads: int | None = None
) -> Case:
    """a = relu(x w + b)."""
    (x, x8), (w, w8) = draw(rng, batch, inputs), draw(rng, inputs, outputs)
    b, b8 = draw(rng, outputs)
    exact, terms = np.maximum(x8 @ w8 + b8, 0), np.abs(x8) @ np.abs(w8) + np.abs(b8)
    if not ours:
        a = np.empty((batch, outputs), np.float32)
        run_times = repeat_call(reference.forward, x, w, b, "relu", a, a)
        return Case(run_times, lambda: a, exact, terms)
    engine, wide = make_engine([w], batch, ("relu",), threads), pad_rows(x)
    engine.write([w], [b])
    return Case(time_phase("forward", engine, x=wide), lambda: engine.rows(0, "a"), exact, terms)


def delta(
    rng: Any, batch: int, inputs: int, outputs: int, ours: bool, threads: int | None = None
) -> Case:
    """dx = (dz w^T) relu'(a)."""
    (dz, dz8), (w, w8) = draw(rng, batch, outputs), draw(rng, inputs, outputs)
    a = draw(rng, batch, inputs)[0]
    exact, terms = (dz8 @ w8.T) * (a > 0), np.abs(dz8) @ np.abs(w8.T)
    if not ours:
        dx = np.empty((batch, inputs), np.float32)
        run_times = repeat_call(reference.delta, dz, w, a, "relu", dx)
        return Case(run_times, lambda: dx, exact, terms)
    below = np.zeros((1, inputs), np.float32)
    engine = make_engine([below, w], batch, ("relu", "identity"), threads)
    put_rows(engine.buffers[0]["a"], a)
    put_rows(engine.buffers[1]["dz"], dz)
    return Case(time_phase("delta", engine), lambda: engine.rows(0, "dz"), exact, terms)


def update(
    rng: Any, batch: int, inputs: int, outputs: int, ours: bool, threads: int | None = None
) -> Case:
    """dw = x^T dz, db = sum of dz."""
    (x, x8), (dz, dz8) = draw(rng, batch, inputs), draw(rng, batch, outputs)
    dw, db = np.empty((inputs, outputs), np.float32), np.empty(outputs, np.float32)
    exact, terms = x8.T @ dz8, np.abs(x8.T) @ np.abs(dz8)
    if not ours:
        return Case(repeat_call(reference.gradient, x, dz, dw, db), lambda: dw, exact, terms)
    engine = make_engine([np.zeros_like(dw)], batch, ("identity",), threads)
    put_rows(engine.buffers[0]["dz"], dz)
    wide = pad_rows(x)

    def result() -> Array:
        engine.read([dw], [db])
        return dw

    # all coefficients are 0, so that keep is 0 and the result is x^T dz
    coefficients = np.zeros((1, 1, 2, COEFFICIENTS))
    engine.job["coefficient_rows"], engine.job["coefficient_count"] = 1, COEFFICIENTS
    return Case(
        time_phase("update", engine, x=wide, coefficients=coefficients), result, exact, terms
    )


def output(
    rng: Any, batch: int, _: int, outputs: int, ours: bool, threads: int | None = None
) -> Case:
    """a = softmax(z), cross entropy, and dz = (a - y) / B."""
    (z, z8), y = draw(rng, batch, outputs), rng.integers(0, outputs, batch)
    exact = np.exp(z8 - z8.max(axis=1, keepdims=True))
    exact /= exact.sum(axis=1, keepdims=True)
    terms = exact * (1 + np.abs(z8 - z8.max(axis=1, keepdims=True)))
    a = np.empty_like(z)
    if not ours:
        dz = np.empty_like(z)

        def both() -> None:
            ACTIVATIONS["softmax"].f(z, a)
            reference.output(z, a, y, "softmax", "cross_entropy", dz)

        return Case(repeat_call(both), lambda: a, exact, terms)
    w, wide = np.zeros((1, outputs), np.float32), pad_rows(z)
    engine = make_engine([w], batch, ("softmax",), threads)
    engine.job["samples"], engine.job["traced"] = batch, 1
    arrays = {"x": wide, "labels": np.pad(y, (0, PART)).astype(np.float32)}
    arrays |= {"order": np.arange(batch), "factors": np.full(batch + PART, 1 / batch, np.float32)}
    arrays |= {"costs": np.empty(batch, np.float32), "hits": np.empty(batch, np.uint8)}
    return Case(time_phase("output", engine, **arrays), lambda: engine.rows(0, "a"), exact, terms)


def exp(rng: Any, batch: int, _: int, outputs: int, ours: bool, threads: int | None = None) -> Case:
    """a = 1 / (1 + e^-z), to time the exponential."""
    z, z8 = draw(rng, batch, outputs)
    exact = 1 / (1 + np.exp(-z8))
    if not ours:
        a = np.empty_like(z)
        return Case(repeat_call(ACTIVATIONS["sigmoid"].f, z, a), lambda: a, exact, exact)
    columns = round_up(outputs, panel_width(outputs, z.dtype))
    wide, b = aligned_zeros((2, batch, columns), z.dtype), aligned_zeros((columns,), z.dtype)
    wide[0, :, :outputs] = z
    source, target = wide[0].ctypes.data, wide[1].ctypes.data
    activate = symbol("activate", np.dtype(np.float32))
    arrays = (target, columns, target, source, columns, b.ctypes.data)
    sigmoid = ACTIVATIONS["sigmoid"].code
    run_times = repeat_call(activate, sigmoid, *arrays, batch, columns, 0.0)
    return Case(run_times, lambda: (wide, b)[0][1, :, :outputs], exact, exact)


CASES = {"forward": forward, "delta": delta, "update": update, "output": output, "exp": exp}
