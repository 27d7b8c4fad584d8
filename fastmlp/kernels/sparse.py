"""Images of mostly zeros: encoded as what is not zero, and the phases that work on that.

0 w adds nothing, so a first layer on such images has only the other pixels to do. An image is
cut into blocks of at most 256 pixels. Its code is a header, (start, count) in uint16 for each
block, then the nonzero pixels block by block as pairs of bytes (place within the block, value),
each block's padded with (0, 0) to a multiple of CHAINS pairs. `start` counts pairs behind the
header.
"""

from __future__ import annotations

import numpy as np

from fastmlp.kernels.elementwise import activate, add, row
from fastmlp.kernels.options import jit, shared
from fastmlp.kernels.phases import momentum_step, share
from fastmlp.kernels.records import job_at, layers_at
from fastmlp.kernels.simd import VECTOR_BYTES, item_bytes, vector_lanes
from fastmlp.kernels.tiles import ROW_VECTORS, TILE_ROWS, gather_row, scatter_row

# Sums side by side in a sparse row: as many as leave registers for the rest
CHAINS = 2
WIDE_CHAINS = 2 if VECTOR_BYTES == 64 else 1
# Pixels of a block at most: a place within it is one byte
LARGEST_BLOCK = 256
# The size of a minibatch from which on it pays to list each pixel's samples
LISTING_PAYS = 16
# Samples whose pixels are turned into lists at once
LISTED = 64
# Bytes of a pixel's list: its length, LISTED pairs, and room for the padding
LIST_BYTES = 8 + 2 * LISTED + 8


def block_size(inputs: int) -> int:
    """Return how many pixels a block has: as equal as can be, and at most LARGEST_BLOCK."""
    return -(-inputs // -(-inputs // LARGEST_BLOCK))


def largest_code(inputs: int) -> int:
    """Return how many bytes the code of an image without zeros may touch, rounded up to 64."""
    return -(-(4 * inputs + 2 * inputs * (CHAINS + 1)) // 64) * 64


@jit
def code_bytes(pixels, inputs, size):
    """Return how many bytes an image's code in blocks of `size` takes, with one pair to spare."""
    blocks = (inputs + size - 1) // size
    pairs = 0
    for block in range(blocks):
        rows = min(size, inputs - block * size)
        image, count = row(pixels + block * size, rows, np.uint8(0)), 0
        for place in range(rows):
            count += image[place] != 0
        pairs += (count + CHAINS - 1) // CHAINS * CHAINS
    return 4 * blocks + 2 * (pairs + 1)


@jit
def encode(pixels, inputs, size, code):
    """Write the code of the image at an address; the pair to spare may be written, too."""
    blocks = (inputs + size - 1) // size
    image = row(pixels, inputs, np.uint8(0))
    header = row(code, 2 * blocks, np.uint16(0))
    pairs = row(code + 4 * blocks, 2 * (inputs + CHAINS * (blocks + 1)), np.uint8(0))
    start = 0
    for block in range(blocks):
        first = block * size
        end = start
        place, pixels_here = 0, min(size, inputs - first)
        while place < pixels_here:
            stop = min(place + 8, pixels_here)
            if stop == place + 8 and row(pixels + first + place, 1, np.int64(0))[0] == 0:
                place = stop
            while place < stop:
                # always written, kept only if it is not zero: no branch to predict
                pairs[2 * end], pairs[2 * end + 1] = place, image[first + place]
                end += image[first + place] != 0
                place += 1
        header[2 * block], header[2 * block + 1] = start, end - start
        while (end - start) % CHAINS != 0:
            pairs[2 * end], pairs[2 * end + 1] = 0, 0
            end += 1
        start = end


def _gather(vectors: int, chains: int):
    """Compile `gather_row` for one width."""

    @jit
    def gather(c, q, q_row, pairs, length, table, beta):
        gather_row(vectors, chains, c, q, q_row, pairs, length, table, beta)

    return gather


def _scatter(vectors: int):
    """Compile `scatter_row` for one width."""

    @jit
    def scatter(c, c_row, q, pairs, length, table, like):
        scatter_row(vectors, c, c_row, q, pairs, length, table, like)

    return scatter


_gather_slim, _gather_half = _gather(1, CHAINS), _gather(ROW_VECTORS // 2, CHAINS)
_gather_wide = _gather(ROW_VECTORS, WIDE_CHAINS)
_scatter_slim, _scatter_half, _scatter_wide = (
    _scatter(n) for n in (1, ROW_VECTORS // 2, ROW_VECTORS)
)


@jit
def gather(columns, c, q, q_row, pairs, length, table, beta):
    """c[j] = beta c[j] + sum over k of table[value k] q[index k, j], for `columns` columns."""
    lanes = vector_lanes(beta)
    if columns == lanes * ROW_VECTORS:
        _gather_wide(c, q, q_row, pairs, length, table, beta)
    elif columns == lanes:
        _gather_slim(c, q, q_row, pairs, length, table, beta)
    else:
        _gather_half(c, q, q_row, pairs, length, table, beta)


@jit
def scatter(columns, c, q, pairs, length, table, like):
    """c[index k, j] += table[value k] q[j] for every k and `columns` columns."""
    lanes = vector_lanes(like)
    if columns == lanes * ROW_VECTORS:
        _scatter_wide(c, columns, q, pairs, length, table, like)
    elif columns == lanes:
        _scatter_slim(c, columns, q, pairs, length, table, like)
    else:
        _scatter_half(c, columns, q, pairs, length, table, like)


@jit
def block_of(code, block, blocks):
    """Return (address of a block's pairs, how many there are) in the code of an image."""
    header = row(code + 4 * block, 2, np.uint16(0))
    return code + 4 * blocks + 2 * np.int64(header[0]), np.int64(header[1])


@jit
def sparse_first_layer(job, layer, codes, batch, member, members, like):
    """z = x w of the first layer, for a member's share of the units (panel, group of blocks).

    Group g writes partial sums: group 0 to `a`, the others to `partials`. `sparse_finish` adds
    them up, in the order of the groups, whoever computed them.
    """
    size, groups, blocks = item_bytes(like), job.groups, job.blocks
    first, last = share(layer.panels * groups, member, members)
    for unit in range(first, last):
        panel, group = unit // groups, unit % groups
        begin, end = share(blocks, group, groups)
        base = layer.a if group == 0 else job.partials + (group - 1) * job.partial_size * size
        z = base + panel * layer.width * size
        sparse_forward(
            codes, job.place, 0, batch, begin, end, layer.place, panel, z, layer.a_row, like
        )


@jit
def sparse_finish(job, layer, batch, member, members, like):
    """a = f(z + b), z the sum of all groups, for a member's share of the rows."""
    size, a_row, columns = item_bytes(like), layer.a_row, layer.panels * layer.width
    first, last = share((batch + TILE_ROWS - 1) // TILE_ROWS, member, members)
    begin, rows = first * TILE_ROWS, min(last * TILE_ROWS, batch) - first * TILE_ROWS
    if rows > 0:
        a = layer.a + begin * a_row * size
        for group in range(1, job.groups):
            part = job.partials + ((group - 1) * job.partial_size + begin * a_row) * size
            add(a, a_row, part, a_row, rows, columns, like)
        activate(layer.activation, a, a_row, a, a_row, layer.b, rows, columns, like)


@jit
def sparse_first_update(job, layer, codes, batch, rate_place, keep, scratch, member, members):
    """w = keep w + x^T dz of the first layer, for a member's share of panels and blocks."""
    first, last = share(layer.panels * job.blocks, member, members)
    if batch < LISTING_PAYS and keep == type(keep)(1) and job.momentum == 0:
        sparse_scatter(codes, job.place, batch, layer.place, first, last, keep)
    else:
        sparse_update(codes, job.place, batch, layer.place, first, last, scratch, rate_place, keep)


@shared
def sparse_forward(
    codes, job_place, first, last, first_block, last_block, layer_place, panel, z, z_row, like
):
    """z = x w for one panel, the images first, …, last - 1 and the pixels of some blocks.

    codes : where the addresses of the images' codes lie; z : where row 0 goes, this panel's
    first column
    """
    job, layer, size = job_at(job_place), layers_at(layer_place, 1)[0], item_bytes(like)
    width, blocks, table = layer.width, job.blocks, job.table
    w, code = layer.w + panel * layer.panel_rows * width * size, row(codes, last, np.int64(0))
    for block in range(first_block, last_block):
        beta = like - like if block == first_block else type(like)(1)
        w_block = w + block * job.block_size * width * size
        for i in range(first, last):
            pairs, count = block_of(code[i], block, blocks)
            length = (count + CHAINS - 1) // CHAINS * CHAINS
            gather(width, z + i * z_row * size, w_block, width, pairs, length, table, beta)


@shared
def sparse_scatter(codes, job_place, batch, layer_place, first, last, like):
    """w += x^T dz for a share of the units (panel, block), sample by sample."""
    job, layer, size = job_at(job_place), layers_at(layer_place, 1)[0], item_bytes(like)
    width, blocks, table = layer.width, job.blocks, job.table
    code = row(codes, batch, np.int64(0))
    for unit in range(first, last):
        panel, block = unit // blocks, unit % blocks
        w = layer.w + (panel * layer.panel_rows + block * job.block_size) * width * size
        dz = layer.dz + panel * width * size
        for i in range(batch):
            pairs, count = block_of(code[i], block, blocks)
            scatter(width, w, dz + i * layer.dz_row * size, pairs, count, table, like)


@shared
def sparse_update(codes, job_place, batch, layer_place, first, last, lists, rate_place, keep):
    """w = keep w + x^T dz for a share of the units (panel, block), pixel by pixel.

    For each pixel of a block, a list of the samples in which it is not zero is made first; then
    its row of weights is read and written but once for LISTED samples. With momentum, the sums
    are gradients. lists : scratch for `list_room` bytes
    """
    job, layer, size = job_at(job_place), layers_at(layer_place, 1)[0], item_bytes(keep)
    width, parts, one = layer.width, (batch + LISTED - 1) // LISTED, type(keep)(1)
    blocks, table, most = job.blocks, job.table, job.block_size
    part_bytes = most * LIST_BYTES
    slopes = lists + part_bytes * parts
    for block in range(blocks):
        listed, rows = False, min(most, layer.inputs - block * most)
        for panel in range(layer.panels):
            if not first <= panel * blocks + block < last:
                continue
            if not listed:
                for part in range(parts):
                    place = lists + part * part_bytes
                    list_pixels(codes, block, blocks, rows, part * LISTED, batch, place)
                listed = True
            offset = (panel * layer.panel_rows + block * most) * width * size
            target = layer.w + offset if job.momentum == 0 else slopes
            for part in range(parts):
                dz = layer.dz + (part * LISTED * layer.dz_row + panel * width) * size
                beta, place = keep if part == 0 else one, lists + part * part_bytes
                for pixel in range(rows):
                    pairs = place + pixel * LIST_BYTES
                    length = np.int64(row(pairs, 1, np.uint8(0))[0])
                    if length > 0 or beta != one:
                        c = target + pixel * width * size
                        gather(width, c, dz, layer.dz_row, pairs + 8, length, table, beta)
            if job.momentum != 0:
                w, v = layer.w + offset, layer.vw + offset
                rate = row(rate_place, 1, np.float64(0))[0]
                momentum_step(job, w, v, slopes, rows * width, rate, True, keep)


@jit
def list_pixels(codes, block, blocks, rows, first, batch, lists):
    """List, for each pixel of a block, the samples first, first + 1, … where it is not zero.

    A list is its length, padded to a multiple of CHAINS, then 8 bytes on pairs of bytes
    (sample - first, value), padded with (0, 0).
    """
    lengths = row(lists, rows * LIST_BYTES, np.uint8(0))
    for pixel in range(rows):
        lengths[pixel * LIST_BYTES] = 0
    code, last = row(codes, batch, np.int64(0)), min(first + LISTED, batch)
    for i in range(first, last):
        pairs_place, count = block_of(code[i], block, blocks)
        pairs = row(pairs_place, 2 * count, np.uint8(0))
        for k in range(count):
            start = np.int64(pairs[2 * k]) * LIST_BYTES
            length = np.int64(lengths[start])
            lengths[start + 8 + 2 * length] = i - first
            lengths[start + 9 + 2 * length] = pairs[2 * k + 1]
            lengths[start] = length + 1
    for pixel in range(rows):
        place = pixel * LIST_BYTES
        listed = np.int64(lengths[place])
        row(lists + place + 8 + 2 * listed, 1, np.int64(0))[0] = 0
        lengths[place] = (listed + CHAINS - 1) // CHAINS * CHAINS


def list_room(batch_size: int, pixels: int, width: int, item: int) -> int:
    """Return how many bytes of scratch `sparse_update` takes for blocks of so many pixels."""
    return pixels * (LIST_BYTES * -(-batch_size // LISTED) + width * item)
