"""Workloads: a network, its minibatches, optimiser and data, as 784-128-10/64/adam."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastmlp.arrays import Array
from fastmlp.datasets import Dataset, Split, load_dataset
from fastmlp.errors import refuse
from fastmlp.functions import HIDDEN, OPTIMIZERS, metrics_of, task_of
from fastmlp.network import Network

# Small networks on tables of numbers: few inputs, none of them zero
TABLES = ("28-64-64-2/256/dense", "54-100-7/200/dense", "30-100-2/32/dense")
# What is measured by default: by plain SGD, and by other optimisers
PLAIN = (
    "784-128-10/64",
    "784-128-10/32",
    "784-16-16-10/10",
    "784-16-16-10/1",
    "784-512-512-10/128",
    "784-1024-1024-10/512",
    "784-512-512-10/128/dense",
    *TABLES,
)
OPTIMIZED = (
    "784-128-10/64/adam",
    "28-300-300-300-300-300-1/100/dense/tanh/binary/momentum",
    "4-32-16-4/10000/full/tanh/regression/adam",
)
STANDARD = (*PLAIN, *OPTIMIZED)
DENSE_SAMPLES, DENSE_TESTS = 60_000, 10_000
FULL_PASSES = 100


class Output(NamedTuple):
    """A kind of output: its activation and cost, and the least and the most of them, as a rule."""

    activation: str
    cost: str
    least: int
    most: float
    rule: str


OUTPUTS = {
    "softmax": Output("softmax", "cross_entropy", 2, inf, "two outputs or more"),
    "binary": Output("sigmoid", "cross_entropy", 1, 1, "one output"),
    "regression": Output("identity", "squared_error", 1, inf, "one output or more"),
}
# The words of a name, by the field that they set
WORDS = {
    "data": ("images", "dense", "full"),
    "hidden": HIDDEN,
    "output": tuple(OUTPUTS),
    "optimizer": tuple(OPTIMIZERS),
}
FIELD_OF = {word: field for field, words in WORDS.items() for word in words}


@dataclass(frozen=True)
class Workload:
    """One network and how it is trained.

    sizes : neurons of all layers; batch_size : samples of a step
    data : "images" of a data set; "dense" random input, without zeros; or "full", which is dense
        and has the samples of one minibatch, so that each step is a pass over all data
    hidden : activation of the hidden layers; output : a name of OUTPUTS; optimizer : its name
    """

    sizes: tuple[int, ...]
    batch_size: int
    data: str = "images"
    hidden: str = "relu"
    output: str = "softmax"
    optimizer: str = "sgd"

    @property
    def name(self) -> str:
        """The name, as `parse` reads it."""
        own = ((getattr(self, field), getattr(Workload, field)) for field in WORDS)
        words = (word for word, default in own if word != default)
        return "/".join(("-".join(map(str, self.sizes)), str(self.batch_size), *words))

    @property
    def dense(self) -> bool:
        """Whether the input is random, without zeros."""
        return self.data != "images"

    @property
    def is_sparse(self) -> bool:
        """Whether the first layer leaves out the zeros of images."""
        return not self.dense and len(self.sizes) > 2

    @property
    def samples(self) -> int:
        """The training samples of random data."""
        return self.batch_size if self.data == "full" else DENSE_SAMPLES

    @property
    def passes(self) -> int:
        """The passes over the data that are timed as one: many if each is a single step."""
        return FULL_PASSES if self.data == "full" else 1

    @property
    def classes(self) -> int:
        """The classes of the data, unless it is a regression."""
        return max(2, self.sizes[-1])

    @property
    def metric(self) -> str:
        """The title of the metric that implementations are compared by."""
        row = OUTPUTS[self.output]
        return metrics_of(task_of(row.activation, row.cost, self.sizes[-1]))[0].title

    @property
    def learning_rate(self) -> float:
        """A learning rate that suits each of the standard workloads.

        It is lower for small batches, and a tenth with a momentum of 0.9, as steps become ten times
        as long. All other optimisers have their default.
        """
        plain, row = min(0.1, 0.01 * self.batch_size), OPTIMIZERS[self.optimizer]
        return (
            plain if row.fused else plain / 10 if "momentum" in row.settings else row.learning_rate
        )

    def network(self, seed: int) -> Network:
        """Return the network before its first step."""
        row = OUTPUTS[self.output]
        return Network(self.sizes, self.hidden, row.activation, row.cost, seed)

    def flops(self, first_layer: float = 1.0) -> float:
        """Return the floating-point operations of a training step for one sample.

        Each product needs 2 I O: z = x w, dw = x^T dz and, except in the first layer, dx = dz w^T.
        first_layer : the share of the first layer's products that are computed: those of pixel
            pairs that are not zero
        """
        products = [inputs * outputs for inputs, outputs in pairwise(self.sizes)]
        return 2.0 * (2 * first_layer * products[0] + 3 * sum(products[1:]))


def parse(name: str) -> Workload:
    """Return the workload of a name: sizes/batch, and words of WORDS. Raises ArgumentError."""
    match = re.fullmatch(r"([1-9]\d{0,5}(?:-[1-9]\d{0,5})+)/([1-9]\d{0,5})((?:/\w+)*)", name)
    if match is None:
        rule = "must be sizes/batch, of numbers from 1 to 999,999"
        raise refuse("workload", rule, repr(name), "Pass 784-128-10/64.")
    sizes, batch, words = match[1].split("-"), int(match[2]), match[3].split("/")[1:]
    given = {FIELD_OF.get(word, ""): word for word in words}
    if "" in given or len(given) < len(words):
        kinds = "; ".join(f"{field}: {', '.join(known)}" for field, known in WORDS.items())
        rule = "must end with words that are known, one of a kind at most"
        raise refuse("workload", rule, repr(name), f"Choose from {kinds}.")
    work = Workload(tuple(map(int, sizes)), batch, **given)
    row = OUTPUTS[work.output]
    if not row.least <= work.sizes[-1] <= row.most:
        rule, remedy = f"must have {row.rule}, for {work.output}", "Change the last of the sizes."
        remedy = "Append /binary for one output." if work.output not in words else remedy
        raise refuse("workload", rule, repr(name), remedy)
    if work.output == "regression" and not work.dense:
        rule = "must have random input, for regression"
        raise refuse("workload", rule, repr(name), "Append /dense.")
    return work


def load(workload: Workload, dataset: str, folder: Path | None, download: bool = False) -> Dataset:
    """Return the data of a workload: a data set's, or dense random float32 input."""
    if workload.output == "regression":
        return regression_data(workload)
    if workload.dense:
        return dense_data(workload.sizes[0], workload.classes, workload.samples)
    data = load_dataset(dataset, folder=folder, download=download)
    inputs, classes = data.train.images.shape[1], len(data.class_names)
    if workload.sizes[0] != inputs or workload.classes < classes:
        rule = f"must have {inputs} inputs and {classes} outputs, for {data.name}"
        raise refuse("workload", rule, workload.name, "Pass data that fit, or append /dense.")
    return data


def dense_data(inputs: int, classes: int, samples: int) -> Dataset:
    """Return random images, float32 from -0.5 to 0.5, with a weak pattern for each class."""
    rng = np.random.default_rng(0)
    patterns = rng.random((classes, inputs), np.float32) - np.float32(0.5)

    def draw(count: int) -> Split:
        labels = rng.integers(0, classes, count)
        images = rng.random((count, inputs), np.float32) - np.float32(0.5)
        images += np.float32(0.08) * (patterns[labels] - images)
        return Split(images, labels)

    names = tuple(map(str, range(classes)))
    train, test = draw(samples), draw(DENSE_TESTS)
    return Dataset("dense", train, test, names, (1, inputs), "random numbers, seed 0")


class Measured(Split):
    """Inputs `(N, I)`, and as `labels` the float32 targets `(N, O)` of a regression."""

    def __post_init__(self) -> None:
        """Accept targets."""


def regression_data(workload: Workload) -> Dataset:
    """Return random inputs x, float32 from -0.5 to 0.5, and targets sin(x M), M random."""
    rng, inputs = np.random.default_rng(0), workload.sizes[0]
    mixing = 2 * rng.standard_normal((inputs, workload.sizes[-1]), np.float32)

    def draw(count: int) -> Split:
        x = rng.random((count, inputs), np.float32) - np.float32(0.5)
        return Measured(x, np.sin(x @ mixing))

    train, test = draw(workload.samples), draw(DENSE_TESTS)
    return Dataset("regression", train, test, (), (1, inputs), "random numbers, seed 0")


def scale_pixels(images: Array) -> Array:
    """Return images in the form for peers: float32, with pixels from 0 to 1."""
    if images.dtype == np.uint8:
        return np.multiply(images, np.float32(1 / 255), dtype=np.float32)
    return images
