"""JAX: a whole epoch is one jitted lax.scan over the minibatches."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fastmlp.arrays import Array
from fastmlp.bench.peers import Setup
from fastmlp.bench.peers.formulas import STEPS, slots, step_pairs
from fastmlp.bench.workload import scale_pixels

HIDDEN = {"relu": jax.nn.relu, "tanh": jnp.tanh}


def cross_entropy(z: Any, y: Any) -> Any:
    """Return -log softmax(z)[y] of each sample."""
    return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1)


# By output; the cost of a sample is the sum of a row
COSTS: dict[str, Any] = {
    "softmax": cross_entropy,
    "sigmoid": lambda z, y: jax.nn.softplus(z) - y * z,
    "identity": lambda z, y: (z - y) ** 2,
}


class Peer:
    """Functions on a list [w, b, w, ...]. A short last batch is skipped: scan needs one shape."""

    def __init__(self, setup: Setup) -> None:
        network, train, batch_size, optimizer = setup[:4]
        self.network, self.batch_size, self.optimizer = network, batch_size, optimizer
        images = jnp.asarray(scale_pixels(train.images))
        targets = jnp.asarray(network.as_targets(train.labels, len(train), "labels"))
        pairs = zip(network.weights, network.biases, strict=True)
        leaves = [jnp.asarray(leaf) for pair in pairs for leaf in pair]
        self.state = [(p, *slots(optimizer) * (jnp.zeros_like(p),)) for p in leaves]
        self.done = 0
        hidden, cost = network.hidden, COSTS[network.output]

        def mean_cost(leaves: Any, x: Any, y: Any) -> Any:
            for w, b, f in zip(leaves[:-2:2], leaves[1:-2:2], hidden, strict=True):
                x = HIDDEN[f](x @ w + b)
            w, b = leaves[-2:]
            return cost(x @ w + b, y).sum(1).mean()

        def step(state: Any, batch: Any) -> Any:
            rows, pair = batch
            leaves = [own[0] for own in state]
            gradients = jax.grad(mean_cost)(leaves, images[rows], targets[rows])
            change = STEPS[optimizer]
            return [change(*each, *pair) for each in zip(state, gradients, strict=True)], None

        self.scan = jax.jit(lambda state, batches: jax.lax.scan(step, state, batches)[0])

    def epoch(self, order: Array, rates: Array) -> None:
        """Train on the samples in that order."""
        steps = len(order) // self.batch_size
        rows = order[: steps * self.batch_size].reshape(steps, self.batch_size)
        pairs = step_pairs(self.optimizer, rates[:steps], self.done)
        batches = jnp.asarray(rows), jnp.asarray(pairs)
        self.state = jax.block_until_ready(self.scan(self.state, batches))
        self.done += steps

    def read(self) -> None:
        """Write the parameters into the network."""
        for k, (w, b) in enumerate(zip(self.network.weights, self.network.biases, strict=True)):
            w[...], b[...] = (np.asarray(own[0]) for own in self.state[2 * k : 2 * k + 2])
