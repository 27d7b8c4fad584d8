"""The images of a minibatch: found by the order, marked (what is not zero), prefetched.

The next minibatch is prepared while this one is updated, so two are in memory: step k has
half k % 2 of each buffer.
"""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.kernels.llvm.compile import jit
from fastmlp.kernels.llvm.intrinsics import item_bytes, prefetch
from fastmlp.kernels.loops.bits import (
    WORD_BYTES,
    list_bytes,
    list_pairs,
    mark_samples,
    words_of,
)
from fastmlp.kernels.memory.records import (
    BY_PAIR,
    DENSE,
    FLOAT32,
    UINT8,
    numbers_at,
)
from fastmlp.kernels.memory.tuning import BY_PAIR_FROM, GLANCED_AT, PART, SAMPLED, SPARSE_BELOW
from fastmlp.kernels.team.units import panels_of, share, units_of

LINE_BYTES = 64


def density(images: Array, rows: int = SAMPLED) -> float:
    """Return the share of nonzero values in images `(N, I)`, by a sample of so many rows."""
    sample = images[:: max(1, len(images) // rows)]
    return float(np.count_nonzero(sample)) / max(1, sample.size)


def is_sparse(images: Array) -> bool:
    """Return whether images `(N, I)` are bytes of which few are not zero."""
    return images.dtype == np.uint8 and density(images, GLANCED_AT) < SPARSE_BELOW


def table_of(scale: float, dtype: np.dtype) -> Array:
    """Return scale times each value of a byte `(256,)`."""
    return np.asarray((scale * np.arange(256)).astype(dtype))


def word_bytes(batch_size: int, inputs: int) -> int:
    """Return how many bytes the words of two minibatches take, or the lists of small ones."""
    lists = batch_size * list_bytes((inputs + 1) // 2) if batch_size < BY_PAIR_FROM else 0
    return 2 * max(-(-batch_size // PART) * PART * words_of(inputs) * WORD_BYTES, lists)


def address_bytes(batch_size: int) -> int:
    """Return how many bytes the addresses of the images of two minibatches take."""
    return 2 * -(-batch_size // PART) * PART * 8


@jit
def parts_of(batch):
    """Return how many parts a minibatch has."""
    return (batch + PART - 1) // PART


@jit
def pairs_of(inputs):
    """Return how many pairs of pixels an image has; behind the last of an odd number is a zero."""
    return (inputs + 1) // 2


@jit
def words_per_image(inputs):
    """Return how many words the pairs of an image have."""
    return (inputs + 2 * PART - 1) // (2 * PART)


@jit
def batch_at(job, step):
    """Return where in the order a step's minibatch begins, and its size: 0 behind the last."""
    position = step * job.batch_size
    return position, max(min(job.batch_size, job.samples - position), 0)


@jit
def dense_images(job, step, like):
    """Return the address of a step's dense images x `(B, I)`, scaled."""
    return job.x + step % 2 * job.batch_size * job.x_row * item_bytes(like)


@jit
def image_addresses(job, step, scratch):
    """Return the address of a member's list of the addresses of a step's images."""
    return scratch + step % 2 * parts_of(job.batch_size) * PART * 8


@jit
def behind_addresses(job, scratch):
    """Return where the lists of two steps end."""
    return image_addresses(job, 0, scratch) + 2 * parts_of(job.batch_size) * PART * 8


@jit
def words_at(job, step, inputs, first):
    """Return the address of the words of the part that begins with sample `first` of a step."""
    row = step % 2 * parts_of(job.batch_size) * PART + first
    return job.words + row * words_per_image(inputs) * WORD_BYTES


@jit
def list_distance(inputs):
    """Return how many bytes the list of an image takes: `list_bytes`."""
    return 64 + 4 * pairs_of(inputs)


@jit
def list_at(job, step, inputs, i):
    """Return the address of the list of the pairs of sample i of a step."""
    return job.words + (step % 2 * job.batch_size + i) * list_distance(inputs)


@jit
def image_at(job, position):
    """Return the address of the image at a position of the order."""
    return job.images + numbers_at(job.order, job.samples, np.int64(0))[position] * job.image_row


@jit
def prepare_images(job, inputs, step, scratch, member, members, like):
    """Prepare a member's share of a step's minibatch: words, or, dense, x = scale * images."""
    position, batch = batch_at(job, step)
    if job.images_as == BY_PAIR:
        _mark_pairs(job, inputs, step, batch, scratch, member, members)
        find_images(job, step + 1, scratch)
        return
    first, last = share(batch, member, members)
    for i in range(first, last):
        if job.images_as == DENSE:
            x = dense_images(job, step, like) + i * job.x_row * item_bytes(like)
            sample = numbers_at(job.order, job.samples, np.int64(0))[position + i]
            load_image(job, sample, inputs, x, like)
        else:
            pair_list = list_at(job, step, inputs, i)
            list_pairs(image_at(job, position + i), pairs_of(inputs), pair_list)


@jit
def find_images(job, step, scratch):
    """Write the addresses of a step's images, and behind them, to fill the part, any image's."""
    (position, batch), rows = batch_at(job, step), parts_of(job.batch_size) * PART
    addresses = numbers_at(image_addresses(job, step, scratch), rows, np.int64(0))
    for i in range(rows):
        addresses[i] = image_at(job, position + i) if i < batch else job.images


@jit
def _mark_pairs(job, inputs, step, batch, scratch, member, members):
    """Write a member's share of the words of a step's pairs. A unit is a part and a run of pairs.

    Shares are counted from the last member on: the first ones have less of the update before it.
    """
    runs, images = words_per_image(inputs), image_addresses(job, step, scratch)
    first, last = share(parts_of(batch) * runs, members - 1 - member, members)
    begin, end = panels_of(first, last, runs)
    for part in range(begin, end):
        low, high = units_of(part, first, last, runs)
        rows, words = min(PART, batch - part * PART), words_at(job, step, inputs, part * PART)
        mark_samples(images + part * PART * 8, rows, low, high, pairs_of(inputs), words)


@jit
def prefetch_image(job, inputs, position):
    """Prefetch the image at a position of the order, if there is one."""
    if position < job.samples:
        image = image_at(job, position)
        for line in range(image, image + inputs, LINE_BYTES):
            prefetch(line)


@jit
def prefetch_pixels(images, pair):
    """Prefetch this cache line of two samples: in 32 pairs, which a line holds, of all of them."""
    address = numbers_at(images, PART, np.int64(0))
    for i in range(pair % 32 * 2, pair % 32 * 2 + 2):
        prefetch(address[i] + pair // 32 * LINE_BYTES)


@jit
def load_image(job, sample, inputs, x, like):
    """x = scale * one image."""
    number, target = type(like), numbers_at(x, inputs, like)
    scale, image = number(job.scale), job.images + sample * job.image_row
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
