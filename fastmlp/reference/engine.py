"""A network in NumPy: minibatch SGD and inference, layer by layer, into buffers made once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from fastmlp.functions import Array, classes_of, count_correct
from fastmlp.reference.layers import delta, forward, output, pack_weights, unpack_weights, update

INFER_ROWS = 1000  # rows per matmul when inferring: bounds the memory, costs no speed


class Engine:
    """Trains one network: holds its parameters, in this backend's layout, and every buffer.

    weights : L arrays `(I, O)`, biases : L arrays `(O,)`, all float32 or all float64; copied
    activations : L names; cost : its name; batch_size : the largest minibatch
    momentum, nesterov, weight_decay : as in `update`
    threads : how many threads to use at most; None leaves the choice to the backend

    `inputs` says, after training, how the first layer took the images.
    """

    def __init__(
        self,
        weights: Sequence[Array],
        biases: Sequence[Array],
        activations: Sequence[str],
        cost: str,
        batch_size: int,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        threads: int | None = None,
    ) -> None:
        self.activations, self.cost, self.batch_size = tuple(activations), cost, batch_size
        self.momentum, self.nesterov, self.weight_decay = momentum, nesterov, weight_decay
        self.threads, self.inputs = threads, "dense"
        self._w = [pack_weights(w) for w in weights]
        self._b = [b.copy() for b in biases]
        self._vw = [np.zeros_like(w) for w in self._w]
        self._vb = [np.zeros_like(b) for b in self._b]
        dtype = self._w[0].dtype
        self._x = np.empty((batch_size, len(self._w[0])), dtype)
        self._a = [np.empty((batch_size, len(b)), dtype) for b in self._b]
        self._dz = [np.empty_like(a) for a in self._a]
        self._z = np.empty_like(self._a[-1])

    def train(
        self, images: Array, y: Array, order: Array, learning_rates: Array, scale: float = 1.0
    ) -> tuple[Array, int]:
        """Take one SGD step for each learning rate; return (costs `(steps,)`, correct answers).

        images `(N, I)`, multiplied by scale, and not to be written to between calls;
        y labels `(N,)` or targets `(N, O)`;
        order : indices of rows; step k trains on order[k * batch_size : (k + 1) * batch_size]
        learning_rates : float64 `(steps,)`. A step's cost is the sum over its samples; costs and
        answers are those before the step.
        """
        costs, correct = np.empty(len(learning_rates)), 0
        # a run that diverges is recognised by its cost, not by warnings
        with blas_threads(self.threads), np.errstate(all="ignore"):
            for step, learning_rate in enumerate(learning_rates):
                rows = order[step * self.batch_size : (step + 1) * self.batch_size]
                x = images[rows]
                if scale != 1 or x.dtype != self._z.dtype:
                    x = np.multiply(x, scale, out=self._x[: len(rows)], dtype=self._z.dtype)
                costs[step], right = self._step(x, y[rows], float(learning_rate))
                correct += right
        return costs, correct

    def _step(self, x: Array, y: Array, learning_rate: float) -> tuple[float, int]:
        batch, last = len(x), len(self._w) - 1
        a = [x, *(buffer[:batch] for buffer in self._a)]
        dz = [buffer[:batch] for buffer in self._dz]
        for layer in range(last):
            w, b, f = self._w[layer], self._b[layer], self.activations[layer]
            forward(a[layer], w, b, f, a[layer + 1])
        z = self._z[:batch]
        forward(a[last], self._w[last], self._b[last], "identity", z)
        total = output(z, y, self.activations[-1], self.cost, a[-1], dz[last])
        for layer in range(last, -1, -1):
            if layer:
                f = self.activations[layer - 1]
                delta(dz[layer], self._w[layer], a[layer], f, dz[layer - 1])
            update(
                a[layer],
                dz[layer],
                self._w[layer],
                self._b[layer],
                self._vw[layer],
                self._vb[layer],
                learning_rate,
                self.momentum,
                self.nesterov,
                self.weight_decay,
            )
        return total, count_correct(a[-1], y)

    def read(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Write the parameters as they are now into weights and biases."""
        for packed, own, w, b in zip(self._w, self._b, weights, biases, strict=True):
            unpack_weights(packed, w)
            np.copyto(b, own)

    def write(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Take weights and biases, as `read` writes them, for the next step; velocities stay."""
        for packed, own, w, b in zip(self._w, self._b, weights, biases, strict=True):
            np.copyto(packed, w)
            np.copyto(own, b)

    def read_velocities(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Write the velocities, zero without momentum, into arrays like weights and biases."""
        for target, velocity in zip((*weights, *biases), (*self._vw, *self._vb), strict=True):
            np.copyto(target, velocity if self.momentum else 0)

    def write_velocities(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Take the velocities of another engine, as `read_velocities` wrote them."""
        for velocity, source in zip((*self._vw, *self._vb), (*weights, *biases), strict=True):
            np.copyto(velocity, source)


def infer(
    weights: Sequence[Array],
    biases: Sequence[Array],
    activations: Sequence[str],
    images: Array,
    a: Array,
    scale: float = 1.0,
    threads: int | None = None,
) -> None:
    """a = the network's outputs `(N, O)` for images `(N, I)` times scale; a is overwritten."""
    dtype = weights[0].dtype
    with blas_threads(threads), np.errstate(all="ignore"):
        for start in range(0, len(images), INFER_ROWS):
            rows = slice(start, start + INFER_ROWS)
            x = np.multiply(images[rows], dtype.type(scale), dtype=dtype)
            for w, b, f in zip(weights, biases, activations, strict=True):
                z = np.empty((len(x), len(b)), dtype)
                forward(x, w, b, f, z)
                x = z
            a[rows] = x


def classify(
    weights: Sequence[Array],
    biases: Sequence[Array],
    activations: Sequence[str],
    images: Array,
    classes: Array,
    scale: float = 1.0,
    threads: int | None = None,
) -> None:
    """classes int64 `(N,)` = what the outputs of `infer` name; classes is overwritten."""
    a = np.empty((len(images), len(biases[-1])), weights[0].dtype)
    infer(weights, biases, activations, images, a, scale, threads)
    classes[...] = classes_of(a)


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
