"""The phases of a first layer whose images are mostly zeros: 0 w adds nothing, and is left out.

In a large minibatch, words say in which samples a pair of pixels is, and the pair's two rows of
weights stay in registers while these samples go by. A small one is taken image by image.

A panel of weights and of deltas is one member's own, and stays in its core's cache.
"""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.functions.coefficients import WEIGHTS
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import item_bytes, prefetch_lines
from fastmlp.kernels.loops.bit_loops import (
    gather_entries,
    gather_pixels,
    gather_samples,
    scatter_entries,
    scatter_pixels,
    scatter_samples,
)
from fastmlp.kernels.loops.bits import list_capacity
from fastmlp.kernels.loops.elementwise import clear, scale_numbers
from fastmlp.kernels.memory.records import (
    BY_ENTRY,
    BY_PAIR,
    COLUMNS,
    numbers_at,
    row_offset,
    weight_offset,
)
from fastmlp.kernels.memory.tuning import ENTRY_ROWS, FEW, PAIRS, PART, UPDATE_PAIRS
from fastmlp.kernels.step.forward import finish_tile
from fastmlp.kernels.step.images import batch_at, entries_at, pairs_of, prefetch_pixels, words_at
from fastmlp.kernels.step.update import coefficients_at, is_fused, kept_share, step_weights
from fastmlp.kernels.team.plan import share_panels, units_of


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch these phases use: a part's z, or gradients of some inputs."""
    return max(PART, 2 * UPDATE_PAIRS, ENTRY_ROWS) * int(layers["width"][0]) * dtype.itemsize


@shared
def forward_pairs(
    job, layer, panel, first, last, begin, end, words, images, following, z,
    like: float,
):  # fmt: skip
    """z = x w for a panel and the rows begin, …, end - 1 of a part, and some pairs.

    first, last : the first pair, and the one behind the last
    z : address of the part's rows, packed
    images : address of the addresses of this part's images
    following : address of the next part's pixels, whose images are adjacent, to prefetch; or 0
    """
    size, width, w_row = item_bytes(like), layer.width, layer.w_row
    w, word = layer.w + weight_offset(layer, panel, 0, like), numbers_at(words, last, np.int64(0))
    wanted = -1 if end - begin == PART else ((1 << (end - begin)) - 1) << begin
    clear(z + begin * width * size, width, end - begin, width, like)
    for pair in range(first, last, PAIRS):
        if following != 0:
            # 2 PART bytes at each pair: after the last pair, all of them
            prefetch_lines(following + pair * (2 * PART), PAIRS * (2 * PART))
        q, one = w + 2 * pair * w_row * size, word[pair] & wanted
        q_next, other = q, 0
        if PAIRS == 2 and pair + 1 < last:
            q_next, other = q + 2 * w_row * size, word[pair + 1] & wanted
        if one | other != 0:
            scatter_samples(
                width, z, width, q, q_next, w_row, one, other, images, 2 * pair, job.table, like
            )


@shared
def update_pairs(job, layer, step, panel, first, last, scratch, like: float):
    """w = keep w + x^T dz for one panel and the pairs first, …, last - 1, pair by pair.

    For a general optimiser, the sums are gradients, which go to the scratch.
    """
    size, width, fused = item_bytes(like), layer.width, is_fused(job.optimizer)
    coefficients = coefficients_at(job, layer, step, WEIGHTS)
    keep = kept_share(coefficients, like)
    offset, (position, batch) = weight_offset(layer, panel, 2 * first, like), batch_at(job, step)
    target = layer.w + offset if fused else scratch
    for i in range(0, batch, PART):
        dz, beta = layer.dz + row_offset(layer, panel, i, like), keep if i == 0 else type(like)(1)
        word = numbers_at(words_at(job, step, i), last, np.int64(0))
        images = job.addresses + (position + i) * 8
        # their words are made next: before the next barrier, which is one step later with one
        # barrier a step. Prefetched earlier, half of them would be evicted before
        later = (2 if layer.cut == COLUMNS else 1) * job.batch_size
        following = job.sources + (position + i + later) * 8
        for pair in range(first, last):
            prefetch_pixels(following, pair)
            if word[pair] != 0 or beta != 1:
                c = target + 2 * (pair - first) * width * size
                gather_samples(
                    width, c, width, dz, layer.a_row, word[pair], images, 2 * pair, job.table, beta
                )
    if not fused:
        count = 2 * (last - first) * width
        step_weights(job, layer, offset, scratch, count, coefficients, like)


@shared
def forward_lists(job, layer, panel, low, high, rows, lists, following, z, z_row, like: float):
    """z = x w for one panel and the inputs low, …, high - 1, image by image.

    lists : address of the first one's list of these inputs
    following : position in the order of the first of `rows` images to prefetch, one at each image,
        as all at once would wait for each other; or -1
    """
    size, zero = item_bytes(like), like - like
    w = layer.w + weight_offset(layer, panel, low, like)
    for i in range(rows):
        z_i, own = z + i * z_row * size, lists + i * job.words_bytes
        if following >= 0:
            image = numbers_at(job.sources, following + i + 1, np.int64(0))[following + i]
            prefetch_lines(image + low, high - low)
        gather_pixels(layer.width, z_i, w, layer.w_row, own, list_capacity(high - low), zero)


@shared
def update_lists(job, layer, step, panel, low, high, lists, like: float):
    """w = keep w + x^T dz for one panel, image by image; lists as in `forward_lists`.

    `keep` is 1, as all other steps go by pairs; or 0, for a trace.
    """
    size, w = item_bytes(like), layer.w + weight_offset(layer, panel, low, like)
    if kept_share(coefficients_at(job, layer, step, WEIGHTS), like) == 0:
        clear(w, layer.w_row, high - low, layer.width, like)
    dz = layer.dz + row_offset(layer, panel, 0, like)
    for i in range(batch_at(job, step)[1]):
        dz_i, own = dz + i * layer.a_row * size, lists + i * job.words_bytes
        scatter_pixels(layer.width, w, layer.w_row, dz_i, own, list_capacity(high - low), like)


@shared
def forward_entries(job, layer, panel, position, rows, z, z_row, like: float):
    """z = x w for one panel and some samples, from a position of the order on, entry by entry."""
    size, zero = item_bytes(like), like - like
    w = layer.w + weight_offset(layer, panel, 0, like)
    for i in range(rows):
        columns, values, count = entries_at(job, position + i, 0, layer.inputs, like)
        z_i = z + i * z_row * size
        gather_entries(layer.width, z_i, w, layer.w_row, columns, values, count, zero)


@shared
def update_entries(job, layer, step, panel, low, high, scratch, like: float):
    """w = keep w + x^T dz for one panel and the inputs low, …, high - 1, entry by entry.

    For a general optimiser, the sums are gradients, of ENTRY_ROWS inputs at a time in the scratch.
    """
    size = item_bytes(like)
    (position, batch), width, fused = batch_at(job, step), layer.width, is_fused(job.optimizer)
    coefficients = coefficients_at(job, layer, step, WEIGHTS)
    keep, dz = kept_share(coefficients, like), layer.dz + row_offset(layer, panel, 0, like)
    several = max(1, high - low) if fused else ENTRY_ROWS
    for begin in range(low, high, several):
        end = min(begin + several, high)
        offset, count = weight_offset(layer, panel, begin, like), (end - begin) * width
        target = layer.w + offset if fused else scratch
        w = target - begin * width * size
        if keep == 0:
            clear(target, width, end - begin, width, like)
        elif keep != 1:
            scale_numbers(target, count, keep)
        for i in range(batch):
            columns, values, entries = entries_at(job, position + i, begin, end, like)
            dz_i = dz + i * layer.a_row * size
            scatter_entries(width, w, width, dz_i, columns, values, entries, like)
        if not fused:
            step_weights(job, layer, offset, scratch, count, coefficients, like)


@jit
def forward_first(job, layer, step, scratch, member, members, like):
    """a = f(x w + b) of the first layer. A unit is a panel and a part, or a panel and an image.

    With more members than panels, a unit is FEW rows of a part.
    """
    (position, batch), inputs = batch_at(job, step), layer.inputs
    width, z_row, sample = layer.width, layer.a_row, job.first_sample + position
    rows = PART if members <= layer.panels else FEW
    rows = rows if job.images_as == BY_PAIR else 1
    units = (batch + rows - 1) // rows
    first, last, begin, end = share_panels(layer.panels, units, layer.cut, member, members)
    for panel in range(begin, end):
        low, high = units_of(panel, first, last, units)
        low, high = low * rows, min(high * rows, batch)
        if job.images_as != BY_PAIR:
            count, z = high - low, layer.a + row_offset(layer, panel, low, like)
            lists, following = words_at(job, step, low), position + job.batch_size + low
            if job.images_as == BY_ENTRY:
                forward_entries(job, layer, panel, position + low, count, z, z_row, like)
            else:
                forward_lists(job, layer, panel, 0, inputs, count, lists, following, z, z_row, like)
            finish_tile(layer, panel, low, count, z, z_row, width, sample, like)
            continue
        for part in range(low // PART * PART, high, PART):
            i, stop = max(low, part), min(high, part + PART)
            words, images = words_at(job, step, part), job.addresses + (position + part) * 8
            pairs, z = pairs_of(inputs), scratch + (i - part) * width * item_bytes(like)
            forward_pairs(
                job, layer, panel, 0, pairs, i - part, stop - part, words, images, 0, scratch, like
            )
            finish_tile(layer, panel, i, stop - i, z, width, width, sample, like)


@jit
def update_first(job, layer, step, scratch, member, members, like):
    """w = keep w + x^T dz, first layer. A unit is a panel and some inputs; image by image, all.

    With more members than panels, units are smaller, and those of a share lie FEW apart, as
    pixels in the middle of images are less often zero.
    """
    if job.images_as == BY_PAIR:
        pairs = pairs_of(layer.inputs)
        few, apart = (UPDATE_PAIRS, 1) if members <= layer.panels else (FEW, FEW)
        rounds = (pairs + few * apart - 1) // (few * apart)
        runs = rounds * apart
        first, last, _, _ = share_panels(layer.panels, runs, layer.cut, member, members)
        for unit in range(first, last):
            panel, k = unit // runs, unit % runs
            begin = (k % rounds * apart + k // rounds) * few
            stop = min(begin + few, pairs)
            if begin < stop:
                update_pairs(job, layer, step, panel, begin, stop, scratch, like)
        return
    size = ENTRY_ROWS if job.images_as == BY_ENTRY else layer.inputs
    runs = (layer.inputs + size - 1) // size
    first, last, begin, end = share_panels(layer.panels, runs, layer.cut, member, members)
    for panel in range(begin, end):
        low, high = units_of(panel, first, last, runs)
        low, high = low * size, min(high * size, layer.inputs)
        if job.images_as == BY_ENTRY:
            update_entries(job, layer, step, panel, low, high, scratch, like)
        else:
            update_lists(job, layer, step, panel, low, high, words_at(job, step, 0), like)
