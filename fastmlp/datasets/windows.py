"""Filters of a picture `(H, W)` over square windows, and the connected parts of a mask."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from fastmlp.arrays import Array


def mean(picture: Array, radius: int) -> Array:
    """Return the mean over the (2 radius + 1)² pixels around each; edges are repeated."""
    for axis in (0, 1):
        padded = _pad(picture, radius + 1, radius, axis)
        sums = np.cumsum(padded, axis=axis, dtype=np.float64)
        size = picture.shape[axis]
        ends = np.take(sums, range(2 * radius + 1, 2 * radius + 1 + size), axis)
        picture = (ends - np.take(sums, range(size), axis)) / (2 * radius + 1)
    return picture


def largest(picture: Array, radius: int) -> Array:
    """Return the largest value, or for a mask any, of the (2 radius + 1)² pixels around each."""
    for axis in (0, 1):
        padded = _pad(picture, radius, radius, axis)
        picture = sliding_window_view(padded, 2 * radius + 1, axis).max(axis=-1)
    return picture


def closing(picture: Array, radius: int) -> Array:
    """Return the picture with everything dark that is narrower than the window filled."""
    return -largest(-largest(picture, radius), radius)


def _pad(picture: Array, before: int, after: int, axis: int) -> Array:
    widths = [(0, 0), (0, 0)]
    widths[axis] = (before, after)
    return np.pad(picture, widths, mode="edge")


def label(mask: Array) -> tuple[Array, int]:
    """Return the number of each pixel's part, from 1, int `(H, W)`, 0 outside the mask; the count.

    Pixels that touch at an edge or a corner are of one part. Parts are numbered from the top.
    """
    height, width = mask.shape
    flat = np.zeros((height, width + 2), np.int8)
    flat[:, 1:-1] = mask
    change = np.diff(flat.ravel())
    starts, stops = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    # each run of a row touches the runs of the next row from `first` up to `last`
    below = width + 2
    first = np.searchsorted(stops, starts + below, "left")
    last = np.searchsorted(starts, stops + below, "right")
    counts = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(starts)), counts)
    lower = np.arange(len(upper)) + np.repeat(first - np.cumsum(counts) + counts, counts)
    roots = _join(len(starts), upper, lower)
    kept, numbers = np.unique(roots, return_inverse=True)
    marks = np.zeros(height * below + 1, np.int64)
    marks[starts + 1] += numbers + 1
    marks[stops + 1] -= numbers + 1
    return np.cumsum(marks)[:-1].reshape(height, below)[:, 1:-1], len(kept)


def _join(count: int, one: Array, other: Array) -> Array:
    """Return the smallest index that is connected with each of `count`, by pairs of indices."""
    root = np.arange(count)
    while True:
        a, b = root[one], root[other]
        if (a == b).all():
            return root
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while (root[root] != root).any():
            root = root[root]


def span(mask: Array) -> Array:
    """Return the mask with all pixels that have some of it on both sides, in a row or a column."""
    sides = [
        np.logical_or.accumulate(mask, axis) & np.logical_or.accumulate(mask[flip], axis)[flip]
        for axis, flip in ((0, np.s_[::-1]), (1, np.s_[:, ::-1]))
    ]
    return sides[0] | sides[1]
