"""What a first layer reads: images or sparse rows, how it takes them, and where they lie."""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Array, Rows, SparseRows, density
from fastmlp.errors import refuse
from fastmlp.functions.dropout import INPUTS, Dropout
from fastmlp.kernels.memory import records, tuning
from fastmlp.kernels.memory.buffers import BYTES, set_dropout
from fastmlp.kernels.memory.panels import round_up


def kind_of(images: Rows, layers: int, lists: bool = False) -> int:
    """Return how the first of so many layers takes images; `lists` : sparse ones one by one.

    Images are sparse if they are bytes of which few are not zero, and there is a hidden layer.
    """
    if isinstance(images, SparseRows):
        return records.BY_ENTRY
    is_sparse = images.dtype == BYTES and density(images, tuning.GLANCED_AT) < tuning.SPARSE_BELOW
    if layers == 1 or not is_sparse:
        return records.DENSE
    return records.BY_IMAGE if lists else records.BY_GROUP


def takes_lists(samples: int, inputs: int) -> bool:
    """Return whether so many sparse images at a time are taken one by one, and not by groups."""
    return samples < tuning.BY_GROUP_FROM and inputs <= 2 * tuning.MOST_LISTED


def table_of(scale: float, dtype: np.dtype) -> Array:
    """Return scale times each value of a byte `(256,)`."""
    return np.asarray((scale * np.arange(256)).astype(dtype))


def addresses_of(images: Array, order: Array, more: int = 3 * tuning.PART) -> Array:
    """Return the addresses of images `(N, I)` in an order, then `more` copies of the first image's.

    A part always reads PART addresses, and a prefetch those of a whole minibatch, even if fewer
    samples are left.
    """
    count, first = len(order), images.ctypes.data
    addresses = np.empty(count + more, np.int64)
    np.multiply(order, images.strides[0], out=addresses[:count], dtype=np.int64)
    addresses[:count] += first
    addresses[count:] = first
    return addresses


def entries_of(
    rows: SparseRows, scale: float, dtype: np.dtype, order: Array | None = None
) -> dict[str, Array]:
    """Return what a job reads of sparse rows, in an order, in the precision of the network."""
    values = rows.values if scale == 1 else rows.values * scale
    begins, ends = rows.starts[:-1], rows.starts[1:]
    if order is not None:
        begins, ends = begins[order], ends[order]
    values = np.ascontiguousarray(values, dtype)
    return {"begins": begins, "ends": ends, "columns": rows.columns, "values": values}


class Orders:
    """Epochs one behind the other, each padded to whole minibatches if another one follows.

    order : int64 `(samples,)`, of all epochs; weight : of these samples, or None
    steps : minibatches of an epoch; short : the size of its last one if that is padded, else 0
    """

    def __init__(self, orders: Array, batch_size: int, count: int, weight: Array | None) -> None:
        """Take `count` minibatches of the samples whose indices are given, `(epochs, samples)`.

        weight : of each sample of the data set, or None
        """
        (self._epochs, samples), self._batch = orders.shape, batch_size
        self.steps = max(1, count // self._epochs)
        last = samples - (self.steps - 1) * batch_size
        self.short = last if self._epochs > 1 and last < batch_size else 0
        self._sizes = np.full(count, batch_size)
        self._sizes[self.steps - 1 :: self.steps] = last
        if self.short:
            orders = np.pad(orders, ((0, 0), (0, batch_size - last)))
        self.order = np.ascontiguousarray(orders.ravel(), np.int64)
        self.weight = None if weight is None else weight[self.order].astype(np.float64)

    def factors(self, steps: Array, dtype: np.dtype) -> Array:
        """Return the factor of each sample's delta: step / B, or step w / sum(w) of its batch.

        PART zeros follow, as whole vectors are read.
        """
        batch, samples = self._batch, len(self.order)
        factors = np.zeros(samples + tuning.PART, dtype)
        if self.weight is None:
            each = (steps / self._sizes).astype(dtype)
            factors[:samples] = np.repeat(each, batch)[:samples]
            return factors
        # without padding: zeros change the order of a sum
        first = np.arange(len(self._sizes)) * batch
        ends = (first, first + self._sizes) if self.short else (first,)
        sums = np.add.reduceat(self.weight, np.stack(ends, axis=1).ravel())[:: len(ends)]
        shares = self.weight / np.repeat(np.where(sums == 0, 1, sums), batch)[:samples]
        factors[:samples] = np.repeat(steps, batch)[:samples] * shares
        return factors

    def sums(self, totals: Array) -> tuple[Array, Array]:
        """Return the sums of costs of each minibatch, and of hits of each epoch."""
        right = totals[:, 1].reshape(self._epochs, -1).sum(axis=1)
        return totals[:, 0].copy(), right.astype(np.int64) if self.weight is None else right


class Source:
    """The images that an engine trains on: sets the fields of its job that say how to take them."""

    def __init__(self, job: Array, dtype: np.dtype, dropout: Dropout | None) -> None:
        self._job, self._dtype = job, dtype
        self._drops = dropout if set_dropout(job, INPUTS, dropout) else None

    def take(
        self, images: Rows, order: Array, scale: float, augmented: Array | None
    ) -> tuple[Rows, dict[str, Array]]:
        """Return what is read of images `(N, I)` in an order, and the arrays of the job.

        augmented : other images, one for each index of the order
        """
        is_dense, where = self._job["images_as"] == records.DENSE, order
        # dense images are scaled by dropout itself
        self._job["scale"] = scale if is_dense else scale * self._job["drop_scale"]
        if augmented is not None:
            shape = len(order), images.shape[1]
            if augmented.shape != shape or isinstance(images, SparseRows):
                remedy = "Pass an image for each index of the order, and no sparse rows."
                raise refuse("augmented", f"must have shape {shape}", augmented.shape, remedy)
            images, where = np.ascontiguousarray(augmented, images.dtype), np.arange(len(order))
        if isinstance(images, SparseRows):
            if self._drops is None:
                return images, entries_of(images, scale, self._dtype, order)
            rows = images[order]
            samples = int(self._job["first_sample"][0]) + np.arange(len(rows))
            units = np.repeat(samples, np.diff(rows.starts)), rows.columns
            values = rows.values * self._drops.factors_of(INPUTS, *units, self._dtype)
            return images, entries_of(rows.with_values(values), scale, self._dtype)
        lists = self._job["images_as"] == records.BY_IMAGE and self._drops is None
        missing = -images.shape[1] % (2 if lists else int(self._job["block_inputs"][0]))
        if not is_dense and missing:
            if len(order) < len(images):
                images, where = images[order], np.arange(len(order))
            images = np.pad(images, ((0, 0), (0, missing)))
        self._job["image_kind"] = records.IMAGE_KINDS[images.dtype]
        # prefetched behind the last minibatch
        more = 3 * round_up(int(self._job["batch_size"][0]), tuning.PART)
        return images, {"addresses": addresses_of(images, where, more)}
