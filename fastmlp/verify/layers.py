"""Each layer of a training step alone, against the float64 reference.

A layer is judged by what it was given: the outputs of the layer below and the deltas of the layer
above as the step itself computed them. So errors are not carried from layer to layer, and can be
measured as the BLAS tests do, in eps times the sum of the sizes of the terms.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastmlp import kernels
from fastmlp.functions import ACTIVATIONS, Array, Trace, total_cost
from fastmlp.reference import layers as exact
from fastmlp.verify.checks import ALLOWED, Case, Check
from fastmlp.verify.drawn import Drawn, drawn_network, jumps
from fastmlp.verify.tables import Draw


def trace(draw: Draw) -> Case:
    """The outputs, deltas and gradients of every layer, as one training step computes them."""
    dtype, batch = draw.row("precision"), draw.row("batch")
    drawn = drawn_network(draw, dtype, batch)
    count = len(drawn.images)
    y = drawn.answers(draw)
    parameters, threads = drawn.parameters(dtype), draw.row("threads", 0.5)
    engine = kernels.Engine(
        *parameters, drawn.activations, drawn.cost, max(batch, count), threads=threads
    )
    found = engine.trace(drawn.images, y, np.arange(count), drawn.scale)
    checks = (*_layers(drawn, found), *_output(drawn, found, y))
    return Case(f"{drawn} answers of shape {y.shape} threads={threads}", checks)


def _layers(drawn: Drawn, found: Trace) -> Iterator[Check]:
    """Yield the checks of the products: a, dw and db of each layer, and dz of those below."""
    eps, x, sums = np.finfo(drawn.dtype).eps, drawn.inputs(), [np.zeros((0, 0))]
    for l, (w, b, f) in enumerate(zip(drawn.weights, drawn.biases, drawn.activations, strict=True)):
        z, a = np.empty((len(x), len(b))), np.empty((len(x), len(b)))
        exact.forward(x, w, b, f, z, a)
        terms = np.abs(x) @ np.abs(w) + np.abs(b)
        if jumps(f)[0]:
            a = np.where(np.abs(z) > ALLOWED * eps * terms, a, found.a[l])
        # |f'| is about 1 at most, and f itself is right to a few eps of what it returns
        size = terms + np.abs(a)
        if ACTIVATIONS[f].derivative is None:
            size = a * (1 + 2 * terms.max(axis=1, keepdims=True))
        yield Check(f"a of layer {l}", found.a[l], a, size)
        dz = found.dz[l].astype(np.float64)
        # samples that are alike are rounded alike: the error grows with their number
        alike = 1 + len(x) / 64
        size = np.abs(x.T) @ np.abs(dz) * alike
        yield Check(f"dw of layer {l}", found.dw[l], x.T @ dz, size)
        size = np.abs(dz).sum(axis=0) * alike
        yield Check(f"db of layer {l}", found.db[l], dz.sum(axis=0), size)
        if l:
            below = drawn.activations[l - 1]
            keeps_z = ACTIVATIONS[below].keeps == "z"
            dx, kept = np.empty_like(x), sums[0] if keeps_z else x
            exact.delta(dz, w, kept, below, dx)
            # f'' is about 1 at most: a sum that is off by its terms' eps is a slope that is
            size = (np.abs(dz) @ np.abs(w.T)) * (2 + sums[1] * keeps_z)
            yield Check(f"dz of layer {l - 1}", found.dz[l - 1], dx, size)
        x, sums = found.a[l].astype(np.float64), [z, terms]


def _output(drawn: Drawn, found: Trace, y: Array) -> Iterator[Check]:
    """Yield the checks of the cost and of the first delta."""
    x = found.a[-2].astype(np.float64) if len(found.a) > 1 else drawn.inputs()
    (w, b), f = (drawn.weights[-1], drawn.biases[-1]), drawn.activations[-1]
    z, a = x @ w + b, found.a[-1].astype(np.float64)
    dz, exact_a = np.empty_like(z), np.empty_like(z)
    ACTIVATIONS[f].f(z, exact_a)
    exact.output(z, a, y, f, drawn.cost, dz)
    total = total_cost(z, exact_a, y, f, drawn.cost)
    terms = np.abs(x) @ np.abs(w) + np.abs(b)
    targets = np.eye(z.shape[1])[y] if y.ndim == 1 else np.abs(y)
    answer = np.abs(a) * (1 + targets.sum(axis=1, keepdims=True)) + targets
    keeps_z = ACTIVATIONS[f].keeps == "z"
    size = (np.abs(dz) + answer / len(z)) * (4 + terms * keeps_z)
    yield Check("dz of the output", found.dz[-1], dz, size)
    if not jumps(f)[0]:
        spread = (answer + 1) * (answer + terms + 1)
        size = np.array([spread.sum() * (1 + terms.max())])
        yield Check("cost", np.array([found.cost], drawn.dtype), np.array([total]), size)
