"""The phases of a first layer whose images are encoded: 0 w adds nothing, so it is left out.

A large minibatch is first turned into lists, one for each pair of pixels, of the samples in which
it is not zero. Then a pair's two rows of weights stay in registers while its list goes by.
A small one goes through its images one by one.
"""

from __future__ import annotations

import numpy as np

from fastmlp.kernels.codes import block_at, block_count, block_size, entries_of, group_slots
from fastmlp.kernels.elementwise import activate, add, clear, row
from fastmlp.kernels.entries import (
    UNROLL,
    gather_pixels,
    gather_samples,
    scatter_pixels,
    scatter_samples,
)
from fastmlp.kernels.options import jit, shared
from fastmlp.kernels.phases import momentum_step, share
from fastmlp.kernels.records import job_at, layers_at
from fastmlp.kernels.simd import item_bytes
from fastmlp.kernels.tiles import TILE_ROWS

# Samples that are listed at once: so many rows of z or dz stay in the first-level cache
LISTED = 64
# The size of a minibatch from which on lists pay
LISTING_PAYS = 16
# Bytes of a list: an entry for each sample, and a gap, for at equal distances of a power of two
# the lists' ends would fall into the same few sets of the cache
LIST_BYTES = 4 * LISTED + 8


def lists_bytes(inputs: int, batch_size: int) -> int:
    """Return how many bytes the lists of a minibatch take."""
    parts = -(-batch_size // LISTED)
    return block_count(inputs) * block_size(inputs) * (8 + LIST_BYTES) * parts


def slopes_bytes(inputs: int, width: int, item: int) -> int:
    """Return how many bytes the gradients of one block and panel take."""
    return 2 * block_size(inputs) * width * item


@shared
def sparse_rows(codes, job_place, first, last, layer_place, panel, z, z_row, like):
    """z = x w for one panel and the images first, …, last - 1, image by image.

    codes : where the addresses of the images' codes lie; z : where row 0 goes, this panel's
    first column
    """
    job, layer, size = job_at(job_place), layers_at(layer_place, 1)[0], item_bytes(like)
    width, blocks, table, code = layer.width, job.blocks, job.table, row(codes, last, np.int64(0))
    w, w_row, zero = layer.w + panel * layer.panel_step * size, layer.w_row, like - like
    for i in range(first, last):
        entries, count = entries_of(code[i], blocks, 0, blocks)
        count = (count + UNROLL - 1) // UNROLL * UNROLL
        gather_pixels(width, z + i * z_row * size, w, w_row, entries, count, table, zero)


@shared
def sparse_rows_update(codes, job_place, batch, layer_place, panel, group, like):
    """w += x^T dz for one panel and one group of blocks, image by image."""
    job, layer, size = job_at(job_place), layers_at(layer_place, 1)[0], item_bytes(like)
    width, blocks, table, code = layer.width, job.blocks, job.table, row(codes, batch, np.int64(0))
    w = layer.w + panel * layer.panel_rows * width * size
    dz = layer.dz + panel * width * size
    first, last = group_slots(group, job.groups, blocks)
    for i in range(batch):
        dz_i = dz + i * layer.dz_row * size
        entries, count = entries_of(code[i], blocks, first, last)
        scatter_pixels(width, w, width, dz_i, entries, count, table, like)


@jit
def list_places(job, lists, part):
    """Return where a part of the batch has its lists: (addresses of their ends, first list)."""
    pairs = job.blocks * job.block_size
    ends = lists + part * pairs * (8 + LIST_BYTES)
    return ends, ends + pairs * 8


@jit
def entries_listed(ends, first_list, pair):
    """Return (address, how many) of the entries in the list of a pair."""
    entries = first_list + pair * LIST_BYTES
    return entries, (row(ends, pair + 1, np.int64(0))[pair] - entries) // 4


@shared
def list_samples(codes, job_place, batch, group, lists, like):
    """List, for each pair of pixels in the blocks of a group, the samples it is in.

    There is one list for each LISTED samples: those of a part of the batch lie behind those of
    the parts before. An entry is what it is in a code, with the sample in the pair's place.
    """
    job = job_at(job_place)
    blocks, size, code = job.blocks, job.block_size, row(codes, batch, np.int64(0))
    first, last = group_slots(group, job.groups, blocks)
    for part in range((batch + LISTED - 1) // LISTED):
        begin, end = part * LISTED, min((part + 1) * LISTED, batch)
        ends_place, first_list = list_places(job, lists, part)
        ends = row(ends_place, blocks * size, np.int64(0))
        for slot in range(first, last):
            block = block_at(slot, blocks)
            for pair in range(block * size, (block + 1) * size):
                ends[pair] = first_list + pair * LIST_BYTES
        for i in range(begin, end):
            address, count = entries_of(code[i], blocks, first, last)
            entries = row(address, count, np.uint32(0))
            for e in range(count):
                k = np.int64(entries[e] & 0xFFFF)
                row(ends[k], 1, np.uint32(0))[0] = (entries[e] & 0xFFFF0000) | (i - begin)
                ends[k] += 4


@shared
def listed_forward(job_place, batch, layer_place, panel, group, lists, z, z_row, like):
    """z = x w for one panel and the pixels of one group of blocks, pair by pair."""
    job, layer, size = job_at(job_place), layers_at(layer_place, 1)[0], item_bytes(like)
    width, table, zero = layer.width, job.table, like - like
    first, last = group_slots(group, job.groups, job.blocks)
    for part in range((batch + LISTED - 1) // LISTED):
        z_part, begin = z + part * LISTED * z_row * size, part * LISTED
        clear(z_part, z_row, min(LISTED, batch - begin), width, zero)
        ends, first_list = list_places(job, lists, part)
        for slot in range(first, last):
            block = block_at(slot, job.blocks)
            for pair in range(block * job.block_size, (block + 1) * job.block_size):
                entries, count = entries_listed(ends, first_list, pair)
                if count > 0:
                    w = layer.w + (panel * layer.panel_rows + 2 * pair) * width * size
                    scatter_samples(width, z_part, z_row, w, width, entries, count, table, like)


@shared
def listed_update(job_place, batch, layer_place, panel, group, lists, slopes, rate_place, keep):
    """w = keep w + x^T dz for one panel and the pixels of one group of blocks, pair by pair.

    With momentum, the sums are gradients, which go to the scratch `slopes` a block at a time.
    """
    job, layer, size = job_at(job_place), layers_at(layer_place, 1)[0], item_bytes(keep)
    width, table, one = layer.width, job.table, type(keep)(1)
    first, last = group_slots(group, job.groups, job.blocks)
    for slot in range(first, last):
        first_pair = block_at(slot, job.blocks) * job.block_size
        pairs = min(job.block_size, (layer.inputs + 1) // 2 - first_pair)
        if pairs <= 0:
            continue
        offset = (panel * layer.panel_rows + 2 * first_pair) * width * size
        target = layer.w + offset if job.momentum == 0 else slopes
        for part in range((batch + LISTED - 1) // LISTED):
            dz = layer.dz + (part * LISTED * layer.dz_row + panel * width) * size
            beta = keep if part == 0 else one
            ends, first_list = list_places(job, lists, part)
            for pair in range(first_pair, first_pair + pairs):
                entries, count = entries_listed(ends, first_list, pair)
                if count > 0 or beta != one:
                    c = target + 2 * (pair - first_pair) * width * size
                    gather_samples(width, c, width, dz, layer.dz_row, entries, count, table, beta)
        if job.momentum != 0:
            w, v, count = layer.w + offset, layer.vw + offset, 2 * pairs * width
            rate = row(rate_place, 1, np.float64(0))[0]
            momentum_step(job, w, v, slopes, count, rate, True, keep)


@jit
def is_listed(job):
    """Whether the first layer works on lists: large minibatches, and steps on all weights."""
    return job.batch_size >= LISTING_PAYS or job.momentum != 0 or job.weight_decay != 0


@jit
def sparse_first_layer(job, layer, codes, batch, scratch, member, members, like):
    """z = x w of the first layer, for a member's share of the units (group of blocks, panel).

    Group g writes partial sums: group 0 to `a`, the others to `partials`. `sparse_finish` adds
    them up, in the order of the groups, whoever computed them.
    """
    size, groups, listed = item_bytes(like), job.groups, -1
    lists = scratch + job.lists_offset * size
    first, last = share(layer.panels * groups, member, members)
    for unit in range(first, last):
        group, panel = unit // layer.panels, unit % layer.panels
        base = layer.a if group == 0 else job.partials + (group - 1) * job.partial_size * size
        z = base + panel * layer.width * size
        if group != listed:
            list_samples(codes, job.place, batch, group, lists, like)
            listed = group
        listed_forward(job.place, batch, layer.place, panel, group, lists, z, layer.a_row, like)


@jit
def sparse_first_rows(job, layer, codes, batch, member, members, like):
    """z = x w of the first layer, for a member's share of the images: small minibatches."""
    size = item_bytes(like)
    first, last = share(layer.panels * batch, member, members)
    for panel in range(first // batch, (last + batch - 1) // batch):
        begin, end = max(first - panel * batch, 0), min(last - panel * batch, batch)
        z = layer.a + panel * layer.width * size
        sparse_rows(codes, job.place, begin, end, layer.place, panel, z, layer.a_row, like)


@jit
def sparse_finish(job, layer, batch, member, members, like):
    """a = f(z + b), z the sum of all groups, for a member's share of the rows."""
    size, a_row, columns = item_bytes(like), layer.a_row, layer.panels * layer.width
    first, last = share((batch + TILE_ROWS - 1) // TILE_ROWS, member, members)
    begin, rows = first * TILE_ROWS, min(last * TILE_ROWS, batch) - first * TILE_ROWS
    if rows > 0:
        a = layer.a + begin * a_row * size
        for group in range(1, job.groups if is_listed(job) else 1):
            part = job.partials + ((group - 1) * job.partial_size + begin * a_row) * size
            add(a, a_row, part, a_row, rows, columns, like)
        activate(layer.activation, a, a_row, a, a_row, layer.b, rows, columns, like)


@jit
def sparse_first_update(job, layer, codes, batch, rate_place, keep, scratch, member, members):
    """w = keep w + x^T dz of the first layer, for the same share as forward: its lists are here."""
    size = item_bytes(keep)
    lists = scratch + job.lists_offset * size
    slopes = scratch + job.slopes_offset * size
    first, last = share(layer.panels * job.groups, member, members)
    for unit in range(first, last):
        group, panel = unit // layer.panels, unit % layer.panels
        if is_listed(job):
            listed_update(
                job.place, batch, layer.place, panel, group, lists, slopes, rate_place, keep
            )
        else:
            sparse_rows_update(codes, job.place, batch, layer.place, panel, group, keep)
