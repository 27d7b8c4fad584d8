"""The gradients of a network's cost, as a training step computes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import as_sample_weight
from fastmlp.backends import backend_named
from fastmlp.errors import checked_call
from fastmlp.functions import Array, quiet
from fastmlp.network import Network
from fastmlp.training.data import check_network


@checked_call
@quiet
def gradients(
    network: Network,
    images: ArrayLike,
    labels: ArrayLike,
    backend: str = "compiled",
    sample_weight: ArrayLike | None = None,
) -> tuple[float, list[Array], list[Array]]:
    """Return (mean cost, dC/dw of each layer `(I, O)`, dC/db of each layer `(O,)`).

    images, labels : arrays, as of `Network.evaluate`, scaled and encoded as the training data were
    sample_weight : w `(N,)`, with which the mean cost is sum(w c) / sum(w)

    Raises ArgumentError for data that does not fit the network.
    """
    check_network(network)
    engines = backend_named(backend)
    rows, _ = network.as_rows(images)
    y = network.as_targets(labels, len(rows), "labels")
    weight = as_sample_weight(sample_weight, len(rows))
    weights, biases = network.check_parameters()
    engine = engines.Engine(weights, biases, network.activations, network.cost, len(rows))
    trace = engine.trace(rows, y, np.arange(len(rows)), network.scale_of(rows), weight)
    if np.isnan(trace.cost):
        network.refuse_nan()
    total = len(rows) if weight is None else float(weight.sum())
    return trace.cost / total, trace.dw, trace.db
