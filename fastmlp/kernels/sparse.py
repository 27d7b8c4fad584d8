"""The phases of a first layer whose images are mostly zeros: 0 w adds nothing, and is left out.

For a large minibatch, masks say which samples a pair of pixels is in, and the pair's two rows of
weights, forward also its neighbour's, stay in registers while these samples go by. A small one goes
through the codes of its images, one by one.

Work is shared by panels, so that a panel of weights and of deltas is one member's own, and stays
in its core's cache.
"""

from __future__ import annotations

import numpy as np

from fastmlp.kernels.codes import entries_of
from fastmlp.kernels.elementwise import activate, clear, row
from fastmlp.kernels.entries import UNROLL, gather_pixels, scatter_pixels
from fastmlp.kernels.masks import PART, make_masks, part_count
from fastmlp.kernels.nonzeros import note_nonzeros
from fastmlp.kernels.options import jit, shared
from fastmlp.kernels.records import MASKS, job_at, layers_at
from fastmlp.kernels.samples import PAIRS, gather_samples, scatter_samples
from fastmlp.kernels.share import panel_place, share
from fastmlp.kernels.simd import item_bytes, prefetch
from fastmlp.kernels.update import momentum_step

# Pairs whose weights are updated at once: with momentum, so many gradients stay in the cache
UPDATED = 64


def slopes_bytes(width: int, item: int) -> int:
    """Return how many bytes the gradients take that are held at once."""
    return 2 * UPDATED * width * item


@jit
def find_codes(job, position, batch, target):
    """Write the addresses of the codes of the samples at `position`, … of the order."""
    order, codes = row(job.order, job.samples, np.int64(0)), row(target, batch, np.int64(0))
    for i in range(batch):
        codes[i] = job.code + row(job.offsets + order[position + i] * 8, 1, np.int64(0))[0]


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
    dz = layer.dz + panel_place(layer, panel, 0, like)
    for i in range(batch):
        entries, count = entries_of(code[i])
        dz_i = dz + i * layer.a_row * size
        scatter_pixels(width, w, width, dz_i, entries, count, table, like)


@jit
def images_place(job, step, scratch, like):
    """Return where a member keeps the addresses of the images of a step's minibatch."""
    rows = part_count(job.batch_size) * PART
    return scratch + job.codes_offset * item_bytes(like) + step % 2 * rows * 8


@jit
def masks_place(job, step, part):
    """Return where the masks of a part of a step's minibatch lie."""
    return job.masks + (step % 2 * part_count(job.batch_size) + part) * job.mask_size


@jit
def find_images(job, step, target):
    """Write the addresses of a step's images, and behind them, to fill the part, any image's."""
    rows, position = part_count(job.batch_size) * PART, step * job.batch_size
    batch = min(job.batch_size, job.samples - position)
    images, order = row(target, rows, np.int64(0)), row(job.order, job.samples, np.int64(0))
    for i in range(rows):
        images[i] = job.images + (order[position + i] * job.image_row if i < batch else 0)


@jit
def mask_batch(job, step, batch, scratch, member, members, like):
    """Make a member's share of the masks of a step's minibatch; look up the next one's images."""
    images, pairs = images_place(job, step, scratch, like), (job.inputs + 1) // 2
    runs = (pairs + PART - 1) // PART
    # counted from the last member: it has the larger shares of the update, which goes before
    first, last = share(part_count(batch) * runs, members - 1 - member, members)
    for part in range(first // runs, (last + runs - 1) // runs):
        begin, end = max(first - part * runs, 0), min(last - part * runs, runs)
        rows, masks = min(PART, batch - part * PART), masks_place(job, step, part)
        make_masks(images + part * PART * 8, rows, begin, end, pairs, masks, like)
    find_images(job, step + 1, images_place(job, step + 1, scratch, like))


@jit
def foresee_pixels(images, pair):
    """Prefetch this cache line of two samples: in 32 pairs, which a line holds, of all of them."""
    image = row(images, PART, np.int64(0))
    for i in range(pair % 32 * 2, pair % 32 * 2 + 2):
        prefetch(image[i] + pair // 32 * 64)


@shared
def masked_forward(job_place, layer_place, panel, rows, masks, images, following, z, like):
    """z = x w for one panel and one part, of so many rows, PAIRS pairs at a time; z is packed.

    images : where the addresses of this part's images lie
    following : where the next part's images lie, one after the other, to be asked for; or 0
    """
    job, layer, size = job_at(job_place), layers_at(layer_place, 1)[0], item_bytes(like)
    width, table, pairs = layer.width, job.table, (layer.inputs + 1) // 2
    w, mask = layer.w + panel * layer.panel_step * size, row(masks, pairs, np.int64(0))
    clear(z, width, rows, width, like)
    w_row = layer.w_row
    for pair in range(0, pairs, PAIRS):
        if following != 0:
            # as many bytes as a pair of PART samples has: of all images by the last pair
            begin = following + pair * (2 * PART)
            for line in range(begin, begin + PAIRS * (2 * PART), 64):
                prefetch(line)
        q, pixels, one = w + 2 * pair * w_row * size, 2 * pair, mask[pair]
        q_next, other = q, 0
        if PAIRS == 2 and pair + 1 < pairs:
            q_next, other = q + 2 * w_row * size, mask[pair + 1]
        if one | other != 0:
            scatter_samples(
                width, z, width, q, q_next, w_row, one, other, images, pixels, table, like
            )


@shared
def masked_update(
    job_place, layer_place, step, batch, panel, first, last, scratch, slopes, rates, keep
):
    """w = keep w + x^T dz for one panel and the pairs first, …, last - 1, pair by pair.

    With momentum, the sums are gradients, which go to the scratch `slopes`; the learning rate
    lies at `rates`.
    """
    job, layer, size = job_at(job_place), layers_at(layer_place, 1)[0], item_bytes(keep)
    width, table, one = layer.width, job.table, type(keep)(1)
    offset = (panel * layer.panel_rows + 2 * first) * width * size
    target = layer.w + offset if job.momentum == 0 else slopes
    for part in range(part_count(batch)):
        dz = layer.dz + panel_place(layer, panel, part * PART, keep)
        beta, mask = keep if part == 0 else one, row(masks_place(job, step, part), last, step)
        images = images_place(job, step, scratch, keep) + part * PART * 8
        # the masks of these are made next: asked for any earlier, half are gone again by then
        following = images_place(job, step + 1, scratch, keep) + part * PART * 8
        for pair in range(first, last):
            foresee_pixels(following, pair)
            if mask[pair] != 0 or beta != one:
                c, pixels = target + 2 * (pair - first) * width * size, 2 * pair
                gather_samples(
                    width, c, width, dz, layer.a_row, mask[pair], images, pixels, table, beta
                )
    if job.momentum != 0:
        w, v, count = layer.w + offset, layer.vw + offset, 2 * (last - first) * width
        rate = row(rates, 1, np.float64(0))[0]
        momentum_step(job, w, v, slopes, count, rate, True, keep)


@jit
def sparse_first_layer(job, layer, step, batch, scratch, member, members, like):
    """a = f(x w + b) of the first layer, for a member's share of the units (panel, part)."""
    size, parts, width, a_row = item_bytes(like), part_count(batch), layer.width, layer.a_row
    images = images_place(job, step, scratch, like)
    first, last = share(layer.panels * parts, member, members)
    for unit in range(first, last):
        panel, part, z = unit // parts, unit % parts, scratch
        begin, masks, place = part * PART, masks_place(job, step, part), layer.place
        rows, these = min(PART, batch - begin), images + begin * 8
        masked_forward(job.place, place, panel, rows, masks, these, 0, z, like)
        a = layer.a + panel_place(layer, panel, begin, like)
        b = layer.b + panel * width * size
        activate(layer.activation, a, a_row, z, width, b, rows, width, like)
        note_nonzeros(layer, panel, begin, rows, like)


@jit
def sparse_first_rows(job, layer, position, batch, scratch, member, members, like):
    """a = f(x w + b) of the first layer, for a member's share of the images: small minibatches."""
    size, width, a_row = item_bytes(like), layer.width, layer.a_row
    codes = scratch + job.codes_offset * size
    find_codes(job, position, batch, codes)
    first, last = share(layer.panels * batch, member, members)
    for panel in range(first // batch, (last + batch - 1) // batch):
        begin, end = max(first - panel * batch, 0), min(last - panel * batch, batch)
        a, b = layer.a + panel_place(layer, panel, 0, like), layer.b + panel * width * size
        sparse_rows(codes, job.place, begin, end, layer.place, panel, a, a_row, like)
        a += begin * a_row * size
        activate(layer.activation, a, a_row, a, a_row, b, end - begin, width, like)


@jit
def sparse_first_update(job, layer, step, batch, keep, scratch, member, members):
    """w = keep w + x^T dz of the first layer; codes or images are in the scratch since forward.

    A member's share is of the units (panel, some pairs), and without masks of the panels.
    """
    size, pairs = item_bytes(keep), (layer.inputs + 1) // 2
    slopes, runs = scratch + job.slopes_offset * size, (pairs + UPDATED - 1) // UPDATED
    rates, place = job.learning_rates + step * 8, layer.place
    if job.inputs_as == MASKS:
        first, last = share(layer.panels * runs, member, members)
        for unit in range(first, last):
            panel, begin = unit // runs, unit % runs * UPDATED
            end = min(begin + UPDATED, pairs)
            masked_update(
                job.place, place, step, batch, panel, begin, end, scratch, slopes, rates, keep
            )
    else:
        codes = scratch + job.codes_offset * size
        first, last = share(layer.panels, member, members)
        for panel in range(first, last):
            sparse_rows_update(codes, job.place, batch, layer.place, panel, keep)
