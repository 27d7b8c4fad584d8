"""NumPy, written for speed: arrays made once, operations in place, no cost and no count of hits."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.bench.peers import Setup
from fastmlp.bench.peers.formulas import BETA_1, BETA_2, MOMENTUM, slots, step_pairs
from fastmlp.bench.workload import scale_pixels
from fastmlp.reference.engine import blas_threads


class Peer:
    """A loop over minibatches in float32, of calls that write into arrays that exist.

    The errors of the outputs are multiplied by a factor: 1 / batch, or for SGD rate / batch, so
    that all gradients are steps already.
    """

    def __init__(self, setup: Setup) -> None:
        network, train, batch_size, optimizer, threads, _ = setup
        self.network, self.optimizer, self.done = network, optimizer, 0
        self.images = scale_pixels(train.images)
        self.targets = network.as_targets(train.labels, len(train), "labels")
        self.w, self.b = ([v.copy() for v in each] for each in (network.weights, network.biases))
        self.dw, self.db = ([np.empty_like(v) for v in each] for each in (self.w, self.b))
        # of each array of parameters: itself, its gradient, the optimiser's state, and scratch
        self.arrays = [
            (p, g, [np.zeros_like(p) for _ in range(slots(optimizer) + 1)])
            for p, g in zip((*self.w, *self.b), (*self.dw, *self.db), strict=True)
        ]
        self.batch_size, self.threads = batch_size, threads
        self.buffers = self.make_buffers(network.sizes, batch_size)
        self.short = self.buffers

    def make_buffers(self, sizes: tuple[int, ...], batch: int) -> tuple[list[Array], ...]:
        """Return a minibatch's arrays: x and all a; all dz; slopes; one value a sample."""
        a = [np.empty((batch, size), np.float32) for size in sizes]
        dz = [np.empty_like(each) for each in a]
        dz[-1] = a[-1]  # in place
        kinds: list[Any] = [np.bool_ if f == "relu" else np.float32 for f in self.network.hidden]
        slopes = [np.empty(v.shape, kind) for v, kind in zip(a[1:-1], kinds, strict=True)]
        return a, dz, slopes, [np.empty((batch, 1), np.float32)]

    def epoch(self, order: Array, rates: Array) -> None:
        """Train on the samples in that order."""
        size, wanted = self.batch_size, order
        if self.network.output == "softmax":
            # where each label is in the outputs of its minibatch, as a single row
            wanted = self.targets[order] + np.arange(len(order)) % size * len(self.b[-1])
        short = len(order) % size
        if short and len(self.short[0][0]) != short:
            self.short = self.make_buffers(self.network.sizes, short)
        pairs = step_pairs(self.optimizer, rates, self.done).tolist()
        make_step = STEPS.get(self.optimizer)
        with blas_threads(self.threads):
            for step, (rate, epsilon) in enumerate(pairs):
                rows = slice(step * size, (step + 1) * size)
                batch = min(size, len(order) - step * size)
                buffers = self.buffers if batch == size else self.short
                factor = (1 if make_step else rate) / batch
                self.find_gradients(order[rows], wanted[rows], factor, buffers)
                for p, g, state in self.arrays:
                    if make_step:
                        make_step(g, state, rate, epsilon)
                    p -= g
        self.done += len(rates)

    def find_gradients(
        self, rows: Array, wanted: Array, factor: float, buffers: tuple[list[Array], ...]
    ) -> None:
        """Write the gradients of a minibatch, times the batch and the factor, into dw and db."""
        a, dz, slopes, (each,) = buffers
        # with mode="raise" np.take would write into a copy first
        np.take(self.images, rows, axis=0, out=a[0], mode="clip")
        for l, (w, b) in enumerate(zip(self.w, self.b, strict=True), 1):
            np.matmul(a[l - 1], w, out=a[l])
            a[l] += b
            if l < len(self.w) and self.network.hidden[l - 1] == "relu":
                np.maximum(a[l], 0, out=a[l])
            elif l < len(self.w):
                np.tanh(a[l], out=a[l])
        self.find_errors(a[-1], wanted, factor, each)
        for l in range(len(self.w), 0, -1):
            np.matmul(a[l - 1].T, dz[l], out=self.dw[l - 1])
            np.add.reduce(dz[l], axis=0, out=self.db[l - 1])
            if l > 1:
                np.matmul(dz[l], self.w[l - 1].T, out=dz[l - 1])
                slope = slopes[l - 2]
                if slope.dtype == np.bool_:
                    np.greater(a[l - 1], 0, out=slope)
                else:  # tanh' = 1 - tanh^2
                    np.multiply(a[l - 1], a[l - 1], out=slope)
                    np.subtract(1, slope, out=slope)
                dz[l - 1] *= slope

    def find_errors(self, z: Array, wanted: Array, factor: float, each: Array) -> None:
        """Overwrite the weighted sums z of the outputs by dz, times the factor."""
        if self.network.output == "softmax":  # minus 1 at the label
            np.maximum.reduce(z, axis=1, keepdims=True, out=each)
            z -= each
            np.exp(z, out=z)
            np.add.reduce(z, axis=1, keepdims=True, out=each)
            np.divide(factor, each, out=each)
            z *= each
            z.reshape(-1)[wanted] -= factor
            return
        if self.network.output == "sigmoid":  # 1 / (1 + e^-z) = (tanh(z / 2) + 1) / 2
            z *= 0.5
            np.tanh(z, out=z)
            z += 1
            z *= 0.5
        else:  # the derivative of the squared error
            factor *= 2
        z -= self.targets[wanted]
        z *= factor

    def read(self) -> None:
        """Write the parameters into the network."""
        both = (*self.network.weights, *self.network.biases), (*self.w, *self.b)
        for parameter, own in zip(*both, strict=True):
            parameter[...] = own


def momentum(g: Array, state: list[Array], rate: float, _: float) -> None:
    """Overwrite a gradient by its step, as in `formulas`."""
    v = state[0]
    v *= MOMENTUM
    v += g
    np.multiply(v, rate, out=g)


def adam(g: Array, state: list[Array], rate: float, epsilon: float) -> None:
    """Overwrite a gradient by its step, as in `formulas`."""
    m, v, scratch = state
    m *= BETA_1
    np.multiply(g, 1 - BETA_1, out=scratch)
    m += scratch
    g *= g
    g *= 1 - BETA_2
    v *= BETA_2
    v += g
    np.sqrt(v, out=g)
    g += epsilon
    np.divide(m, g, out=g)
    g *= rate


# For SGD the gradients are steps already
STEPS = {"momentum": momentum, "adam": adam}
