"""Augmentation in compiled code: the same pixels as the reference."""

import numpy as np
import pytest
from fences import fenced
from networks import pixels

from fastmlp import kernels, reference
from fastmlp.errors import ArgumentError
from fastmlp.functions.augmentation import ONE, Augmentation, Changes, draw_changes, draw_fields

# A row for each setting alone, and all of them
ROWS = {
    "none": Augmentation(),
    "shift": Augmentation(shift=3),
    "rotation": Augmentation(rotation=180),
    "scale": Augmentation(scale=0.9),
    "elastic": Augmentation(elastic=(50, 2)),
    "all": Augmentation(2, 20, 0.2, (34, 4)),
}


@pytest.mark.parametrize("by", [9, 1000, 1 << 24])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("column", [2, 5])
def test_an_image_may_be_moved_out_of_itself(by, sign, column):
    maps = np.zeros((1, 6), np.int64)
    maps[0, [0, 4]], maps[0, column] = ONE, sign * by * ONE
    changes = Changes(maps, np.zeros((1, 2), np.int64), np.zeros((0, 9, 9), np.int32))
    images = np.full((1, 81), 5, np.uint8)
    assert not changed(kernels, images, np.zeros(1, np.int64), changes).any()
    assert not changed(reference, images, np.zeros(1, np.int64), changes).any()


def test_each_setting_has_a_row():
    assert {*Augmentation.__dataclass_fields__} == {*ROWS} - {"none", "all"}


def changed(module, images, order, changes, **more):
    out = np.full((len(order), images.shape[1]), 77, np.uint8)
    module.augment(images, order, changes, out, **more)
    return out


@pytest.mark.parametrize("side", [4, 5, 16, 28, 33])
@pytest.mark.parametrize("name", ROWS)
def test_pixels_are_those_of_numpy(name, side):
    rng = np.random.default_rng(side)
    images, order = pixels(rng, 20, side * side, 0.5), rng.integers(0, 20, 50)
    fields = draw_fields(ROWS[name], 9, 2, side)
    changes = draw_changes(ROWS[name], 9, 2, order, fields)
    wanted = changed(reference, images, order, changes)
    for threads in (1, 2, 3, None):
        found = changed(kernels, images, order, changes, threads=threads)
        np.testing.assert_array_equal(found, wanted)
    assert name == "none" or (wanted != images[order]).any(axis=1).mean() > 0.8


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("side", [6, 8, 17])
def test_no_map_leads_outside_the_arrays(side, before):
    rng = np.random.default_rng(1)
    images, order = fenced(pixels(rng, 4, side * side, 1.0), before), np.arange(300) % 4
    maps = rng.integers(-ONE, ONE, (300, 6)) << rng.integers(0, 12, (300, 6))
    maps[::3, [0, 1, 3, 4]] = ONE, 0, 0, ONE  # shifts, also beyond the image
    maps[::3, [2, 5]] = rng.integers(-side - 2, side + 3, (100, 2)) * ONE
    picks = np.zeros((300, 2), np.int64)
    for fields in (np.zeros((0, side, side)), rng.integers(-(2**31), 2**31, (1, side, side))):
        arrays = (maps, picks, fields.astype(np.int32))
        changes = Changes(*(fenced(array, before) for array in arrays))
        out = fenced(np.full((300, side * side), 77, np.uint8), before)
        kernels.augment(images, order, changes, out)
        np.testing.assert_array_equal(out, changed(reference, images, order, Changes(*arrays)))


@pytest.mark.parametrize("side", [8, 9, 64, 127, 128, 129, 300])
def test_whole_pixels_are_moved_by_all_of_the_side(side):
    rng, count = np.random.default_rng(side), 200
    images, maps = pixels(rng, 3, side * side, 1.0), np.zeros((count, 6), np.int64)
    maps[:, [0, 4]], maps[:, [2, 5]] = ONE, rng.integers(-side, side + 1, (count, 2)) * ONE
    # the columns that a block of bytes takes from the row before and the row behind
    maps[:20, 2], maps[:20, 5] = rng.choice([-ONE, ONE, (1 - side) * ONE, side * ONE - ONE], 20), 0
    changes = Changes(maps, np.zeros((0, 2), np.int64), np.zeros((0, side, side), np.int32))
    order = rng.integers(0, 3, count)
    found = changed(kernels, images, order, changes)
    np.testing.assert_array_equal(found, changed(reference, images, order, changes))


def test_indices_outside_are_refused():
    images = np.zeros((3, 16), np.uint8)
    changes = draw_changes(ROWS["all"], 0, 0, np.arange(2), np.zeros((1, 4, 4), np.int32))
    with pytest.raises(ArgumentError, match="order must lie in 0 … 2"):
        changed(kernels, images, np.array([0, 3]), changes)
    with pytest.raises(ArgumentError, match="picks must lie in 0 … 0"):
        changed(kernels, images, np.array([0, 1]), changes._replace(picks=changes.picks + 1))


@pytest.mark.parametrize("inputs", [25, 36])
@pytest.mark.parametrize("density", [0.1, 1.0])
def test_an_engine_trains_on_the_augmented_images(inputs, density):
    rng = np.random.default_rng(2)
    images, other = pixels(rng, 30, inputs, density), pixels(rng, 30, inputs, density)
    w, b = [rng.normal(size=(inputs, 8)), rng.normal(size=(8, 3))], [np.zeros(8), np.zeros(3)]
    order, y, rates = rng.permutation(30), rng.integers(0, 3, 30), np.full(3, 0.1)
    for targets in (y, np.eye(3)[y]):
        found = []
        for module, rows, augmented in (
            (kernels, images, other[order]),
            (kernels, other, None),
            (reference, images, other[order]),
        ):
            engine = module.Engine(w, b, ("tanh", "softmax"), "cross_entropy", 10)
            costs, right = engine.train(rows, targets, order, rates, 0.01, augmented=augmented)
            found.append((costs, right))
        np.testing.assert_array_equal(found[0][0], found[1][0])
        np.testing.assert_allclose(found[0][0], found[2][0], rtol=1e-9)
        assert found[0][1] == found[1][1] == found[2][1]


def test_an_engine_refuses_another_number_of_augmented_images():
    w, b = [np.ones((16, 2))], [np.zeros(2)]
    engine = kernels.Engine(w, b, ("softmax",), "cross_entropy", 4)
    images, y = np.ones((8, 16), np.uint8), np.zeros(8, np.int64)
    with pytest.raises(ArgumentError, match=r"augmented must have shape \(8, 16\)"):
        engine.train(images, y, np.arange(8), np.ones(2), augmented=images[:7])
