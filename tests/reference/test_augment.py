"""The reference of augmentation: bilinear interpolation at mapped points."""

import numpy as np
import pytest

from fastmlp import reference
from fastmlp.functions.augmentation import ONE, Augmentation, Changes, draw_changes, draw_fields

RNG = np.random.default_rng(0)
NO_FIELDS = np.zeros((0, 7, 7), np.int32)


def changed(images, changes, order=None):
    order = np.arange(len(images)) if order is None else order
    out = np.full((len(order), images.shape[1]), 77, np.uint8)
    reference.augment(images, order, changes, out)
    return out


def by_map(images, m):
    """Change images by one map, in pixels."""
    maps = np.tile(np.rint(np.multiply(m, ONE)).astype(np.int64), (len(images), 1))
    return changed(images, Changes(maps, np.zeros((len(images), 2), np.int64), NO_FIELDS))


@pytest.fixture
def images():
    return RNG.integers(0, 256, (5, 49), np.uint8)


def test_no_change_is_a_copy(images):
    np.testing.assert_array_equal(by_map(images, (1, 0, 0, 0, 1, 0)), images)


def test_a_shift_moves_right_and_down(images):
    wanted = np.zeros((5, 7, 7), np.uint8)
    wanted[:, 1:, 2:] = images.reshape(5, 7, 7)[:, :-1, :-2]
    np.testing.assert_array_equal(by_map(images, (1, 0, -2, 0, 1, -1)), wanted.reshape(5, 49))


def test_a_quarter_turn_is_that_of_numpy(images):
    turned = np.rot90(images.reshape(5, 7, 7), -1, (1, 2)).reshape(5, 49)
    np.testing.assert_array_equal(by_map(images, (0, 1, 0, -1, 0, 6)), turned)


def test_half_a_pixel_is_the_mean_of_two(images):
    square = np.pad(images.reshape(5, 7, 7).astype(int), ((0, 0), (0, 0), (0, 1)))
    wanted = (square[:, :, :-1] + square[:, :, 1:] + 1) // 2
    found = by_map(images, (1, 0, 0.5, 0, 1, 0)).reshape(5, 7, 7)
    np.testing.assert_array_equal(found, wanted)


def test_pixels_are_sums_over_all_by_their_distance(images):
    """The value at (x, y) is the sum of p(i, j) max(0, 1 - |x - j|) max(0, 1 - |y - i|)."""
    augmentation, order = Augmentation(2, 40, 0.3, (20, 2)), np.array([4, 0, 0, 2])
    fields = draw_fields(augmentation, 5, 1, 7)
    changes = draw_changes(augmentation, 5, 1, order, fields)
    found = changed(images, changes, order).reshape(-1, 7, 7)
    for k, index in enumerate(order):
        (a, b, e, c, d, f), (p, q) = changes.maps[k] / ONE, changes.picks[k]
        for row in range(7):
            for column in range(7):
                x = a * column + b * row + e + fields[p, row, column] / ONE
                y = c * column + d * row + f + fields[q, row, column] / ONE
                near_x = np.maximum(0, 1 - np.abs(x - np.arange(7)))
                near_y = np.maximum(0, 1 - np.abs(y - np.arange(7)))
                wanted = near_y @ images[index].reshape(7, 7).astype(float) @ near_x
                # weights have 8 bits, rounded down: 255 / 256 for each of x and y, and 1/2
                assert abs(found[k, row, column] - wanted) < 2.5
