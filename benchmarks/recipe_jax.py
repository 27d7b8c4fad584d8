"""Train a recipe with JAX, and print its accuracy and seconds as JSON.

python benchmarks/recipe_jax.py NAME [--seed 0] [--dataset mnist]

It starts from the same parameters as `fastmlp train --recipe NAME --seed N`, and draws the same
changes of images; an epoch is one compiled scan. Compiling is no part of its seconds of training.
"""

from __future__ import annotations

import json
from time import perf_counter
from typing import Any

import click
import jax
import jax.numpy as jnp
import numpy as np

import fastmlp
from fastmlp.functions.augmentation import ONE, Changes, draw_changes, draw_fields
from fastmlp.training.recipes import RECIPES
from fastmlp.training.schedules import schedule_named, step_rates

SIDE = 28


def changed(images: Any, maps: Any, picks: Any, fields: Any) -> Any:
    """Return images `(B, S * S)` as their changes have them, interpolated bilinearly."""
    row, column = jnp.mgrid[:SIDE, :SIDE]
    flat = jnp.pad(images.reshape(-1, SIDE, SIDE), ((0, 0), (1, 1), (1, 1)))

    def look(image: Any, m: Any, pick: Any) -> Any:
        x = m[0] * column + m[1] * row + m[2]
        y = m[3] * column + m[4] * row + m[5]
        if len(fields):
            x, y = x + fields[pick[0]], y + fields[pick[1]]
        # the border of zeros stands for all that is outside
        x, y = jnp.clip(x, -1, SIDE) + 1, jnp.clip(y, -1, SIDE) + 1
        left, top = (jnp.minimum(jnp.floor(v).astype(jnp.int32), SIDE) for v in (x, y))
        a, b = x - left, y - top
        upper = (1 - a) * image[top, left] + a * image[top, left + 1]
        lower = (1 - a) * image[top + 1, left] + a * image[top + 1, left + 1]
        return (1 - b) * upper + b * lower

    return jax.vmap(look)(flat, maps, picks).reshape(images.shape)


def make_epoch(images: Any, labels: Any, smoothing: float, augments: bool) -> Any:
    """Return the compiled epoch: (parameters, order, rates, changes) -> parameters."""

    def cost(leaves: Any, x: Any, y: Any) -> Any:
        for k in range(0, len(leaves) - 2, 2):
            x = jax.nn.relu(x @ leaves[k] + leaves[k + 1])
        logs = jax.nn.log_softmax(x @ leaves[-2] + leaves[-1])
        target = (1 - smoothing) * jax.nn.one_hot(y, logs.shape[1]) + smoothing / logs.shape[1]
        return -(target * logs).sum(1).mean()

    def epoch(leaves: Any, order: Any, rates: Any, maps: Any, picks: Any, fields: Any) -> Any:
        def step(leaves: Any, batch: Any) -> Any:
            rows, rate = batch
            x = images[rows].astype(jnp.float32) / 255
            if augments:
                x = changed(x, maps[rows], picks[rows], fields)
            gradients = jax.grad(cost)(leaves, x, labels[rows])
            return [p - rate * g for p, g in zip(leaves, gradients, strict=True)], None

        return jax.lax.scan(step, leaves, (order, rates))[0]

    return jax.jit(epoch)


def scaled(changes: Changes) -> tuple[Any, Any, Any]:
    """Return maps, picks and fields as JAX takes them, in pixels."""
    maps, fields = (np.float32(part / ONE) for part in (changes.maps, changes.fields))
    return jnp.asarray(maps), jnp.asarray(changes.picks, jnp.int32), jnp.asarray(fields)


@click.command(help=__doc__)
@click.argument("name", type=click.Choice(list(RECIPES)))
@click.option("--seed", default=0)
@click.option("--dataset", default="mnist")
def main(name: str, seed: int, dataset: str) -> None:
    """Train, and print."""
    recipe, data = RECIPES[name], fastmlp.load_dataset(dataset)
    settings = recipe.settings
    network = fastmlp.Network(data.train.images.shape[1], *recipe.hidden, 10, seed=seed)
    pairs = zip(network.weights, network.biases, strict=True)
    leaves = [jnp.asarray(leaf) for pair in pairs for leaf in pair]
    count, size, epochs = len(data.train), settings["batch_size"], settings["epochs"]
    # a scan needs one shape: the last samples are left out where they fill no minibatch
    steps, rng = count // size, np.random.default_rng(seed)
    augmentation = settings.get("augment")

    def arguments(epoch: int) -> tuple[Any, ...]:
        order = rng.permutation(count)[: steps * size].reshape(steps, size)
        schedule = schedule_named(settings["schedule"])
        rates = step_rates(schedule, settings["learning_rate"], epoch, epochs, steps)
        changes: tuple[Any, ...] = (jnp.zeros(0), jnp.zeros(0), jnp.zeros(0))
        if augmentation:
            fields = draw_fields(augmentation, seed, epoch, SIDE)
            changes = scaled(draw_changes(augmentation, seed, epoch, np.arange(count), fields))
        return jnp.asarray(order), jnp.asarray(rates, jnp.float32), *changes

    images, labels = jnp.asarray(data.train.images), jnp.asarray(data.train.labels)
    jitted = make_epoch(images, labels, settings.get("label_smoothing", 0.0), bool(augmentation))
    run = jitted.lower(leaves, *arguments(0)).compile()
    began = perf_counter()
    for epoch in range(epochs):
        leaves = run(leaves, *arguments(epoch))
    jax.block_until_ready(leaves)
    took = perf_counter() - began
    for k, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        w[...], b[...] = np.asarray(leaves[2 * k]), np.asarray(leaves[2 * k + 1])
    accuracy = network.accuracy(data.test.images, data.test.labels)
    click.echo(json.dumps({"test_accuracy": accuracy, "train_seconds": took}))


if __name__ == "__main__":
    main()
