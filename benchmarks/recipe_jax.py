"""Train a recipe with JAX, and print its accuracy and seconds as JSON.

python benchmarks/recipe_jax.py NAME [--seed 0] [--dataset mnist] [--epochs N]

It starts from the same parameters as `fastmlp train --recipe NAME --seed N`. An epoch is one
compiled function, with its order and its changes of images. Compiling is no part of its seconds of
training. --epochs sets another number of epochs; the schedule fits it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from time import perf_counter
from typing import Any

import click
import jax
import jax.numpy as jnp
import numpy as np
from augment_jax import change, draw_changes, draw_fields

import fastmlp
from fastmlp.datasets import Split
from fastmlp.functions.augmentation import Augmentation
from fastmlp.training.recipes import RECIPES
from fastmlp.training.schedules import schedule_named, step_rates


def make_cost(smoothing: float) -> Callable[..., Any]:
    """Return the mean cross entropy of a minibatch, a function of (parameters, x, labels)."""

    def cost(leaves: list[Any], x: Any, y: Any) -> Any:
        *hidden, (w, b) = zip(leaves[::2], leaves[1::2], strict=True)
        for v, c in hidden:
            x = jax.nn.relu(x @ v + c)
        logs = jax.nn.log_softmax(x @ w + b)
        targets = (1 - smoothing) * jax.nn.one_hot(y, logs.shape[1]) + smoothing / logs.shape[1]
        return -(targets * logs).sum(1).mean()

    return cost


def make_epoch(
    size: int, smoothing: float, augmentation: Augmentation | None
) -> Callable[..., Any]:
    """Return an epoch: (parameters, images `(N, S * S)`, labels, key, rates) -> parameters."""
    cost = make_cost(smoothing)

    def epoch(leaves: list[Any], images: Any, labels: Any, key: Any, rates: Any) -> list[Any]:
        keys = jax.random.split(key, 3)
        side = round(images.shape[1] ** 0.5)
        shape = len(rates), size
        order = jax.random.permutation(keys[0], len(images))[: len(rates) * size].reshape(shape)
        changes = fields = None
        if augmentation is not None:
            fields = draw_fields(augmentation, keys[1], side)
            changes = draw_changes(augmentation, keys[2], shape)

        def step(leaves: list[Any], batch: tuple[Any, ...]) -> tuple[list[Any], None]:
            rows, rate, changes = batch
            x = images[rows]
            if changes is not None:
                x = change(x.reshape(size, side, side), changes, fields).reshape(size, -1)
            gradients = jax.grad(cost)(leaves, x.astype(jnp.float32) / 255, labels[rows])
            return [p - rate * g for p, g in zip(leaves, gradients, strict=True)], None

        return jax.lax.scan(step, leaves, (order, rates, changes))[0]

    return epoch


def train(
    network: fastmlp.Network,
    data: Split,
    seed: int,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    schedule: str,
    label_smoothing: float = 0.0,
    augment: Augmentation | None = None,
) -> float:
    """Train the network as `fastmlp.train` does by these settings, and return the seconds."""
    pairs = zip(network.weights, network.biases, strict=True)
    leaves = [jnp.asarray(leaf) for pair in pairs for leaf in pair]
    images, labels = jnp.asarray(data.images), jnp.asarray(data.labels)
    # a scan needs one shape: the last samples are left out where they fill no minibatch
    steps, form = len(data) // batch_size, schedule_named(schedule)
    keys = jax.random.split(jax.random.key(seed), epochs)

    def arguments(epoch: int) -> tuple[Any, ...]:
        rates = step_rates(form, learning_rate, epoch, epochs, steps)
        return images, labels, keys[epoch], jnp.asarray(rates, jnp.float32)

    jitted = jax.jit(make_epoch(batch_size, label_smoothing, augment), donate_argnums=0)
    run = jitted.lower(leaves, *arguments(0)).compile()
    began = perf_counter()
    for epoch in range(epochs):
        leaves = run(leaves, *arguments(epoch))
    jax.block_until_ready(leaves)
    took = perf_counter() - began
    for k, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        w[...], b[...] = np.asarray(leaves[2 * k]), np.asarray(leaves[2 * k + 1])
    return took


@click.command(help=__doc__)
@click.argument("name", type=click.Choice(list(RECIPES)))
@click.option("--seed", default=0)
@click.option("--dataset", default="mnist")
@click.option("--epochs", type=click.IntRange(1))
def main(name: str, seed: int, dataset: str, epochs: int | None) -> None:
    """Train, and print."""
    recipe, data = RECIPES[name], fastmlp.load_dataset(dataset)
    settings = {**recipe.settings, **({"epochs": epochs} if epochs else {})}
    network = fastmlp.Network(data.train.images.shape[1], *recipe.hidden, 10, seed=seed)
    took = train(network, data.train, seed, **settings)
    accuracy = network.accuracy(data.test.images, data.test.labels)
    click.echo(json.dumps({"test_accuracy": accuracy, "train_seconds": took}))


if __name__ == "__main__":
    main()
