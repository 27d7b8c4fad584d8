"""The phases of a first layer whose images are mostly zeros: 0 w adds nothing, and is left out.

In a large minibatch, words say in which samples a group of pixels is, and its rows of weights stay
in registers while these samples go by. A small one is taken image by image, and rows of a sparse
matrix entry by entry. Panels of weights and deltas stay in a core's cache.
"""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.functions.coefficients import WEIGHTS
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import LINE_BYTES, item_bytes, prefetch, prefetch_lines
from fastmlp.kernels.loops import bit_loops
from fastmlp.kernels.loops.bits import WIDE, group_shape, list_capacity, pixels_of, words_of
from fastmlp.kernels.loops.elementwise import is_fused, scale_numbers
from fastmlp.kernels.memory import records
from fastmlp.kernels.memory.panels import round_up, units
from fastmlp.kernels.memory.records import numbers_at, row_offset, weight_offset
from fastmlp.kernels.memory.tuning import ENTRY_ROWS, FEW, GROUP, PART, UPDATE_INPUTS
from fastmlp.kernels.step.forward import finish_tile, forward
from fastmlp.kernels.step.images import batch_at, entries_at, words_at
from fastmlp.kernels.step.update import general_step, kept_share
from fastmlp.kernels.team.plan import rows_of, share, share_panels


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch these phases use: z of a part; gradients of some inputs, or entries;
    or copies of a part's images, without what is dropped, and their addresses.
    """
    inputs, width = int(layers["inputs"][0]), int(layers["width"][0])
    numbers = max(PART, UPDATE_INPUTS, ENTRY_ROWS, group_shape(inputs)[1]) * width
    return max(numbers * dtype.itemsize, PART * (round_up(inputs + WIDE, PART) + 8))


@jit
def inputs_at_once(job, layer):
    """Return how many inputs an update takes at once: by groups, whole blocks; by lists, all."""
    if job.images_as == records.BY_GROUP:
        return max(UPDATE_INPUTS // job.block_inputs, 1) * job.block_inputs
    return ENTRY_ROWS if job.images_as == records.BY_ENTRY else layer.inputs


@shared
def forward_inputs(job, layer, step, number, panel, low, high, i, stop, z, like: float):
    """z = x w for a panel, the inputs low, …, high - 1 and the rows i, …, stop - 1 of a part.

    number : of the slice of the inputs whose lists are read; z : address of these rows, packed
    By lists, an image of the next minibatch is prefetched at each image, as all at once would wait
    for each other.
    """
    size, width, zero = item_bytes(like), layer.width, like - like
    if job.images_as == records.BY_GROUP:
        part, group, stride = i // PART * PART, low // GROUP, job.pair_stride
        quads, z_0 = words_at(job, layer, step, part), z - (i - part) * width * size
        word = numbers_at(words_of(quads, layer.inputs), units(high, GROUP), np.int64(0))
        wanted = -1 if stop - i == PART else ((1 << (stop - i)) - 1) << (i - part)
        numbers_at(z, (stop - i) * width, like)[:] = 0
        for first in range(low, high, GROUP // 2 * stride):
            for pixel in range(first, first + stride, 2):
                own, w = word[group] & wanted, layer.w + weight_offset(layer, panel, pixel, like)
                pixels, group = pixels_of(quads, group), group + 1
                if own != 0:
                    bit_loops.scatter_samples(
                        width, z_0, width, w, layer.w_row, stride, own, pixels, job.table, like
                    )
        return
    first = batch_at(job, step)[0]
    w, following = layer.w + weight_offset(layer, panel, low, like), first + job.batch_size
    addresses = numbers_at(job.addresses, following + stop, np.int64(0))
    for k in range(i, stop):
        z_k = z + (k - i) * width * size
        if job.images_as == records.BY_ENTRY:
            columns, values, count = entries_at(job, first + k, low, high, like)
            bit_loops.gather_entries(width, z_k, w, layer.w_row, columns, values, count, zero)
            continue
        prefetch_lines(addresses[following + k] + low, high - low)
        own = words_at(job, layer, step, number * job.batch_size + k)
        bit_loops.gather_pixels(width, z_k, w, layer.w_row, own, list_capacity(high - low), zero)


@jit
def add_groups(job, layer, step, panel, low, high, w, keep, like):
    """w = keep w + x^T dz for a panel and the inputs low, …, high - 1, which w is of, by groups."""
    size, width, (position, batch) = item_bytes(like), layer.width, batch_at(job, step)
    stride = job.pair_stride
    # the images that are marked next: of the next step, or, by columns, then rows, where these are
    # marked before the update, of the one after. Prefetched earlier, half of them would be evicted
    later = (2 if layer.cut == records.COLUMNS else 1) * job.batch_size
    for i in range(0, batch, PART):
        dz, beta = layer.dz + row_offset(layer, panel, i, like), keep if i == 0 else type(like)(1)
        quads, group = words_at(job, layer, step, i), low // GROUP
        word = numbers_at(words_of(quads, layer.inputs), units(high, GROUP), np.int64(0))
        following = numbers_at(job.addresses + (position + i + later) * 8, PART, np.int64(0))
        for first in range(low, high, GROUP // 2 * stride):
            for pixel in range(first, first + stride, 2):
                line, k = group * GROUP // PART, group * GROUP % PART
                for n in range(k, k + GROUP):  # in the groups of a line, those of all images
                    prefetch(following[n] + line * LINE_BYTES)
                c, pixels = w + (pixel - low) * width * size, pixels_of(quads, group)
                if word[group] != 0 or beta != 1:
                    bit_loops.gather_samples(
                        width, c, width, stride, dz, layer.a_row, word[group], pixels, job.table,
                        beta,
                    )  # fmt: skip
                group += 1


@jit
def add_rows(job, layer, step, number, panel, low, high, w, keep, like):
    """As `add_groups`, sample by sample. number : as in `forward_inputs`."""
    size, width, (position, batch) = item_bytes(like), layer.width, batch_at(job, step)
    if keep == 0:
        numbers_at(w, (high - low) * width, like)[:] = 0
    elif keep != 1:
        scale_numbers(w, (high - low) * width, keep)
    for i in range(batch):
        dz_i = layer.dz + row_offset(layer, panel, i, like)
        if job.images_as == records.BY_ENTRY:
            columns, values, count = entries_at(job, position + i, low, high, like)
            w_0 = w - low * width * size
            bit_loops.scatter_entries(width, w_0, width, dz_i, columns, values, count, like)
        else:
            own = words_at(job, layer, step, number * job.batch_size + i)
            bit_loops.scatter_pixels(width, w, width, dz_i, own, list_capacity(high - low), like)


@shared
def update_inputs(job, layer, step, number, panel, low, high, scratch, like: float):
    """w = keep w + x^T dz for a panel and the inputs low, …, high - 1; or a general step.

    For a general one the sums are gradients, of some inputs at a time in the scratch.
    """
    fused, by_group = is_fused(job.optimizer), job.images_as == records.BY_GROUP
    keep = kept_share(job, layer, step, WEIGHTS, like)
    several = max(1, high - low) if fused and not by_group else inputs_at_once(job, layer)
    for begin in range(low, high, several):
        end = min(begin + several, high)
        offset = weight_offset(layer, panel, begin, like)
        w = layer.w + offset if fused else scratch
        if by_group:
            add_groups(job, layer, step, panel, begin, end, w, keep, like)
        else:
            add_rows(job, layer, step, number, panel, begin, end, w, keep, like)
        if not fused:
            general_step(job, layer, step, WEIGHTS, offset, w, (end - begin) * layer.width, like)


@jit
def forward_first(job, layer, step, scratch, member, members, like):
    """a = f(x w + b) of the first layer. A unit is a panel and a part, or a panel and an image.

    With more members than panels, a unit is FEW rows of a part.
    """
    position, batch = batch_at(job, step)
    width, sample, size = layer.width, job.first_sample + position, 1
    if job.images_as == records.BY_GROUP:
        size = PART if members <= layer.panels else FEW
    first, last, begin, end = share_panels(layer.panels, size, batch, layer.cut, member, members)
    for panel in range(begin, end):
        low, high = rows_of(panel, first, last, size, batch)
        for part in range(low // PART * PART, high, PART):
            i, stop = max(low, part), min(high, part + PART)
            forward_inputs(job, layer, step, 0, panel, 0, layer.inputs, i, stop, scratch, like)
            finish_tile(layer, panel, i, stop - i, scratch, width, sample, like)


@jit
def forward_layer(job, layers, l, step, position, rows, full, scratch, member, members, like):
    """a = f(x w + b) for a member's share; position : of the first sample in the order.

    full : as in `forward.forward_panel`; 0 in inference, so that an answer does not depend on how
        many images there are
    """
    layer, below = layers[l], layers[max(l - 1, 0)]
    if l == 0 and job.images_as != records.DENSE:
        forward_first(job, layer, step, scratch, member, members, like)
    else:
        sample = job.first_sample + position
        forward(layer, below, step, sample, rows, full, member, members, like)


@jit
def update_first(job, layer, step, scratch, member, members, like):
    """w = keep w + x^T dz, first layer. A unit is a panel and some inputs; by lists, all.

    By groups with more members than panels, units are smaller, and those of a share lie FEW apart,
    as pixels in the middle of images are less often zero.
    """
    inputs, size = layer.inputs, inputs_at_once(job, layer)
    if job.images_as == records.BY_GROUP and members > layer.panels:
        size = job.block_inputs
        rounds = units(inputs, size * FEW)
        pieces = rounds * FEW  # the last may lie behind the inputs
        first, last = share(layer.panels * pieces, member, members)
        for unit in range(first, last):
            panel, k = unit // pieces, unit % pieces
            low = (k % rounds * FEW + k // rounds) * size
            high = min(low + size, inputs)
            update_inputs(job, layer, step, 0, panel, low, high, scratch, like)
        return
    first, last, begin, end = share_panels(layer.panels, size, inputs, layer.cut, member, members)
    for panel in range(begin, end):
        low, high = rows_of(panel, first, last, size, inputs)
        update_inputs(job, layer, step, 0, panel, low, high, scratch, like)
