"""fastmlp: its compiled engine, and its NumPy reference, which is the baseline."""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Array
from fastmlp.backends import backend_named
from fastmlp.bench.workload import scale_pixels
from fastmlp.datasets import Split
from fastmlp.network import Network


class Peer:
    """Minibatch SGD by a backend's engine: fastmlp reads pixels as bytes, NumPy as float32."""

    def __init__(
        self, network: Network, train: Split, batch_size: int, threads: int, kind: str
    ) -> None:
        self.network, self.backend = network, kind
        self.images = scale_pixels(train.images) if kind == "numpy" else train.images
        self.labels = train.labels.astype(np.int64)
        self.scale = network.scale_of(self.images)
        self.engine = backend_named(kind).Engine(
            network.weights,
            network.biases,
            network.activations,
            network.cost,
            batch_size,
            threads=threads if kind == "numpy" else None,  # fastmlp chooses the number itself
        )

    def epoch(self, order: Array, rates: Array) -> None:
        """Train on the samples in that order."""
        self.engine.train(self.images, self.labels, order, rates, self.scale)

    def predict(self, images: Array) -> Array:
        """Return the class of each image."""
        self.engine.read(self.network.weights, self.network.biases)
        classes: Array = self.network.predict(images, self.backend)
        return classes
