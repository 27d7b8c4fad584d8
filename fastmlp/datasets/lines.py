"""The lines of ruled paper: found by quantiles of rows, and replaced by what is beside them."""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Array

SMALLEST = 100  # rows, below which lines cannot be told from strokes
ACROSS = 0.8  # share of the picture's width that a line has at least
SLOPES = np.linspace(-0.05, 0.05, 21)  # of the lines, in rows for each column
THICKEST = 0.025  # share of the picture's height; strokes are thicker
LEAST_LINES = 2  # one could be the foot of a 2


def remove_lines(depth: Array) -> Array:
    """Return the depth of ink `(H, W)` without lines that run across the picture.

    A line is where most of a row, along some slope, is darker than the rows around.
    Its pixels become the mean of what is above and below it, so that strokes go on.
    """
    height, width = depth.shape
    if min(height, width) < SMALLEST:
        return depth
    columns = np.arange(width)
    few = np.arange(0, width, 4)

    def shifts(slope: float, columns: Array) -> Array:
        return np.asarray(np.rint(slope * (columns - width / 2)), int)

    def level_of(slope: float) -> Array:
        rows = np.arange(height)[:, np.newaxis] + shifts(slope, few)
        return np.asarray(
            np.quantile(depth[rows.clip(0, height - 1), few], 1 - ACROSS, axis=1).clip(0)
        )

    levels = [level_of(slope) for slope in SLOPES]
    best = int(np.argmax([(level**2).sum() for level in levels]))
    level, shift = levels[best], shifts(SLOPES[best], columns)
    noise = 1.4826 * float(np.median(abs(level - np.median(level))))
    on_line = level > np.median(level) + max(6 * noise, 0.02)
    change = np.diff(np.concatenate([[0], on_line.astype(int), [0]]))
    starts, stops = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    most = 2 + round(THICKEST * height)
    thin = stops - starts <= most
    if thin.sum() < LEAST_LINES:
        return depth
    result = depth.copy()
    for start, stop in zip(starts[thin], stops[thin], strict=True):
        above, below = (np.clip(at + shift, 0, height - 1) for at in (start - 2, stop + 1))
        bridge = (depth[above, columns] + depth[below, columns]) / 2
        for row in range(start - 1, stop + 1):
            at = np.clip(row + shift, 0, height - 1)
            result[at, columns] = np.minimum(result[at, columns], bridge)
    return result
