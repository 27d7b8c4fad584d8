"""A data set's images in code: whether they are sparse enough, and the codes of all of them."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.kernels.codes import MOST_INPUTS
from fastmlp.kernels.launch import run
from fastmlp.kernels.records import ENCODE, JOB, LAYER

# The share of nonzero pixels below which the sparse phases are the faster ones
SPARSE_BELOW = 0.4
SAMPLED = 256


def density(images: Array) -> float:
    """Return the share of nonzero values in images `(N, I)`, by a sample of rows."""
    sample = images[:: max(1, len(images) // SAMPLED)]
    return float(np.count_nonzero(sample)) / max(1, sample.size)


def is_sparse(images: Array) -> bool:
    """Return whether images `(N, I)` are pixels of which few are not zero."""
    fits = images.dtype == np.uint8 and images.shape[1] <= MOST_INPUTS
    return fits and density(images) < SPARSE_BELOW


class Encoded:
    """The codes of images `(N, I)`, one behind the other, at `offsets` bytes.

    There are none, and `sparse` is False, where the images are dense, or not `wanted` sparse.
    """

    def __init__(self, images: Array, wanted: bool, threads: int) -> None:
        self.images, self.density = images, density(images)
        self.sparse = wanted and is_sparse(images)
        if not self.sparse:
            return
        self.offsets = np.zeros(len(images) + 1, np.int64)
        job = np.zeros(1, JOB)
        job["kind"], job["samples"], job["inputs"] = ENCODE, len(images), images.shape[1]
        job["images"], job["offsets"] = images.ctypes.data, self.offsets.ctypes.data
        none = np.zeros(0, LAYER)
        run(job, none, threads, np.dtype(np.float32))
        np.cumsum(self.offsets, out=self.offsets)
        self.code = np.empty(self.offsets[-1], np.uint8)
        job["code"] = self.code.ctypes.data
        run(job, none, threads, np.dtype(np.float32))
