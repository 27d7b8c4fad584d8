"""An image as text blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# What one character shows of two pixels, (upper, lower): neither, lower, upper, both
BLOCKS, ASCII_BLOCKS = " ▄▀█", " .'#"
WIDEST = 40


def digit_blocks(image: NDArray[Any], ascii_only: bool = False) -> str:
    """Return an image `(H, W)` as text of two rows a line: ink where it is brighter than half.

    An image wider than 40 pixels is first made smaller, the brightest of a square standing
    for it, so that thin lines stay.
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
