"""The network: layer sizes, activations, cost and parameters; what it answers, and its file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import Array, as_images, check_finite, check_scale, quiet
from fastmlp.backends import backend_named
from fastmlp.errors import refuse
from fastmlp.functions import (
    ACTIVATIONS,
    activation_named,
    as_answers,
    check_outputs,
    cost_named,
    count_correct,
    total_cost,
)
from fastmlp.network import file
from fastmlp.network.building import (
    checked_dtype,
    checked_hidden,
    checked_sizes,
    initial_weights,
)
from fastmlp.network.file import Specification

PIXEL_SCALE = 1 / 255
EVALUATE_ROWS = 10_000
# Up to so many images a prediction takes less time than to look at all parameters
CHECKED_FROM = 64


class Evaluation(NamedTuple):
    """How a network does on some data: the mean cost, and the share of right answers (0 to 1)."""

    cost: float
    accuracy: float


class Network:
    """A multi-layer perceptron: a = f(x w + b), layer after layer.

    sizes  : neurons per layer, inputs first: (784, 128, 10)
    hidden : activation of the hidden layers, one name or one per layer
    output : activation of the last layer
    cost   : "squared_error", "cross_entropy" (softmax and sigmoid outputs) or "perceptron"
    seed   : an int or a numpy Generator, for the initial weights
    dtype  : "float32" or "float64"

    `weights` and `biases` are lists of arrays `(I, O)` and `(O,)` that may be written to.
    uint8 images are pixels, and count as `pixel_scale` (1/255) times their value; floats count
    as they are. Raises ArgumentError for whatever it cannot be built from.

    Weights and biases must be finite. Training, `gradients`, `evaluate`, `save`, and predictions
    for more than 64 images refuse others. For fewer images these are not looked at, but
    an output that is NaN is refused. As zero pixels may be left out, 0 times an infinite weight
    may then count as 0.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        hidden: str | Sequence[str] = "relu",
        output: str = "softmax",
        cost: str = "cross_entropy",
        seed: int | np.random.Generator = 0,
        dtype: Any = "float32",
    ) -> None:
        self.sizes = checked_sizes(sizes)
        self.hidden = checked_hidden(hidden, len(self.sizes) - 2)
        self.output = activation_named(output, "output").name
        check_outputs(output, self.sizes[-1])
        self.cost = cost_named(cost, output).name
        self.dtype = checked_dtype(dtype)
        self.pixel_scale = PIXEL_SCALE
        self.class_names: tuple[str, ...] | None = None
        generator = np.random.default_rng(seed)
        self.weights: list[Array] = []
        self.biases: list[Array] = []
        for inputs, outputs, name in zip(
            self.sizes, self.sizes[1:], self.activations, strict=False
        ):
            w = initial_weights(inputs, outputs, ACTIVATIONS[name].initial, generator)
            self.weights.append(w.astype(self.dtype))
            self.biases.append(np.zeros(outputs, self.dtype))

    @property
    def activations(self) -> tuple[str, ...]:
        """The activation of each layer, the last one's included."""
        return (*self.hidden, self.output)

    @property
    def architecture(self) -> dict[str, Any]:
        """What the network is made of, but for its parameters, as plain values."""
        return {
            "sizes": self.sizes,
            "hidden": self.hidden,
            "output": self.output,
            "cost": self.cost,
            "dtype": str(self.dtype),
        }

    @property
    def parameter_count(self) -> int:
        """How many weights and biases there are."""
        return sum((inputs + 1) * outputs for inputs, outputs in pairwise(self.sizes))

    def summary(self) -> str:
        """Return a table of the layers: inputs, outputs, activation, parameters."""
        lines = ["layer  inputs  outputs  activation  parameters"]
        for number, (inputs, outputs, name) in enumerate(
            zip(self.sizes, self.sizes[1:], self.activations, strict=False), start=1
        ):
            count = (inputs + 1) * outputs
            lines.append(f"{number:5}  {inputs:6}  {outputs:7}  {name:10}  {count:10,}")
        lines.append(f"{self.cost}, {self.dtype}, {self.parameter_count:,} parameters")
        return "\n".join(lines)

    def predict_proba(self, images: ArrayLike, backend: str = "compiled") -> Array:
        """Return the outputs `(N, O)` for images `(N, I)`; for one image `(I,)`, its row `(O,)`.

        With a softmax output these are probabilities. Raises ArgumentError where one is NaN.
        """
        rows = as_images(images, self.sizes[0], self.dtype)
        a = np.empty((len(rows), self.sizes[-1]), self.dtype)
        weights, biases = self.checked_parameters(len(rows) > CHECKED_FROM)
        scale = self.scale_of(rows)
        backend_named(backend).infer(weights, biases, self.activations, rows, a, scale)
        if np.isnan(a).any():
            self._refuse_nan()
        return a[0] if self._is_one(images) else a

    def predict(self, images: ArrayLike, backend: str = "compiled") -> Array:
        """Return the class of each image `(N,)`: its largest output; of a single output, 0 or 1.

        Raises ArgumentError where an output is NaN.
        """
        rows = as_images(images, self.sizes[0], self.dtype)
        classes = np.empty(len(rows), np.int64)
        weights, biases = self.checked_parameters(len(rows) > CHECKED_FROM)
        scale = self.scale_of(rows)
        backend_named(backend).classify(weights, biases, self.activations, rows, classes, scale)
        if classes[0] < 0 or (len(classes) > 1 and classes.min() < 0):
            self._refuse_nan()
        return classes[0, ...] if self._is_one(images) else classes

    @quiet
    def evaluate(
        self, images: ArrayLike, labels: ArrayLike, backend: str = "compiled"
    ) -> Evaluation:
        """Return mean cost and accuracy on images `(N, I)`, labels `(N,)` or targets `(N, O)`."""
        rows = as_images(images, self.sizes[0], self.dtype)
        y = as_answers(labels, len(rows), self.sizes[-1], self.dtype, self.cost, "labels")
        weights, biases = self.checked_parameters()
        chosen, cost, correct = backend_named(backend), 0.0, 0
        weighted_sums = (*self.hidden, "identity")
        for start in range(0, len(rows), EVALUATE_ROWS):
            part = rows[start : start + EVALUATE_ROWS]
            z, a = (np.empty((len(part), self.sizes[-1]), self.dtype) for _ in range(2))
            chosen.infer(weights, biases, weighted_sums, part, z, self.scale_of(rows))
            ACTIVATIONS[self.output].f(z, a)
            answers = y[start : start + EVALUATE_ROWS]
            cost += total_cost(z, a, answers, self.output, self.cost)
            correct += count_correct(a, answers)
        return Evaluation(cost / len(rows), correct / len(rows))

    def accuracy(self, images: ArrayLike, labels: ArrayLike, backend: str = "compiled") -> float:
        """Return the share of right answers, 0 to 1, on images `(N, I)` with labels `(N,)`."""
        return self.evaluate(images, labels, backend).accuracy

    def save(self, path: str | PathLike[str]) -> None:
        """Write the network to a safetensors file, whole or not at all.

        Raises UnwritableError, an OSError that names the file; an older file is then as it was.
        """
        weights, biases = self.checked_parameters()
        spec = Specification(
            **self.architecture,
            pixel_scale=self.pixel_scale,
            class_names=self.class_names,
        )
        file.save(path, spec, weights, biases)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Network:
        """Read a network from a file that `save` wrote; ModelError if it is anything else."""
        spec, weights, biases = file.load(path)
        network = cls(spec.sizes, spec.hidden, spec.output, spec.cost, 0, spec.dtype)
        network.pixel_scale, network.class_names = spec.pixel_scale, spec.class_names
        network.weights, network.biases = weights, biases
        return network

    def checked_parameters(self, finite: bool = True) -> tuple[list[Array], list[Array]]:
        """Return weights and biases; ArgumentError if one no longer has its shape and dtype.

        finite : whether to refuse NaN and infinity in them, and a wrong `pixel_scale`, too
        """
        shapes = list(pairwise(self.sizes))
        for name, arrays, wanted in (
            ("weights", self.weights, shapes),
            ("biases", self.biases, [(outputs,) for _, outputs in shapes]),
        ):
            found = [np.shape(array) for array in arrays]
            if found != wanted or any(array.dtype != self.dtype for array in arrays):
                raise refuse(
                    name,
                    f"must be {self.dtype} arrays of shapes {wanted}",
                    f"shapes {found}",
                    f"Write into the arrays: network.{name}[0][...] = values.",
                )
            if finite:
                check_finite(name, arrays)
        if finite:
            check_scale(self.pixel_scale, self.dtype)
        return self.weights, self.biases

    def scale_of(self, images: Array) -> float:
        """Return what these images are multiplied by: `pixel_scale` for uint8, else 1."""
        return self.pixel_scale if images.dtype == np.uint8 else 1.0

    def _refuse_nan(self) -> None:
        """Raise ArgumentError for what made an output NaN."""
        self.checked_parameters()
        raise refuse(
            "weights and biases",
            "must be so small that no sum of products overflows",
            f"an output that is NaN in {self.dtype}",
            "Train at a lower learning rate, or load a good model.",
        )

    def _is_one(self, images: ArrayLike) -> bool:
        shape = np.shape(images)
        return len(shape) == 1 or (len(shape) == 2 and shape[1] != self.sizes[0])

    def __repr__(self) -> str:
        return (
            f"Network({self.sizes}, hidden={self.hidden}, output={self.output!r}, "
            f"cost={self.cost!r}, dtype={str(self.dtype)!r})"
        )
