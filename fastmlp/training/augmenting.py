"""The augmented images of a run: made anew for each step, from its epoch and its samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.arrays import Array, Rows
from fastmlp.backends import Backend
from fastmlp.errors import refuse
from fastmlp.functions.augmentation import Augmentation, draw_changes, draw_fields

# Bytes of images made at once, at least those of a step: 30,720 of MNIST's. Each time takes about
# 0.2 ms (AMD Zen 5). They are written past the caches: fewer at once would not be read sooner
MADE_BYTES = 30720 * 784


class Augmenter:
    """Makes the images that the steps of a run train on.

    images : `(N, I)`, square and uint8; batch_size : at most N
    generator : gives the key of all random numbers; threads : as of `train`
    most_steps : for how many steps it makes images at once

    Raises ArgumentError if `augmentation` is none, or if these images cannot be changed.
    """

    def __init__(
        self,
        augmentation: Augmentation,
        images: Rows,
        batch_size: int,
        generator: np.random.Generator,
        backend: Backend,
        threads: int | None,
    ) -> None:
        given: object = augmentation
        if not isinstance(given, Augmentation):
            remedy = "Pass Augmentation(shift=2), for example."
            raise refuse("augment", "must be an Augmentation", repr(given), remedy)
        self.side = augmentation.check_images(images)
        self.augmentation, self.backend, self.threads = augmentation, backend, threads
        self.most_steps = max(1, MADE_BYTES // (images.shape[1] * batch_size))
        self._key = int(generator.integers(2**64, dtype=np.uint64))
        rows = min(self.most_steps * batch_size, len(images))
        self._out = np.empty((rows, images.shape[1]), np.uint8)
        self._epoch = -1

    def __call__(self, images: Any, order: Array, epoch: int) -> Array:
        """Return the images of an order of samples in an epoch, until the next call."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._fields = draw_fields(self.augmentation, self._key, epoch, self.side)
        changes = draw_changes(self.augmentation, self._key, epoch, order, self._fields)
        out = self._out[: len(order)]
        self.backend.augment(images, order, changes, out, self.threads)
        return out
