"""Augmentation in compiled code: square images, moved and interpolated by given changes."""

from __future__ import annotations

from math import isqrt

import numpy as np
from numba.np.numpy_support import from_dtype

from fastmlp.arrays import check_indices, check_out
from fastmlp.functions import Array
from fastmlp.functions.augmentation import BITS, ONE, Changes
from fastmlp.kernels.launch import prepared_precision, run, team_size
from fastmlp.kernels.llvm.compile import RECORDS, jit, shared
from fastmlp.kernels.llvm.intrinsics import copy_bytes, prefetch_lines
from fastmlp.kernels.loops import interpolation
from fastmlp.kernels.loops.interpolation import AROUND, BLOCK, LOW, STREAMED
from fastmlp.kernels.memory.panels import round_up
from fastmlp.kernels.memory.records import numbers_at, point, private_memory
from fastmlp.kernels.team.plan import share

# Filled and read in this file
AUGMENTING = np.dtype(
    [
        ("images", "i8"),  # -> uint8 (N, side, side)
        ("side", "i8"),
        ("samples", "i8"),  # how many images are made
        ("order", "i8"),  # -> int64 (samples,): of which images
        ("maps", "i8"),  # -> int64 (6, samples)
        ("picks", "i8"),  # -> int64 (samples, 2)
        ("fields", "i8"),  # -> int32 (F, side, side); or 0
        ("out", "i8"),  # -> uint8 (samples, side, side)
        # -> private memory for each member: each pixel's column, uint16, an image, a row of zeros,
        # an image with zeros around, its fours
        ("scratch", "i8"),
        ("scratch_bytes", "i8"),  # of one member
    ]
)
# Images prefetched ahead: with 4, shifting takes 1.3 times as long (AMD Zen 5, one thread)
AHEAD = 8
MOST_SIDE = 2**15  # of images that are moved in blocks: 16 bits hold twice their columns
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
    size, framed = 3 * round_up(pixels, 64) + round_up(4 * side, 64), (side + AROUND) ** 2
    size += round_up(framed + 1, 64) + 8 * framed
    memory = private_memory(job, members, size)
    maps = np.ascontiguousarray(changes.maps.T)
    job["side"], job["samples"] = side, len(order)
    point(job, images=images, order=order, maps=maps, picks=changes.picks, out=out)
    if len(changes.fields):
        point(job, fields=changes.fields)
    run(augment_images.__name__, job, job, members, prepared_precision())
    del memory, maps  # kept alive until here


@shared
def augment_images(task, _, count, barrier, scratch, member, members, like: float):
    """Make a member's share of the images: in the scratch, from where each is streamed.

    Where images are not aligned for that, they are made where they belong.
    """
    first, last = share(task.samples, member, members)
    side, pixels, whole = task.side, task.side * task.side, np.int64(0)
    order = numbers_at(task.order, task.samples, whole)
    maps = numbers_at(task.maps, 6 * task.samples, whole)
    columns, own = scratch, scratch + 2 * round_up(pixels, 64)
    zeros = own + round_up(pixels, 64)  # where nothing is displaced
    framed, column = zeros + round_up(4 * side, 64), numbers_at(columns, pixels, np.uint16(0))
    for k in range(pixels):
        column[k] = k % side
    for k in range(first, last):
        if k + AHEAD < last:
            prefetch_lines(task.images + order[k + AHEAD] * pixels, pixels)
        image, out = task.images + order[k] * pixels, task.out + k * pixels
        m, made = maps[k :: task.samples], out if (out | pixels) % STREAMED else own
        if task.fields != 0:
            picks = numbers_at(task.picks + k * 16, 2, whole)
            d_x, d_y = task.fields + picks[0] * 4 * pixels, task.fields + picks[1] * 4 * pixels
            interpolate_image(image, side, m, d_x, d_y, 4 * side, framed, made)
        elif not shift_image(image, side, m, columns, made):
            interpolate_image(image, side, m, zeros, zeros, 0, framed, made)
        if made != out:
            interpolation.stream_bytes(out, made, pixels)
    interpolation.fence()


@jit
def interpolate_image(image, side, m, d_x, d_y, row_bytes, framed, out):
    """out = the image at the points of the map m, displaced by d_x and d_y.

    row_bytes : between two rows of these; framed : zeros, into whose middle the image is copied,
        and space for its fours
    """
    width = side + AROUND
    fours = framed + round_up(width * width + 1, 64)  # of the frame: a pixel more, in whole lines
    for row in range(side):
        copy_bytes(framed + (row + LOW) * width + LOW, image + row * side, side)
    find_fours(framed, side, fours)
    for row in range(side):
        x_0, y_0, down = m[1] * row + m[2], m[4] * row + m[5], row * row_bytes
        own = fours, width, side, x_0, m[0], y_0, m[3], d_x + down, d_y + down, out + row * side
        interpolation.interpolate_row(*own)


@jit
def shift_image(image, side, m, columns, out):
    """out = the image, if the map m only moves it by whole pixels: return whether that was done.

    It is not if fewer than BLOCK pixels are left. All rows are moved as one run of bytes; pixels
    that would get into another row are 0.
    """
    right, down, pixels = -m[2] >> BITS, -m[5] >> BITS, side * side
    by = down * side + right
    is_whole = m[0] == m[4] == ONE and m[1] == m[3] == (m[2] | m[5]) & (ONE - 1) == 0
    if not is_whole or side > MOST_SIDE or abs(right) >= side or abs(by) > pixels - BLOCK:
        return False
    low, high = max(by, 0), pixels + min(by, 0)
    numbers_at(out, low, np.uint8(0))[:] = 0
    numbers_at(out + high, pixels - high, np.uint8(0))[:] = 0
    for j in range(low, high, BLOCK):
        k = min(j, high - BLOCK)
        interpolation.move_block(image + k - by, columns + 2 * k, right, side, out + k)
    return True


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
