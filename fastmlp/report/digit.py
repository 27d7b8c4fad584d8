"""An image as text blocks."""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Array

# One character shows two pixels: ink in neither, the lower, the upper, or both
BLOCKS, ASCII_BLOCKS = " ▄▀█", " .'#"
WIDEST = 40


def digit_blocks(image: Array, ascii_only: bool = False) -> str:
    """Return an image `(H, W)` as text, two rows of pixels for each line.

    A pixel is ink if it is brighter than the mean of the darkest and the brightest. An image wider
    than 40 pixels is first reduced to the maximum of each square, which keeps thin lines.
    """
    factor = -(-image.shape[1] // WIDEST)
    height, width = (-(-side // factor) for side in image.shape)
    height += height % 2
    low, high = float(image.min()), float(image.max())
    padded = np.full((height * factor, width * factor), low)
    padded[: image.shape[0], : image.shape[1]] = image
    bright = padded.reshape(height, factor, width, factor).max(axis=(1, 3))
    ink = (bright > (low + high) / 2).reshape(height // 2, 2, width)
    kinds = 2 * ink[:, 0] + ink[:, 1]
    blocks = ASCII_BLOCKS if ascii_only else BLOCKS
    return "\n".join("".join(blocks[kind] for kind in row) for row in kinds)
