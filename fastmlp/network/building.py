"""Check the arguments of a network (sizes, activations, dtype), and draw its initial weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, wraps
from itertools import pairwise, takewhile
from typing import Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.errors import counted, refuse
from fastmlp.functions import HIDDEN, activation_named
from fastmlp.network.pairs import describe
from fastmlp.system.memory import memory_bytes

# Shape and dtype of an array
Kind = tuple[tuple[int, ...], np.dtype[Any]]
# Of a weight when it is drawn, in float64
DRAWN_BYTES = 8


def sizes_together(init: Callable[..., None]) -> Callable[..., None]:
    """Return the `__init__` of a network, which then takes its sizes one by one too."""

    @wraps(init)
    def called(self: Any, *given: Any, **named: Any) -> None:
        sizes = tuple(takewhile(lambda size: isinstance(size, (int, np.integer)), given))
        init(self, *((sizes, *given[len(sizes) :]) if sizes else given), **named)

    return called


def check_layer_sizes(sizes: Any, argument: str = "sizes") -> tuple[int, ...]:
    """Return layer sizes as ints.

    Raises ArgumentError for fewer than two, for a size below 1, and for parameters that need more
    than the memory that this process may use.
    """
    listed = sizes.tolist() if hasattr(sizes, "tolist") else sizes
    whole = [
        n
        for n in (listed if isinstance(listed, Sequence) else ())
        if isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 1
    ]
    if len(whole) < 2 or len(whole) != len(listed):
        raise refuse(
            argument,
            "must be two or more whole numbers of at least 1: inputs, hidden layers, outputs",
            repr(sizes),
            "Pass (784, 128, 10), for example.",
        )
    found = tuple(int(size) for size in whole)
    needed, there = DRAWN_BYTES * sum((i + 1) * o for i, o in pairwise(found)), memory_bytes()
    if needed > there:
        rule = f"must fit into the {there / 1e9:.3g} GB of memory that this process may use"
        got = f"{found}, which needs {needed / 1e9:.4g} GB"
        raise refuse(argument, rule, got, "Pass smaller layers.")
    return found


def check_hidden(hidden: Any, layers: int) -> tuple[str, ...]:
    """Return the activation of each hidden layer. Raises ArgumentError for softmax, for example."""
    rule = f"must be one name, or one for each of {counted(layers, 'hidden layer')}"
    remedy = "Pass hidden='relu' for all of them."
    if not isinstance(hidden, Sequence) and not getattr(hidden, "ndim", 0):
        raise refuse("hidden", rule, repr(hidden), remedy)
    names = (hidden,) * layers if isinstance(hidden, str) else tuple(hidden)
    if isinstance(hidden, str):
        activation_named(hidden, "hidden")
    if len(names) != layers:
        raise refuse("hidden", rule, f"{len(names)} names", remedy)
    for name in names:
        if activation_named(name, "hidden").name not in HIDDEN:
            rule = "must be an activation of hidden layers"
            raise refuse("hidden", rule, repr(name), f"Use {name} for output=.")
    return names


def check_dtype(dtype: Any) -> np.dtype[Any]:
    """Return float32 or float64 as a dtype. Raises ArgumentError for any other."""
    kind: np.dtype[Any]
    try:
        kind = np.dtype(object if dtype is None else dtype)  # None would be float64
    except Exception:  # other packages raise nearly anything
        kind = np.dtype(object)
    if kind not in (np.float32, np.float64):
        raise refuse("dtype", "must be float32 or float64", repr(dtype), "Pass dtype='float32'.")
    return kind


@cache
def kinds_of(sizes: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[list[Kind], list[Kind]]:
    """Return shape and dtype of each array of weights, and of biases."""
    pairs = list(pairwise(sizes))
    return [(pair, dtype) for pair in pairs], [((outputs,), dtype) for _, outputs in pairs]


def check_kinds(name: str, arrays: Any, kinds: list[Kind]) -> None:
    """Refuse what is no list of arrays of these shapes and this dtype, as parameters must be."""
    several = isinstance(arrays, (list, tuple))
    try:
        if several and [(array.shape, array.dtype) for array in arrays] == kinds:
            return
    except AttributeError:
        pass
    got = ", ".join(map(describe, arrays)) if several else describe(arrays)
    shapes, dtype = [shape for shape, _ in kinds], kinds[0][1]
    remedy = f"Write into the arrays: {name}[0][...] = values."
    raise refuse(name, f"must be {dtype} arrays of shapes {shapes}", got, remedy)


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
