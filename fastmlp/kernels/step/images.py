"""The images of a minibatch: found by the order, marked (what is not zero), prefetched.

The next minibatch is prepared during this one, so two are in memory: step k has half k % 2 of x.
"""

from __future__ import annotations

import numpy as np

from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import copy_bytes, item_bytes, prefetch_lines
from fastmlp.kernels.loops.bits import list_pairs, mark_samples, words_of
from fastmlp.kernels.loops.elementwise import drop_bytes, drop_units, scale_image
from fastmlp.kernels.memory import records
from fastmlp.kernels.memory.panels import round_up, units
from fastmlp.kernels.memory.records import input_at, numbers_at
from fastmlp.kernels.memory.tuning import PART, PREFETCHED
from fastmlp.kernels.team.plan import rows_of, share, share_panels


@jit
def batch_at(job, step):
    """Return where in the order a step's minibatch begins, and its size: 0 behind the last."""
    position = step * job.batch_size
    batch = max(min(job.batch_size, job.samples - position), 0)
    if 0 < job.short < batch and (step + 1) % job.epoch_steps == 0:
        batch = job.short
    return position, batch


@jit
def words_at(job, layer, step, first):
    """Return the address of the list of sample `first` of a step, or of the quads of its part."""
    return layer.words + step % 2 * job.step_bytes + first * job.words_bytes


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
    """Return columns and values, addresses, and the count of entries in low, …, high - 1."""
    begin = numbers_at(job.begins, job.samples, np.int64(0))[position]
    end = numbers_at(job.ends, job.samples, np.int64(0))[position]
    columns = numbers_at(job.columns, end, np.int32(0))
    if begin < end and columns[begin] < low:
        begin = first_from(columns, begin, end, low)
    if begin < end and columns[end - 1] >= high:
        end = first_from(columns, begin, end, high)
    return job.columns + begin * 4, job.values + begin * item_bytes(like), end - begin


@shared
def load_images(job, layer, position, rows, x, like: float):
    """x = scale * some images, from a position of the order on, m / (1 - p) times where dropped."""
    sample, inputs, scale = job.first_sample + position, layer.inputs, type(like)(job.scale)
    addresses = numbers_at(job.addresses + position * 8, rows + PREFETCHED, np.int64(0))
    image_bytes = inputs * (4 * job.image_kind + int(job.image_kind == records.UINT8))
    for i in range(rows):
        prefetch_lines(addresses[i + PREFETCHED], image_bytes)
        x_i = x + i * layer.x_row * item_bytes(like)
        scale_image(x_i, addresses[i], job.image_kind, inputs, scale, like - like)
        if job.drop_below != 0:
            kept = type(like)(job.drop_scale)
            drop_units(x_i, 0, 1, inputs, job.drop_key, sample + i, 0, job.drop_below, kept)


@jit
def kept_pixels(job, position, low, high, copy):
    """Return the address of an image, by its position; where pixels are dropped, of a copy.

    1 / (1 - p) is a factor of `scale`. Only the pixels low, …, high - 1 are copied.
    """
    image = numbers_at(job.addresses, position + 1, np.int64(0))[position]
    if job.drop_below == 0:
        return image
    copy_bytes(copy + low, image + low, high - low)
    sample = job.first_sample + position
    drop_bytes(copy + low, high - low, job.drop_key, sample, low, job.drop_below)
    return copy


@shared
def mark_pixels(job, layer, step, number, first, last, low, high, scratch, like: float):
    """Say which of the inputs low, …, high - 1 of the samples first, …, last - 1 are not zero.

    As quads and words of parts, where `first` is a multiple of PART, or as lists; of the slice
    `number` of the inputs, by inputs, else 0. The scratch has PART addresses, and copies of images.
    """
    position, end = batch_at(job, step)[0], round_up(high, job.block_inputs)
    if job.images_as == records.BY_GROUP:
        for i in range(first, last, PART):
            quads, images = words_at(job, layer, step, i), job.addresses + (position + i) * 8
            count, copy = min(PART, last - i), scratch + PART * 8
            if job.drop_below != 0:
                images, kept = scratch, numbers_at(scratch, PART, np.int64(0))
                kept[:] = copy  # all addresses of a part are read
                for k in range(count):
                    kept[k] = kept_pixels(job, position + i + k, low, end, copy)
                    copy += round_up(end, PART)
            words = words_of(quads, layer.inputs)
            mark_samples(images, count, low, end, job.pair_stride, words, quads)
        return
    for i in range(first, last):
        target = words_at(job, layer, step, number * job.batch_size + i)
        image = kept_pixels(job, position + i, low, end, scratch)
        list_pairs(image + low, high - low, job.scale, target, like)


@shared
def prepare_images(job, layer, step, scratch, member, members, like: float):
    """Prepare a member's share of a minibatch: quads and words, lists, or x = scale images."""
    (position, batch), inputs = batch_at(job, step), layer.inputs
    first, last = share(batch, member, members)
    if job.images_as == records.DENSE:
        x = input_at(layer, step, first, like)
        load_images(job, layer, position + first, last - first, x, like)
    elif job.images_as == records.BY_IMAGE:
        mark_pixels(job, layer, step, 0, first, last, 0, inputs, scratch, like)
    elif job.images_as == records.BY_GROUP:
        # a unit is a part and some groups. The last member has the first share: the first
        # members have the larger shares of the update
        parts, size, own = units(batch, PART), job.block_inputs, members - 1 - member
        first, last, begin, end = share_panels(parts, size, inputs, 0, own, members)
        for part in range(begin, end):
            (low, high), i = rows_of(part, first, last, size, inputs), part * PART
            mark_pixels(job, layer, step, 0, i, min(i + PART, batch), low, high, scratch, like)
