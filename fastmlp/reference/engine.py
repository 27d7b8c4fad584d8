"""Training and inference in NumPy, layer by layer, in buffers that are made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from fastmlp.arrays import Rows, as_dense
from fastmlp.functions import (
    ACTIVATIONS,
    Array,
    Trace,
    classes_of,
    count_correct,
    smoothed,
    total_cost,
)
from fastmlp.functions.coefficients import BIASES, WEIGHTS
from fastmlp.functions.dropout import INPUTS, Dropout
from fastmlp.functions.limits import clip
from fastmlp.functions.optimizers import coefficients_for, form_for
from fastmlp.reference.layers import delta, forward, gradient, output

INFER_ROWS = 1000  # rows per matmul when inferring: bounds the memory, costs no speed

Arrays = Sequence[Array]
Names = Sequence[str]


class Engine:
    """Trains one network: see `fastmlp.backends.Engine`, which is the contract."""

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
    ) -> None:
        self.activations, self.cost, self.batch_size = tuple(activations), cost, batch_size
        self._optimizer, self.settings = form_for(optimizer, settings, factors)
        self._factors, self._smoothing = factors, smoothing
        self.threads, self.inputs, self.slots = threads, "dense", self._optimizer.slots
        self.plan_name, self.first_members = "", None
        self._w, self._b = [w.copy() for w in weights], [b.copy() for b in biases]
        self._state = {
            slot: ([np.zeros_like(w) for w in weights], [np.zeros_like(b) for b in biases])
            for slot in self.slots
        }
        dtype = self._w[0].dtype
        self._x = np.empty((batch_size, len(self._w[0])), dtype)
        self._a, self._dz = (
            [np.empty((batch_size, len(b)), dtype) for b in self._b] for _ in range(2)
        )
        self._dropout = dropout if dropout and any((*dropout.rates, dropout.inputs)) else None
        # a hidden layer that keeps a needs no z, unless a is not what it keeps
        drops = self._dropout is not None
        keeps_z = [drops or ACTIVATIONS[f].keeps == "z" for f in activations[:-1]]
        self._z = [
            np.empty_like(a) if keeps else a
            for a, keeps in zip(self._a, (*keeps_z, True), strict=True)
        ]
        self._dw, self._db = [np.empty_like(w) for w in weights], [np.empty_like(b) for b in biases]

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
        """Take one step for each learning rate; return (costs `(steps,)`, correct answers)."""
        rates, size = np.asarray(learning_rates, np.float64), self.batch_size
        orders, steps = order.reshape(epochs, -1), len(rates) // epochs
        costs, correct = np.empty(len(rates)), np.zeros(epochs)
        what = self._optimizer, self.settings, rates, first_step, self._factors
        rows = coefficients_for(*what)
        # a run that diverges is recognised by its cost, not by warnings
        with blas_threads(self.threads), np.errstate(all="ignore"):
            for step, own in enumerate(rows):
                epoch, number = divmod(step, steps)
                part = slice(step * size, (step + 1) * size)
                batch = orders[epoch, number * size : (number + 1) * size]
                x = as_dense(images[batch]) if augmented is None else augmented[part]
                weight = None if sample_weight is None else sample_weight[batch]
                first = (first_step + step) * size
                costs[step], right = self._gradients(x, y[batch], scale, weight, first)
                correct[epoch] += right
                self._take_step(own)
        return costs, correct.item() if epochs == 1 else correct

    def members(self) -> None:
        """Return None: NumPy's BLAS does not tell how many threads it uses."""

    def trace(
        self,
        images: Rows,
        y: Array,
        order: Array,
        scale: float = 1.0,
        sample_weight: Array | None = None,
    ) -> Trace:
        """Return what one step computes for these samples, at most a minibatch; nothing changes."""
        with blas_threads(self.threads), np.errstate(all="ignore"):
            weight = None if sample_weight is None else sample_weight[order]
            cost, correct = self._gradients(as_dense(images[order]), y[order], scale, weight)
        a, dz = ([v[: len(order)].copy() for v in arrays] for arrays in (self._a, self._dz))
        return Trace(
            cost, correct, a, dz, [v.copy() for v in self._dw], [v.copy() for v in self._db]
        )

    def _gradients(
        self, x: Array, y: Array, scale: float, weight: Array | None, first: int = 0
    ) -> tuple[float, float]:
        """Compute the gradients of a minibatch; return its cost, summed, and the right answers.

        first : number of its first sample in the run
        """
        batch, last = len(x), len(self._w) - 1
        if self._smoothing:
            how = self._smoothing, self.activations[-1], len(self._b[-1])
            y = smoothed(y, *how, self._x.dtype)
        if scale != 1 or x.dtype != self._x.dtype:
            x = np.multiply(x, scale, out=self._x[:batch], dtype=self._x.dtype)
        if self._dropout:
            x = x * self._dropout.factors(INPUTS, first, x.shape, x.dtype)
        z, a, dz = ([buffer[:batch] for buffer in v] for v in (self._z, self._a, self._dz))
        inputs = [x, *a[:-1]]
        for l, f in enumerate(self.activations):
            forward(inputs[l], self._w[l], self._b[l], f, z[l], a[l])
            if self._dropout and l < last:
                if ACTIVATIONS[f].keeps == "a":
                    z[l][...] = a[l]
                a[l] *= self._dropout.factors(l, first, a[l].shape, a[l].dtype)
        cost = total_cost(z[-1], a[-1], y, self.activations[-1], self.cost, weight)
        output(z[-1], a[-1], y, self.activations[-1], self.cost, dz[-1], weight)
        for l in range(last, -1, -1):
            gradient(inputs[l], dz[l], self._dw[l], self._db[l])
            if l:
                f = self.activations[l - 1]
                keeps_z = self._dropout or ACTIVATIONS[f].keeps == "z"
                delta(dz[l], self._w[l], z[l - 1] if keeps_z else a[l - 1], f, dz[l - 1])
                if self._dropout:
                    own = dz[l - 1]
                    own *= self._dropout.factors(l - 1, first, own.shape, own.dtype)
        return cost, count_correct(a[-1], y, weight)

    def _take_step(self, rows: Array) -> None:
        """Change the parameters by their gradients, given the coefficients of a step."""
        clip((*self._dw, *self._db), rows[0, WEIGHTS])
        rows = np.broadcast_to(rows, (len(self._w), *rows.shape[1:]))
        for kind, parameters, gradients in (
            (WEIGHTS, self._w, self._dw),
            (BIASES, self._b, self._db),
        ):
            for l, (parameter, g) in enumerate(zip(parameters, gradients, strict=True)):
                state = [self._state[slot][kind][l] for slot in self.slots]
                self._optimizer.step(parameter, g, state, rows[l, kind])

    def read(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Write the parameters as they are now into weights and biases."""
        _copy((*self._w, *self._b), (*weights, *biases))

    def write(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Take weights and biases, as `read` writes them, for the next step; the state stays."""
        _copy((*weights, *biases), (*self._w, *self._b))

    def read_state(self, slot: str, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Write the optimiser's state in a slot into arrays like weights and biases."""
        own = self._state[slot]
        _copy((*own[0], *own[1]), (*weights, *biases))

    def write_state(self, slot: str, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Take the state in a slot from another engine, as `read_state` wrote it."""
        own = self._state[slot]
        _copy((*weights, *biases), (*own[0], *own[1]))

    def scale_state(self, slot: str, factor: float) -> None:
        """Multiply the optimiser's state in a slot."""
        for arrays in self._state[slot]:
            for array in arrays:
                array *= factor


def _copy(sources: Sequence[Array], targets: Sequence[Array]) -> None:
    for source, target in zip(sources, targets, strict=True):
        np.copyto(target, source)


class Predictor:
    """Infers images: see `fastmlp.backends.Predictor`."""

    def __init__(self, weights: Arrays, biases: Arrays, activations: Names, scale: float) -> None:
        self.layers, self.scale = list(zip(weights, biases, activations, strict=True)), scale

    def single(self, kind: np.dtype) -> tuple[Array, Callable[[], object], Mapping[str, Array]]:
        """Return (image, infer, answers) for one image of a dtype."""
        w, b = self.layers[0][0], self.layers[-1][1]
        image, outputs = np.empty((1, len(w)), kind), np.empty((1, len(b)), b.dtype)
        classes = np.empty(1, np.int64)

        def infer() -> None:
            outputs[...] = self._outputs(image)
            classes[...] = classes_of(outputs)

        return image, infer, {"outputs": outputs, "classes": classes}

    def __call__(self, images: Rows, what: str, out: Array, threads: int | None = None) -> None:
        """out = "outputs" `(N, O)` or "classes" `(N,)`, as `what` says, for images `(N, I)`."""
        with blas_threads(threads):
            for start in range(0, len(images), INFER_ROWS):
                rows = slice(start, start + INFER_ROWS)
                a = self._outputs(as_dense(images[rows]))
                out[rows] = a if what == "outputs" else classes_of(a)

    def _outputs(self, images: Array) -> Array:
        dtype = self.layers[0][0].dtype
        with np.errstate(all="ignore"):
            x: Array = np.multiply(images, dtype.type(self.scale), dtype=dtype)
            for w, b, f in self.layers:
                z = np.empty((len(x), len(b)), dtype)
                forward(x, w, b, f, z, z)
                x = z
        return x


def is_compiled(dtype: np.dtype) -> bool:
    """Return whether `prepare` will be quick: here always."""
    return True


def prepare(dtype: np.dtype) -> float:
    """Compile what that precision needs, and return the seconds it took: here nothing."""
    return 0.0


def blas_threads(threads: int | None) -> AbstractContextManager[object]:
    """Limit NumPy's BLAS to so many threads inside a `with` block; None leaves it alone."""
    if threads is None:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(threads, user_api="blas")  # type: ignore[no-any-return]
