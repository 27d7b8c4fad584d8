"""How a network's first layer takes a data set's images: whether they are sparse, and then how."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.kernels.codes import MOST_INPUTS
from fastmlp.kernels.launch import run
from fastmlp.kernels.records import CODES, DENSE, ENCODE, JOB, LAYER, MASKS

# The share of nonzero pixels below which the sparse phases are the faster ones
SPARSE_BELOW = 0.4
# How many rows are looked at to say how sparse images are, and to choose
SAMPLED, GLANCED_AT = 256, 64
# The size of a minibatch from which on masks are faster than codes
MASKS_PAY = 16


def density(images: Array, rows: int = SAMPLED) -> float:
    """Return the share of nonzero values in images `(N, I)`, by a sample of so many rows."""
    sample = images[:: max(1, len(images) // rows)]
    return float(np.count_nonzero(sample)) / max(1, sample.size)


def is_sparse(images: Array) -> bool:
    """Return whether images `(N, I)` are pixels of which few are not zero."""
    fits = images.dtype == np.uint8 and images.shape[1] <= MOST_INPUTS
    return fits and density(images, GLANCED_AT) < SPARSE_BELOW


def even_rows(images: Array) -> Array:
    """Return images `(N, I)` with an even number of pixels: if need be, a copy with one zero more.

    Masks are of pairs, whose pixels are read in place.
    """
    return np.pad(images, ((0, 0), (0, 1))) if images.shape[1] % 2 else images


class Inputs:
    """The images `(N, I)` of a data set as the first layer takes them.

    kind : DENSE; or, where they are sparse and that is `wanted`, MASKS for large minibatches
        and steps on all weights, otherwise CODES
    images : as they are read; codes : of all images, one behind the other, at `offsets` bytes
    """

    def __init__(self, source: Array, wanted: bool, masks: bool, threads: int) -> None:
        self.source = self.images = source
        self.density, self.kind = density(source), DENSE
        if wanted and is_sparse(source):
            self.kind = MASKS if masks else CODES
        self.codes, self.offsets = np.zeros(0, np.uint8), np.zeros(len(source) + 1, np.int64)
        if self.kind == MASKS:
            self.images = even_rows(source)
        elif self.kind == CODES:
            self._encode(threads)

    def _encode(self, threads: int) -> None:
        """Write the codes: once to see how long they are."""
        job, none = np.zeros(1, JOB), np.zeros(0, LAYER)
        job["kind"], job["samples"] = ENCODE, len(self.source)
        job["inputs"] = job["image_row"] = self.source.shape[1]
        job["images"], job["offsets"] = self.source.ctypes.data, self.offsets.ctypes.data
        run(job, none, threads, np.dtype(np.float32))
        np.cumsum(self.offsets, out=self.offsets)
        self.codes = np.empty(self.offsets[-1], np.uint8)
        job["code"] = self.codes.ctypes.data
        run(job, none, threads, np.dtype(np.float32))
