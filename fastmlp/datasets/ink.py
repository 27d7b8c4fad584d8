"""The ink of a picture: how much of it is in each pixel, without specks, lines and surroundings."""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Array
from fastmlp.datasets.paper import find_sheet, is_light_on_dark, local_paper
from fastmlp.datasets.raster import reduce, resize
from fastmlp.datasets.windows import label, largest, mean

SMALL = 64  # pixels a side of the picture in which paper is found
CERTAIN = 3.5  # deviations of the smoothed paper that ink differs from it at least
EDGE = 0.35  # share of full ink above which a pixel belongs to a stroke
SPECK = 0.05  # share of the largest part below which a part is a speck


def find_ink(grey: Array) -> tuple[Array, Array, bool]:
    """Return the share of ink in each pixel, 0 to 1, the parts' numbers, and whether it is light."""
    small = reduce(grey, SMALL)
    on_sheet = find_sheet(small)
    light = is_light_on_dark(small, on_sheet)
    if light:
        grey, small = 255 - grey, 255 - small
    paper = resize(local_paper(small, on_sheet), grey.shape)
    rows, columns = (np.arange(n) * m // n for n, m in zip(grey.shape, small.shape, strict=True))
    sheet = on_sheet[rows][:, columns]
    depth = np.where(sheet, paper - grey, 0)
    if not light:
        depth = depth / np.maximum(paper, 16)
    size = max(grey.shape)
    smooth = mean(mean(depth, 1), 0 if size < 100 else 1)
    # what is brighter than the paper is noise; what is darker, noise and ink
    brighter = smooth[sheet & (smooth <= 0)]
    spread = 1.4826 * float(np.median(-brighter)) if brighter.size else 0.0
    least = CERTAIN * spread + 1e-3
    kept, full = np.zeros_like(sheet), 0.0
    for _ in range(2):
        numbers, count = label(smooth > max(least, EDGE * full))
        if not count:
            break
        kept = _choose(numbers, smooth)
        full = float(np.quantile(smooth[kept], 0.8))
    if not full:
        return np.zeros(grey.shape), np.zeros(grey.shape, int), light
    near = largest(kept, 1)
    share = np.where(near, depth / full, 0).clip(0, 1)
    return share, kept, light


def _choose(numbers: Array, smooth: Array) -> Array:
    """Return the mask of the parts that are the digit."""
    sizes = np.bincount(numbers.ravel(), smooth.ravel().clip(0))
    sizes[0] = 0
    border = np.bincount(np.concatenate([numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]]), minlength=len(sizes))
    inside = np.where(border > 0, 0, sizes)
    if inside.max() > 0.1 * sizes.max():
        sizes = inside
    return (sizes > SPECK * sizes.max())[numbers]
