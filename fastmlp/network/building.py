"""Check the arguments of a network (sizes, activations, dtype), and draw its initial weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.errors import refuse
from fastmlp.functions import HIDDEN, activation_named


def check_layer_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """Return layer sizes as ints. Raises ArgumentError for fewer than two, or a size below 1."""
    whole = [size for size in sizes if isinstance(size, (int, np.integer)) and size >= 1]
    if len(whole) != len(sizes) or len(whole) < 2:
        raise refuse(
            "sizes",
            "must be two or more whole numbers of at least 1: inputs, hidden layers, outputs",
            repr(sizes),
            "Pass (784, 128, 10), for example.",
        )
    return tuple(int(size) for size in whole)


def check_hidden(hidden: str | Sequence[str], layers: int) -> tuple[str, ...]:
    """Return the activation of each hidden layer. Raises ArgumentError for softmax, for example."""
    names = (hidden,) * layers if isinstance(hidden, str) else tuple(hidden)
    if isinstance(hidden, str):
        activation_named(hidden, "hidden")
    if len(names) != layers:
        raise refuse(
            "hidden",
            f"must be one name, or one for each of the {layers} hidden layers",
            f"{len(names)} names",
            "Pass hidden='relu' for all of them.",
        )
    for name in names:
        if activation_named(name, "hidden").name not in HIDDEN:
            rule = "must be an activation of hidden layers"
            raise refuse("hidden", rule, repr(name), f"Use {name} for output=.")
    return names


def check_dtype(dtype: Any) -> np.dtype[Any]:
    """Return float32 or float64 as a dtype. Raises ArgumentError for any other."""
    kind: np.dtype[Any]
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = np.dtype(object)
    if kind not in (np.float32, np.float64):
        raise refuse("dtype", "must be float32 or float64", repr(dtype), "Pass dtype='float32'.")
    return kind


def initial_weights(
    inputs: int, outputs: int, initial: str, generator: np.random.Generator
) -> Array:
    """Return random weights `(I, O)` with which layers keep the variance of their inputs.

    initial : "he", normal, variance 2 / I, for units that are zero half of the time (He et al.,
        2015); "lecun", normal, variance 1 / I (LeCun et al., 1998); "glorot", uniform, variance
        2 / (I + O) (Glorot and Bengio, 2010)
    """
    if initial in ("he", "lecun"):
        variance = (2 if initial == "he" else 1) / inputs
        return generator.normal(0, np.sqrt(variance), (inputs, outputs))
    limit = np.sqrt(6 / (inputs + outputs))
    return generator.uniform(-limit, limit, (inputs, outputs))
