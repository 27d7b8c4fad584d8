"""TensorFlow: a whole epoch is one tf.function, compiled by XLA, with a loop over minibatches."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import tensorflow as tf

from fastmlp.arrays import Array
from fastmlp.bench.peers import Setup
from fastmlp.bench.peers.formulas import STEPS, slots, step_pairs
from fastmlp.bench.workload import scale_pixels

HIDDEN = {"relu": tf.nn.relu, "tanh": tf.tanh}
# By output; the cost of a sample is the sum of a row
COSTS: dict[str, Any] = {
    "softmax": lambda z, y: tf.nn.sparse_softmax_cross_entropy_with_logits(y, z)[:, None],
    "sigmoid": lambda z, y: tf.nn.sigmoid_cross_entropy_with_logits(y, z),
    "identity": lambda z, y: tf.math.squared_difference(z, y),
}


class Peer:
    """Functions on a list [w, b, w, ...].

    XLA needs a single shape: a short last batch is a second call. The images are an argument, since
    a constant would be compiled into the function.
    """

    def __init__(self, setup: Setup) -> None:
        network, train, batch_size, optimizer, threads, _ = setup
        with suppress(RuntimeError):  # it has started already, for an earlier peer
            tf.config.set_visible_devices([], "GPU")
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        self.network, self.batch_size, self.optimizer = network, batch_size, optimizer
        self.images = tf.constant(scale_pixels(train.images))
        targets = network.as_targets(train.labels, len(train), "labels")
        self.targets = tf.constant(targets.astype("int32") if targets.ndim == 1 else targets)
        pairs = zip(network.weights, network.biases, strict=True)
        leaves = [tf.constant(leaf) for pair in pairs for leaf in pair]
        self.state = [(p, *slots(optimizer) * (tf.zeros_like(p),)) for p in leaves]
        self.done = 0
        self.steps = tf.function(self.take_steps, jit_compile=True)

    def epoch(self, order: Array, rates: Array) -> None:
        """Train on the samples in that order."""
        end = len(order) - len(order) % self.batch_size
        whole = order[:end].reshape(-1, self.batch_size)
        pairs = step_pairs(self.optimizer, rates, self.done)
        for rows in (whole, order[end:].reshape(1, -1)):
            if rows.size:
                some, pairs = pairs[: len(rows)], pairs[len(rows) :]
                arrays = tf.constant(rows, tf.int32), tf.constant(some)
                self.state = self.steps(self.state, self.images, self.targets, *arrays)
        self.state[-1][0].numpy()  # waits
        self.done += len(rates)

    def take_steps(self, state: Any, images: Any, targets: Any, batches: Any, pairs: Any) -> Any:
        """Return the state after a step for each row of batches."""
        change, cost = STEPS[self.optimizer], COSTS[self.network.output]

        def step(number: Any, state: Any) -> Any:
            rows, leaves = batches[number], [own[0] for own in state]
            with tf.GradientTape() as tape:
                tape.watch(leaves)
                z = self.sums(leaves, tf.gather(images, rows))
                costs = tf.reduce_sum(cost(z, tf.gather(targets, rows)), 1)
                mean = tf.reduce_mean(costs)
            gradients, (rate, epsilon) = tape.gradient(mean, leaves), tf.unstack(pairs[number])
            both = zip(state, gradients, strict=True)
            return number + 1, [change(own, g, rate, epsilon) for own, g in both]

        steps = batches.shape[0]
        return tf.while_loop(lambda number, _: number < steps, step, (0, state))[1]

    def sums(self, leaves: Any, x: Any) -> Any:
        """Return the weighted sums of the last layer."""
        for w, b, f in zip(leaves[:-2:2], leaves[1:-2:2], self.network.hidden, strict=True):
            x = HIDDEN[f](x @ w + b)
        w, b = leaves[-2:]
        return x @ w + b

    def read(self) -> None:
        """Write the parameters into the network."""
        for k, (w, b) in enumerate(zip(self.network.weights, self.network.biases, strict=True)):
            w[...], b[...] = (own[0].numpy() for own in self.state[2 * k : 2 * k + 2])
