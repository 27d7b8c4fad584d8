"""The network: what it is made of, and its file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from os import PathLike
from typing import Any

import numpy as np

from fastmlp.arrays import as_generator
from fastmlp.arrays.aligned import aligned_copy
from fastmlp.errors import checked_call
from fastmlp.functions import ACTIVATIONS, activation_named, check_outputs, cost_named
from fastmlp.network import file
from fastmlp.network.building import (
    check_dtype,
    check_hidden,
    check_layer_sizes,
    initial_weights,
    sizes_together,
)
from fastmlp.network.file import Specification
from fastmlp.network.known import KNOWN, PIXEL_SCALE, known_of
from fastmlp.network.predicting import Predicting


class Network(Predicting):
    """A multi-layer perceptron: a = f(x w + b), layer after layer.

    sizes  : neurons of each layer, inputs first: (784, 128, 10), or 784, 128, 10
    hidden : activation of the hidden layers, one name for all or one for each
    output : activation of the last layer
    cost   : a name of the table of costs, with its setting if it has one: "quantile:0.9"
    seed   : an int or a numpy Generator, for the initial weights
    dtype  : "float32" or "float64"

    `weights` and `biases` are lists of arrays `(I, O)` and `(O,)`; you may write to the arrays.
    Raises ArgumentError for invalid arguments.

    The first training decides, and later calls and the file keep:

    scaling : how inputs are scaled; print it for a sentence. None before: uint8 images are pixels
        and are multiplied by `pixel_scale` (1/255), and floats are used unchanged
    classes : the labels `(K,)` that predictions return; None for the numbers 0 … K - 1
    class_names : them as texts, for tables; None if they have no names
    feature_names : the names of the columns of a DataFrame or a table; None for other data
    columns : what the inputs are, as in `Dataset`, to read files and DataFrames; None if unknown
    several_labels : whether predictions are sets of labels: the task is "labels", and the training
        targets were `(N, O)`

    Images are arrays `(N, I)` or `(N, H, W)`, lists, DataFrames, tensors, or matrices of SciPy
    `(N, I)`, which stay sparse; labels are numbers, texts or categories.

    Weights and biases must be finite. Training, `gradients`, `evaluate`, `save`, and predictions
    for more than 64 images check that. Predictions for 64 images or fewer only check that no output
    is NaN; zero pixels may be skipped there, so that 0 times an infinite weight can be 0.
    """

    @sizes_together
    @checked_call
    def __init__(
        self,
        sizes: Sequence[int],
        hidden: str | Sequence[str] = "relu",
        output: str = "softmax",
        cost: str = "cross_entropy",
        seed: int | np.random.Generator = 0,
        dtype: Any = "float32",
    ) -> None:
        self.sizes = check_layer_sizes(sizes)
        self.hidden = check_hidden(hidden, len(self.sizes) - 2)
        self.output = activation_named(output, "output").name
        check_outputs(output, self.sizes[-1])
        self.cost = cost_named(cost, output).text
        self.dtype = check_dtype(dtype)
        self.pixel_scale = PIXEL_SCALE
        self.scaling = self.classes = self.class_names = self.feature_names = self.columns = None
        self.several_labels = False
        generator = as_generator(seed)
        self.weights, self.biases = [], []
        for inputs, outputs, name in zip(
            self.sizes, self.sizes[1:], self.activations, strict=False
        ):
            w = initial_weights(inputs, outputs, ACTIVATIONS[name].initial, generator)
            self.weights.append(aligned_copy(w, self.dtype))
            self.biases.append(np.zeros(outputs, self.dtype))

    @cached_property
    def activations(self) -> tuple[str, ...]:
        """The activation of each layer, the last one's included."""
        return (*self.hidden, self.output)

    @property
    def architecture(self) -> dict[str, Any]:
        """Sizes, activations, cost and dtype, as plain values."""
        return {
            "sizes": self.sizes,
            "hidden": self.hidden,
            "output": self.output,
            "cost": self.cost,
            "dtype": str(self.dtype),
        }

    @property
    def parameter_count(self) -> int:
        """The number of weights and biases."""
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

    @checked_call
    def save(self, path: str | PathLike[str]) -> None:
        """Write the network to a safetensors file, completely or not at all.

        Raises UnwritableError, an OSError that names the file; an older file is then unchanged.
        """
        self.check_cost()
        weights, biases = self.check_parameters()
        file.save(path, Specification(**self.architecture, **known_of(self)), weights, biases)

    @classmethod
    @checked_call
    def load(cls, path: str | PathLike[str]) -> Network:
        """Return the network in a file that `save` wrote. Raises ModelError for any other file."""
        spec, weights, biases = file.load(path)
        network = cls(spec.sizes, spec.hidden, spec.output, spec.cost, 0, spec.dtype)
        for name in KNOWN:
            setattr(network, name, getattr(spec, name))
        network.weights, network.biases = weights, biases
        return network

    def __repr__(self) -> str:
        return (
            f"Network({self.sizes}, hidden={self.hidden}, output={self.output!r}, "
            f"cost={self.cost!r}, dtype={str(self.dtype)!r})"
        )
