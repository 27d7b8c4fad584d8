"""The two backends by name, and their interface.

They are imported only when used, so that `fastmlp --help` does not load the compiler.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from fastmlp.errors import NotReadyError, refuse
from fastmlp.system.cores import may_compile
from fastmlp.system.forks import import_lock

if TYPE_CHECKING:
    import numpy as np

    from fastmlp.arrays import Rows
    from fastmlp.functions import Array, Trace
    from fastmlp.functions.augmentation import Changes
    from fastmlp.functions.dropout import Dropout

    Arrays = Sequence[Array]
    Names = Sequence[str]
    Aim = tuple[Array, Callable[[], object], Mapping[str, Array]]

BACKENDS = ("compiled", "numpy")
_loaded: dict[str, Backend] = {}
_loading: set[str] = set()


class Engine(Protocol):
    """Trains one network: contains its parameters, in its backend's layout, and all buffers.

    weights : L arrays `(I, O)`, biases : L arrays `(O,)`, all float32 or all float64; copied
    activations : L names; cost : its name, or "huber:1.35"; batch_size : the largest minibatch
    optimizer : its name; settings : those that differ from its defaults
    threads : the largest number of threads to use; None lets the backend choose
    factors : on the learning rate, float64 `(L, 2)`: of weights and biases of each layer; None for
        1. With them, "sgd" is computed as a momentum of 0, and has its state
    dropout : of the outputs of hidden layers, and of the inputs
    smoothing : s; the targets y, 1 for a label and 0 for the others, are (1 - s) y + s / classes

    After training, `inputs` says how the first layer read the images. `plan_name` says how threads
    share a step; "" if the backend has no plan. `first_members` is how many of them take the first
    steps, or None. `slots` are the names of the state arrays that the optimiser has for each
    parameter. `settings` are all of its settings. They may be replaced between two calls of
    `train`; each is a number, or an array with one for each step of the next call. A weight_decay
    that is 0 at the beginning must stay 0.
    """

    threads: int | None
    settings: Mapping[str, Any]
    inputs: str
    plan_name: str
    first_members: int | None
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
        factors: Array | None = None,
        dropout: Dropout | None = None,
        smoothing: float = 0.0,
    ) -> None: ...

    def train(
        self,
        images: Rows,
        y: Array,
        order: Array,
        learning_rates: Array,
        scale: float = 1.0,
        first_step: int = 0,
        sample_weight: Array | None = None,
        augmented: Array | None = None,
        epochs: int = 1,
    ) -> tuple[Array, Any]:
        """Take one step for each learning rate; return the costs and how many classes were right.

        images : `(N, I)`, uint8, float32, float64, or sparse rows of floats, multiplied by scale.
            Each step reads them, so changes between two calls have an effect.
        y : labels `(N,)` or targets `(N, O)`
        order : indices of rows; step k trains on order[k * batch_size : (k + 1) * batch_size]
        learning_rates : float64 `(steps,)`

        The costs `(steps,)` are sums over the samples of a step. Costs and the count are computed
        with the parameters before each step.
        first_step : how many steps the run has taken before: optimisers and dropout depend on it
        sample_weight : w, float64 `(N,)`, finite and at least 0; None for 1. A step minimises
            sum(w c) / sum(w) over the costs c of its samples; its gradient is 0 if all w are. The
            costs are then sums of w c, and the count is the sum of the w of right answers
        augmented : uint8 `(len(order), I)`: the images to train on, in that order, in place of
            images[order], which still decide how the first layer reads them
        epochs : the order has as many samples of each, and the last minibatch of each may be short.
            Of several, the count is an array `(epochs,)`
        """
        ...

    def members(self) -> float | None:
        """Return how many threads shared a step, on average since the last call, if it is known."""
        ...

    def trace(
        self,
        images: Rows,
        y: Array,
        order: Array,
        scale: float = 1.0,
        sample_weight: Array | None = None,
    ) -> Trace:
        """Return what one step computes for these samples, at most batch_size of them.

        The arguments are those of `train`. Parameters and state do not change.
        """
        ...

    def read(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Write the current parameters into weights and biases."""
        ...

    def write(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Copy weights and biases, shaped as in `read`, into the engine; its state is unchanged."""
        ...

    def read_state(self, slot: str, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Write the optimiser's state of one slot into arrays shaped like weights and biases."""
        ...

    def write_state(self, slot: str, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Copy the state of one slot, as `read_state` writes it, into the engine."""
        ...

    def scale_state(self, slot: str, factor: float) -> None:
        """Multiply the state of one slot by a factor."""
        ...


class Predictor(Protocol):
    """Infers images, in buffers of its own.

    The arrays are read at each call, so changes of their values count. Images are multiplied by
    scale. One thread at a time may call it.
    """

    def __init__(
        self, weights: Arrays, biases: Arrays, activations: Names, scale: float
    ) -> None: ...

    def single(self, kind: np.dtype) -> Aim:
        """Return (image, infer, answers) for one image of a dtype.

        infer() answers an image that was written to the array `(1, I)`: it writes the arrays
        answers["outputs"] `(1, O)` and answers["classes"] `(1,)`. A class is -1 if an output is
        NaN. The next call of this method, or of the predictor, may overwrite all arrays.
        """
        ...

    def __call__(self, images: Rows, what: str, out: Array, threads: int | None = None) -> None:
        """out = "outputs" `(N, O)` or "classes" `(N,)`, as in `single`, for images `(N, I)`."""
        ...


class Backend(Protocol):
    """The interface of the modules `fastmlp.kernels` and `fastmlp.reference`."""

    @property
    def Engine(self) -> type[Engine]:
        """The class that trains a network."""
        ...

    @property
    def Predictor(self) -> type[Predictor]:
        """The class that infers images."""
        ...

    def augment(
        self,
        images: Array,
        order: Array,
        changes: Changes,
        out: Array,
        threads: int | None = None,
    ) -> None:
        """Write images[order], changed, into out `(n, S * S)`, uint8, overwritten.

        images : uint8 `(N, S * S)`; changes : of the n images of the order

        A pixel is interpolated between the four around the point that its map gives, by the
        upper 8 bits behind the point of its x and y: exactly, and rounded to the nearest.
        """
        ...

    def is_compiled(self, dtype: np.dtype) -> bool:
        """Return whether the kernels are compiled, so that `prepare` is fast."""
        ...

    def prepare(self, dtype: np.dtype) -> float:
        """Compile the kernels of that precision, and return the seconds that took."""
        ...


def backend_named(name: str) -> Backend:
    """Return `fastmlp.kernels` for "compiled" and `fastmlp.reference` for "numpy".

    If NUMBA_DISABLE_JIT is set, nothing can be compiled: "compiled" is then the reference too,
    with a warning.
    """
    if isinstance(name, str) and name in _loaded:
        return _loaded[name]
    name = str(name)
    if name == "compiled" and not may_compile():
        text = "NUMBA_DISABLE_JIT is set, so nothing is compiled: NumPy is used, which is slower."
        warnings.warn(text, RuntimeWarning, stacklevel=2)
        name = "numpy"
    if name not in BACKENDS:
        raise refuse("backend", "must name a backend", repr(name), f"Choose from {BACKENDS}.")
    return _loaded.get(name) or _load(name)


def _load(name: str) -> Backend:
    """Import a backend. Raises NotReadyError if this thread is already importing it."""
    with import_lock:
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
