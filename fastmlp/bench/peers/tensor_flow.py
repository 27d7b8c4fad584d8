"""TensorFlow: a whole epoch is one tf.function, compiled by XLA, with a loop over minibatches."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import tensorflow as tf

from fastmlp.arrays import Array
from fastmlp.bench.workload import scale_pixels
from fastmlp.datasets import Split
from fastmlp.network import Network


class Peer:
    """Functions on a list of (w, b). XLA needs a single shape: a short last batch is a second call.

    The images are an argument, since a constant would be compiled into the function.
    """

    def __init__(
        self, network: Network, train: Split, batch_size: int, threads: int, kind: str
    ) -> None:
        with suppress(RuntimeError):  # it has started already, for an earlier peer
            tf.config.set_visible_devices([], "GPU")
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        self.images = tf.constant(scale_pixels(train.images))
        self.labels = tf.constant(train.labels.astype(np.int32))
        self.parameters = [
            (tf.constant(w), tf.constant(b))
            for w, b in zip(network.weights, network.biases, strict=True)
        ]
        self.batch_size = batch_size
        self.steps = tf.function(take_steps, jit_compile=True)

    def epoch(self, order: Array, rates: Array) -> None:
        """Train on the samples in that order."""
        end = len(order) - len(order) % self.batch_size
        whole = order[:end].reshape(-1, self.batch_size)
        for rows in (whole, order[end:].reshape(1, -1)):
            if rows.size:
                some, rates = rates[: len(rows)], rates[len(rows) :]
                arrays = tf.constant(rows, tf.int32), tf.constant(some, tf.float32)
                self.parameters = self.steps(self.parameters, self.images, self.labels, *arrays)
        self.parameters[-1][1].numpy()  # waits

    def predict(self, images: Array) -> Array:
        """Return the class of each image."""
        classes: Array = outputs(self.parameters, scale_pixels(images)).numpy().argmax(1)
        return classes


def outputs(parameters: Any, x: Any) -> Any:
    """Return the weighted sums of the last layer."""
    for w, b in parameters[:-1]:
        x = tf.nn.relu(x @ w + b)
    w, b = parameters[-1]
    return x @ w + b


def take_steps(parameters: Any, images: Any, labels: Any, batches: Any, rates: Any) -> Any:
    """Return the parameters after a step for each row of batches."""

    def step(number: Any, parameters: Any) -> Any:
        rows, flat = batches[number], tf.nest.flatten(parameters)
        with tf.GradientTape() as tape:
            tape.watch(flat)
            z = outputs(parameters, tf.gather(images, rows))
            y = tf.gather(labels, rows)
            cost = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, z))
        changes = tape.gradient(cost, flat)
        new = [p - rates[number] * g for p, g in zip(flat, changes, strict=True)]
        return number + 1, tf.nest.pack_sequence_as(parameters, new)

    steps = batches.shape[0]
    return tf.while_loop(lambda number, _: number < steps, step, (0, parameters))[1]
