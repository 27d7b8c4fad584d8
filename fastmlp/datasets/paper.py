"""The paper of a picture: where its sheet lies, whether ink is lighter, and its local brightness.

Pictures are greys of 0 to 255, `(H, W)`, with at most about 64 pixels a side.
"""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Array
from fastmlp.datasets.windows import closing, label, largest, mean, span

ROUNDS = 12  # of reweighting, after which the surface changes by less than a level
WIDEST = 7  # ink is narrower than 2 / 7 of the picture
LEVELS = 16  # thresholds that are tried between table and paper
LEAST_STEP = 22  # levels between a sheet of paper and what it lies on
LEAST_SHEET = 0.3  # share of the picture that is a sheet of paper, not bright ink
SOLID = 0.7  # share of a sheet that is no ink; large light digits have less
STRAIGHT = 0.85  # share of its smallest rectangle that a sheet fills; an ellipse fills 0.785


def find_sheet(grey: Array) -> Array:
    """Return where the sheet of paper lies, bool `(H, W)`: everywhere, if no edge is found.

    A sheet is bright, nearly a rectangle, and its edge is a sharp step all around: brightness that
    falls, and shadows, have no such step.
    """
    sheet, best = np.ones(grey.shape, bool), float(LEAST_STEP)
    size = 0
    smooth = mean(grey, int(max(grey.shape) > 40))
    low, high = np.quantile(smooth, (0.005, 0.98))
    for level in np.linspace(low, high, LEVELS + 2)[1:-1]:
        numbers, _ = label(smooth > level)
        sizes = np.bincount(numbers.ravel())
        sizes[0] = 0
        if sizes.max() < LEAST_SHEET * grey.size / 2:
            break
        if sizes.max() == size:
            continue  # the region of the level before
        size = sizes.max()
        region = span(numbers == sizes.argmax())
        solid = (smooth > level)[region].mean() > SOLID
        if solid and LEAST_SHEET < region.mean() < 0.985 and _is_straight(region):
            step = _edge_step(grey, region)
            if step > best:
                sheet, best = ~largest(~region, 1 + int(max(grey.shape) > 40)), step
    return sheet


def _edge_step(grey: Array, region: Array) -> float:
    """Return how much brighter a region is within its edge than outside it, in levels."""
    rest = ~region
    inner = largest(rest, 2) & ~largest(rest, 1)
    outer = largest(region, 2) & rest
    if not (inner.any() and outer.any()):
        return 0.0
    return float(np.median(grey[inner]) - np.quantile(grey[outer], 0.75))


def _is_straight(region: Array) -> bool:
    """Return whether a region fills most of the smallest rectangle around it, turned or not."""
    rows = np.flatnonzero(region.any(axis=1))
    left, right = region[rows].argmax(axis=1), region[rows, ::-1].argmax(axis=1)
    x = np.concatenate([left, region.shape[1] - right])
    y = np.concatenate([rows + 0.5, rows + 0.5])
    angles = np.radians(np.arange(0, 90, 3))[:, np.newaxis]
    along, across = np.cos(angles) * x + np.sin(angles) * y, np.cos(angles) * y - np.sin(angles) * x
    smallest = (np.ptp(along, axis=1) * (np.ptp(across, axis=1) + 1)).min()
    return bool(region.sum() > STRAIGHT * smallest)


def is_light_on_dark(grey: Array, sheet: Array) -> bool:
    """Return whether ink is lighter than its paper: most pixels are paper, and ink is the rest."""
    rest = (grey - _fit_surface(grey, sheet))[sheet]
    spread = 2 * 1.4826 * np.median(abs(rest))
    light, dark = np.maximum(rest - spread, 0).sum(), np.maximum(-rest - spread, 0).sum()
    return bool(light > dark)


def _fit_surface(grey: Array, sheet: Array) -> Array:
    """Return the surface of second order with the least absolute differences on the sheet."""
    height, width = grey.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    stride = max(1, max(height, width) // 32)
    some = np.zeros_like(sheet)
    some[::stride, ::stride] = True
    basis, levels = terms[some & sheet], grey[some & sheet]
    weight = np.ones(len(levels))
    for _ in range(ROUNDS):
        weighted = weight[:, np.newaxis] * basis
        # einsum: a BLAS might wait for its threads
        square = np.einsum("ni,nj->ij", weighted, basis) + 1e-9 * np.eye(6)
        found = np.linalg.solve(square, np.einsum("ni,n->i", weighted, levels))
        weight = 1 / np.maximum(abs(levels - np.einsum("ni,i->n", basis, found)), 0.5)
    surface: Array = terms @ found
    return surface


def local_paper(grey: Array, sheet: Array) -> Array:
    """Return the brightness of the paper at each pixel, under dark ink, and outside the sheet.

    First dark things that are narrower than ink can be are filled; then the paper is the mean of
    what is not darker than that, near each pixel.
    """
    radius = max(1, round(max(grey.shape) / WIDEST))
    smooth = mean(grey, 1)
    paper = closing(np.where(sheet, smooth, 0), radius)
    for _ in range(3):
        rest = paper - smooth
        middle = np.median(rest[sheet])
        spread = 1.4826 * float(np.median(abs(rest[sheet] - middle)))
        kept = sheet & ~largest(sheet & (rest > middle + 3 * spread + 1), 1)
        share = mean(kept.astype(float), radius // 2)
        near = mean(np.where(kept, grey, 0), radius // 2) / np.maximum(share, 1e-9)
        paper = np.where(share > 0.02, near, paper)
    return paper
