"""Filters over windows, and connected parts, against loops over pixels."""

import numpy as np
import pytest

from fastmlp.datasets.doubts import area, holes, outline, parts, thickness
from fastmlp.datasets.windows import closing, label, largest, mean, span


def flood(mask):
    """Return the numbers of the parts, one pixel after the other."""
    numbers, count = np.zeros(mask.shape, int), 0
    for start in np.argwhere(mask):
        if numbers[tuple(start)]:
            continue
        count, rest = count + 1, [tuple(start)]
        while rest:
            y, x = rest.pop()
            if 0 <= y < len(mask) and 0 <= x < len(mask.T) and mask[y, x] and not numbers[y, x]:
                numbers[y, x] = count
                rest += [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return numbers, count


@pytest.mark.parametrize("shape", [(30, 40), (1, 9), (9, 1)])
@pytest.mark.parametrize("share", [0, 0.2, 0.4, 0.6, 1])
def test_parts_are_those_of_a_flood(shape, share):
    mask = np.random.default_rng(1).random(shape) < share
    numbers, count = label(mask)
    expected, of = flood(mask)
    assert count == of
    assert np.array_equal(numbers, expected)


@pytest.mark.parametrize("radius", [0, 1, 3])
def test_windows_repeat_the_edges(radius):
    picture = np.random.default_rng(2).random((9, 12))
    padded = np.pad(picture, radius, mode="edge")
    size = 2 * radius + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size))
    np.testing.assert_allclose(mean(picture, radius), windows.mean(axis=(2, 3)))
    assert np.array_equal(largest(picture, radius), windows.max(axis=(2, 3)))


def test_closing_fills_what_is_narrower_than_its_window():
    picture = np.ones((20, 20))
    picture[:, 4:7] = 0
    picture[12:, 10:] = 0
    closed = closing(picture, 2)
    assert closed[:, :8].all()
    assert not closed[15:, 13:].any()


def test_span_fills_holes_and_dents():
    ring = np.zeros((7, 7), bool)
    ring[1:6, 1:6] = True
    ring[3, 3] = ring[1, 3] = False
    assert span(ring)[1:6, 1:6].all()
    assert span(ring).sum() == 25


def test_properties_of_ink():
    ink = np.zeros((12, 12), bool)
    ink[1:8, 1:8] = True
    ink[3:6, 3:6] = False
    ink[10, 10] = True
    assert (parts(ink), holes(ink), area(ink), outline(ink)) == (2, 1, 41, 28 + 12 + 4)
    assert thickness(ink[:9, :9]) == pytest.approx(2)
