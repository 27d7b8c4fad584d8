"""Inference with one network: weights are read in place if possible, and buffers are kept."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from weakref import ref

import numpy as np

from fastmlp.arrays import Array, Rows, SparseRows, check_out, quiet
from fastmlp.kernels.launch import alone, prepare, run, team_size
from fastmlp.kernels.loops.bits import list_bytes, words_bytes
from fastmlp.kernels.memory import panels, records, tuning
from fastmlp.kernels.step.images import addresses_of, entries_of, is_sparse, table_of
from fastmlp.kernels.step.inference import scratch_bytes

Arrays = tuple[Array, ...]
Names = tuple[str, ...]
# The predictors that nobody is using: the last one used is the last
_idle: list[Predictor] = []
MOST_IDLE = 8


def infer(
    weights: Sequence[Array],
    biases: Sequence[Array],
    activations: Sequence[str],
    images: Rows,
    a: Array,
    scale: float = 1.0,
    threads: int | None = None,
) -> None:
    """a = the network's outputs `(N, O)`: see `fastmlp.backends.Backend`.

    The bits depend on no number of threads. Up to TILE_ROWS sparse images are summed in another
    order than more of them, so their last bits may differ.
    """
    if len(images) > tuning.TILE_ROWS:
        check_out("a", a, (len(images), len(biases[-1])), weights[0].dtype, images)
    _predict(weights, biases, activations, scale, images, "outputs", a, threads)


def classify(
    weights: Sequence[Array],
    biases: Sequence[Array],
    activations: Sequence[str],
    images: Rows,
    classes: Array,
    scale: float = 1.0,
    threads: int | None = None,
) -> None:
    """classes int64 `(N,)` = what the outputs of `infer` name; classes is overwritten."""
    if len(images) > tuning.TILE_ROWS:
        check_out("classes", classes, (len(images),), np.dtype(np.int64), images)
    _predict(weights, biases, activations, scale, images, "classes", classes, threads)


def _predict(
    weights: Any, biases: Any, activations: Any, scale: float, images: Rows, *how: Any
) -> None:
    """Let a predictor infer images: see `Predictor.__call__` for `how`.

    Each running call owns a predictor; other threads, and signal handlers, take or make another. So
    no lock is needed, also where the process forks. MOST_IDLE are kept, so networks that take turns
    cost what one costs.
    """
    network = tuple(weights), tuple(biases), tuple(activations), scale  # kept alive until this ends
    predictor = _take(*network) or Predictor(*network)
    predictor(images, *how)
    # not reached after an exception, which may have left its buffers half written
    _idle.append(predictor)
    del _idle[:-MOST_IDLE]


def _take(*network: Any) -> Predictor | None:
    """Return a predictor of this network that nobody else can take until it is idle again."""
    for predictor in reversed(_idle.copy()):
        if predictor.serves(*network):
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

    most = tuning.TILE_ROWS

    @quiet
    def __init__(self, weights: Arrays, biases: Arrays, activations: Names, scale: float) -> None:
        self.parameters = [ref(array, _drop_collected) for array in (*weights, *biases)]
        # valid as long as the arrays: a predictor is dropped with them
        self._own = tuple(map(id, (*weights, *biases)))
        self.activations, self.scale = activations, scale
        dtype, inputs, outputs = weights[0].dtype, len(weights[0]), len(biases[-1])
        self._dtype, self._size = dtype, sum(w.size for w in weights)
        prepare(dtype)
        layers, arrays = records.network_layers(weights, biases, activations)
        self._layers, self._arrays = layers, arrays
        # the first layer reads weights in pairs of rows
        first = tuning.PANEL_VECTORS if inputs % 2 == 0 else 0
        most = [first] + [tuning.TILE_VECTORS] * (len(weights) - 1)
        # what has to be copied at each call: (where to, from where), views of arrays all of them
        self._copies: list[tuple[Array, Array]] = []
        for layer, own, w, b, vectors in zip(layers, arrays, weights, biases, most, strict=True):
            if not _read_in_place(layer, w, b, vectors):
                w, b = np.asarray(_Memory(w)), np.asarray(_Memory(b))
                self._copies += [*panels.panel_views(own["w"], w), (own["b"][: len(b)], b)]
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
        self._record, self._aim, self._images_as = self._few[0], (np.dtype(object), 0, ""), 0
        records.point(self._few, **self._found)
        is_listed = inputs <= 2 * tuning.MOST_LISTED
        self._sparse_few = records.BY_IMAGE if is_listed else records.BY_PAIR
        size = list_bytes(inputs, 1, dtype) if is_listed else words_bytes(inputs)
        self._few["words_bytes"] = size
        self._infer = alone("infer", self._few, layers, dtype)

    def serves(self, weights: Arrays, biases: Arrays, activations: Names, scale: float) -> bool:
        """Return whether these very arrays are this predictor's."""
        if id(weights[0]) != self._own[0]:  # soon: others may be asked before this one
            return False
        own = tuple(map(id, (*weights, *biases)))
        return own == self._own and scale == self.scale and activations == self.activations

    def __call__(self, images: Rows, what: str, out: Array, threads: int | None = None) -> None:
        """out = "outputs" `(N, O)` or "classes" `(N,)`, as `what` says, for images `(N, I)`."""
        if isinstance(images, SparseRows):
            self._infer_many(images, records.BY_ENTRY, what, out, threads)
        elif len(images) <= tuning.TILE_ROWS:
            out[...] = self.few(images, what)
        else:
            sparse = len(self._layers) > 1 and is_sparse(images)
            images_as = records.BY_PAIR if sparse else records.DENSE
            self._infer_many(images, images_as, what, out, threads)

    def few(self, images: Array, what: str) -> Array:
        """Return what `__call__` writes, of `most` images or fewer: see `backends.Predictor`."""
        aim = images.dtype, len(images), what
        if aim != self._aim:
            self._aim_at(*aim)
        self._rows[...] = images
        for target, source in self._copies:
            target[...] = source
        # as `is_sparse`; ints, as NumPy compares its own with floats slowly
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
        record["addresses"], record["image_kind"] = addresses.ctypes.data, records.IMAGE_KINDS[kind]
        record["samples"] = count
        record["classes"] = self._answers.ctypes.data if what == "classes" else 0
        self._aim = kind, count, what

    def _infer_many(
        self, images: Rows, images_as: int, what: str, out: Array, threads: int | None
    ) -> None:
        """Infer by a team, whose buffers are kept for the next call."""
        for target, source in self._copies:
            target[...] = source
        tiles = -(-len(images) // tuning.TILE_ROWS)
        members = min(team_size(len(images) * self._size, threads), tiles)
        job = self._job_of(members)
        job["samples"], job["classes"], job["images_as"] = len(images), 0, images_as
        if isinstance(images, SparseRows):
            arrays = entries_of(images, self.scale, self._dtype)
        else:
            images = np.ascontiguousarray(images)
            if images_as == records.BY_PAIR and images.shape[1] % 2:
                images = np.pad(images, ((0, 0), (0, 1)))
            job["image_kind"] = records.IMAGE_KINDS[images.dtype]
            arrays = {"addresses": addresses_of(images)}
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
