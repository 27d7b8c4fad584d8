"""Random changes of square images: the settings, the random numbers, and the maps they give.

The reference and the kernels get the changes as integers, and compute with integers only. So both
give the same pixels, on any machine.

A random number is a hash of what it is for, by the mixing function of SplitMix64
(`fastmlp.functions.mixing`), modulo 2^64:

    absorb(state, n) = mix(state + (n + 1) GOLDEN)
    bits = absorb(absorb(absorb(key, epoch), sample), number)

where sample is the index in the data, and number one of NUMBERS. No number depends on another one,
nor on the order of the samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isqrt, radians
from typing import Any, NamedTuple

import numpy as np

from fastmlp.arrays import Array, Rows, check_at_least
from fastmlp.errors import checked_class, refuse
from fastmlp.functions.mixing import GOLDEN_64, MIX_64, mix

GOLDEN = np.uint64(GOLDEN_64)
NUMBERS = SHIFT_X, SHIFT_Y, ROTATION, SCALE, FIELD_X, FIELD_Y = range(6)
# Coordinates have so many bits behind the point, and what images are interpolated by so many
BITS, WEIGHT_BITS = 16, 8
ONE = 1 << BITS
# Smoothed fields that the images of an epoch share: with both signs, 2 FIELDS for x and as many
# for y, so an image has one of 16,384 distortions
FIELDS = 64
# In place of the index of a sample, what the random numbers of the first field are for
FIELD_SAMPLES = 1 << 32
MOST_ROTATION, MOST_SCALE, MOST_ELASTIC = 180, 0.9, 1000


@checked_class
@dataclass(frozen=True)
class Augmentation:
    """How far images are changed at random, each anew in each epoch; by default not at all.

    shift : by up to so many whole pixels to each side
    rotation : by up to so many degrees either way, 0 to 180
    scale : to 1 - scale to 1 + scale times the size, 0 to 0.9
    elastic : (alpha, sigma): pixels are displaced by random fields, uniform in -1 to 1, smoothed
        by a Gaussian of sigma pixels, times alpha (Simard, Steinkraus and Platt, 2003)

    Rotation and scale are about the middle. All pixels are interpolated once, bilinearly; outside
    an image is 0. Raises ArgumentError for other values.
    """

    shift: int = 0
    rotation: float = 0.0
    scale: float = 0.0
    elastic: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        check_at_least("shift", self.shift, 0)
        _check_at_most("rotation", self.rotation, MOST_ROTATION)
        _check_at_most("scale", self.scale, MOST_SCALE)
        if self.elastic is None:
            return
        pair: Any = self.elastic
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            rule, remedy = "must be (alpha, sigma) or None", "Pass elastic=(34, 4), for example."
            raise refuse("elastic", rule, repr(pair), remedy)
        alpha, sigma = pair
        _check_at_most("elastic alpha", alpha, MOST_ELASTIC)
        check_at_least("elastic sigma", sigma, 0.1, float)
        _check_at_most("elastic sigma", sigma, MOST_ELASTIC)
        object.__setattr__(self, "elastic", (alpha, sigma))

    def check_images(self, images: Rows) -> int:
        """Return the side S of images `(N, S * S)`.

        Raises ArgumentError if they are not square, not uint8, or not larger than the shift.
        """
        side = isqrt(images.shape[1])
        if images.dtype != np.uint8 or side * side != images.shape[1]:
            rule = "needs square images of uint8 pixels"
            got = f"images of {images.shape[1]} values, {images.dtype} as they are scaled"
            remedy = "Pass such images, as pixels (see scaling), or leave out augment."
            raise refuse("augment", rule, got, remedy)
        if self.shift >= side:
            rule = f"must have a shift below {side}, the side of the images"
            raise refuse("augment", rule, self.shift, "Pass Augmentation(shift=2), for example.")
        return side


class Changes(NamedTuple):
    """What is done to n images of side S, in units of 2^-16 pixels.

    maps : int64 `(n, 6)`: the pixel at (column, row) shows what the image has at
        x = m0 column + m1 row + m2, y = m3 column + m4 row + m5, before the displacement
    picks : int64 `(n, 2)`: the numbers of the fields that are added to x, and to y; `(0, 2)` if
        there are none
    fields : int32 `(F, S, S)`: displacements
    """

    maps: Array
    picks: Array
    fields: Array


def absorb(state: Array, n: Array | int) -> Array:
    """Return mix(state + (n + 1) GOLDEN) modulo 2^64, uint64; state is not a scalar."""
    n = np.asarray([n] if isinstance(n, int) else n, np.uint64)
    return mix(state + (n + 1) * GOLDEN, MIX_64)


def uniform(bits: Array) -> Array:
    """Return numbers between -1 and 1, float64, of uint64 bits."""
    return np.asarray((bits >> np.uint64(11)) * 2.0**-52 + (2.0**-53 - 1))


def below(bits: Array, count: int) -> Array:
    """Return whole numbers 0, …, count - 1, int64, of uint64 bits; count is below 2^32."""
    return ((bits >> np.uint64(32)) * np.uint64(count) >> np.uint64(32)).astype(np.int64)


def draw_changes(
    augmentation: Augmentation, key: int, epoch: int, samples: Array, fields: Array
) -> Changes:
    """Return the changes of samples, given by their indices `(n,)`, in an epoch.

    key : 0 to 2^64 - 1, of the run; fields : those of the epoch, by `draw_fields`

    A point p is moved to middle + s R (p - middle) + t, with scale s, rotation R and shift t. The
    map is the inverse of that.
    """
    state, middle = _state(key, epoch, samples), (fields.shape[1] - 1) / 2
    most, maps = augmentation.shift, np.empty((6, len(samples)), np.int64)
    shifts = [below(absorb(state, n), 2 * most + 1) - most for n in (SHIFT_X, SHIFT_Y)]
    if augmentation.rotation or augmentation.scale:
        angle = radians(augmentation.rotation) * uniform(absorb(state, ROTATION))
        s = 1 + augmentation.scale * uniform(absorb(state, SCALE))
        cos, sin = np.cos(angle) / s, np.sin(angle) / s
        x, y = (middle + t for t in shifts)
        for k, (a, b) in enumerate(((cos, sin), (-sin, cos))):
            for row, value in enumerate((a, b, middle - a * x - b * y), 3 * k):
                maps[row] = np.rint(value * ONE)
    else:
        maps[:] = np.array([[ONE, 0, 0, 0, ONE, 0]]).T
        for row, t in zip((2, 5), shifts, strict=True):
            np.multiply(t, -ONE, out=maps[row])
    picks = np.empty((len(samples) if len(fields) else 0, 2), np.int64)
    if len(fields):
        for column, n in enumerate((FIELD_X, FIELD_Y)):
            picks[:, column] = below(absorb(state, n), len(fields))
    return Changes(maps.T, picks, fields)


def draw_fields(augmentation: Augmentation, key: int, epoch: int, side: int) -> Array:
    """Return the fields that the images of an epoch share, int32 `(2 FIELDS, S, S)`.

    The second half is the first one with the other sign. Without elastic distortion there is none.

    Noise outside an image is 0. Noise and weights are whole numbers, so small that all sums are
    exact: the order of a BLAS changes nothing.
    """
    if augmentation.elastic is None:
        return np.zeros((0, side, side), np.int32)
    alpha, sigma = augmentation.elastic
    state = _state(key, epoch, FIELD_SAMPLES + np.arange(FIELDS))[:, None]
    bits = absorb(state, np.arange(side * side)).reshape(FIELDS, side, side)
    noise = 2.0 * (bits >> np.uint64(64 - BITS)) + 1 - ONE  # -2^16 to 2^16, and odd
    reach = np.arange(-ceil(4 * sigma), ceil(4 * sigma) + 1)
    distance = np.subtract.outer(np.arange(side), np.arange(side))
    total = np.exp(-(reach**2) / (2 * sigma**2)).sum()
    weights = np.rint(np.exp(-(distance**2) / (2 * sigma**2)) / total * ONE)
    # below 2^16 2^16 2^16: exact in float64
    smooth = np.rint(weights @ noise @ weights * (alpha / ONE**2)).astype(np.int32)
    return np.concatenate([smooth, -smooth])


def _state(key: int, epoch: int, samples: Array) -> Array:
    """Return what the random numbers of samples in an epoch begin with, uint64 `(n,)`."""
    return absorb(absorb(np.array([key], np.uint64), epoch), samples)


def _check_at_most(argument: str, value: float, most: float) -> None:
    check_at_least(argument, value, 0, float)
    if value > most:
        raise refuse(
            argument, f"must be at most {most:g}", repr(value), f"Pass {argument} <= {most:g}."
        )
