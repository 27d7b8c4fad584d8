"""The random numbers of augmentation, and the maps and fields they give."""

import numpy as np
import pytest

from fastmlp.errors import ArgumentError
from fastmlp.functions import augmentation as own
from fastmlp.functions.augmentation import Augmentation, draw_changes, draw_fields

ALL = Augmentation(shift=2, rotation=30, scale=0.2, elastic=(20, 3))
KEY = 2**64 - 5


def drawn(augmentation, samples, epoch=0, side=28, key=KEY):
    fields = draw_fields(augmentation, key, epoch, side)
    return draw_changes(augmentation, key, epoch, np.asarray(samples), fields)


def test_the_numbers_are_those_of_splitmix64():
    # of the published algorithm, with the seed 1234567
    state, published = np.array([1234567], np.uint64), [6457827717110365317, 3203168211198807973]
    assert [int(own.absorb(state, n)[0]) for n in range(2)] == published


def test_changes_depend_on_key_epoch_and_sample_only():
    samples = np.arange(100)
    whole, back = drawn(ALL, samples), drawn(ALL, samples[::-1])
    some = drawn(ALL, samples[40:47])
    for name in ("maps", "picks"):
        array = getattr(whole, name)
        np.testing.assert_array_equal(getattr(back, name)[::-1], array)
        np.testing.assert_array_equal(getattr(some, name), array[40:47])
        for other in (drawn(ALL, samples, epoch=1), drawn(ALL, samples, key=KEY - 1)):
            assert (getattr(other, name) != array).any(axis=1).mean() > 0.95
    assert (drawn(ALL, samples, epoch=1).fields != whole.fields).mean() > 0.95


def test_numbers_are_uniform():
    bits = own.absorb(np.arange(20_000, dtype=np.uint64), 3)
    numbers = own.uniform(bits)
    assert abs(numbers.mean()) < 0.02
    assert numbers.std() == pytest.approx(3**-0.5, abs=0.01)
    extremes = own.uniform(np.array([0, 2**64 - 1], np.uint64))
    assert -1 < extremes[0] < -1 + 1e-15
    assert 1 - 1e-15 < extremes[1] < 1
    counts = np.bincount(own.below(bits, 5), minlength=5)
    assert counts.size == 5
    assert abs(counts - 4000).max() < 250


def test_a_shift_is_of_whole_pixels_up_to_the_most():
    maps = drawn(Augmentation(shift=2), np.arange(3000)).maps
    np.testing.assert_array_equal(maps[:, [0, 1, 3, 4]], [[own.ONE, 0, 0, own.ONE]] * 3000)
    both = maps[:, [2, 5]]
    assert {tuple(row) for row in both // own.ONE} == {
        (x, y) for x in range(-2, 3) for y in range(-2, 3)
    }
    assert not (both % own.ONE).any()


def test_maps_are_the_inverse_of_turn_scale_and_shift():
    maps = drawn(ALL, np.arange(2000)).maps / own.ONE
    a, b, offset_x, c, d, offset_y = maps.T
    size = (a * d - b * c) ** -0.5
    angle = np.degrees(np.arctan2(b, a))
    np.testing.assert_allclose([c, d], [-b, a])
    for values, middle, most in ((angle, 0, 30), (size, 1, 0.2)):
        assert np.abs(values - middle).max() == pytest.approx(most, rel=0.02)
        assert np.abs(values - middle).max() <= most * 1.0001
    assert np.corrcoef(angle, size)[0, 1] == pytest.approx(0, abs=0.1)
    # the middle of the image shows what is the shift away from it
    x, y = a * 13.5 + b * 13.5 + offset_x - 13.5, c * 13.5 + d * 13.5 + offset_y - 13.5
    shift = np.array([d * x - b * y, a * y - c * x]) / (a * d - b * c)
    np.testing.assert_allclose(shift, np.rint(shift), atol=2e-3)
    assert set(np.rint(shift).ravel()) == {-2, -1, 0, 1, 2}


def test_fields_are_smoothed_noise():
    alpha, sigma, side = 34, 4, 64
    epochs = [draw_fields(Augmentation(elastic=(alpha, sigma)), KEY, e, side) for e in range(12)]
    half = own.FIELDS
    np.testing.assert_array_equal(epochs[0][half:], -epochs[0][:half])
    fields = np.concatenate([fields[:half] for fields in epochs]) / own.ONE
    middle = fields[:, 20:-20, 20:-20]
    # the deviation of uniform noise, 3^-1/2, times that of a Gaussian's sums, (4 pi sigma^2)^-1/2
    wanted = alpha / np.sqrt(3) / np.sqrt(4 * np.pi * sigma**2)
    assert middle.std() == pytest.approx(wanted, rel=0.05)
    neighbours = np.corrcoef(middle[:, :, :-4].ravel(), middle[:, :, 4:].ravel())[0, 1]
    # of two points d apart: exp(-d^2 / (4 sigma^2))
    assert neighbours == pytest.approx(np.exp(-0.25), abs=0.05)
    assert abs(fields).max() <= alpha


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"shift": -1}, "shift"),
        ({"shift": 1.5}, "shift"),
        ({"rotation": 181}, "rotation"),
        ({"rotation": float("nan")}, "rotation"),
        ({"scale": 1}, "scale"),
        ({"scale": "0.1"}, "scale"),
        ({"elastic": 34}, "elastic"),
        ({"elastic": (34, 4, 1)}, "elastic"),
        ({"elastic": (-1, 4)}, "elastic alpha"),
        ({"elastic": (34, 0)}, "elastic sigma"),
        ({"elastic": (34, 1e9)}, "elastic sigma"),
    ],
)
def test_bad_settings_are_refused(settings, named):
    with pytest.raises(ArgumentError, match=f"^{named} must"):
        Augmentation(**settings)


def test_images_must_be_square_bytes_larger_than_the_shift():
    assert Augmentation().check_images(np.zeros((1, 25), np.uint8)) == 5
    for images in (np.zeros((2, 26), np.uint8), np.zeros((2, 25), np.float32)):
        with pytest.raises(ArgumentError, match=r"augment needs square .* leave out augment"):
            Augmentation().check_images(images)
    with pytest.raises(ArgumentError, match="shift below 5"):
        Augmentation(shift=5).check_images(np.zeros((2, 25), np.uint8))
