"""Augmentation in compiled code: square images, moved and interpolated by given changes."""

from __future__ import annotations

from math import isqrt

import numba
import numpy as np
from numba.np.numpy_support import from_dtype

from fastmlp.arrays import check_indices, check_out
from fastmlp.functions import Array
from fastmlp.functions.augmentation import BITS, ONE, WEIGHT_BITS, Changes
from fastmlp.kernels.launch import prepared_precision, run, team_size
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.memory.records import numbers_at, point, pointer_to, private_memory
from fastmlp.kernels.step.images import prefetch_lines
from fastmlp.kernels.team.units import share

# Filled and read in this file
AUGMENTING = np.dtype(
    [
        ("images", "i8"),  # -> uint8 (N, side, side)
        ("side", "i8"),
        ("samples", "i8"),  # how many images are made
        ("order", "i8"),  # -> int64 (samples,): of which images
        ("maps", "i8"),  # -> int64 (samples, 6)
        ("picks", "i8"),  # -> int64 (samples, 2)
        ("fields", "i8"),  # -> int64 (F, side, side); or 0
        ("out", "i8"),  # -> uint8 (samples, side, side)
        ("scratch", "i8"),  # -> private memory for each member: an image with zeros around
        ("scratch_bytes", "i8"),  # of one member
    ]
)
# Pixels of zeros around an image: on its left and top, and on both sides
LOW, AROUND = 1, 3
# What a pixel costs, in the multiplications of `team_size`
PIXEL_WORK = 8
_pointer = pointer_to(from_dtype(AUGMENTING))


def augment(
    images: Array, order: Array, changes: Changes, out: Array, threads: int | None = None
) -> None:
    """out = images[order], changed: see `fastmlp.backends.Backend`."""
    images, order = np.ascontiguousarray(images), np.ascontiguousarray(order, np.int64)
    pixels, side = images.shape[1], isqrt(images.shape[1])
    check_indices("order", order, len(images))
    check_out("out", out, (len(order), pixels), np.dtype(np.uint8), images)
    members = min(team_size(len(order) * pixels * PIXEL_WORK, threads), max(1, len(order)))
    job = np.zeros(1, AUGMENTING)
    memory = private_memory(job, members, (side + AROUND) ** 2)
    job["side"], job["samples"] = side, len(order)
    point(job, images=images, order=order, maps=changes.maps, picks=changes.picks, out=out)
    if len(changes.fields):
        point(job, fields=changes.fields)
    run(augment_images.__name__, job, job, members, prepared_precision())
    del memory  # kept alive until here


@shared
def augment_images(job_address, _, count, barrier, scratch, member, members, like: float):
    """Make a member's share of the images."""
    job = numba.carray(_pointer(job_address), (1,))[0]
    first, last = share(job.samples, member, members)
    side, pixels = job.side, job.side * job.side
    pixel, whole = np.uint8(0), np.int64(0)
    order = numbers_at(job.order, job.samples, whole)
    for k in range(first, last):
        if k + 1 < last:
            prefetch_lines(job.images + order[k + 1] * pixels, pixels)
        image = numbers_at(job.images + order[k] * pixels, pixels, pixel)
        out = numbers_at(job.out + k * pixels, pixels, pixel)
        m, picks = numbers_at(job.maps + k * 48, 6, whole), numbers_at(job.picks + k * 16, 2, whole)
        is_whole = (m[2] | m[5]) & (ONE - 1) == 0
        if job.fields == 0 and m[0] == ONE and m[1] == 0 and is_whole:
            shift_image(image, side, -m[2] >> BITS, -m[5] >> BITS, out)
            continue
        framed = numbers_at(scratch, (side + AROUND) * (side + AROUND), pixel)
        frame_image(image, side, framed)
        d_x = numbers_at(job.fields + picks[0] * pixels * 8, pixels, whole)
        d_y = numbers_at(job.fields + picks[1] * pixels * 8, pixels, whole)
        interpolate(framed, side, m, job.fields != 0, d_x, d_y, out)


@jit
def shift_image(image, side, t_x, t_y, out):
    """out = the image, moved by t_x columns and t_y rows; what comes from outside is 0.

    All rows are moved at once, as one run of bytes. What this moves from one row into another is
    set to 0 then: |t_x| columns.
    """
    by, pixels = t_y * side + t_x, side * side
    low, high = min(max(by, 0), pixels), max(pixels + min(by, 0), 0)
    out[:low] = 0
    for k in range(low, high):
        out[k] = image[k - by]
    out[high:] = 0
    begin, end = (0, t_x) if t_x > 0 else (side + t_x, side)
    for row in range(side):
        for column in range(begin, end):
            out[row * side + column] = 0


@jit
def frame_image(image, side, framed):
    """Copy an image into the middle of one with zeros around, which are there already."""
    for row in range(side):
        for column in range(side):
            framed[(row + LOW) * (side + AROUND) + column + LOW] = image[row * side + column]


@jit
def interpolate(framed, side, m, is_displaced, d_x, d_y, out):
    """out = what the image has at x and y, as `fastmlp.reference.augment` computes it."""
    one, row_size, drop = 1 << WEIGHT_BITS, side + AROUND, BITS - WEIGHT_BITS
    for row in range(side):
        for column in range(side):
            x, y = m[0] * column + m[1] * row + m[2], m[3] * column + m[4] * row + m[5]
            if is_displaced:
                x, y = x + d_x[row * side + column], y + d_y[row * side + column]
            x, y = min(max(x, -ONE), side * ONE), min(max(y, -ONE), side * ONE)
            at = ((y >> BITS) + LOW) * row_size + (x >> BITS) + LOW
            f, g = x >> drop & (one - 1), y >> drop & (one - 1)
            above = (one - f) * framed[at] + f * framed[at + 1]
            under = (one - f) * framed[at + row_size] + f * framed[at + row_size + 1]
            total = (one - g) * above + g * under + one * one // 2
            out[row * side + column] = total >> (2 * WEIGHT_BITS)
