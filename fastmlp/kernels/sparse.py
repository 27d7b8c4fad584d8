"""The phases of a first layer whose images are encoded: 0 w adds nothing, so it is left out.

A large minibatch is first turned into lists, one for each pair of pixels, of the samples in which
it is not zero. Then a pair's two rows of weights stay in registers while its list goes by.
A small one goes through its images one by one.

Work is shared by panels, so that a panel of weights and of deltas is one member's own, and stays
in its core's cache. Each member makes all lists for itself: to read another's takes as long.
"""

from __future__ import annotations

import numpy as np

from fastmlp.kernels.codes import entries_of, foresee_code
from fastmlp.kernels.elementwise import activate, clear, row
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
from fastmlp.kernels.simd import item_bytes, prefetch_to_write

# Samples that are listed at once, a part of a minibatch: so many rows of z or dz stay in the
# first-level cache
LISTED = 64
# The size of a minibatch from which on lists pay
LISTING_PAYS = 16
# Bytes of a list: an entry for each sample, and a gap, for at equal distances of a power of two
# the lists' ends would fall into the same few sets of the cache
LIST_BYTES = 4 * LISTED + 8
# How many samples ahead codes are asked for: they lie anywhere in memory
AHEAD = 8
# Pairs whose weights are updated at once: with momentum, so many gradients stay in the cache
UPDATED = 64


def lists_bytes(inputs: int, batch_size: int) -> int:
    """Return how many bytes the lists of a minibatch take."""
    return (inputs + 1) // 2 * (8 + LIST_BYTES) * (-(-batch_size // LISTED))


def slopes_bytes(width: int, item: int) -> int:
    """Return how many bytes the gradients take that are held at once."""
    return 2 * UPDATED * width * item


@jit
def part_count(batch):
    """Return how many parts a minibatch has."""
    return (batch + LISTED - 1) // LISTED


@jit
def is_listed(job):
    """Whether the first layer works on lists: large minibatches, and steps on all weights."""
    return job.batch_size >= LISTING_PAYS or job.momentum != 0 or job.weight_decay != 0


@jit
def find_codes(job, position, batch, target):
    """Write the addresses of the codes of the samples at `position`, … of the order."""
    order, codes = row(job.order, job.samples, np.int64(0)), row(target, batch, np.int64(0))
    for i in range(batch):
        codes[i] = job.code + row(job.offsets + order[position + i] * 8, 1, np.int64(0))[0]
        if i < AHEAD:
            foresee_code(codes[i])


@shared
def sparse_rows(codes, job_place, first, last, layer_place, panel, z, z_row, like):
    """z = x w for one panel and the images first, …, last - 1, image by image.

    codes : where the addresses of the images' codes lie; z : where row 0 goes, this panel's
    first column
    """
    job, layer, size = job_at(job_place), layers_at(layer_place, 1)[0], item_bytes(like)
    width, table, code = layer.width, job.table, row(codes, last, np.int64(0))
    w, w_row, zero = layer.w + panel * layer.panel_step * size, layer.w_row, like - like
    for i in range(first, last):
        entries, count = entries_of(code[i])
        count = (count + UNROLL - 1) // UNROLL * UNROLL
        gather_pixels(width, z + i * z_row * size, w, w_row, entries, count, table, zero)


@shared
def sparse_rows_update(codes, job_place, batch, layer_place, panel, like):
    """w += x^T dz for one panel, image by image."""
    job, layer, size = job_at(job_place), layers_at(layer_place, 1)[0], item_bytes(like)
    width, table, code = layer.width, job.table, row(codes, batch, np.int64(0))
    w = layer.w + panel * layer.panel_rows * width * size
    dz = layer.dz + panel * layer.dz_panel * size
    for i in range(batch):
        entries, count = entries_of(code[i])
        dz_i = dz + i * layer.dz_row * size
        scatter_pixels(width, w, width, dz_i, entries, count, table, like)


@jit
def list_places(job, lists, part):
    """Return where a part of the batch has its lists: (addresses of their ends, first list)."""
    pairs = (job.inputs + 1) // 2
    ends = lists + part * pairs * (8 + LIST_BYTES)
    return ends, ends + pairs * 8


@jit
def entries_listed(ends, first_list, pair):
    """Return (address, how many) of the entries in the list of a pair."""
    entries = first_list + pair * LIST_BYTES
    return entries, (row(ends, pair + 1, np.int64(0))[pair] - entries) // 4


@shared
def list_samples(codes, job_place, part, batch, lists, like):
    """List, for each pair of pixels, the samples of one part of the batch that it is in.

    An entry is what it is in a code, with the sample, counted from the part's first, in the
    pair's place.
    """
    job, code = job_at(job_place), row(codes, batch, np.int64(0))
    begin, end = part * LISTED, min((part + 1) * LISTED, batch)
    ends_place, first_list = list_places(job, lists, part)
    pairs = (job.inputs + 1) // 2
    ends = row(ends_place, pairs, np.int64(0))
    for pair in range(pairs):
        ends[pair] = first_list + pair * LIST_BYTES
        prefetch_to_write(ends[pair])
    for i in range(begin, end):
        if i + AHEAD < batch:
            foresee_code(code[i + AHEAD])
        address, count = entries_of(code[i])
        entries = row(address, count, np.uint32(0))
        for e in range(count):
            k, place = np.int64(entries[e] & 0xFFFF), ends[np.int64(entries[e] & 0xFFFF)]
            ends[k] = place + 4
            row(place, 1, np.uint32(0))[0] = (entries[e] & 0xFFFF0000) | (i - begin)


@shared
def listed_forward(job_place, layer_place, part, rows, panel, lists, z, like):
    """z = x w for one panel and one part, of so many rows, pair by pair; z is packed."""
    job, layer, size = job_at(job_place), layers_at(layer_place, 1)[0], item_bytes(like)
    width, table = layer.width, job.table
    w = layer.w + panel * layer.panel_step * size
    clear(z, width, rows, width, like)
    ends, first_list = list_places(job, lists, part)
    for pair in range((layer.inputs + 1) // 2):
        entries, count = entries_listed(ends, first_list, pair)
        if count > 0:
            q = w + 2 * pair * width * size
            scatter_samples(width, z, width, q, width, entries, count, table, like)


@shared
def listed_update(job_place, layer_place, batch, panel, first, last, lists, slopes, rates, keep):
    """w = keep w + x^T dz for one panel and the pairs first, …, last - 1, pair by pair.

    With momentum, the sums are gradients, which go to the scratch `slopes`; the learning rate
    lies at `rates`.
    """
    job, layer, size = job_at(job_place), layers_at(layer_place, 1)[0], item_bytes(keep)
    width, table, one = layer.width, job.table, type(keep)(1)
    offset = (panel * layer.panel_rows + 2 * first) * width * size
    target = layer.w + offset if job.momentum == 0 else slopes
    for part in range(part_count(batch)):
        dz = layer.dz + (panel * layer.dz_panel + part * LISTED * layer.dz_row) * size
        beta = keep if part == 0 else one
        ends, first_list = list_places(job, lists, part)
        for pair in range(first, last):
            entries, count = entries_listed(ends, first_list, pair)
            if count > 0 or beta != one:
                c = target + 2 * (pair - first) * width * size
                gather_samples(width, c, width, dz, layer.dz_row, entries, count, table, beta)
    if job.momentum != 0:
        w, v, count = layer.w + offset, layer.vw + offset, 2 * (last - first) * width
        rate = row(rates, 1, np.float64(0))[0]
        momentum_step(job, w, v, slopes, count, rate, True, keep)


@jit
def sparse_first_layer(job, layer, position, batch, scratch, member, members, like):
    """a = f(x w + b) of the first layer, for a member's share of the units (panel, part)."""
    size, parts, width, a_row = item_bytes(like), part_count(batch), layer.width, layer.a_row
    codes, lists = scratch + job.codes_offset * size, scratch + job.lists_offset * size
    find_codes(job, position, batch, codes)
    for part in range(parts):
        list_samples(codes, job.place, part, batch, lists, like)
    first, last = share(layer.panels * parts, member, members)
    for unit in range(first, last):
        panel, part, z = unit // parts, unit % parts, scratch
        rows = min(LISTED, batch - part * LISTED)
        listed_forward(job.place, layer.place, part, rows, panel, lists, z, like)
        a = layer.a + (part * LISTED * a_row + panel * width) * size
        b = layer.b + panel * width * size
        activate(layer.activation, a, a_row, z, width, b, rows, width, like)


@jit
def sparse_first_rows(job, layer, position, batch, scratch, member, members, like):
    """a = f(x w + b) of the first layer, for a member's share of the images: small minibatches."""
    size, width, a_row = item_bytes(like), layer.width, layer.a_row
    codes = scratch + job.codes_offset * size
    find_codes(job, position, batch, codes)
    first, last = share(layer.panels * batch, member, members)
    for panel in range(first // batch, (last + batch - 1) // batch):
        begin, end = max(first - panel * batch, 0), min(last - panel * batch, batch)
        a, b = layer.a + panel * width * size, layer.b + panel * width * size
        sparse_rows(codes, job.place, begin, end, layer.place, panel, a, a_row, like)
        a += begin * a_row * size
        activate(layer.activation, a, a_row, a, a_row, b, end - begin, width, like)


@jit
def sparse_first_update(job, layer, batch, rates, keep, scratch, member, members):
    """w = keep w + x^T dz of the first layer; codes and lists are in the scratch since forward.

    A member's share is of the units (panel, some pairs), and without lists of the panels.
    """
    size, pairs = item_bytes(keep), (layer.inputs + 1) // 2
    codes, lists = scratch + job.codes_offset * size, scratch + job.lists_offset * size
    slopes, runs = scratch + job.slopes_offset * size, (pairs + UPDATED - 1) // UPDATED
    if is_listed(job):
        first, last = share(layer.panels * runs, member, members)
        for unit in range(first, last):
            panel, begin = unit // runs, unit % runs * UPDATED
            end, place = min(begin + UPDATED, pairs), layer.place
            listed_update(job.place, place, batch, panel, begin, end, lists, slopes, rates, keep)
    else:
        first, last = share(layer.panels, member, members)
        for panel in range(first, last):
            sparse_rows_update(codes, job.place, batch, layer.place, panel, keep)
