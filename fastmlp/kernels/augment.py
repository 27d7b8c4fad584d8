"""Augmentation in compiled code: square images, moved and interpolated by given changes."""

from __future__ import annotations

from math import isqrt

import numpy as np
from numba.extending import register_jitable
from numba.np.numpy_support import from_dtype

from fastmlp.arrays import check_indices, check_out
from fastmlp.functions import Array
from fastmlp.functions.augmentation import BITS, ONE, Changes
from fastmlp.kernels.launch import prepared_precision, run, team_size
from fastmlp.kernels.llvm.compile import RECORDS, jit, shared
from fastmlp.kernels.llvm.intrinsics import clear_bytes, copy_bytes, prefetch_lines
from fastmlp.kernels.loops.interpolation import AROUND, LOW, interpolate_row
from fastmlp.kernels.memory.records import numbers_at, point, private_memory
from fastmlp.kernels.team.plan import share

# Filled and read in this file
AUGMENTING = np.dtype(
    [
        ("images", "i8"),  # -> uint8 (N, side, side)
        ("side", "i8"),
        ("samples", "i8"),  # how many images are made
        ("order", "i8"),  # -> int64 (samples,): of which images
        ("maps", "i8"),  # -> int64 (samples, 6)
        ("picks", "i8"),  # -> int64 (samples, 2)
        ("fields", "i8"),  # -> int32 (F, side, side); or 0
        ("out", "i8"),  # -> uint8 (samples, side, side)
        # -> private memory for each member: an image with zeros around, its fours, a row of zeros
        ("scratch", "i8"),
        ("scratch_bytes", "i8"),  # of one member
    ]
)
# Images that are prefetched ahead of the one that is changed
AHEAD = 4
# What a pixel costs, in the multiplications of `team_size`
PIXEL_WORK = 8
RECORDS["task"] = from_dtype(AUGMENTING)


def augment(
    images: Array, order: Array, changes: Changes, out: Array, threads: int | None = None
) -> None:
    """out = images[order], changed: see `fastmlp.backends.Backend`."""
    images, order = np.ascontiguousarray(images), np.ascontiguousarray(order, np.int64)
    pixels, side = images.shape[1], isqrt(images.shape[1])
    check_indices("order", order, len(images))
    check_indices("changes.picks", changes.picks, max(1, len(changes.fields)))
    check_out("out", out, (len(order), pixels), np.dtype(np.uint8), images)
    members = min(team_size(len(order) * pixels * PIXEL_WORK, threads), max(1, len(order)))
    job = np.zeros(1, AUGMENTING)
    memory = private_memory(job, members, frame_bytes(side) + 8 * (side + AROUND) ** 2 + 4 * side)
    job["side"], job["samples"] = side, len(order)
    point(job, images=images, order=order, maps=changes.maps, picks=changes.picks, out=out)
    if len(changes.fields):
        point(job, fields=changes.fields)
    run(augment_images.__name__, job, job, members, prepared_precision())
    del memory  # kept alive until here


@shared
def augment_images(task, _, count, barrier, scratch, member, members, like: float):
    """Make a member's share of the images."""
    first, last = share(task.samples, member, members)
    pixels, whole = task.side * task.side, np.int64(0)
    order = numbers_at(task.order, task.samples, whole)
    for k in range(first, last):
        if k + AHEAD < last:
            prefetch_lines(task.images + order[k + AHEAD] * pixels, pixels)
        image, out = task.images + order[k] * pixels, task.out + k * pixels
        m = numbers_at(task.maps + k * 48, 6, whole)
        picks = numbers_at(task.picks + k * 16, 2, whole)
        is_whole = (m[2] | m[5]) & (ONE - 1) == 0
        if task.fields == 0 and m[0] == ONE and m[1] == 0 and is_whole:
            shift_image(image, task.side, -m[2] >> BITS, -m[5] >> BITS, out)
            continue
        fours = scratch + frame_bytes(task.side)
        # into the middle of zeros, which are there already
        for row in range(task.side):
            target = scratch + (row + LOW) * (task.side + AROUND) + LOW
            copy_bytes(target, image + row * task.side, task.side)
        find_fours(scratch, task.side, fours)
        zeros = fours + 8 * (task.side + AROUND) ** 2  # where nothing is displaced
        d_x, d_y, row_bytes = zeros, zeros, 0
        if task.fields != 0:
            row_bytes = 4 * task.side
            d_x = task.fields + picks[0] * 4 * pixels
            d_y = task.fields + picks[1] * 4 * pixels
        for row in range(task.side):
            x_0, y_0, down = m[1] * row + m[2], m[4] * row + m[5], row * row_bytes
            target, width = out + row * task.side, task.side + AROUND
            interpolate_row(
                fours, width, task.side, x_0, m[0], y_0, m[3], d_x + down, d_y + down, target
            )


@jit
def shift_image(image, side, t_x, t_y, out):
    """out = the image, moved by t_x columns and t_y rows; what comes from outside is 0.

    All rows are moved at once, as one run of bytes. What this moves from one row into another is
    set to 0 then: |t_x| columns.
    """
    by, pixels, zero = t_y * side + t_x, side * side, np.uint8(0)
    low, high = min(max(by, 0), pixels), max(pixels + min(by, 0), 0)
    clear_bytes(out, low)
    copy_bytes(out + low, image + low - by, max(high - low, 0))
    clear_bytes(out + high, pixels - high)
    begin, end = (0, min(t_x, side)) if t_x > 0 else (max(side + t_x, 0), side)
    moved = numbers_at(out, pixels, zero)
    for column in range(begin, end):
        for k in range(column, pixels, side):
            moved[k] = 0


@register_jitable
def frame_bytes(side):
    """Return how much an image takes with zeros around, and a pixel more, in whole cache lines."""
    return ((side + AROUND) * (side + AROUND) + 64) // 64 * 64


@jit
def find_fours(framed, side, fours):
    """fours = each pixel, with those right of it, below it, and right of that: 16 bits each."""
    size = side + AROUND
    count = size * (side + AROUND - 1)
    a = numbers_at(framed, count + 1, np.uint8(0))
    found = numbers_at(fours, count, np.int64(0))
    below = numbers_at(framed + size, count + 1, np.uint8(0))
    for k in range(count):
        above = np.int64(a[k]) | np.int64(a[k + 1]) << 16
        found[k] = above | np.int64(below[k]) << 32 | np.int64(below[k + 1]) << 48
