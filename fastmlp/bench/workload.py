"""Workloads: a network, a batch size and data, with a name such as 784-128-10/64."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from fastmlp.arrays import Array
from fastmlp.datasets import Dataset, Split, load_dataset
from fastmlp.errors import refuse

# Small networks on tables of numbers: few inputs, none of them zero
TABLES = ("28-64-64-2/256/dense", "54-100-7/200/dense", "30-100-2/32/dense")
# What is measured by default
STANDARD = (
    "784-128-10/64",
    "784-128-10/32",
    "784-16-16-10/10",
    "784-16-16-10/1",
    "784-512-512-10/128",
    "784-1024-1024-10/512",
    "784-512-512-10/128/dense",
    *TABLES,
)
DENSE_SAMPLES, DENSE_TESTS = 60_000, 10_000


@dataclass(frozen=True)
class Workload:
    """One network, trained by plain SGD with softmax and cross entropy.

    sizes : neurons of all layers; batch_size : samples of a step
    dense : whether the input is random, without zeros, instead of the images of a data set
    """

    sizes: tuple[int, ...]
    batch_size: int
    dense: bool = False

    @property
    def name(self) -> str:
        """The name, as `parse` reads it."""
        return f"{'-'.join(map(str, self.sizes))}/{self.batch_size}" + "/dense" * self.dense

    @property
    def learning_rate(self) -> float:
        """A learning rate that suits each of the standard workloads: lower for small batches."""
        return min(0.1, 0.01 * self.batch_size)

    def flops(self, first_layer: float = 1.0) -> float:
        """Return the floating-point operations of a training step for one sample.

        Each product needs 2 I O: z = x w, dw = x^T dz and, except in the first layer, dx = dz w^T.
        first_layer : the share of the first layer's products that are computed: those of pixel
            pairs that are not zero
        """
        products = [inputs * outputs for inputs, outputs in pairwise(self.sizes)]
        return 2.0 * (2 * first_layer * products[0] + 3 * sum(products[1:]))


def parse(name: str) -> Workload:
    """Return the workload of a name: sizes/batch, or sizes/batch/dense."""
    match = re.fullmatch(r"([1-9]\d{0,5}(?:-[1-9]\d{0,5})+)/([1-9]\d{0,5})(/dense)?", name)
    if match is None:
        raise refuse("workload", "must be sizes/batch", repr(name), "Pass 784-128-10/64.")
    sizes, batch, dense = match.groups()
    work = Workload(tuple(map(int, sizes.split("-"))), int(batch), dense is not None)
    if work.sizes[-1] < 2:
        rule = "must have two outputs or more, for softmax"
        raise refuse("workload", rule, repr(name), "Pass 784-128-2/64 for two classes.")
    return work


def load(workload: Workload, dataset: str, folder: Path | None, download: bool = False) -> Dataset:
    """Return the data of a workload: a data set's, or dense random float32 input."""
    if workload.dense:
        return dense_data(workload.sizes[0], workload.sizes[-1])
    data = load_dataset(dataset, folder=folder, download=download)
    inputs, classes = data.train.images.shape[1], len(data.class_names)
    if workload.sizes[0] != inputs or workload.sizes[-1] < classes:
        rule = f"must have {inputs} inputs and {classes} outputs, for {data.name}"
        raise refuse("workload", rule, workload.name, "Append /dense for random input.")
    return data


def dense_data(inputs: int, classes: int) -> Dataset:
    """Return random images, float32 from -0.5 to 0.5, with a weak pattern for each class."""
    rng = np.random.default_rng(0)
    patterns = rng.random((classes, inputs), np.float32) - np.float32(0.5)

    def draw(count: int) -> Split:
        labels = rng.integers(0, classes, count)
        images = rng.random((count, inputs), np.float32) - np.float32(0.5)
        images += np.float32(0.08) * (patterns[labels] - images)
        return Split(images, labels)

    names = tuple(map(str, range(classes)))
    train, test = draw(DENSE_SAMPLES), draw(DENSE_TESTS)
    return Dataset("dense", train, test, names, (1, inputs), "random numbers, seed 0")


def scale_pixels(images: Array) -> Array:
    """Return images in the form for peers: float32, with pixels from 0 to 1."""
    if images.dtype == np.uint8:
        return np.multiply(images, np.float32(1 / 255), dtype=np.float32)
    return images
