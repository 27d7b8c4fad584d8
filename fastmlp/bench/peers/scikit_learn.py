"""scikit-learn: MLPClassifier(solver="sgd"), one call of partial_fit for each epoch.

For two classes MLPClassifier has one logistic output. With w = w1 - w0 and b = b1 - b0 it computes
the same function as a softmax of two outputs, since

    e^z1 / (e^z0 + e^z1) = 1 / (1 + e^-(z1 - z0)),  z1 - z0 = a (w1 - w0) + (b1 - b0)

The cost and the deltas of the layers below are then equal too. A step of softmax changes w1 by
-r dw and w0 by r dw, so w1 - w0 changes twice as much as the weights of the logistic output.
OneLogistic therefore doubles the gradient of the last layer, and all steps are equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from fastmlp.arrays import Array
from fastmlp.bench.workload import scale_pixels
from fastmlp.datasets import Split
from fastmlp.network import Network


class OneLogistic(MLPClassifier):  # type: ignore[misc, unused-ignore]
    """Two classes with one output, whose step is that of w1 - w0 in a softmax."""

    def _backprop(self, *arguments: Any, **named: Any) -> Any:
        cost, weights, biases = super()._backprop(*arguments, **named)
        for gradient in (weights[-1], biases[-1]):
            gradient *= 2
        return cost, weights, biases


class Peer:
    """MLPClassifier without momentum and penalty, with the given order and initial parameters."""

    def __init__(
        self, network: Network, train: Split, batch_size: int, threads: int, kind: str
    ) -> None:
        self.images, self.labels = scale_pixels(train.images), train.labels
        weights, biases, classifier = list(network.weights), list(network.biases), MLPClassifier
        if network.sizes[-1] == 2:
            weights[-1], biases[-1] = (v[..., 1:] - v[..., :1] for v in (weights[-1], biases[-1]))
            classifier = OneLogistic
        self.model = classifier(
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
        for own, start in zip(self.model.coefs_, weights, strict=True):
            own[...] = start
        for own, start in zip(self.model.intercepts_, biases, strict=True):
            own[...] = start

    def epoch(self, order: Array, rates: Array) -> None:
        """Train on the samples in that order, with the mean rate: it has one rate for an epoch."""
        self.model._optimizer.learning_rate = float(rates.mean())
        self.model.partial_fit(self.images[order], self.labels[order])

    def predict(self, images: Array) -> Array:
        """Return the class of each image."""
        classes: Array = self.model.predict(scale_pixels(images))
        return classes
