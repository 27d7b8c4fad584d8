"""Inference with one network: weights stay where they are; a few images find all prepared."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from weakref import ref

import numpy as np

from fastmlp.functions import Array, quiet
from fastmlp.kernels.encoding import even_rows, is_sparse
from fastmlp.kernels.job import Job, layer_records
from fastmlp.kernels.launch import prepare, run, team_size
from fastmlp.kernels.layout import aligned_zeros, panel_views, row_stride
from fastmlp.kernels.masks import PART
from fastmlp.kernels.options import Shared
from fastmlp.kernels.records import CODES, DENSE, IMAGE_KINDS, INFER, MASKS
from fastmlp.kernels.rows import ROW_VECTORS
from fastmlp.kernels.simd import VECTOR_BYTES
from fastmlp.kernels.tiles import TILE_ROWS, TILE_VECTORS

# The predictors that nobody is using: the last one used is the last
_idle: list[Predictor] = []
MOST_IDLE = 8


def predict(
    weights: Sequence[Array],
    biases: Sequence[Array],
    activations: Sequence[str],
    images: Array,
    what: str,
    out: Array,
    scale: float,
    threads: int | None,
) -> None:
    """out = "answers", the outputs `(N, O)`, or "classes" `(N,)`, for images `(N, I)` times scale.

    Whoever computes has a predictor alone: other threads, and a signal handler in the midst of it,
    take or make another. So no lock is held, neither at a fork. MOST_IDLE are kept.
    """
    weights, biases = tuple(weights), tuple(biases)  # what the predictor reads lives until it ends
    predictor = _take(weights, biases, activations, scale)
    if predictor is None:
        predictor = Predictor(weights, biases, activations, scale)
    predictor(images, what, out, threads)
    # not reached after an exception, which may have left its buffers half written
    _idle.append(predictor)
    del _idle[:-MOST_IDLE]


def _take(
    weights: Sequence[Array], biases: Sequence[Array], activations: Sequence[str], scale: float
) -> Predictor | None:
    """Return a predictor of this network that nobody else can take until it is idle again."""
    for predictor in reversed(tuple(_idle)):
        if predictor.serves(weights, biases, activations, scale):
            try:
                _idle.remove(predictor)
            except ValueError:  # another thread was quicker
                continue
            return predictor
    return None


def _drop_collected(_: object) -> None:
    """Drop the predictors whose networks were garbage collected."""
    for predictor in tuple(_idle):
        if any(parameter() is None for parameter in predictor.parameters):
            with suppress(ValueError):
                _idle.remove(predictor)


class _Memory:
    """An array's memory, without keeping the array alive."""

    def __init__(self, array: Array) -> None:
        self.__array_interface__ = array.__array_interface__


class Predictor:
    """Infers images with one network's arrays: up to TILE_ROWS at once in buffers of its own.

    A layer with a whole number of vectors of outputs is read in place. Others are small, or odd:
    they are packed anew at each call, as their weights may have been written to. It keeps none
    of the arrays alive: its caller does.
    """

    @quiet
    def __init__(
        self,
        weights: Sequence[Array],
        biases: Sequence[Array],
        activations: Sequence[str],
        scale: float,
    ) -> None:
        self.parameters = [ref(array, _drop_collected) for array in (*weights, *biases)]
        self.activations, self.scale = tuple(activations), scale
        self._dtype, self._size = weights[0].dtype, sum(w.size for w in weights)
        dtype, inputs, outputs = self._dtype, len(weights[0]), len(biases[-1])
        prepare(dtype)
        self._layers, arrays = layer_records(weights, biases, activations)
        self._arrays = arrays
        in_place = [
            _read_in_place(layer, w, b, TILE_VECTORS)
            for layer, w, b in zip(self._layers[1:], weights[1:], biases[1:], strict=True)
        ]
        # the first layer reads weights in pairs of rows
        has_pairs = len(weights[0]) % 2 == 0
        first = self._layers[0], weights[0], biases[0], ROW_VECTORS
        in_place.insert(0, has_pairs and _read_in_place(*first))
        layers = self._layers
        layers["a_panel"] = layers["width"]
        layers["a_row"] = [row_stride(n, dtype) for n in layers["panels"] * layers["width"]]
        self._found = {
            "answers": aligned_zeros((TILE_ROWS, outputs), dtype),
            "classes": aligned_zeros((TILE_ROWS,), np.dtype(np.int64)),
        }
        layers["place"] = layers.ctypes.data + np.arange(len(layers)) * layers.itemsize
        self._images = {
            name: aligned_zeros((TILE_ROWS, inputs), np.dtype(name)) for name in IMAGE_KINDS
        }
        self._table = (scale * np.arange(256)).astype(dtype)
        self._job, self._jobs = self._new_job(1, TILE_ROWS), dict[int, Job]()
        self._job.point(**self._found)
        self._record = self._job.record[0]
        self._record["place"] = self._job.record.ctypes.data
        self._classes = self._found["classes"].ctypes.data
        self._work = Shared.by_name["work"].compiled[dtype.name].ctypes
        self._call = (self._job.record.ctypes.data, layers.ctypes.data, len(layers), 0, 0, 1, 0.0)
        self._image_kind = ""
        # what has to be copied at each call: (where to, from where), views of arrays all of them
        self._copies: list[tuple[Array, Array]] = []
        for read, packed, w, b in zip(in_place, arrays, weights, biases, strict=True):
            if not read:
                w, b = np.asarray(_Memory(w)), np.asarray(_Memory(b))
                self._copies += [*panel_views(packed["w"], w), (packed["b"][: len(b)], b)]

    def serves(
        self,
        weights: Sequence[Array],
        biases: Sequence[Array],
        activations: Sequence[str],
        scale: float,
    ) -> bool:
        """Return whether these very arrays are this predictor's."""
        arrays = (*weights, *biases)
        return (
            scale == self.scale
            and len(arrays) == len(self.parameters)
            and all(own() is array for own, array in zip(self.parameters, arrays, strict=True))
            and tuple(activations) == self.activations
        )

    def __call__(self, images: Array, what: str, out: Array, threads: int | None = None) -> None:
        """As `predict`."""
        for target, source in self._copies:
            target[...] = source
        if len(images) <= TILE_ROWS:
            self._infer_few(images, what, out)
        else:
            self._infer_many(images, what, out, threads)

    def _infer_many(self, images: Array, what: str, out: Array, threads: int | None) -> None:
        """Infer PART images at a time, by a team whose buffers are kept for the next call."""
        layers = self._layers
        wanted = team_size(len(images) * self._size, threads)
        members = min(wanted, -(-len(images) // TILE_ROWS))
        if members not in self._jobs:
            self._jobs[members] = self._new_job(members, PART)
        job, images = self._jobs[members], np.ascontiguousarray(images)
        sparse = len(layers) > 1 and is_sparse(images)
        images = even_rows(images) if sparse else images
        record = job.record[0]
        record["inputs_as"], record["image_row"] = MASKS if sparse else DENSE, images.shape[1]
        record["image_kind"], record["samples"] = IMAGE_KINDS[images.dtype.name], len(images)
        record["classes"] = 0
        job.point(images=images, **{what: out})
        run(job.record, layers, members, self._dtype)
        job.forget("images", what)

    def _new_job(self, members: int, rows: int) -> Job:
        """Return a job that infers so many images at a time."""
        job = Job(self._layers, self._dtype, members, infer_rows=rows)
        job.record["kind"], job.record["scale"] = INFER, self.scale
        job.record["x_row"] = row_stride(int(self._layers["inputs"][0]), self._dtype)
        job.point(table=self._table)
        return job

    def _infer_few(self, images: Array, what: str, out: Array) -> None:
        count, kind = len(images), images.dtype.name
        own = self._images[kind]
        own[:count] = images
        if kind != self._image_kind:
            self._record["images"], self._record["image_kind"] = own.ctypes.data, IMAGE_KINDS[kind]
            self._image_kind = kind
        sparse = len(self._layers) > 1 and is_sparse(images)
        self._record["inputs_as"] = CODES if sparse else DENSE
        self._record["samples"] = count
        self._record["classes"] = self._classes if what == "classes" else 0
        self._work(*self._call)
        out[...] = self._found[what][:count]


def _read_in_place(layer: Array, w: Array, b: Array, most: int) -> bool:
    """Let a layer's record point to w and b themselves, where their rows are whole vectors."""
    vector = VECTOR_BYTES // w.dtype.itemsize
    fits = [
        n
        for n in (ROW_VECTORS, ROW_VECTORS // 2, 1)
        if n <= most and w.shape[1] % (n * vector) == 0
    ]
    if not (fits and w.flags.c_contiguous and b.flags.c_contiguous):
        return False
    width = fits[0] * vector
    layer["width"], layer["panels"] = width, w.shape[1] // width
    layer["w_row"], layer["panel_step"] = w.shape[1], width
    layer["w"], layer["b"] = w.ctypes.data, b.ctypes.data
    return True
