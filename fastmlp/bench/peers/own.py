"""fastmlp: its compiled engine, and its NumPy reference, which is the baseline."""

from __future__ import annotations

from fastmlp.arrays import Array
from fastmlp.backends import backend_named
from fastmlp.bench.peers import Setup
from fastmlp.bench.workload import scale_pixels


class Peer:
    """Steps by a backend's engine: fastmlp reads pixels as bytes, NumPy as float32."""

    def __init__(self, setup: Setup) -> None:
        network, train, batch_size, optimizer, threads, kind = setup
        self.network, self.done = network, 0
        self.images = scale_pixels(train.images) if kind == "numpy" else train.images
        self.targets = network.as_targets(train.labels, len(train), "labels")
        self.scale = network.scale_of(self.images)
        self.engine = backend_named(kind).Engine(
            network.weights,
            network.biases,
            network.activations,
            network.cost,
            batch_size,
            optimizer,
            threads=threads if kind == "numpy" else None,  # fastmlp chooses the number itself
        )

    def epoch(self, order: Array, rates: Array) -> None:
        """Train on the samples in that order."""
        self.engine.train(self.images, self.targets, order, rates, self.scale, self.done)
        self.done += len(rates)

    def read(self) -> None:
        """Write the parameters into the network."""
        self.engine.read(self.network.weights, self.network.biases)
