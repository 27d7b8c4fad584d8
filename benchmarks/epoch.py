"""Time one implementation: epochs of plain SGD on one network, in this process alone.

python benchmarks/epoch.py fastmlp 784-128-10/64 [threads] [dense]

Prints a JSON list of the seconds of each epoch after the first, which warms up. All take the same
samples, batches, cost (softmax, cross entropy), learning rate and precision (float32); images are
uint8 for fastmlp, and already scaled float32 for the others. "dense" takes random float32 images.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np

import fastmlp

EPOCHS = int(os.environ.get("EPOCHS", "4"))
RATE = 0.05


def data(dense: bool, scaled: bool) -> tuple[Any, Any]:
    """Return images and labels of 60,000 samples."""
    split = fastmlp.load_dataset("mnist").train
    images, labels = split.images, split.labels.astype(np.int64)
    if dense:
        images = np.random.default_rng(0).random(images.shape, np.float32)
    elif scaled:
        images = images * np.float32(1 / 255)
    return images, labels


def engine(
    name: str, sizes: Any, batch: int, threads: int | None, dense: bool
) -> Callable[..., Any]:
    """fastmlp's compiled engine, or its NumPy reference."""
    from fastmlp.backends import backend_named

    images, labels = data(dense, scaled=name == "numpy")
    network = fastmlp.Network(sizes)
    backend = backend_named("numpy" if name == "numpy" else "compiled")
    trainer = backend.Engine(
        network.weights, network.biases, network.activations, network.cost, batch, threads=threads
    )
    scale = 1 / 255 if images.dtype == np.uint8 else 1.0
    rates = np.full(-(-len(images) // batch), RATE)
    return lambda order: trainer.train(images, labels, order, rates, scale)


def torch(
    name: str, sizes: Any, batch: int, threads: int | None, dense: bool
) -> Callable[..., Any]:
    """PyTorch, eager, on sliced tensors."""
    import torch as pt

    if threads:
        pt.set_num_threads(threads)
    images, labels = (pt.from_numpy(array) for array in data(dense, scaled=True))
    layers: list[Any] = []
    for inputs, outputs in pairwise(sizes):
        layers += [pt.nn.Linear(inputs, outputs), pt.nn.ReLU()]
    model = pt.nn.Sequential(*layers[:-1])
    optimiser, cost = pt.optim.SGD(model.parameters(), lr=RATE), pt.nn.CrossEntropyLoss()

    def epoch(order: Any) -> None:
        for rows in pt.from_numpy(order).split(batch):
            optimiser.zero_grad()
            cost(model(images[rows]), labels[rows]).backward()
            optimiser.step()

    return epoch


def jax(name: str, sizes: Any, batch: int, threads: int | None, dense: bool) -> Callable[..., Any]:
    """JAX, the whole epoch one jitted scan; it drops a short last batch."""
    import jax as jx
    import jax.numpy as jnp

    images, labels = (jnp.asarray(array) for array in data(dense, scaled=True))
    start = fastmlp.Network(sizes)
    state = [
        (jnp.asarray(w), jnp.asarray(b)) for w, b in zip(start.weights, start.biases, strict=True)
    ]

    def cost(parameters: Any, x: Any, y: Any) -> Any:
        for w, b in parameters[:-1]:
            x = jx.nn.relu(x @ w + b)
        w, b = parameters[-1]
        z = jx.nn.log_softmax(x @ w + b)
        return -jnp.take_along_axis(z, y[:, None], axis=1).mean()

    def step(parameters: Any, rows: Any) -> Any:
        slopes = jx.grad(cost)(parameters, images[rows], labels[rows])
        moved = jx.tree.map(lambda p, g: p - RATE * g, parameters, slopes)
        return moved, None

    scan = jx.jit(lambda parameters, order: jx.lax.scan(step, parameters, order)[0])

    def epoch(order: Any) -> None:
        nonlocal state
        state = scan(state, order[: len(order) // batch * batch].reshape(-1, batch))
        jx.block_until_ready(state)

    return epoch


def sklearn(
    name: str, sizes: Any, batch: int, threads: int | None, dense: bool
) -> Callable[..., Any]:
    """scikit-learn's MLPClassifier, one epoch for each call of partial_fit."""
    from sklearn.neural_network import MLPClassifier

    images, labels = data(dense, scaled=True)
    model = MLPClassifier(
        sizes[1:-1], solver="sgd", alpha=0, batch_size=batch, learning_rate_init=RATE, momentum=0
    )
    classes = np.arange(sizes[-1])
    return lambda order: model.partial_fit(images[order], labels[order], classes=classes)


IMPLEMENTATIONS = {
    "fastmlp": engine,
    "numpy": engine,
    "torch": torch,
    "jax": jax,
    "sklearn": sklearn,
}


def main() -> None:
    """Train and print."""
    name, workload, *rest = sys.argv[1:]
    sizes, batch = workload.split("/")
    threads = next((int(word) for word in rest if word.isdigit()), None)
    shape = tuple(int(size) for size in sizes.split("-"))
    epoch = IMPLEMENTATIONS[name](name, shape, int(batch), threads, "dense" in rest)
    rng, seconds = np.random.default_rng(0), []
    for _ in range(EPOCHS):
        order = rng.permutation(60_000)
        began = perf_counter()
        epoch(order)
        seconds.append(perf_counter() - began)
    sys.stdout.write(json.dumps(seconds[1:]) + "\n")


if __name__ == "__main__":
    main()
