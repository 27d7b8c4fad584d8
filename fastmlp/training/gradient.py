"""The gradient of a network's cost, layer by layer, through a backend's own functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import as_images
from fastmlp.backends import backend_named
from fastmlp.functions import Array, as_answers, quiet
from fastmlp.network import Network


@quiet
def gradients(
    network: Network, images: ArrayLike, labels: ArrayLike, backend: str = "compiled"
) -> tuple[float, list[Array], list[Array]]:
    """Return (mean cost, dC/dw of each layer `(I, O)`, dC/db of each layer `(O,)`).

    images `(N, I)`; labels integers `(N,)` or targets `(N, O)`. Raises ArgumentError for data
    that does not fit the network.
    """
    kernels = backend_named(backend)
    rows = as_images(images, network.sizes[0], network.dtype)
    y = as_answers(labels, len(rows), network.sizes[-1], network.dtype, network.cost, "labels")
    weights, biases = network.checked_parameters()
    packed = [kernels.pack_weights(w) for w in weights]
    dtype = network.dtype

    x = np.multiply(rows, dtype.type(network.scale_of(rows)), dtype=dtype)
    a = [x]
    for w, b, f in zip(packed, biases, (*network.hidden, "identity"), strict=True):
        a.append(np.empty((len(rows), len(b)), dtype))
        kernels.forward(a[-2], w, b, f, a[-1])
    dz, answers = np.empty_like(a[-1]), np.empty_like(a[-1])
    cost = kernels.output(a[-1], y, network.output, network.cost, answers, dz)

    dw, db = [np.empty_like(w) for w in weights], [np.empty_like(b) for b in biases]
    for layer in range(len(weights) - 1, -1, -1):
        slope = kernels.pack_weights(dw[layer])
        kernels.gradient(a[layer], dz, slope, db[layer])
        kernels.unpack_weights(slope, dw[layer])
        if layer:
            below = np.empty_like(a[layer])
            kernels.delta(dz, packed[layer], a[layer], network.hidden[layer - 1], below)
            dz = below
    return cost / len(rows), dw, db
