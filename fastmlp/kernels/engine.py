"""A network in compiled code: the twin of `reference.engine`, with the same names and arguments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp.functions import COSTS, Array, quiet
from fastmlp.kernels.checks import check_array, check_indices, check_output
from fastmlp.kernels.elementwise import RELU
from fastmlp.kernels.encoding import MASKS_PAY, Inputs
from fastmlp.kernels.job import Job, layer_records
from fastmlp.kernels.launch import is_compiled, prepare, run, team_size
from fastmlp.kernels.layout import aligned_zeros, pack_panels, round_up, row_stride, unpack_weights
from fastmlp.kernels.masks import PART
from fastmlp.kernels.predictor import predict
from fastmlp.kernels.records import DENSE, IMAGE_KINDS, TRAIN
from fastmlp.kernels.rows import ROW_VECTORS
from fastmlp.kernels.simd import VECTOR_BYTES
from fastmlp.kernels.tiles import TILE_ROWS

__all__ = ["Engine", "classify", "infer", "is_compiled", "prepare"]


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
        parameters = sum(w.size for w in weights)
        self.threads = team_size(batch_size * parameters, threads)
        self._dtype = weights[0].dtype
        self._layers, self._arrays = layer_records(weights, biases, activations, self.threads)
        for layer, arrays in zip(self._layers, self._arrays, strict=True):
            panels, width = int(layer["panels"]), int(layer["width"])
            stride = row_stride(panels * width, self._dtype)
            rows = round_up(batch_size, VECTOR_BYTES // self._dtype.itemsize)  # delta's squares
            shapes: dict[str, tuple[int, ...]]
            if arrays is self._arrays[0] and len(weights) > 1:
                # panel by panel: each is the memory of the member that writes it
                shapes = dict.fromkeys(("a", "dz"), (panels, rows, width))
                layer["a_row"], layer["a_panel"] = width, rows * width
                self._layers[1]["x_run"], self._layers[1]["x_jump"] = width, (rows - 1) * width
            else:
                shapes = dict.fromkeys(("a", "dz"), (rows, stride))
                layer["a_row"], layer["a_panel"] = stride, width
            if momentum:
                shapes |= {"vw": arrays["w"].shape, "vb": arrays["b"].shape}
            for name, shape in shapes.items():
                arrays[name] = aligned_zeros(shape, self._dtype)
                layer[name] = arrays[name].ctypes.data
        if batch_size >= MASKS_PAY:
            self._note_nonzeros(batch_size)
        self._job = Job(self._layers, self._dtype, self.threads, batch_size)
        self._inputs: Inputs | None = None
        self._masks = batch_size >= MASKS_PAY or momentum != 0 or weight_decay != 0
        self.inputs = "dense"
        record = self._job.record
        record["kind"], record["cost"], record["batch_size"] = TRAIN, COSTS[cost].code, batch_size
        record["x_row"] = row_stride(len(weights[0]), self._dtype)
        self._job.point(x=aligned_zeros((2, batch_size, int(record["x_row"][0])), self._dtype))
        record["momentum"], record["nesterov"] = momentum, nesterov
        record["weight_decay"] = weight_decay

    def _note_nonzeros(self, batch_size: int) -> None:
        """Let hidden ReLU layers note which outputs are not zero, if they and a neighbour are wide.

        Forward and update of the layer above leave out the others; delta leaves out their deltas.
        """
        widest = ROW_VECTORS * VECTOR_BYTES // self._dtype.itemsize
        is_wide = [False, *(self._layers["width"] == widest), False]
        rows = round_up(batch_size, PART)
        for l, layer in enumerate(self._layers[:-1]):
            if layer["activation"] == RELU and is_wide[l + 1] and (is_wide[l] or is_wide[l + 2]):
                noted = aligned_zeros((int(layer["panels"]), rows), np.dtype(np.int64))
                layer["nonzeros"], layer["nonzeros_panel"] = noted.ctypes.data, 8 * rows
                self._arrays[l]["nonzeros"] = noted

    @quiet
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
        record = self._job.record
        batch_size = int(record["batch_size"][0])
        rates = np.ascontiguousarray(learning_rates, np.float64)
        order = np.ascontiguousarray(order[: len(rates) * batch_size], np.int64)
        images = np.ascontiguousarray(images)
        check_indices("order", order, len(images))
        if y.ndim == 1:
            check_indices("y", y, max(2, int(self._layers["outputs"][-1])))
        costs, hits = np.empty(len(order)), np.empty(len(order), np.uint8)
        record["steps"], record["samples"], record["scale"] = len(rates), len(order), scale
        record["image_kind"] = IMAGE_KINDS[images.dtype.name]
        images = self._take(images, scale)
        record["labels"] = record["targets"] = 0
        self._job.point(images=images, order=order, learning_rates=rates, costs=costs, hits=hits)
        # labels by place: looked up one by one in the step, each would be a miss of the cache
        answers = {"labels": y[order]} if y.ndim == 1 else {"targets": y}
        self._job.point(**{name: y_array(v, self._dtype) for name, v in answers.items()})
        run(self._job.record, self._layers, self.threads, self._dtype)
        first_samples = np.arange(len(rates)) * batch_size
        return np.add.reduceat(costs, first_samples), int(hits.sum())

    def _take(self, images: Array, scale: float) -> Array:
        """Choose how the first layer takes images; return them as it reads them."""
        if self._inputs is None or self._inputs.source is not images:
            wanted = len(self._layers) > 1
            self._inputs = Inputs(images, wanted, self._masks, self.threads)
        inputs, record = self._inputs, self._job.record
        kind = "dense" if inputs.kind == DENSE else "sparse"
        self.inputs = f"{kind}, {inputs.density:.1%} of the values are not zero"
        record["inputs_as"], record["image_row"] = inputs.kind, inputs.images.shape[1]
        table = (scale * np.arange(256)).astype(self._dtype)
        self._job.point(code=inputs.codes, offsets=inputs.offsets, table=table)
        return inputs.images

    def read(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Write the parameters as they are now into weights and biases."""
        for arrays, w, b in zip(self._arrays, weights, biases, strict=True):
            unpack_weights(arrays["w"], w)
            np.copyto(b, arrays["b"][: len(b)])

    def write(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Take weights and biases, as `read` writes them, for the next step; velocities stay."""
        for arrays, w, b in zip(self._arrays, weights, biases, strict=True):
            arrays["w"][...] = pack_panels(w, arrays["w"].shape[2])
            arrays["b"][: len(b)] = b

    def read_velocities(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Write the velocities, zero without momentum, into arrays like weights and biases."""
        for arrays, w, b in zip(self._arrays, weights, biases, strict=True):
            w[...], b[...] = 0, 0
            if "vw" in arrays:
                unpack_weights(arrays["vw"], w)
                np.copyto(b, arrays["vb"][: len(b)])

    def write_velocities(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Take the velocities of another engine, as `read_velocities` wrote them."""
        for arrays, w, b in zip(self._arrays, weights, biases, strict=True):
            if "vw" in arrays:
                arrays["vw"][...] = pack_panels(w, arrays["vw"].shape[2])
                arrays["vb"][: len(b)] = b


def infer(
    weights: Sequence[Array],
    biases: Sequence[Array],
    activations: Sequence[str],
    images: Array,
    a: Array,
    scale: float = 1.0,
    threads: int | None = None,
) -> None:
    """a = the network's outputs `(N, O)` for images `(N, I)` times scale; a is overwritten.

    The bits depend on no number of threads. Up to TILE_ROWS sparse images are summed in another
    order than more of them, so their last bits may differ.
    """
    if len(images) > TILE_ROWS:
        check_array("a", a, (len(images), len(biases[-1])), weights[0].dtype)
        check_output("a", a, {"images": images})
    predict(weights, biases, activations, images, "answers", a, scale, threads)


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
    if len(images) > TILE_ROWS:
        check_array("classes", classes, (len(images),), np.dtype(np.int64))
        check_output("classes", classes, {"images": images})
    predict(weights, biases, activations, images, "classes", classes, scale, threads)


def y_array(y: Array, dtype: np.dtype) -> Array:
    """Return labels `(N,)` as int64 or targets `(N, O)` in the network's precision."""
    return np.ascontiguousarray(y, np.int64 if y.ndim == 1 else dtype)
