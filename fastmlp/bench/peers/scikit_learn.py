"""scikit-learn: MLPClassifier(solver="sgd"), one call of partial_fit for each epoch."""

from __future__ import annotations

import numpy as np
from sklearn.neural_network import MLPClassifier

from fastmlp.bench.workload import scaled
from fastmlp.datasets import Split
from fastmlp.functions import Array
from fastmlp.network import Network


class Peer:
    """The estimator with matching settings: no momentum, no penalty, our order and start."""

    def __init__(
        self, network: Network, train: Split, batch_size: int, threads: int, kind: str
    ) -> None:
        self.images, self.labels = scaled(train.images), train.labels
        self.model = MLPClassifier(
            network.sizes[1:-1],
            solver="sgd",
            alpha=0,
            batch_size=batch_size,
            momentum=0,
            nesterovs_momentum=False,
            shuffle=False,
        )
        some = slice(0, batch_size)  # the first call makes the arrays
        classes = np.arange(network.sizes[-1])
        self.model.partial_fit(self.images[some], self.labels[some], classes=classes)
        for own, start in zip(self.model.coefs_, network.weights, strict=True):
            own[...] = start
        for own, start in zip(self.model.intercepts_, network.biases, strict=True):
            own[...] = start

    def epoch(self, order: Array, rates: Array) -> None:
        """Train on the samples in that order, at the mean of the rates: it has one an epoch."""
        self.model._optimizer.learning_rate = float(rates.mean())
        self.model.partial_fit(self.images[order], self.labels[order])

    def predict(self, images: Array) -> Array:
        """Return the class of each image."""
        answers: Array = self.model.predict(scaled(images))
        return answers
