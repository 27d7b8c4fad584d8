"""Images, or rows of a table, as two-dimensional arrays of numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastmlp.arrays.given import Names, as_numbers, is_sparse_matrix
from fastmlp.arrays.sparse import Rows, SparseRows, sparse_rows
from fastmlp.errors import ArgumentError, counted, refuse

# An array (H, W) is one image only if both are this many: a smaller one may be several samples
LEAST_SIDE = 4
# A row of fewer numbers is no square picture
LEAST_SQUARE = 49
# What (H, W) is followed by in one image in colour
CHANNELS = ((1,), (3,), (4,))
# What arrays mostly have, and what `as_numbers` returns unchanged
PLAIN = frozenset(map(np.dtype, ("uint8", "float32", "float64")))


def as_rows(
    images: Any, inputs: int, argument: str = "images", names: Names = None
) -> tuple[Rows, bool]:
    """Return images as `(N, inputs)`, of bool, integers, float32 or float64; and whether it is one.

    images : `(N, I)`, `(N, H, W)` or `(N, H, W, C)`; or one image, `(I,)`,
        `(H, W)` or `(H, W, C)`
    names : of the inputs, by which columns of a DataFrame are found

    A sparse matrix becomes sparse rows, unless it is one image `(H, W)`.

    Raises ArgumentError for another width, for no image, and for what is no array of numbers.
    """
    plain = type(images) is np.ndarray and images.dtype in PLAIN
    if not plain and (is_sparse_matrix(images) or isinstance(images, SparseRows)):
        if images.shape[1:] == (inputs,) and images.shape[0] > 0:
            return sparse_rows(images, argument), False
        if len(images.shape) == 2 and math.prod(images.shape) != inputs:
            raise _refusal(argument, images.shape, inputs)
    array = images if plain else as_numbers(images, argument, names)
    shape = array.shape
    if shape == (inputs,):  # first, as a single image should take no time
        return array[np.newaxis], True
    if len(shape) == 2 and shape[1] == inputs and shape[0] > 0:
        return array, False
    if len(shape) in (3, 4) and math.prod(shape[1:]) == inputs and len(array):
        return array.reshape(len(array), inputs), False
    is_one = math.prod(shape) == inputs and (len(shape) == 2 or shape[2:] in CHANNELS)
    if is_one and min(shape[:2]) >= LEAST_SIDE:
        return array.reshape(1, inputs), True
    raise _refusal(argument, shape, inputs, is_one)


def _refusal(
    argument: str, shape: tuple[int, ...], inputs: int, is_one: bool = False
) -> ArgumentError:
    """Return the error for a shape; is_one : whether it can be one sample, and is ambiguous."""
    if shape[:1] == (0,) and not is_one:
        return refuse(argument, "must not be empty", "0 images", "Pass at least one image.")
    rule = f"must have {counted(inputs, 'value')} each, one for each input of the network"
    remedy = f"Pass an array of shape (N, {inputs})."
    remedy = f"One sample is of shape ({inputs},)." if is_one else remedy
    return refuse(argument, rule, f"shape {shape}", remedy)


def is_picture(images: Any, inputs: int) -> bool:
    """Return whether images have a shape that only pictures have: `(N, H, W)`, or a square."""
    return len(getattr(images, "shape", ())) > 2 or shape_of(inputs)[0] > 1


def shape_of(inputs: int) -> tuple[int, ...]:
    """Return the shape of an image with so many values: a square, one in colour, or (1, I)."""
    for channels in ((), (3,)):
        side = math.isqrt(inputs // math.prod(channels))
        shape = (side, side, *channels)
        if side * side >= LEAST_SQUARE and math.prod(shape) == inputs:
            return shape
    return 1, inputs
