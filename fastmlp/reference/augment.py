"""Augmentation in NumPy: square images, moved and interpolated by given changes."""

from __future__ import annotations

from math import isqrt

import numpy as np

from fastmlp.arrays import Array
from fastmlp.functions.augmentation import BITS, ONE, WEIGHT_BITS, Changes

ROWS = 256  # images at once: bounds the memory


def augment(
    images: Array, order: Array, changes: Changes, out: Array, threads: int | None = None
) -> None:
    """out = images[order], changed: see `fastmlp.backends.Backend`."""
    side = isqrt(images.shape[1])
    for start in range(0, len(order), ROWS):
        rows = slice(start, start + ROWS)
        x, y = _sources(changes.maps[rows], changes.picks[rows], changes.fields, side)
        out[rows] = _interpolate(images[order[rows]], x, y).reshape(-1, side * side)


def _sources(maps: Array, picks: Array, fields: Array, side: int) -> tuple[Array, Array]:
    """Return where pixels come from: x and y `(n, S, S)`, int64, in units of 2^-16 pixels."""
    column, row = np.arange(side), np.arange(side)[:, None]
    m = maps.T[:, :, None, None]
    x, y = m[0] * column + m[1] * row + m[2], m[3] * column + m[4] * row + m[5]
    if len(fields):
        x, y = x + fields[picks[:, 0]], y + fields[picks[:, 1]]
    return x, y


def _interpolate(images: Array, x: Array, y: Array) -> Array:
    """Return what images `(n, S * S)` have at x and y, uint8 `(n, S, S)`.

    With f and g, the parts of x and y behind the point: the sum of
    (1 - f) (1 - g), f (1 - g), (1 - f) g and f g times the four pixels around.
    """
    side, one = x.shape[1], 1 << WEIGHT_BITS
    # with zeros around: at -1 and at S all four pixels are 0, and so they are beyond
    image = np.pad(images.reshape(-1, side, side), ((0, 0), (1, 2), (1, 2))).astype(np.int64)
    x, y = np.clip(x, -ONE, side * ONE), np.clip(y, -ONE, side * ONE)
    j, i, k = (x >> BITS) + 1, (y >> BITS) + 1, np.arange(len(images))[:, None, None]
    f, g = (v >> (BITS - WEIGHT_BITS) & (one - 1) for v in (x, y))
    above = (one - f) * image[k, i, j] + f * image[k, i, j + 1]
    under = (one - f) * image[k, i + 1, j] + f * image[k, i + 1, j + 1]
    # rounded to the nearest
    total = (one - g) * above + g * under + one * one // 2
    return np.asarray(total >> (2 * WEIGHT_BITS), np.uint8)
