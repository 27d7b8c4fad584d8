"""Random networks with images, without samples whose result depends on rounding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from fastmlp.arrays import Rows, SparseRows, as_dense, density
from fastmlp.functions import ACTIVATIONS, Array, cost_row
from fastmlp.network import PIXEL_SCALE
from fastmlp.reference import layers as exact
from fastmlp.verify.checks import ALLOWED
from fastmlp.verify.tables import Draw

# Costs whose slope jumps where an output is its target, and how near is too near
JUMPING, NEAR = {"absolute_error", "quantile"}, 1e-3
Parameters = tuple[list[Array], list[Array]]


@dataclass(frozen=True)
class Drawn:
    """A network and images; the parameters are float64 numbers that `dtype` represents exactly."""

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    cost: str
    weights: list[Array]
    biases: list[Array]
    images: Rows
    scale: float
    dtype: Any

    def parameters(self, dtype: Any = np.float64, off: float = 0.0) -> Parameters:
        """Return copies of weights and biases, each number changed by a factor of about 1 ± off."""
        rng = np.random.default_rng(1)

        def copied(arrays: list[Array]) -> list[Array]:
            return [(p * (1 + off * rng.normal(size=p.shape))).astype(dtype) for p in arrays]

        return copied(self.weights), copied(self.biases)

    def sums(self, x: Array, layers: int) -> tuple[Array, Array]:
        """Return the outputs of the first `layers` layers, and each sample's distance from a tie.

        The distance is the smallest |z| before an activation that is not smooth, in units of eps
        times the magnitudes of the terms of z.
        """
        close = np.full(len(x), np.inf)
        for w, b, f in zip(self.weights[:layers], self.biases, self.activations, strict=False):
            z = np.empty((len(x), len(b)))
            terms = (np.abs(x) @ np.abs(w) + np.abs(b)) * np.finfo(self.dtype).eps
            exact.forward(x, w, b, "identity", z, z)
            if any(jumps(f)):
                where = terms > 0
                ratio = np.divide(np.abs(z), terms, out=np.full_like(z, np.inf), where=where)
                close = np.minimum(close, ratio.min(axis=1))
            x = z
            ACTIVATIONS[f].f(z, z)
        return x, close

    def terms(self, x: Array, y: Array, sample_weight: Array | None = None) -> list[float]:
        """Return the largest sum of the magnitudes of the terms, for each gradient and the cost."""
        weight = np.ones(len(x)) if sample_weight is None else sample_weight
        share = weight[:, None] / (weight.sum() or 1.0)
        a, z, weights = [x], [x], list(zip(self.weights, self.biases, strict=True))
        for (w, b), f in zip(weights, self.activations, strict=True):
            a.append(np.empty((len(x), len(b))))
            z.append(np.empty_like(a[-1]))
            exact.forward(a[-2], w, b, f, z[-1], a[-1])
        out, dz = a[-1], np.empty_like(a[-1])
        exact.output(z[-1], out, y, self.activations[-1], self.cost, dz, weight)
        targets = np.eye(out.shape[1])[y] if y.ndim == 1 else y
        dz = np.abs(dz) + (np.abs(out) + np.abs(targets)) * share
        sizes_w, sizes_b = [0.0] * len(weights), [0.0] * len(weights)
        for layer in range(len(weights) - 1, -1, -1):
            sizes_w[layer] = float((np.abs(a[layer]).T @ dz).max())
            sizes_b[layer] = float(dz.sum(axis=0).max())
            if layer:
                f, below = self.activations[layer - 1], np.empty_like(a[layer])
                kept = z[layer] if ACTIVATIONS[f].keeps == "z" else a[layer]
                exact.delta(dz, np.abs(self.weights[layer]), kept, f, below)
                dz = np.abs(below)
        integral = ACTIVATIONS[self.activations[-1]].integral
        summed = np.abs(targets * z[-1]).sum(axis=1)
        if integral is not None:
            summed += np.abs(integral(z[-1], out)).sum(axis=1)
        return [*sizes_w, *sizes_b, float(summed @ share[:, 0])]

    def answers(self, draw: Draw) -> Array:
        """Draw labels or targets, none so near to an output that the cost's slope may jump."""
        y = draw.answers(len(self.images), self.sizes[-1], self.cost)
        if cost_row(self.cost).name not in JUMPING:
            return y
        targets = np.eye(self.sizes[-1])[y] if y.ndim == 1 else y
        close = np.abs(self.sums(self.inputs(), len(self.weights))[0] - targets) < NEAR
        if close.any():
            return np.where(close, targets - 0.125, targets)
        return y

    def inputs(self) -> Array:
        """Return the inputs of the first layer in float64."""
        return as_dense(self.images).astype(self.dtype) * np.float64(self.dtype(self.scale))

    def without_ties(self) -> Drawn:
        """Return the network with only those images that are far from a tie."""
        _, close = self.sums(self.inputs(), len(self.weights))
        clear = close > ALLOWED
        return replace(self, images=self.images[clear]) if clear.any() else self

    def __str__(self) -> str:
        what = "sparse rows" if isinstance(self.images, SparseRows) else "images"
        kind = f"{len(self.images)} {self.images.dtype} {what}"
        zero = f"{density(self.images, len(self.images)):.0%} not zero"
        names = f"{self.activations} {self.cost} {np.dtype(self.dtype)}"
        return f"sizes={self.sizes} {names}, {kind}, {zero}"


def jumps(activation: str) -> list[bool]:
    """Return whether f jumps at 0, where rounding decides what it is, and whether f' does."""
    row = ACTIVATIONS[activation]
    z, a = np.array([[-1e-9, 1e-9]]), np.empty((1, 2))
    row.f(z, a)
    values = [a]
    if row.derivative is not None:
        values.append(row.derivative(z if row.keeps == "z" else a).astype(np.float64))
    return [bool(np.abs(np.diff(each)).max() >= 0.1) for each in values]


def drawn_network(draw: Draw, dtype: Any, count: int) -> Drawn:
    """Draw a network and `count` images."""
    rng, (output, cost), layers = draw.rng, draw.row("output"), draw.row("layers")
    cost = draw.cost(cost)
    hidden = [draw.row("hidden") for _ in range(layers - 1)]
    kind, shares, by_entry = draw.row("images")
    inputs = draw.inputs() + draw.row("blocks", 0.5 if by_entry else 0.8)[by_entry]
    sizes = [inputs, *(draw.width(dtype) for _ in range(layers))]
    sizes[-1] = max(sizes[-1], 1 if ACTIVATIONS[output].derivative else 2)
    share, is_byte = float(rng.choice(shares)), kind is np.uint8
    images: Array = rng.integers(1, 256, (count, inputs), np.uint8)
    if not is_byte:
        images = rng.normal(size=images.shape).astype(kind)
    images[rng.random(images.shape) >= share] = 0
    # weighted sums of about 1 in the first layer, both for pixels and for normal numbers
    spread = [np.sqrt((0.33 if is_byte else 1) * share * inputs)]
    spread += [np.sqrt(size) for size in sizes[1:]]
    weights = [
        rng.normal(size=s) / max(1.0, w) for s, w in zip(pairwise(sizes), spread, strict=False)
    ]
    biases = [0.1 * rng.normal(size=n) for n in sizes[1:]]
    weights, biases = ([p.astype(dtype).astype(np.float64) for p in ps] for ps in (weights, biases))
    scale, names = PIXEL_SCALE if is_byte else 1.0, (*hidden, output)
    rows = _entries_of(images) if by_entry else images
    drawn = Drawn(tuple(sizes), names, cost, weights, biases, rows, scale, dtype)
    return drawn if dtype == np.float64 else drawn.without_ties()


def _entries_of(images: Array) -> SparseRows:
    """Return what is not zero as sparse rows."""
    rows, columns = np.nonzero(images)
    starts = np.searchsorted(rows, np.arange(len(images) + 1))
    return SparseRows(images[rows, columns], columns.astype(np.int32), starts, images.shape[1])


def is_clear(a: Array) -> Array:
    """Return for which rows of outputs `(N, O)` the class does not depend on rounding.

    Equal outputs of exactly 0, as of ReLU or step, do not.
    """
    if a.shape[1] == 1:
        return np.asarray(np.abs(a[:, 0] - 0.5) > 1e-3)
    top = a.max(axis=1, keepdims=True)
    near = np.abs(a - top) < 1e-3 * np.maximum(np.abs(top), 1e-3)
    same = (near & (a == top)).sum(axis=1) == near.sum(axis=1)
    saturated = (top[:, 0] != 0) & (near.sum(axis=1) > 1)
    return np.asarray(same & ~saturated)
