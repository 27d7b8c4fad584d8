"""Inference with one network: weights are read in place if possible, in buffers that are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fastmlp.arrays import Array, Rows, SparseRows, check_out, quiet
from fastmlp.kernels.launch import alone, prepare, run, team_size
from fastmlp.kernels.loops.bits import list_bytes, words_bytes
from fastmlp.kernels.memory import panels, records, tuning
from fastmlp.kernels.step.images import addresses_of, entries_of, is_sparse, table_of
from fastmlp.kernels.step.inference import scratch_bytes

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
        prepare(dtype)
        layers, _ = records.network_layers(weights, biases, activations)
        # the first layer reads weights in pairs of rows
        first = tuning.PANEL_VECTORS if inputs % 2 == 0 else 0
        most = [first, *[tuning.TILE_VECTORS] * (len(weights) - 1)]
        placed = map(_place, layers, weights, biases, most)
        self._layers, self._copies = layers, [pair for copies in placed for pair in copies]
        layers["a_panel"] = layers["width"]
        layers["a_row"] = [panels.row_stride(n, dtype) for n in layers["panels"] * layers["width"]]
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
        self._jobs: dict[int, tuple[Array, Array]] = {}
        self._few = np.array(self._job_of(1))
        self._aim: tuple[np.dtype, int] | None = None
        records.point(self._few, layers=layers, **self._found)
        is_listed = inputs <= 2 * tuning.MOST_LISTED
        size = list_bytes(inputs, 1, dtype) if is_listed else words_bytes(inputs)
        self._few["words_bytes"], self._few["layer_count"] = size, len(layers)
        self._call = self._infer = alone("infer_few", self._few, dtype)
        if all(given.flags.c_contiguous for _, given in self._copies):
            where = [(own.ctypes.data, w.ctypes.data, w.nbytes) for own, w in self._copies]
            self._where, self._few["copy_count"] = np.array(where, np.int64), len(where)
            records.point(self._few, copies=self._where)
        else:
            self._infer = self._copy_and_call

    def __call__(self, images: Rows, what: str, out: Array, threads: int | None = None) -> None:
        """out = "outputs" `(N, O)` or "classes" `(N,)`, as `what` says, for images `(N, I)`."""
        if len(images) <= tuning.TILE_ROWS and not isinstance(images, SparseRows):
            rows, infer, answers = self.single(images.dtype, len(images))
            rows[...] = images
            infer()
            out[...] = answers[what]
            return
        found = self._found[what]
        check_out(what, out, (len(images), *found.shape[1:]), found.dtype, images)
        self._infer_many(images, what, out, threads)

    def single(self, kind: np.dtype, count: int = 1) -> Aim:
        """Return (images, infer, answers) for few images: see `backends.Predictor`."""
        if (kind, count) != self._aim:
            (images, addresses), job = self._images[kind], self._few
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
        job = self._job_of(members)
        job["samples"], job["outputs"], job["classes"] = len(images), 0, 0
        if isinstance(images, SparseRows):
            images_as, arrays = records.BY_ENTRY, entries_of(images, self.scale, self._dtype)
        else:
            images, sparse = np.ascontiguousarray(images), len(self._layers) > 1
            images_as = records.BY_PAIR if sparse and is_sparse(images) else records.DENSE
            if images_as == records.BY_PAIR and images.shape[1] % 2:
                images = np.pad(images, ((0, 0), (0, 1)))
            job["image_kind"] = records.IMAGE_KINDS[images.dtype]
            arrays = {"addresses": addresses_of(images)}
        job["images_as"] = images_as
        records.point(job, **arrays, **{what: out})
        run("infer", job, self._layers, members, self._dtype)

    def _job_of(self, members: int) -> Array:
        """Return the job of a team of so many members."""
        if members not in self._jobs:
            job, inputs = np.zeros(1, records.JOB), int(self._layers["inputs"][0])
            job["scale"], job["words_bytes"] = self.scale, words_bytes(inputs)
            job["x_row"] = panels.row_stride(inputs, self._dtype)
            records.point(job, table=self._table)
            memory = records.private_memory(job, members, scratch_bytes(self._layers, self._dtype))
            self._jobs[members] = job, memory
        return self._jobs[members][0]


def _place(layer: Array, w: Array, b: Array, most: int) -> list[tuple[Array, Array]]:
    """Let a layer's record point to w and b themselves, where their rows are whole vectors.

    Else it points to copies with padding; return what is copied at each call: (to, from).
    """
    (inputs, outputs), vector = w.shape, panels.vector_size(w.dtype)
    widths = (tuning.PANEL_VECTORS, tuning.PANEL_VECTORS // 2, 1)
    fits = [n * vector for n in widths if n <= most and outputs % (n * vector) == 0]
    copies = []
    if fits and w.flags.c_contiguous and b.flags.c_contiguous:
        layer["width"], layer["panels"] = fits[0], outputs // fits[0]
    else:
        whole = int(layer["panels"] * layer["width"])
        padded = panels.aligned_zeros((panels.round_up(inputs, 2) * outputs + whole,), w.dtype)
        padded_b = panels.aligned_zeros((whole,), w.dtype)
        copies = [(padded[: w.size].reshape(w.shape), w), (padded_b[:outputs], b)]
        w, b = padded, padded_b
    layer["w_row"], layer["w_panel"] = outputs, layer["width"]
    records.point(layer, w=w, b=b)
    return copies
