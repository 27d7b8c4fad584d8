"""Inference with one network: weights stay where they are; a few images find all prepared."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

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

_last: list[Predictor] = []


def predictor_for(
    weights: Sequence[Array], biases: Sequence[Array], activations: Sequence[str], scale: float
) -> Predictor:
    """Return the predictor of a network: the last one used, where it is that network's."""
    last = _last[0] if _last else None
    if last is None or not last.serves(weights, biases, activations, scale):
        last = Predictor(weights, biases, activations, scale)
        _last[:] = [last]
    return last


class Predictor:
    """Infers images with one network's arrays: up to TILE_ROWS at once in buffers of its own.

    A layer with a whole number of vectors of outputs is read in place. Others are small, or odd:
    they are packed anew at each call, as their weights may have been written to.
    """

    @quiet
    def __init__(
        self,
        weights: Sequence[Array],
        biases: Sequence[Array],
        activations: Sequence[str],
        scale: float,
    ) -> None:
        self._lock = Lock()  # of the buffers, which Python threads may share
        self.weights, self.biases = tuple(weights), tuple(biases)
        self.activations, self.scale = tuple(activations), scale
        dtype = weights[0].dtype
        inputs, outputs = len(weights[0]), len(biases[-1])
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
                self._copies += [*panel_views(packed["w"], w), (packed["b"][: len(b)], b)]

    def serves(
        self,
        weights: Sequence[Array],
        biases: Sequence[Array],
        activations: Sequence[str],
        scale: float,
    ) -> bool:
        """Return whether these very arrays are this predictor's."""
        return (
            scale == self.scale
            and len(weights) == len(self.weights)
            and all(one is other for one, other in zip(weights, self.weights, strict=True))
            and all(one is other for one, other in zip(biases, self.biases, strict=True))
            and tuple(activations) == self.activations
        )

    def __call__(self, images: Array, what: str, out: Array, threads: int | None = None) -> None:
        """out = "answers", the outputs `(N, O)`, or "classes" `(N,)`, for images `(N, I)`."""
        with self._lock:
            for target, source in self._copies:
                target[...] = source
            if len(images) <= TILE_ROWS:
                self._infer_few(images, what, out)
            else:
                self._infer_many(images, what, out, threads)

    def _infer_many(self, images: Array, what: str, out: Array, threads: int | None) -> None:
        """Infer PART images at a time, by a team whose buffers are kept for the next call."""
        layers, dtype = self._layers, self.weights[0].dtype
        work = len(images) * sum(w.size for w in self.weights)
        members = min(team_size(work, threads), -(-len(images) // TILE_ROWS))
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
        run(job.record, layers, members, dtype)
        job.forget("images", what)

    def _new_job(self, members: int, rows: int) -> Job:
        """Return a job that infers so many images at a time."""
        job = Job(self._layers, self.weights[0].dtype, members, infer_rows=rows)
        job.record["kind"], job.record["scale"] = INFER, self.scale
        job.record["x_row"] = row_stride(len(self.weights[0]), self.weights[0].dtype)
        job.point(table=self._table)
        return job

    def _infer_few(self, images: Array, what: str, out: Array) -> None:
        count, kind = len(images), images.dtype.name
        own = self._images[kind]
        own[:count] = images
        if kind != self._image_kind:
            self._record["images"], self._record["image_kind"] = own.ctypes.data, IMAGE_KINDS[kind]
            self._image_kind = kind
        sparse = len(self.weights) > 1 and is_sparse(images)
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
