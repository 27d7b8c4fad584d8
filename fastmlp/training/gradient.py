"""The gradients of a network's cost, as a training step computes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import as_images
from fastmlp.backends import backend_named
from fastmlp.functions import Array, quiet
from fastmlp.network import Network


@quiet
def gradients(
    network: Network, images: ArrayLike, labels: ArrayLike, backend: str = "compiled"
) -> tuple[float, list[Array], list[Array]]:
    """Return (mean cost, dC/dw of each layer `(I, O)`, dC/db of each layer `(O,)`).

    images : `(N, I)`; labels : integers `(N,)`, or targets `(N, O)`

    Raises ArgumentError for data that does not fit the network.
    """
    engines = backend_named(backend)
    rows = as_images(images, network.sizes[0], network.dtype)
    y = network.as_targets(labels, len(rows), "labels")
    weights, biases = network.check_parameters()
    engine = engines.Engine(weights, biases, network.activations, network.cost, len(rows))
    trace = engine.trace(rows, y, np.arange(len(rows)), network.scale_of(rows))
    return trace.cost / len(rows), trace.dw, trace.db
