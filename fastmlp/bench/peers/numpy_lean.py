"""NumPy, written for speed: arrays made once, operations in place, no cost and no count of hits."""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Array
from fastmlp.bench.workload import scale_pixels
from fastmlp.datasets import Split
from fastmlp.network import Network
from fastmlp.reference.engine import blas_threads


class Peer:
    """A loop over minibatches in float32, of calls that write into arrays that exist.

    The errors of the outputs are multiplied by rate / batch, so all gradients are steps already.
    """

    def __init__(
        self, network: Network, train: Split, batch_size: int, threads: int, kind: str
    ) -> None:
        self.images, self.labels = scale_pixels(train.images), train.labels.astype(np.int64)
        self.w, self.b = ([v.copy() for v in each] for each in (network.weights, network.biases))
        self.dw, self.db = ([np.empty_like(v) for v in each] for each in (self.w, self.b))
        self.batch_size, self.threads = batch_size, threads
        self.buffers = self.make_buffers(network.sizes, batch_size)
        self.short = self.buffers

    def make_buffers(self, sizes: tuple[int, ...], batch: int) -> tuple[list[Array], ...]:
        """Return a minibatch's arrays: x and all a; all dz; where a > 0; one value a sample."""
        a = [np.empty((batch, size), np.float32) for size in sizes]
        dz = [np.empty_like(each) for each in a]
        dz[-1] = a[-1]  # in place
        positive = [np.empty(each.shape, np.bool_) for each in a]
        return a, dz, positive, [np.empty((batch, 1), np.float32)]

    def epoch(self, order: Array, rates: Array) -> None:
        """Train on the samples in that order."""
        size, outputs = self.batch_size, len(self.b[-1])
        # where each label is in the outputs of its minibatch, as a single row
        right = self.labels[order] + np.arange(len(order)) % size * outputs
        short = len(order) % size
        if short and len(self.short[0][0]) != short:
            self.short = self.make_buffers(tuple(v.shape[1] for v in self.buffers[0]), short)
        with blas_threads(self.threads):
            for step, rate in enumerate(rates.tolist()):
                rows = slice(step * size, (step + 1) * size)
                batch = min(size, len(order) - step * size)
                buffers = self.buffers if batch == size else self.short
                self.step(order[rows], right[rows], rate / batch, buffers)

    def step(
        self, rows: Array, right: Array, rate: float, buffers: tuple[list[Array], ...]
    ) -> None:
        """Train on one minibatch."""
        a, dz, positive, (each,) = buffers
        # with mode="raise" np.take would write into a copy first
        np.take(self.images, rows, axis=0, out=a[0], mode="clip")
        for l, (w, b) in enumerate(zip(self.w, self.b, strict=True), 1):
            np.matmul(a[l - 1], w, out=a[l])
            a[l] += b
            if l < len(self.w):
                np.maximum(a[l], 0, out=a[l])
        z = a[-1]  # softmax, minus 1 at the label, times the rate
        np.maximum.reduce(z, axis=1, keepdims=True, out=each)
        z -= each
        np.exp(z, out=z)
        np.add.reduce(z, axis=1, keepdims=True, out=each)
        np.divide(rate, each, out=each)
        z *= each
        z.reshape(-1)[right] -= rate
        for l in range(len(self.w), 0, -1):
            w, b, dw, db = (v[l - 1] for v in (self.w, self.b, self.dw, self.db))
            np.matmul(a[l - 1].T, dz[l], out=dw)
            np.add.reduce(dz[l], axis=0, out=db)
            if l > 1:
                np.matmul(dz[l], w.T, out=dz[l - 1])
                np.greater(a[l - 1], 0, out=positive[l - 1])
                dz[l - 1] *= positive[l - 1]
            w -= dw
            b -= db

    def predict(self, images: Array) -> Array:
        """Return the class of each image."""
        a = scale_pixels(images)
        for w, b in zip(self.w[:-1], self.b[:-1], strict=True):
            a = np.maximum(a @ w + b, 0)
        classes: Array = (a @ self.w[-1] + self.b[-1]).argmax(1)
        return classes
