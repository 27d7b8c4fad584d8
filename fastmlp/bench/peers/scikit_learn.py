"""scikit-learn: MLPClassifier or MLPRegressor, one call of partial_fit for each epoch.

For two classes MLPClassifier has one logistic output. With w = w1 - w0 and b = b1 - b0 it computes
the same function as a softmax of two outputs, since

    e^z1 / (e^z0 + e^z1) = 1 / (1 + e^-(z1 - z0)),  z1 - z0 = a (w1 - w0) + (b1 - b0)

The cost and the deltas of the layers below are then equal too. A step of softmax changes w1 by
-r dw and w0 by r dw, so w1 - w0 changes twice as much as the weights of the logistic output, and
w1 + w0 never changes. OneLogistic therefore doubles the gradient of the last layer, and all steps
are equal. Adam divides by the size of the gradient, so it has no such step. Its epsilon is added to
sqrt(v) before the bias is corrected, which matters only for gradients near 1e-8.

The squared error of MLPRegressor is half of fastmlp's, so Regressor doubles all gradients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

from fastmlp.arrays import Array
from fastmlp.bench.peers import Setup
from fastmlp.bench.peers.formulas import BETA_1, BETA_2, EPSILON, MOMENTUM
from fastmlp.bench.workload import scale_pixels


class OneLogistic(MLPClassifier):  # type: ignore[misc, unused-ignore]
    """Two classes with one output, whose step is that of w1 - w0 in a softmax."""

    def _backprop(self, *arguments: Any, **named: Any) -> Any:
        return doubled(super()._backprop(*arguments, **named), slice(-1, None))


class Regressor(MLPRegressor):  # type: ignore[misc, unused-ignore]
    """A regression whose cost has no 1/2 in front."""

    def _backprop(self, *arguments: Any, **named: Any) -> Any:
        return doubled(super()._backprop(*arguments, **named), slice(None))


def doubled(result: Any, layers: slice) -> Any:
    """Return the result of _backprop, with the gradients of some layers doubled."""
    cost, weights, biases = result
    for gradient in (*weights[layers], *biases[layers]):
        gradient *= 2
    return cost, weights, biases


class Peer:
    """An estimator without penalty, with the given order and initial parameters."""

    def __init__(self, setup: Setup) -> None:
        network, train, batch_size, optimizer = setup[:4]
        self.network = network
        self.images, self.labels = scale_pixels(train.images), train.labels
        self.is_pair = (network.output, network.sizes[-1]) == ("softmax", 2)
        estimator, named = (OneLogistic if self.is_pair else MLPClassifier), {}
        if network.output == "identity":
            estimator = Regressor
        else:
            named = {"classes": np.arange(max(2, network.sizes[-1]))}
        self.model = estimator(
            hidden_layer_sizes=network.sizes[1:-1],
            activation=network.hidden[0] if network.hidden else "relu",
            solver="adam" if optimizer == "adam" else "sgd",
            alpha=0,
            batch_size=batch_size,
            momentum=MOMENTUM if optimizer == "momentum" else 0,
            nesterovs_momentum=False,
            beta_1=BETA_1,
            beta_2=BETA_2,
            epsilon=EPSILON,
            shuffle=False,
        )
        some = slice(0, batch_size)  # the first call makes the arrays, and an optimiser
        self.model.partial_fit(self.images[some], self.labels[some], **named)
        del self.model._optimizer
        weights, biases = list(network.weights), list(network.biases)
        if self.is_pair:
            weights[-1], biases[-1] = (v[..., 1:] - v[..., :1] for v in (weights[-1], biases[-1]))
        for own, start in zip(self.parameters(), (*weights, *biases), strict=True):
            own[...] = start

    def parameters(self) -> tuple[Array, ...]:
        """Return the weights of all layers, and then their biases."""
        return *self.model.coefs_, *self.model.intercepts_

    def epoch(self, order: Array, rates: Array) -> None:
        """Train on the samples in that order, with the mean rate: it has one rate for an epoch."""
        rate = float(rates.mean())
        self.model.learning_rate_init = rate
        if own := vars(self.model).get("_optimizer"):  # made by the first epoch
            own.learning_rate = own.learning_rate_init = rate
        self.model.partial_fit(self.images[order], self.labels[order])

    def read(self) -> None:
        """Write the parameters into the network."""
        parameters = *self.network.weights, *self.network.biases
        for parameter, found in zip(parameters, self.parameters(), strict=True):
            if found.shape == parameter.shape:
                parameter[...] = found
            else:  # w1 - w0
                total = parameter.sum(-1, keepdims=True)
                parameter[...] = (total + found * np.array([-1, 1], np.float32)) / 2
