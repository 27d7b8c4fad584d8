"""The ink of a picture: how much of it is in each pixel, without specks, lines and surroundings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastmlp.arrays import Array
from fastmlp.datasets.lines import remove_lines
from fastmlp.datasets.paper import find_sheet, is_light_on_dark, local_paper
from fastmlp.datasets.raster import reduce, resize
from fastmlp.datasets.windows import label, largest, mean

SMALL = 64  # pixels a side of the picture in which paper is found
CERTAIN = 3.5  # deviations of the smoothed paper that ink differs from it at least
FAINTEST = 0.02  # share of the light that is no ink
EDGE = 0.35  # share of full ink above which a pixel belongs to a stroke
SPECK = 0.05  # share of the largest part below which a part is a speck


@dataclass(frozen=True)
class Ink:
    """The share of ink in each pixel, `(H, W)`, 0 to 1, and whether ink is lighter than paper."""

    share: Array
    light: bool


def find_ink(grey: Array) -> Ink | None:
    """Return the ink of a picture of 0 to 255, `(H, W)`; None if nothing differs from the paper."""
    small = reduce(grey, SMALL)
    on_sheet = find_sheet(small)
    light = is_light_on_dark(small, on_sheet)
    if light:
        grey, small = 255 - grey, 255 - small
    paper = resize(local_paper(small, on_sheet), grey.shape)
    rows, columns = (np.arange(n) * m // n for n, m in zip(grey.shape, small.shape, strict=True))
    sheet = on_sheet[rows][:, columns]
    # dark ink takes a share of the light that its paper has; light ink does not depend on its paper
    depth = np.where(sheet, paper - grey, 0) / (255 if light else np.maximum(paper, 16))
    size = max(grey.shape)
    edge = sheet & largest(np.pad(~sheet, 1, constant_values=True), 1)[1:-1, 1:-1]
    depth = remove_lines(remove_lines(depth).T).T
    smooth = mean(mean(depth, 1), 0 if size < 100 else 1)
    # what is brighter than the paper is noise; what is darker, noise and ink
    brighter = smooth[sheet & (smooth <= 0)]
    spread = 1.4826 * float(np.median(-brighter)) if brighter.size else 0.0
    least = CERTAIN * spread + FAINTEST
    kept, full = smooth > least, 0.0
    for _ in range(2):
        if not kept.any():
            return None
        full = float(np.quantile(smooth[_choose(label(kept)[0], smooth, edge)], 0.8))
        kept = smooth > max(least, EDGE * full)
    kept = _choose(label(kept)[0], smooth, edge)
    return Ink(np.where(largest(kept, 1), depth / full, 0).clip(0, 1), light)


def _choose(numbers: Array, smooth: Array, edge: Array) -> Array:
    """Return where the digit is: large parts, and not those that touch the edge of the sheet."""
    mass = np.bincount(numbers.ravel(), smooth.ravel().clip(0))
    mass[0] = 0
    inside = mass.copy()
    inside[np.unique(numbers[edge])] = 0
    if inside.max() > 0.1 * mass.max():
        mass = inside
    return np.asarray(mass > SPECK * mass.max())[numbers]
