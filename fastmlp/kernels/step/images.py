"""The images of a minibatch: found by the order, marked (what is not zero), prefetched.

The next minibatch is prepared during this one, so two are in memory: step k has half k % 2 of x.
Words of as many steps are in memory as the plan needs, `KEPT_STEPS`.
"""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Array, SparseRows, density
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import (
    LINE_BYTES,
    copy_bytes,
    item_bytes,
    prefetch,
    prefetch_lines,
)
from fastmlp.kernels.loops.bits import list_pairs, mark_samples
from fastmlp.kernels.loops.elementwise import drop_bytes, drop_units
from fastmlp.kernels.memory.records import (
    BY_ENTRY,
    BY_PAIR,
    DENSE,
    FLOAT32,
    UINT8,
    numbers_at,
)
from fastmlp.kernels.memory.tuning import GLANCED_AT, PART, PREFETCHED, SPARSE_BELOW
from fastmlp.kernels.team.plan import share, share_panels, units_of

BYTES = np.dtype(np.uint8)


def is_sparse(images: Array) -> bool:
    """Return whether images `(N, I)` are bytes of which few are not zero."""
    return images.dtype == BYTES and density(images, GLANCED_AT) < SPARSE_BELOW


def table_of(scale: float, dtype: np.dtype) -> Array:
    """Return scale times each value of a byte `(256,)`."""
    return np.asarray((scale * np.arange(256)).astype(dtype))


def addresses_of(images: Array, order: Array | None = None, more: int = PART) -> Array:
    """Return the addresses of images `(N, I)` in an order, then `more` copies of the first image's.

    A part always reads PART addresses, and a prefetch those of a whole minibatch, even if fewer
    samples are left.
    """
    order = np.arange(len(images)) if order is None else order
    first, addresses = images.ctypes.data, np.empty(len(order) + more, np.int64)
    np.multiply(order, images.strides[0], out=addresses[: len(order)])
    addresses[: len(order)] += first
    addresses[len(order) :] = first
    return addresses


def copy_addresses(copies: Array, count: int) -> Array:
    """Return the addresses of `count` samples' images in copies `(steps, B, row)`, in a circle."""
    steps, batch, row = copies.shape
    return copies.ctypes.data + np.arange(count) % (steps * batch) * row


def entries_of(
    rows: SparseRows, scale: float, dtype: np.dtype, order: Array | None = None
) -> dict[str, Array]:
    """Return what a job reads of sparse rows, in an order, in the precision of the network."""
    values = rows.values if scale == 1 else rows.values * scale
    begins, ends = rows.starts[:-1], rows.starts[1:]
    if order is not None:
        begins, ends = begins[order], ends[order]
    values = np.ascontiguousarray(values, dtype)
    return {"begins": begins, "ends": ends, "columns": rows.columns, "values": values}


@jit
def parts_of(batch):
    """Return how many parts a minibatch has."""
    return (batch + PART - 1) // PART


@jit
def pairs_of(inputs):
    """Return how many pairs of pixels an image has; behind the last of an odd number is a zero."""
    return (inputs + 1) // 2


@jit
def batch_at(job, step):
    """Return where in the order a step's minibatch begins, and its size: 0 behind the last."""
    position = step * job.batch_size
    batch = max(min(job.batch_size, job.samples - position), 0)
    if 0 < job.short < batch and (step + 1) % job.epoch_steps == 0:
        batch = job.short
    return position, batch


@jit
def dense_images(job, step, own, like):
    """Return the address of a step's dense images x `(B, I)`, scaled; of the member `own` - 1."""
    half = job.batch_size * job.x_row * item_bytes(like)
    return job.x + max(own - 1, 0) * job.x_bytes + step % 2 * half


@jit
def words_at(job, step, first):
    """Return the address of the list of sample `first` of a step, or of the words of its part."""
    return job.words + (step & job.words_mask) * job.step_bytes + first * job.words_bytes


@jit
def first_from(columns, begin, end, least):
    """Return the first of the entries begin, …, end - 1 in a column of at least so much, or end."""
    while begin < end:
        middle = (begin + end) // 2
        if columns[middle] < least:
            begin = middle + 1
        else:
            end = middle
    return begin


@jit
def entries_at(job, position, low, high, like):
    """Return addresses of columns and values, and the count, of a sample's entries.

    They are those in the columns low, …, high - 1.
    """
    begin = numbers_at(job.begins, job.samples, np.int64(0))[position]
    end = numbers_at(job.ends, job.samples, np.int64(0))[position]
    columns = numbers_at(job.columns, end, np.int32(0))
    if begin < end and columns[begin] < low:
        begin = first_from(columns, begin, end, low)
    if begin < end and columns[end - 1] >= high:
        end = first_from(columns, begin, end, high)
    return job.columns + begin * 4, job.values + begin * item_bytes(like), end - begin


@jit
def load_image(job, image, inputs, x, like):
    """x = scale * the image at an address."""
    number, target = type(like), numbers_at(x, inputs, like)
    scale = number(job.scale)
    if job.image_kind == UINT8:
        pixels = numbers_at(image, inputs, np.uint8(0))
        for k in range(inputs):
            target[k] = scale * number(pixels[k])
    elif job.image_kind == FLOAT32:
        singles = numbers_at(image, inputs, np.float32(0))
        for k in range(inputs):
            target[k] = scale * number(singles[k])
    else:
        doubles = numbers_at(image, inputs, np.float64(0))
        for k in range(inputs):
            target[k] = scale * number(doubles[k])


@shared
def load_images(job, inputs, position, rows, x, like: float):
    """x = scale * some images, from a position of the order on, m / (1 - p) times where dropped."""
    sample = job.first_sample + position
    addresses = numbers_at(job.addresses + position * 8, rows + PREFETCHED, np.int64(0))
    image_bytes = inputs * (4 * job.image_kind + int(job.image_kind == UINT8))
    for i in range(rows):
        prefetch_lines(addresses[i + PREFETCHED], image_bytes)
        x_i = x + i * job.x_row * item_bytes(like)
        load_image(job, addresses[i], inputs, x_i, like)
        if job.drop_below != 0:
            scale = type(like)(job.drop_scale)
            drop_units(x_i, 0, 1, inputs, job.drop_key, sample + i, 0, job.drop_below, scale)


@jit
def drop_pixels(job, position, rows, low, high):
    """Copy the pixels low, …, high - 1 of some images, from a position on, without those dropped.

    Where nothing is dropped there are no copies. Sparse phases read only these bytes; 1 / (1 - p)
    is a factor of `scale`.
    """
    if job.drop_below == 0:
        return
    source = numbers_at(job.sources + position * 8, rows, np.int64(0))
    target = numbers_at(job.addresses + position * 8, rows, np.int64(0))
    for i in range(rows):
        pixels, sample = target[i] + low, job.first_sample + position + i
        copy_bytes(pixels, source[i] + low, high - low)
        drop_bytes(pixels, high - low, job.drop_key, sample, low, job.drop_below)


@shared
def mark_pixels(job, inputs, step, number, first, last, low, high, like: float):
    """Say which of the inputs low, …, high - 1 of the samples first, …, last - 1 are not zero.

    In words of their pairs, where `first` is a multiple of PART, or in lists; of the slice
    `number` of the inputs, by inputs, else 0.
    """
    images = job.addresses + batch_at(job, step)[0] * 8
    drop_pixels(job, batch_at(job, step)[0] + first, last - first, low, high)
    if job.images_as == BY_PAIR:
        pairs, begin, end = pairs_of(inputs), low // (2 * PART), parts_of(pairs_of(high))
        for i in range(first, last, PART):
            rows, words = min(PART, last - i), words_at(job, step, i)
            mark_samples(images + i * 8, rows, begin, end, pairs, words)
        return
    address = numbers_at(images, last, np.int64(0))
    for i in range(first, last):
        target = words_at(job, step, number * job.batch_size + i)
        list_pairs(address[i] + low, high - low, job.scale, target, like)


@shared
def prepare_images(job, inputs, step, own, member, members, like: float):
    """Prepare a member's share of a step's minibatch: words, lists, or, dense, x = scale images.

    Where `own` is not 0, the member `own` - 1 has all dense images for itself.
    """
    position, batch = batch_at(job, step)
    if job.images_as == BY_ENTRY:
        return
    if job.images_as == BY_PAIR:
        # a unit is a part and a run of pairs. The last member has the first share: the first
        # members have the larger shares of the update
        runs, order = parts_of(pairs_of(inputs)), (members - 1 - member, members)
        first, last, begin, end = share_panels(parts_of(batch), runs, 0, *order)
        for part in range(begin, end):
            (low, high), i = units_of(part, first, last, runs), part * PART
            low, high = low * 2 * PART, min(high * 2 * PART, inputs)
            mark_pixels(job, inputs, step, 0, i, min(i + PART, batch), low, high, like)
        return
    if job.images_as == DENSE and own != 0:
        member, members = 0, 1
    first, last = share(batch, member, members)
    if job.images_as == DENSE:
        x = dense_images(job, step, own, like) + first * job.x_row * item_bytes(like)
        load_images(job, inputs, position + first, last - first, x, like)
        return
    mark_pixels(job, inputs, step, 0, first, last, 0, inputs, like)


@jit
def prefetch_pixels(images, pair):
    """Prefetch, at each pair, its cache line in two of 64 images: in 32 pairs, a line, in all."""
    address = numbers_at(images, PART, np.int64(0))
    for i in range(pair % 32 * 2, pair % 32 * 2 + 2):
        prefetch(address[i] + pair // 32 * LINE_BYTES)
