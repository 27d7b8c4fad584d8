"""A network in compiled code: the twin of `reference.engine`, with the same names and arguments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp.functions import ACTIVATIONS, COSTS, Array
from fastmlp.kernels.encoding import Encoded, is_sparse
from fastmlp.kernels.launch import is_compiled, prepare, run, team_size
from fastmlp.kernels.layout import (
    aligned_zeros,
    first_panel_width,
    pack_panels,
    panel_width,
    round_up,
    row_stride,
    unpack_weights,
)
from fastmlp.kernels.records import IMAGE_KINDS, INFER, JOB, LAYER, TRAIN
from fastmlp.kernels.sparse import (
    GROUPS,
    block_count,
    block_size,
    largest_code,
    lists_bytes,
    slopes_bytes,
)
from fastmlp.kernels.tiles import TILE_ROWS

__all__ = ["Engine", "infer", "is_compiled", "prepare"]


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
        self._job = Job(self._layers, self._dtype, self.threads, batch_size)
        self._job.point(codes=np.zeros((2, batch_size), np.int64))
        self._encoded: Encoded | None = None
        record = self._job.record
        record["kind"], record["cost"], record["batch_size"] = TRAIN, COSTS[cost].code, batch_size
        self._share_first_layer()
        record["x_row"] = row_stride(len(weights[0]), self._dtype)
        self._job.point(x=aligned_zeros((2, batch_size, int(record["x_row"][0])), self._dtype))
        record["momentum"], record["nesterov"] = momentum, nesterov
        record["weight_decay"] = weight_decay

    def train(
        self, images: Array, y: Array, order: Array, learning_rates: Array, scale: float = 1.0
    ) -> tuple[Array, int]:
        """Take one SGD step for each learning rate; return (costs `(steps,)`, correct answers).

        images `(N, I)`, multiplied by scale; y labels `(N,)` or targets `(N, O)`;
        order : indices of rows; step k trains on order[k * batch_size : (k + 1) * batch_size]
        learning_rates : float64 `(steps,)`. A step's cost is the sum over its samples; costs and
        answers are those before the step.
        """
        record = self._job.record
        batch_size = int(record["batch_size"][0])
        rates = np.ascontiguousarray(learning_rates, np.float64)
        order = np.ascontiguousarray(order[: len(rates) * batch_size], np.int64)
        images = np.ascontiguousarray(images)
        costs, hits = np.empty(len(order)), np.empty(len(order), np.uint8)
        record["steps"], record["samples"], record["scale"] = len(rates), len(order), scale
        record["image_kind"] = IMAGE_KINDS[images.dtype.name]
        self._encode(images, scale)
        record["labels"] = record["targets"] = 0
        self._job.point(images=images, order=order, learning_rates=rates, costs=costs, hits=hits)
        self._job.point(**{"labels" if y.ndim == 1 else "targets": y_array(y, self._dtype)})
        run(self._job.record, self._layers, self.threads, self._dtype)
        first_samples = np.arange(len(rates)) * batch_size
        return np.add.reduceat(costs, first_samples), int(hits.sum())

    def _encode(self, images: Array, scale: float) -> None:
        """Let the first layer work on encoded images, where they are sparse enough for that."""
        if self._encoded is None or self._encoded.images is not images:
            self._encoded = Encoded(images, len(self._layers) > 1, self.threads)
        encoded = self._encoded
        self._job.record["blocks"] = encoded.blocks
        if encoded.blocks:
            table = (scale * np.arange(256)).astype(self._dtype)
            self._job.point(code=encoded.code, offsets=encoded.offsets, table=table)

    def _share_first_layer(self) -> None:
        """Cut a sparse first layer into groups of blocks, so that threads find enough to do."""
        layer, record = self._layers[0], self._job.record
        blocks = block_count(int(layer["inputs"]))
        record["groups"] = groups = max(1, min(blocks, GROUPS // int(layer["panels"])))
        shape = (groups - 1, int(record["batch_size"][0]), int(layer["a_row"]))
        record["partial_size"] = shape[1] * shape[2]
        self._job.point(partials=aligned_zeros(shape, self._dtype))

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
    dtype, outputs = weights[0].dtype, len(biases[-1])
    layers, parameters = layer_records(weights, biases, activations)
    layers["a_row"] = [row_stride(n, dtype) for n in layers["panels"] * layers["width"]]
    answers = aligned_zeros((len(images), int(layers["a_row"][-1])), dtype)
    layers["a"][-1] = answers.ctypes.data
    work = len(images) * sum(array["w"].size for array in parameters)
    members = min(team_size(work, threads), -(-len(images) // TILE_ROWS))
    job = Job(layers, dtype, members)
    images = np.ascontiguousarray(images)
    job.record["kind"], job.record["samples"], job.record["scale"] = INFER, len(images), scale
    job.record["image_kind"] = IMAGE_KINDS[images.dtype.name]
    job.record["x_row"] = row_stride(len(weights[0]), dtype)
    job.point(images=images)
    if len(layers) > 1 and is_sparse(images):
        job.record["blocks"] = block_count(images.shape[1])
        job.point(table=(scale * np.arange(256)).astype(dtype))
    run(job.record, layers, members, dtype)
    np.copyto(a, answers[:, :outputs])


def y_array(y: Array, dtype: np.dtype) -> Array:
    """Return labels `(N,)` as int64 or targets `(N, O)` in the network's precision."""
    return np.ascontiguousarray(y, np.int64 if y.ndim == 1 else dtype)


def layer_records(
    weights: Sequence[Array], biases: Sequence[Array], activations: Sequence[str]
) -> tuple[Array, list[dict[str, Array]]]:
    """Return LAYER records for a network's parameters, packed, and the arrays they point to."""
    layers = np.zeros(len(weights), LAYER)
    arrays: list[dict[str, Array]] = []
    for layer, w, b, activation in zip(layers, weights, biases, activations, strict=True):
        width_of = panel_width if arrays else first_panel_width
        packed = pack_panels(w, width_of(len(b), w.dtype))
        panels, rows, width = packed.shape
        own_b = aligned_zeros((panels * width,), w.dtype)
        own_b[: len(b)] = b
        layer["inputs"], layer["outputs"] = w.shape
        layer["panels"], layer["panel_rows"], layer["width"] = panels, rows, width
        layer["activation"] = ACTIVATIONS[activation].code
        layer["w"], layer["b"] = packed.ctypes.data, own_b.ctypes.data
        arrays.append({"w": packed, "b": own_b})
    return layers, arrays


class Job:
    """A JOB record for some layers, with scratch for each member of a team.

    A member's scratch has room for the largest of: a transposed panel of weights (delta), a
    tile's rows of the last layer (output), a tile's rows or codes of two layers (infer). Behind
    it are the lists of a sparse first layer, which last from forward to update, and its gradients.
    """

    def __init__(self, layers: Array, dtype: np.dtype, members: int, batch_size: int = 0) -> None:
        inputs, width, item = int(layers["inputs"][0]), int(layers["width"].max()), dtype.itemsize
        widest = int(max((layers["panels"] * layers["width"]).max(), layers["inputs"].max()))
        codes = 2 * TILE_ROWS * (largest_code(inputs) + 64) // item
        room = round_up(max(row_stride(widest, dtype) * max(width, 2 * TILE_ROWS), codes), 64)
        lists = round_up(lists_bytes(inputs, batch_size) // item, 64)
        slopes = round_up(slopes_bytes(inputs, width, item) // item, 64)
        self.record = np.zeros(1, JOB)
        self.record["lists_offset"], self.record["slopes_offset"] = room, room + lists
        self.record["scratch_size"], self.record["inputs"] = room + lists + slopes, inputs
        self.record["code_size"] = largest_code(inputs)
        self.record["block_size"] = block_size(inputs)
        self._arrays: dict[str, Array] = {}
        self.point(
            scratch=aligned_zeros((members, room + lists + slopes), dtype),
            zeros=aligned_zeros((widest,), dtype),
            ones=np.ones(1, dtype),
        )

    def point(self, **arrays: Array) -> None:
        """Let fields of the record point to arrays, which live as long as the job."""
        for name, array in arrays.items():
            self.record[name] = array.ctypes.data
        self._arrays |= arrays
