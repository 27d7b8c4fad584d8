"""JAX: a whole epoch is one jitted lax.scan over the minibatches."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from fastmlp.arrays import Array
from fastmlp.bench.workload import scale_pixels
from fastmlp.datasets import Split
from fastmlp.network import Network


def outputs(parameters: Any, x: Any) -> Any:
    """Return the weighted sums of the last layer."""
    for w, b in parameters[:-1]:
        x = jax.nn.relu(x @ w + b)
    w, b = parameters[-1]
    return x @ w + b


def cost(parameters: Any, x: Any, y: Any) -> Any:
    """Return the mean cross entropy of softmax."""
    log_a = jax.nn.log_softmax(outputs(parameters, x))
    return -jnp.take_along_axis(log_a, y[:, None], axis=1).mean()


class Peer:
    """Functions on a list of (w, b). A short last batch is skipped: scan needs a single shape."""

    def __init__(
        self, network: Network, train: Split, batch_size: int, threads: int, kind: str
    ) -> None:
        images, labels = jnp.asarray(scale_pixels(train.images)), jnp.asarray(train.labels)
        pairs = zip(network.weights, network.biases, strict=True)
        self.parameters = [(jnp.asarray(w), jnp.asarray(b)) for w, b in pairs]
        self.batch_size = batch_size

        def step(parameters: Any, batch: Any) -> Any:
            rows, rate = batch
            gradients = jax.grad(cost)(parameters, images[rows], labels[rows])
            return jax.tree.map(lambda p, g: p - rate * g, parameters, gradients), None

        self.scan = jax.jit(lambda parameters, batches: jax.lax.scan(step, parameters, batches)[0])

    def epoch(self, order: Array, rates: Array) -> None:
        """Train on the samples in that order."""
        steps = len(order) // self.batch_size
        rows = order[: steps * self.batch_size].reshape(steps, self.batch_size)
        batches = jnp.asarray(rows), jnp.asarray(rates[:steps], jnp.float32)
        self.parameters = jax.block_until_ready(self.scan(self.parameters, batches))

    def predict(self, images: Array) -> Array:
        """Return the class of each image."""
        z = outputs(self.parameters, jnp.asarray(scale_pixels(images)))
        classes: Array = jax.device_get(z.argmax(1))
        return classes
