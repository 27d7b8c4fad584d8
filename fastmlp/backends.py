"""The two backends by name, and their contract.

They are imported only when used: who reads help waits for no compiler.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from fastmlp.errors import NotReadyError, refuse
from fastmlp.system.forks import importing

if TYPE_CHECKING:
    import numpy as np

    from fastmlp.functions import Array, Trace

BACKENDS = ("compiled", "numpy")
_loaded: dict[str, Backend] = {}
_loading: set[str] = set()


class Engine(Protocol):
    """Trains one network: holds its parameters, in its backend's layout, and every buffer.

    weights : L arrays `(I, O)`, biases : L arrays `(O,)`, all float32 or all float64; copied
    activations : L names; cost : its name; batch_size : the largest minibatch
    optimizer : its name; settings : what differs from its defaults
    threads : how many threads to use at most; None leaves the choice to the backend

    `inputs` says, after training, how the first layer took the images; `slots` names the arrays of
    state that the optimiser keeps for each parameter.
    """

    threads: int | None
    inputs: str
    slots: tuple[str, ...]

    def __init__(
        self,
        weights: Sequence[Array],
        biases: Sequence[Array],
        activations: Sequence[str],
        cost: str,
        batch_size: int,
        optimizer: str = "sgd",
        settings: Mapping[str, Any] | None = None,
        threads: int | None = None,
    ) -> None: ...

    def train(
        self, images: Array, y: Array, order: Array, learning_rates: Array, scale: float = 1.0
    ) -> tuple[Array, int]:
        """Take one step for each learning rate; return (costs `(steps,)`, correct answers).

        images `(N, I)`, uint8, float32 or float64, multiplied by scale; they are read in each
        step, so what is written to them between two calls counts in the second
        y labels `(N,)` or targets `(N, O)`
        order : indices of rows; step k trains on order[k * batch_size : (k + 1) * batch_size]
        learning_rates : float64 `(steps,)`. A step's cost is the sum over its samples; costs and
        answers are those before the step.
        """
        ...

    def trace(self, images: Array, y: Array, order: Array, scale: float = 1.0) -> Trace:
        """Return what one step computes for these samples, at most a minibatch; nothing changes.

        Arguments as in `train`.
        """
        ...

    def read(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Write the parameters as they are now into weights and biases."""
        ...

    def write(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Take weights and biases, as `read` writes them, for the next step; the state stays."""
        ...

    def read_state(self, slot: str, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Write the optimiser's state in a slot into arrays like weights and biases."""
        ...

    def write_state(self, slot: str, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Take the state in a slot from another engine, as `read_state` wrote it."""
        ...


class Backend(Protocol):
    """What the modules `fastmlp.kernels` and `fastmlp.reference` have in common."""

    @property
    def Engine(self) -> type[Engine]:
        """The class that trains a network."""
        ...

    def infer(
        self,
        weights: Sequence[Array],
        biases: Sequence[Array],
        activations: Sequence[str],
        images: Array,
        a: Array,
        scale: float = 1.0,
        threads: int | None = None,
    ) -> None:
        """a = the network's outputs `(N, O)` for images `(N, I)` times scale; a is overwritten."""
        ...

    def classify(
        self,
        weights: Sequence[Array],
        biases: Sequence[Array],
        activations: Sequence[str],
        images: Array,
        classes: Array,
        scale: float = 1.0,
        threads: int | None = None,
    ) -> None:
        """classes int64 `(N,)` = what the outputs of `infer` name; classes is overwritten."""
        ...

    def is_compiled(self, dtype: np.dtype) -> bool:
        """Return whether `prepare` will be quick."""
        ...

    def prepare(self, dtype: np.dtype) -> float:
        """Compile what that precision needs, and return the seconds it took."""
        ...


def backend_named(name: str) -> Backend:
    """Return `fastmlp.kernels` for "compiled" and `fastmlp.reference` for "numpy".

    Both modules have the same functions with the same signatures. Where NUMBA_DISABLE_JIT is set,
    nothing can be compiled: a warning says so, and "compiled" is the reference too.
    """
    name = str(name)
    if name == "compiled" and os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        text = "NUMBA_DISABLE_JIT is set, so nothing is compiled: NumPy computes, and is slower."
        warnings.warn(text, RuntimeWarning, stacklevel=2)
        name = "numpy"
    if name not in BACKENDS:
        raise refuse("backend", "must name a backend", repr(name), f"Choose from {BACKENDS}.")
    return _loaded.get(name) or _load(name)


def _load(name: str) -> Backend:
    """Import a backend; NotReadyError if this thread is importing it already."""
    with importing:
        if name in _loading:
            raise NotReadyError
        _loading.add(name)
        try:
            if name == "compiled":
                from fastmlp import kernels

                _loaded[name] = cast(Backend, kernels)
            else:
                from fastmlp import reference

                _loaded[name] = cast(Backend, reference)
        finally:
            _loading.discard(name)
        return _loaded[name]
