"""Inference with one network: weights are read in place if possible, in buffers that are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from fastmlp.arrays import Array, Rows, SparseRows, check_out, quiet
from fastmlp.arrays.aligned import aligned_zeros
from fastmlp.functions import ACTIVATIONS
from fastmlp.kernels.launch import run, symbol, team_size
from fastmlp.kernels.loops.bits import group_shape, words_bytes
from fastmlp.kernels.memory import panels, records, tuning
from fastmlp.kernels.memory.buffers import inference_records
from fastmlp.kernels.step.inference import scratch_bytes
from fastmlp.kernels.step.source import addresses_of, entries_of, kind_of, table_of, takes_lists

Arrays = Sequence[Array]
Names = Sequence[str]
Aim = tuple[Array, Callable[[], object], Mapping[str, Array]]


class Predictor:
    """Infers images with one network's arrays: see `fastmlp.backends.Predictor`.

    A layer with a whole number of vectors of outputs is read in place. Others are small, or odd:
    they are copied anew at each call, as their weights may have been written to. The bits depend on
    no number of threads. Up to TILE_ROWS sparse images are summed in another order than more of
    them, so their last bits may differ.
    """

    @quiet
    def __init__(self, weights: Arrays, biases: Arrays, activations: Names, scale: float) -> None:
        # kept alive, also where a list has other items meanwhile
        self.parameters, self.scale = (tuple(weights), tuple(biases)), scale
        dtype, inputs, outputs = weights[0].dtype, len(weights[0]), len(biases[-1])
        self._dtype, self._size = dtype, sum(w.size for w in weights)
        layers = np.zeros(len(weights), records.LAYER)
        # the first layer reads rows of weights by groups
        first = tuning.PANEL_VECTORS if inputs % tuning.GROUP == 0 else 0
        most = [first, *[tuning.TILE_VECTORS] * (len(weights) - 1)]
        placed = map(_place, layers, weights, biases, activations, most)
        self._layers, self._copies = layers, [pair for copies in placed for pair in copies]
        self._table = table_of(scale, dtype)
        self._found = {
            "outputs": aligned_zeros((tuning.TILE_ROWS, outputs), dtype),
            "classes": aligned_zeros((tuning.TILE_ROWS,), np.dtype(np.int64)),
        }
        self._images: dict[np.dtype, tuple[Array, Array]] = {}
        shape = tuning.TILE_ROWS, panels.round_up(inputs, group_shape(inputs)[1])  # zeros behind
        for kind in records.IMAGE_KINDS:
            images = aligned_zeros(shape, kind)
            self._images[kind] = images, addresses_of(images, np.arange(len(images)))
        self._jobs: dict[int, tuple[Array, Array, Any]] = {}
        self._few = self._job_of(1, tuning.TILE_ROWS)
        self._aim: tuple[np.dtype, int] | None = None
        job, own, _ = self._few
        records.point(job, layers=own, **self._found)
        job["layer_count"] = len(layers)
        call, given = symbol("infer_few", dtype), (job.ctypes.data, 0.0)
        # ctypes would convert numbers anew at each call
        arguments = (kind(value) for kind, value in zip(call.argtypes, given, strict=True))
        self._call = partial(call, *arguments)
        self._infer: Callable[[], object] = self._call
        if all(given.flags.c_contiguous for _, given in self._copies):
            where = [(own.ctypes.data, w.ctypes.data, w.nbytes) for own, w in self._copies]
            self._where, job["copy_count"] = np.array(where, np.int64), len(where)
            records.point(job, copies=self._where)
        else:
            self._infer = self._copy_and_call

    def __call__(self, images: Rows, what: str, out: Array, threads: int | None = None) -> None:
        """out = "outputs" `(N, O)` or "classes" `(N,)`, as `what` says, for images `(N, I)`."""
        if len(images) <= tuning.TILE_ROWS and not isinstance(images, SparseRows):
            rows, infer, answers = self._few_of(images.dtype, len(images))
            rows[...] = images
            infer()
            out[...] = answers[what]
            return
        found = self._found[what]
        check_out(what, out, (len(images), *found.shape[1:]), found.dtype, images)
        self._infer_many(images, what, out, threads)

    def single(self, kind: np.dtype) -> Aim:
        """Return (image, infer, answers) for one image: see `backends.Predictor`."""
        return self._few_of(kind, 1)

    def _few_of(self, kind: np.dtype, count: int) -> Aim:
        """Return (images, infer, answers) for so many images, few, of a dtype."""
        if (kind, count) != self._aim:
            (images, addresses), job = self._images[kind], self._few[0]
            job["image_kind"], job["samples"] = records.IMAGE_KINDS[kind], count
            records.point(job, addresses=addresses)
            rows = images[:count, : self._layers["inputs"][0]]
            found = {what: array[:count] for what, array in self._found.items()}
            self._aim, self._aimed = (kind, count), (rows, self._infer, found)
        return self._aimed

    def _copy_and_call(self) -> None:
        self._copy()
        self._call()

    def _copy(self) -> None:
        for own, given in self._copies:
            own[...] = given

    def _infer_many(self, images: Rows, what: str, out: Array, threads: int | None) -> None:
        """Infer by a team, whose buffers are kept for the next call."""
        self._copy()
        tiles = -(-len(images) // tuning.TILE_ROWS)
        members = min(team_size(len(images) * self._size, threads), tiles)
        if members not in self._jobs:
            self._jobs[members] = self._job_of(members, tuning.PART)
        job, layers, _ = self._jobs[members]
        job["batch_size"] = min(tuning.PART, tuning.TILE_ROWS * -(-tiles // members))
        job["samples"], job["outputs"], job["classes"] = len(images), 0, 0
        images_as = kind_of(images, len(self._layers))
        if isinstance(images, SparseRows):
            arrays = entries_of(images, self.scale, self._dtype)
        else:
            images = np.ascontiguousarray(images)
            missing = -images.shape[1] % int(job["block_inputs"][0])
            if images_as == records.BY_GROUP and missing:
                images = np.pad(images, ((0, 0), (0, missing)))
            job["image_kind"] = records.IMAGE_KINDS[images.dtype]
            arrays = {"addresses": addresses_of(images, np.arange(len(images)))}
        job["images_as"] = images_as
        records.point(job, **arrays, **{what: out})
        run("infer", job, layers, members, self._dtype)

    def _job_of(self, members: int, rows: int) -> tuple[Array, Array, Any]:
        """Return the job of a team that takes so many samples in a step, its layers, its memory."""
        job, inputs = np.zeros(1, records.JOB), int(self._layers["inputs"][0])
        lists = takes_lists(rows, inputs)
        size = words_bytes(inputs, self._dtype, lists)
        job["images_as"] = records.BY_IMAGE if lists else records.BY_GROUP  # those that are sparse
        job["scale"], job["words_bytes"], job["batch_size"] = self.scale, size, rows
        job["pair_stride"], job["block_inputs"] = group_shape(inputs)
        records.point(job, table=self._table)
        layers, memory = inference_records(self._layers, members, rows, size, self._dtype)
        scratch = records.private_memory(job, members, scratch_bytes(layers[0], self._dtype))
        return job, layers, (memory, scratch)


def _place(layer: Any, w: Array, b: Array, activation: str, most: int) -> list[tuple[Array, Array]]:
    """Let a layer's record point to w and b themselves, where their rows are whole vectors.

    Else it points to copies with padding; return what is copied at each call: (to, from).
    """
    (inputs, outputs), vector = w.shape, panels.vector_size(w.dtype)
    widths = (tuning.PANEL_VECTORS, tuning.PANEL_VECTORS // 2, 1)
    fits = [n * vector for n in widths if n <= most and outputs % (n * vector) == 0]
    in_place = fits and w.flags.c_contiguous and b.flags.c_contiguous
    width = fits[0] if in_place else panels.panel_width(outputs, w.dtype)
    copies, whole = [], panels.round_up(outputs, width)
    if not in_place:
        padded = aligned_zeros((panels.round_up(inputs, tuning.GROUP) * outputs + whole,), w.dtype)
        padded_b = aligned_zeros((whole,), w.dtype)
        copies = [(padded[: w.size].reshape(w.shape), w), (padded_b[:outputs], b)]
        w, b = padded, padded_b
    layer["inputs"], layer["outputs"] = inputs, outputs
    layer["activation"] = ACTIVATIONS[activation].code
    layer["width"], layer["panels"] = width, whole // width
    layer["w_row"], layer["w_panel"] = outputs, width
    records.point(layer, w=w, b=b)
    return copies
