"""A network in compiled code: the twin of `reference.engine`, with the same names and arguments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp.functions import ACTIVATIONS, COSTS, Array
from fastmlp.kernels.launch import is_compiled, prepare, run, team_size
from fastmlp.kernels.layout import (
    aligned_zeros,
    pack_weights,
    row_stride,
    unpack_weights,
)
from fastmlp.kernels.records import IMAGE_KINDS, INFER, JOB, LAYER, TRAIN
from fastmlp.kernels.simd import TILE_ROWS
from fastmlp.reference.engine import count_correct

__all__ = ["Engine", "count_correct", "infer", "is_compiled", "prepare"]


class Engine:
    """Trains one network: holds its parameters, in this backend's layout, and every buffer.

    weights : L arrays `(I, O)`, biases : L arrays `(O,)`, all float32 or all float64; copied
    activations : L names; cost : its name; batch_size : the largest minibatch
    momentum, nesterov, weight_decay : as in `update`
    threads : how many threads to use at most; None leaves the choice to the backend
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
        parameters = sum(w.size for w in weights)
        self.threads = team_size(batch_size * parameters, threads)
        self._dtype = weights[0].dtype
        self._layers, self._arrays = layer_records(weights, biases, activations)
        for layer, arrays in zip(self._layers, self._arrays, strict=True):
            stride = row_stride(layer["panels"] * layer["width"], self._dtype)
            shapes = {"a": (batch_size, stride), "dz": (batch_size, stride)}
            if momentum:
                shapes |= {"vw": arrays["w"].shape, "vb": arrays["b"].shape}
            for name, shape in shapes.items():
                arrays[name] = aligned_zeros(shape, self._dtype)
                layer[name] = arrays[name].ctypes.data
            layer["a_row"] = layer["dz_row"] = stride
        self._job, self._memory = job_record(self._layers, self._dtype, self.threads)
        x_row = row_stride(len(weights[0]), self._dtype)
        self._memory["x"] = aligned_zeros((2, batch_size, x_row), self._dtype)
        job = self._job[0]
        job["kind"], job["cost"], job["batch_size"] = TRAIN, COSTS[cost].code, batch_size
        job["x"], job["x_row"] = self._memory["x"].ctypes.data, x_row
        job["momentum"], job["nesterov"], job["weight_decay"] = momentum, nesterov, weight_decay

    def train(
        self, images: Array, y: Array, order: Array, learning_rates: Array, scale: float = 1.0
    ) -> tuple[Array, int]:
        """Take one SGD step for each learning rate; return (costs `(steps,)`, correct answers).

        images `(N, I)`, multiplied by scale; y labels `(N,)` or targets `(N, O)`;
        order : indices of rows; step k trains on order[k * batch_size : (k + 1) * batch_size]
        learning_rates : float64 `(steps,)`. A step's cost is the sum over its samples; costs and
        answers are those before the step.
        """
        job = self._job[0]
        images = np.ascontiguousarray(images)
        order = np.ascontiguousarray(order[: len(learning_rates) * int(job["batch_size"])], np.int64)
        rates = np.ascontiguousarray(learning_rates, np.float64)
        targets = y_array(y, self._dtype)
        costs, hits = np.empty(len(order)), np.empty(len(order), np.uint8)
        job["images"], job["image_kind"] = images.ctypes.data, IMAGE_KINDS[images.dtype.name]
        job["order"], job["samples"] = order.ctypes.data, len(order)
        job["learning_rates"], job["steps"] = rates.ctypes.data, len(rates)
        job["costs"], job["hits"] = costs.ctypes.data, hits.ctypes.data
        job["labels"], job["targets"] = (
            (targets.ctypes.data, 0) if y.ndim == 1 else (0, targets.ctypes.data)
        )
        job["scale"] = scale
        run(self._job, self._layers, self.threads, self._dtype)
        first_samples = np.arange(len(rates)) * int(job["batch_size"])
        return np.add.reduceat(costs, first_samples), int(hits.sum())

    def read(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Write the parameters as they are now into weights and biases."""
        for arrays, w, b in zip(self._arrays, weights, biases, strict=True):
            unpack_weights(arrays["w"], w)
            np.copyto(b, arrays["b"][: len(b)])


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
    layers, arrays = layer_records(weights, biases, activations)
    layers["a_row"] = [row_stride(n, dtype) for n in layers["panels"] * layers["width"]]
    outputs = aligned_zeros((len(images), int(layers["a_row"][-1])), dtype)
    layers["a"][-1] = outputs.ctypes.data
    parameters = sum(w.size for w in weights)
    members = min(team_size(len(images) * parameters, threads), -(-len(images) // TILE_ROWS))
    job, memory = job_record(layers, dtype, members)
    images = np.ascontiguousarray(images)
    job["kind"], job["samples"], job["scale"] = INFER, len(images), scale
    job["images"], job["image_kind"] = images.ctypes.data, IMAGE_KINDS[images.dtype.name]
    job["x_row"] = row_stride(len(weights[0]), dtype)
    run(job, layers, members, dtype)
    np.copyto(a, outputs[:, : a.shape[1]])


def y_array(y: Array, dtype: np.dtype) -> Array:  # type: ignore[type-arg]
    """Return labels `(N,)` as int64 or targets `(N, O)` in the network's precision."""
    return np.ascontiguousarray(y, np.int64 if y.ndim == 1 else dtype)


def layer_records(
    weights: Sequence[Array], biases: Sequence[Array], activations: Sequence[str]
) -> tuple[Array, list[dict[str, Array]]]:
    """Return LAYER records for a network's parameters, packed, and the arrays they point to."""
    layers = np.zeros(len(weights), LAYER)
    arrays = []
    for layer, w, b, activation in zip(layers, weights, biases, activations, strict=True):
        packed = pack_weights(w)
        panels, rows, width = packed.shape
        own_b = aligned_zeros((panels * width,), w.dtype)
        own_b[: len(b)] = b
        layer["inputs"], layer["outputs"] = w.shape
        layer["panels"], layer["panel_rows"], layer["width"] = panels, rows, width
        layer["activation"] = ACTIVATIONS[activation].code
        layer["w"], layer["b"] = packed.ctypes.data, own_b.ctypes.data
        arrays.append({"w": packed, "b": own_b})
    return layers, arrays


def job_record(
    layers: Array, dtype: np.dtype, members: int  # type: ignore[type-arg]
) -> tuple[Array, dict[str, Array]]:
    """Return a JOB record with scratch memory for each member, and the arrays it points to.

    A member's scratch has room for the largest of: a transposed panel of weights (delta), a
    tile's rows of the last layer and a target (output), a tile's rows of two layers (infer).
    """
    width = int(max(layers["width"]))
    widest = max(int((layers["panels"] * layers["width"]).max()), int(layers["inputs"].max()))
    room = row_stride(widest, dtype) * max(width, 2 * TILE_ROWS)
    memory = {
        "scratch": aligned_zeros((members, room), dtype),
        "zeros": aligned_zeros((widest,), dtype),
        "ones": np.ones(1, dtype),
    }
    job = np.zeros(1, JOB)
    for name, array in memory.items():
        job[name] = array.ctypes.data
    job["scratch_size"] = room
    job["inputs"] = layers["inputs"][0]
    return job, memory
