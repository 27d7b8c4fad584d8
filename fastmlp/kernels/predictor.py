"""Inference with one network: weights are read in place if possible, in buffers that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.arrays import Array, Rows, SparseRows, check_out, quiet
from fastmlp.kernels.launch import alone, prepare, run, team_size
from fastmlp.kernels.loops.bits import words_bytes
from fastmlp.kernels.memory import panels, records, tuning
from fastmlp.kernels.memory.buffers import inference_records, network_layers
from fastmlp.kernels.step.inference import scratch_bytes
from fastmlp.kernels.step.source import addresses_of, entries_of, kind_of, table_of

Arrays = Sequence[Array]
Names = Sequence[str]


class Predictor:
    """Infers images with one network's arrays: see `fastmlp.backends.Predictor`.

    A layer with a whole number of vectors of outputs is read in place. Others are small, or odd:
    they are packed anew at each call, as their weights may have been written to. The bits depend on
    no number of threads. Up to TILE_ROWS sparse images are summed in another order than more of
    them, so their last bits may differ.
    """

    most = tuning.TILE_ROWS

    @quiet
    def __init__(self, weights: Arrays, biases: Arrays, activations: Names, scale: float) -> None:
        # kept alive, also where a list has other items meanwhile
        self.parameters, self.scale = (tuple(weights), tuple(biases)), scale
        dtype, inputs, outputs = weights[0].dtype, len(weights[0]), len(biases[-1])
        self._dtype, self._size = dtype, sum(w.size for w in weights)
        prepare(dtype)
        layers, arrays = network_layers(weights, biases, activations)
        self._layers, self._arrays = layers, arrays
        # the first layer reads weights in pairs of rows
        first = tuning.PANEL_VECTORS if inputs % 2 == 0 else 0
        most = [first] + [tuning.TILE_VECTORS] * (len(weights) - 1)
        # what has to be copied at each call: (where to, from where), views of arrays all of them
        self._copies: list[tuple[Array, Array]] = []
        for layer, own, w, b, vectors in zip(layers, arrays, weights, biases, most, strict=True):
            if not _read_in_place(layer, w, b, vectors):
                self._copies += [*panels.panel_views(own["w"], w), (own["b"][: len(b)], b)]
        self._table = table_of(scale, dtype)
        self._found = {
            "outputs": panels.aligned_zeros((tuning.TILE_ROWS, outputs), dtype),
            "classes": panels.aligned_zeros((tuning.TILE_ROWS,), np.dtype(np.int64)),
        }
        self._images: dict[np.dtype, tuple[Array, Array]] = {}
        for kind in records.IMAGE_KINDS:
            # an image with an odd number of pixels has a zero behind its last
            images = panels.aligned_zeros((tuning.TILE_ROWS, panels.round_up(inputs, 2)), kind)
            self._images[kind] = images, addresses_of(images)
        self._jobs: dict[int, tuple[Array, Array, Any]] = {}
        is_listed = inputs <= 2 * tuning.MOST_LISTED
        self._sparse_few = records.BY_IMAGE if is_listed else records.BY_PAIR
        self._few = self._job_of(1, tuning.TILE_ROWS, is_listed)
        self._record, self._aim, self._images_as = self._few[0][0], (np.dtype(object), 0, ""), 0
        records.point(self._record, **self._found)
        self._infer = alone("infer", *self._few[:2], dtype)

    def __call__(self, images: Rows, what: str, out: Array, threads: int | None = None) -> None:
        """out = "outputs" `(N, O)` or "classes" `(N,)`, as `what` says, for images `(N, I)`."""
        if len(images) <= tuning.TILE_ROWS and not isinstance(images, SparseRows):
            out[...] = self.few(images, what)
            return
        found = self._found[what]
        check_out(what, out, (len(images), *found.shape[1:]), found.dtype, images)
        self._infer_many(images, what, out, threads)

    def few(self, images: Array, what: str) -> Array:
        """Return what `__call__` writes, of `most` images or fewer: see `backends.Predictor`."""
        aim = images.dtype, len(images), what
        if aim != self._aim:
            self._aim_at(*aim)
        self._rows[...] = images
        for target, source in self._copies:
            target[...] = source
        # as `kind_of`; ints, as NumPy compares its own with floats slowly
        sparse = self._sparse_below and np.count_nonzero(images) < self._sparse_below
        images_as = self._sparse_few if sparse else records.DENSE
        if images_as != self._images_as:
            self._record["images_as"] = self._images_as = images_as
        self._infer()
        return self._answers

    def _aim_at(self, kind: np.dtype, count: int, what: str) -> None:
        """Let the record of few images point to so many of one kind, and to what is wanted."""
        (images, addresses), record = self._images[kind], self._record
        inputs, may_be = int(self._layers["inputs"][0]), kind == np.uint8 and len(self._layers) > 1
        self._rows, self._answers = images[:count, :inputs], self._found[what][:count]
        self._sparse_below = -int(-may_be * tuning.SPARSE_BELOW * count * inputs // 1)
        records.point(record, addresses=addresses, sources=addresses)
        record["image_kind"] = records.IMAGE_KINDS[kind]
        record["samples"] = count
        record["classes"] = self._answers.ctypes.data if what == "classes" else 0
        self._aim = kind, count, what

    def _infer_many(self, images: Rows, what: str, out: Array, threads: int | None) -> None:
        """Infer by a team, whose buffers are kept for the next call."""
        for target, source in self._copies:
            target[...] = source
        tiles = -(-len(images) // tuning.TILE_ROWS)
        members = min(team_size(len(images) * self._size, threads), tiles)
        if members not in self._jobs:
            self._jobs[members] = self._job_of(members, tuning.PART, lists=False)
        job, layers, _ = self._jobs[members]
        job["batch_size"] = min(tuning.PART, tuning.TILE_ROWS * -(-tiles // members))
        job["samples"], job["classes"] = len(images), 0
        images_as = kind_of(images, len(self._layers))
        if isinstance(images, SparseRows):
            arrays = entries_of(images, self.scale, self._dtype)
        else:
            images = np.ascontiguousarray(images)
            if images_as == records.BY_PAIR and images.shape[1] % 2:
                images = np.pad(images, ((0, 0), (0, 1)))
            job["image_kind"] = records.IMAGE_KINDS[images.dtype]
            addresses = addresses_of(images)
            arrays = {"addresses": addresses, "sources": addresses}
        job["images_as"] = images_as
        records.point(job, **arrays, **{what: out})
        run("infer", job, layers, members, self._dtype)

    def _job_of(self, members: int, rows: int, lists: bool) -> tuple[Array, Array, Any]:
        """Return the job of a team that takes so many samples in a step, its layers, its memory."""
        job, size = np.zeros(1, records.JOB), int(self._layers["inputs"][0])
        size = words_bytes(size, self._dtype, lists)
        job["scale"], job["words_bytes"], job["batch_size"] = self.scale, size, rows
        records.point(job, table=self._table)
        what = members, rows, size, self._dtype
        layers, memory = inference_records(self._layers, *what)
        scratch = records.private_memory(job, members, scratch_bytes(layers[0], self._dtype))
        return job, layers, (memory, scratch)


def _read_in_place(layer: Array, w: Array, b: Array, most: int) -> bool:
    """Let a layer's record point to w and b themselves, where their rows are whole vectors."""
    vector = panels.vector_size(w.dtype)
    widths = (tuning.PANEL_VECTORS, tuning.PANEL_VECTORS // 2, 1)
    fits = [n for n in widths if n <= most and w.shape[1] % (n * vector) == 0]
    if not (fits and w.flags.c_contiguous and b.flags.c_contiguous):
        return False
    width = fits[0] * vector
    layer["width"], layer["panels"] = width, w.shape[1] // width
    layer["w_row"], layer["w_panel"] = w.shape[1], width
    records.point(layer, w=w, b=b)
    return True
