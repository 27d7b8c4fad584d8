"""Whether the ink of a picture can be a digit: a few properties, with the limits of MNIST."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastmlp.arrays import Array
from fastmlp.datasets.windows import label


def outline(ink: Array) -> float:
    """Return the length of the outline in pixels: about twice the path of the pen."""
    padded = np.pad(ink, 1).astype(np.int8)
    return float(abs(np.diff(padded, axis=0)).sum() + abs(np.diff(padded, axis=1)).sum())


def parts(ink: Array) -> float:
    """Return the number of parts of the ink."""
    return float(label(ink)[1])


def holes(ink: Array) -> float:
    """Return how many pieces of paper ink surrounds: its parts less its Euler number.

    Of squares of 2 x 2 pixels, n1 have one pixel of ink, n3 have three, and nd two that touch at a
    corner: the Euler number is (n1 - n3 - 2 nd) / 4.
    """
    grid = np.pad(ink, 1).astype(np.int8)
    squares = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]])
    count = squares.sum(axis=0)
    corners = (count == 2) & (squares[0] == squares[2])
    euler = int((count == 1).sum()) - int((count == 3).sum()) - 2 * int(corners.sum())
    return parts(ink) - euler / 4


def thickness(ink: Array) -> float:
    """Return the mean width of strokes in pixels: a stroke has an outline on both sides."""
    return 2 * area(ink) / max(outline(ink), 1.0)


def area(ink: Array) -> float:
    """Return the number of pixels with ink."""
    return float(ink.sum())


# The limits of each property, within which 998 of 1,000 images of MNIST lie; what is said outside
PROPERTIES: tuple[tuple[Callable[[Array], float], float, float, str], ...] = (
    (area, 31, 230, "its ink covers {:g} pixels"),
    (outline, 45, 165, "the outline of its ink is {:g} pixels long"),
    (thickness, 0.9, 4.5, "its strokes are {:.1f} pixels wide"),
    (parts, 1, 2, "its ink has {:g} parts"),
    (holes, 0, 3, "its ink has {:g} holes"),
)


def find_doubts(image: Array) -> tuple[str, ...]:
    """Return the properties of an image `(28, 28)`, ink 255 on 0, that digits do not have."""
    ink = image >= 128
    found = ((measure(ink), least, most, text) for measure, least, most, text in PROPERTIES)
    return tuple(
        f"{text.format(value)}, those of digits {least:g} to {most:g}"
        for value, least, most, text in found
        if not least <= value <= most
    )
