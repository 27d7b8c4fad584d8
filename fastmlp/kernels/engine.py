"""A network in compiled code: the twin of `reference.engine`, with the same names and arguments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp.functions import ACTIVATIONS, COSTS, Array
from fastmlp.kernels.launch import available_threads, run
from fastmlp.kernels.layout import (
    aligned_zeros,
    pack_weights,
    panel_width,
    round_up,
    row_stride,
    unpack_weights,
)
from fastmlp.kernels.records import IMAGE_KINDS, INFER, JOB, LAYER, TRAIN
from fastmlp.kernels.simd import TILE_ROWS
from fastmlp.reference.engine import count_correct

__all__ = ["Engine", "count_correct", "infer"]


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
        self.threads = threads or available_threads()
        self._dtype = weights[0].dtype
        self._layers, self._arrays = layer_records(weights, biases, activations)
        for layer, arrays in zip(self._layers, self._arrays, strict=True):
            a_row = row_stride(layer["outputs"], self._dtype)
            dz_row = row_stride(layer["panels"] * layer["width"], self._dtype)
            shapes = {"a": (batch_size, a_row), "dz": (batch_size, dz_row)}
            if momentum:
                shapes |= {"vw": arrays["w"].shape, "vb": arrays["b"].shape}
            for name, shape in shapes.items():
                arrays[name] = aligned_zeros(shape, self._dtype)
                layer[name] = arrays[name].ctypes.data
            layer["a_row"], layer["dz_row"] = a_row, dz_row
        self._job, self._memory = job_record(self._layers, self._dtype, self.threads)
        x_row = row_stride(len(weights[0]), self._dtype)
        self._memory["x"] = aligned_zeros((2, batch_size, x_row), self._dtype)
        job = self._job[0]
        job["kind"], job["cost"], job["batch_size"] = TRAIN, COSTS[cost].code, batch_size
        job["x"], job["x_row"] = self._memory["x"].ctypes.data, x_row
        job["momentum"], job["nesterov"], job["weight_decay"] = momentum, nesterov, weight_decay

    def train(
        self, images: Array, y: Array, order: Array, learning_rates: Array, scale: float = 1.0
    ) -> tuple[float, int]:
        """Take one SGD step for each learning rate; return (sum of the costs, correct answers).

        images `(N, I)`, multiplied by scale; y labels `(N,)` or targets `(N, O)`;
        order : indices of rows; step k trains on order[k * batch_size : (k + 1) * batch_size]
        learning_rates : float64 `(steps,)`. Costs and answers are those before each step.
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
        return float(costs.sum()), int(hits.sum())

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
    layers["a_row"] = [row_stride(outputs, dtype) for outputs in layers["outputs"]]
    layers["a"][-1], layers["a_row"][-1] = a.ctypes.data, a.shape[1]
    members = min(threads or available_threads(), -(-len(images) // TILE_ROWS))
    job, memory = job_record(layers, dtype, members)
    images = np.ascontiguousarray(images)
    job["kind"], job["samples"], job["scale"] = INFER, len(images), scale
    job["images"], job["image_kind"] = images.ctypes.data, IMAGE_KINDS[images.dtype.name]
    job["x_row"] = row_stride(len(weights[0]), dtype)
    run(job, layers, members, dtype)


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

    A member's scratch holds one tile, and behind it room for the largest of: a transposed panel
    of weights (delta), a tile's rows of the last layer and a target (output), or a tile's rows
    of two layers (infer).
    """
    width = panel_width(2**30, dtype)
    widest = int(max(layers["outputs"].max(), layers["inputs"].max()))
    room = row_stride(round_up(widest, width), dtype) * max(width, 2 * TILE_ROWS)
    memory = {
        "scratch": aligned_zeros((members, (TILE_ROWS * width + room)), dtype),
        "zeros": aligned_zeros((round_up(widest, width),), dtype),
        "ones": np.ones(1, dtype),
    }
    job = np.zeros(1, JOB)
    for name, array in memory.items():
        job[name] = array.ctypes.data
    job["scratch_size"] = memory["scratch"].shape[1]
    job["inputs"] = layers["inputs"][0]
    return job, memory
