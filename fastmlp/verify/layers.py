"""Cases of one layer: each kernel alone against the float64 reference.

Errors are measured as the BLAS tests do: in eps times the sum of the sizes of the terms. Inputs
come as views into larger arrays, so that they begin anywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp import kernels, reference
from fastmlp.functions import ACTIVATIONS, Array
from fastmlp.verify.checks import ALLOWED, Case, Check
from fastmlp.verify.tables import Draw

LAYER = ("precision", "batch", "width")


def _shape(draw: Draw) -> tuple[Any, int, int, int]:
    """Return precision, batch, inputs and outputs."""
    dtype = draw.row("precision")
    return dtype, draw.row("batch"), draw.width(dtype), draw.width(dtype)


def _jumps(activation: str) -> bool:
    """Whether an activation is not continuous at 0, where rounding decides what it returns."""
    z, a = np.array([[-1e-300, 1e-300]]), np.zeros((1, 2))
    ACTIVATIONS[activation].f(z, a)
    return bool(abs(a[0, 1] - a[0, 0]) > 0.5)


def forward(draw: Draw) -> Case:
    """a = f(x w + b)."""
    dtype, batch, inputs, outputs = _shape(draw)
    f = draw.row("activation")
    (x, x8), (w, w8) = draw.numbers(dtype, batch, inputs), draw.numbers(dtype, inputs, outputs)
    b, b8 = draw.numbers(dtype, outputs)
    a, exact = draw.placed(np.full((batch, outputs), np.nan, dtype)), np.empty((batch, outputs))
    kernels.forward(x, kernels.pack_weights(w), b, f, a)
    reference.forward(x8, w8, b8, f, exact)
    terms = np.abs(x8) @ np.abs(w8) + np.abs(b8)
    if _jumps(f):
        clear = np.abs(x8 @ w8 + b8) > ALLOWED * np.finfo(dtype).eps * terms
        exact = np.where(clear, exact, a)
    if ACTIVATIONS[f].derivative is None:
        terms = exact * (1 + 2 * terms.max(axis=1, keepdims=True))
    # |f'| is at most 1, and f itself is right to a few eps of what it returns
    size = terms + np.abs(exact)
    what = f"B={batch} I={inputs} O={outputs} {f} {np.dtype(dtype)}"
    return Case(what, (Check("a", a, exact, size),))


def delta(draw: Draw) -> Case:
    """dx = (dz w^T) f'(z)."""
    dtype, batch, inputs, outputs = _shape(draw)
    f = draw.row("hidden")
    (dz, dz8), (w, w8) = draw.numbers(dtype, batch, outputs), draw.numbers(dtype, inputs, outputs)
    a = draw.numbers(dtype, batch, inputs)[0]
    ACTIVATIONS[f].f(a.copy(), a)
    dx, exact = draw.placed(np.full((batch, inputs), np.nan, dtype)), np.empty((batch, inputs))
    kernels.delta(dz, kernels.pack_weights(w), a, f, dx)
    reference.delta(dz8, w8, a.astype(np.float64), f, exact)
    size = (np.abs(dz8) @ np.abs(w8.T)) * 2
    what = f"B={batch} I={inputs} O={outputs} {f} {np.dtype(dtype)}"
    return Case(what, (Check("dx", dx, exact, size),))


def gradient(draw: Draw) -> Case:
    """dw = x^T dz, db = sum of dz."""
    dtype, batch, inputs, outputs = _shape(draw)
    (x, x8), (dz, dz8) = draw.numbers(dtype, batch, inputs), draw.numbers(dtype, batch, outputs)
    dw = np.empty((inputs, outputs), dtype)
    packed, db = kernels.pack_weights(np.full_like(dw, np.nan)), np.full(outputs, np.nan, dtype)
    kernels.gradient(x, dz, packed, db)
    kernels.unpack_weights(packed, dw)
    checks = (
        Check("dw", dw, x8.T @ dz8, np.abs(x8.T) @ np.abs(dz8)),
        Check("db", db, dz8.sum(axis=0), np.abs(dz8).sum(axis=0)),
    )
    return Case(f"B={batch} I={inputs} O={outputs} {np.dtype(dtype)}", checks)


def update(draw: Draw) -> Case:
    """One SGD step on a layer, with momentum, Nesterov and weight decay or without."""
    dtype, batch, inputs, outputs = _shape(draw)
    (x, x8), (dz, dz8) = draw.numbers(dtype, batch, inputs), draw.numbers(dtype, batch, outputs)
    (w, w8), (b, b8) = draw.numbers(dtype, inputs, outputs), draw.numbers(dtype, outputs)
    (vw, vw8), (vb, vb8) = draw.numbers(dtype, inputs, outputs), draw.numbers(dtype, outputs)
    rate, settings = float(draw.rng.choice([0.1, 4.0])), draw.row("step")
    gw, gb = np.abs(x8.T) @ np.abs(dz8) + np.abs(w8), np.abs(dz8).sum(axis=0)
    size_w = np.abs(w8) + 2 * rate * (gw + np.abs(vw8))
    size_b = np.abs(b8) + 2 * rate * (gb + np.abs(vb8))
    packed, speed, own = kernels.pack_weights(w), kernels.pack_weights(vw), np.empty_like(w)
    kernels.update(x, dz, packed, b, speed, vb, rate, *settings)
    kernels.unpack_weights(packed, own)
    reference.update(x8, dz8, w8, b8, vw8, vb8, rate, *settings)
    checks = [Check("w", own, w8, size_w), Check("b", b, b8, size_b)]
    if settings[0]:
        kernels.unpack_weights(speed, own := np.empty_like(w))
        checks += [Check("vw", own, vw8, size_w / rate), Check("vb", vb, vb8, size_b / rate)]
    what = f"B={batch} I={inputs} O={outputs} {np.dtype(dtype)} step={(rate, *settings)}"
    return Case(what, tuple(checks))


def output(draw: Draw) -> Case:
    """a = f(z), the cost, and dz."""
    dtype, batch = draw.row("precision"), draw.row("batch")
    outputs, (f, cost) = draw.width(dtype), draw.row("output")
    z, z8 = draw.numbers(dtype, batch, outputs)
    y = draw.answers(batch, outputs, cost)
    a, dz = (np.full((batch, outputs), np.nan, dtype) for _ in range(2))
    a8, dz8 = np.empty((batch, outputs)), np.empty((batch, outputs))
    total = kernels.output(z, y, f, cost, a, dz)
    total8 = reference.output(z8, y, f, cost, a8, dz8)
    targets = np.eye(outputs)[y] if y.ndim == 1 else np.abs(y)
    span, whole = 1 + np.abs(z8).max(axis=1, keepdims=True) + np.log2(outputs), _sums(targets)
    answer = np.abs(a8) * (1 + whole) + targets
    spread = (answer + 1) * (answer + np.abs(z8) + 1)
    checks = (
        Check("a", a, a8, np.abs(a8) * span),
        Check("dz", dz, dz8, (np.abs(dz8) + answer / batch) * span * 4),
        Check("cost", np.array([total], dtype), np.array([total8]), np.array([spread.sum()])),
    )
    what = f"B={batch} O={outputs} {f} {cost} {np.dtype(dtype)} {'targets' * (y.ndim - 1)}"
    return Case(what, checks)


def _sums(targets: Array) -> Array:
    """Return the sum of each row `(B, 1)`."""
    return np.asarray(targets.sum(axis=1, keepdims=True))
