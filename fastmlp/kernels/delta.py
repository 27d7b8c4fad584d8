"""The phase `delta`: backpropagation from a layer to the one below."""

from __future__ import annotations

from fastmlp.kernels.elementwise import times_slope
from fastmlp.kernels.microkernel import multiply, transpose
from fastmlp.kernels.nonzeros import leaves_out, multiply_nonzeros
from fastmlp.kernels.options import jit
from fastmlp.kernels.share import panel_columns, panel_place, share
from fastmlp.kernels.simd import item_bytes, vector_lanes
from fastmlp.kernels.tiles import TILE_ROWS, TILE_VECTORS, dot_rows

# Rows whose product is multiplied by the slope while both are still in the first-level cache
SLOPE_ROWS = 4 * TILE_ROWS


@jit
def delta(layer, below, batch, scratch, member, members, like):
    """dz of the layer below = (dz w^T) f'(z), where its outputs a = f(z) were.

    The vectors hold samples, for which dz and dx are transposed, or else inputs, for which w is:
    whichever are fewer numbers, or where dz is zero often enough. Every sum is the same.
    """
    inputs, outputs = layer.inputs, layer.outputs
    sparse = leaves_out(layer, below, batch)
    few = batch >= vector_lanes(like) and batch * (inputs + outputs) <= inputs * outputs
    if few and not sparse:
        delta_across_samples(layer, below, batch, scratch, member, members, like)
    else:
        delta_across_inputs(layer, below, batch, sparse, scratch, member, members, like)


@jit
def delta_across_samples(layer, below, batch, scratch, member, members, like):
    """`delta` as dx^T = w dz^T: w is read as it lies.

    A unit is a panel of the layer below and a block of as many samples as a tile is wide.
    """
    size, block = item_bytes(like), vector_lanes(like) * TILE_VECTORS
    blocks = (batch + block - 1) // block
    dz_t, dx_t = scratch, scratch + layer.panels * layer.width * block * size
    first, last = share(below.panels * blocks, member, members)
    for number in range(blocks):
        # unit = panel * blocks + number
        before = blocks - 1 - number
        i, begin, end = number * block, (first + before) // blocks, (last + before) // blocks
        rows, dz = min(block, batch - i), layer.dz + i * layer.a_row * size
        if begin < end:
            transpose(dz_t, block, dz, layer.a_row, rows, layer.outputs, like)
        for panel in range(begin, end):
            delta_block(layer, below, panel, i, rows, dz_t, dx_t, block, like)


@jit
def delta_block(layer, below, panel, i, rows, dz_t, dx_t, block, like):
    """dz of a panel of the layer below, for rows i, i + 1, …, whose dz^T lies at dz_t."""
    size, lanes, width, dx_row = item_bytes(like), vector_lanes(like), below.width, below.a_row
    w, inputs = layer.w + panel * width * layer.w_row * size, layer.panel_rows - panel * width
    gap, samples = layer.panel_step - layer.width, (rows + lanes - 1) // lanes * lanes
    multiply(
        dx_t,
        block,
        w,
        layer.w_row,
        1,
        layer.width,
        gap,
        dz_t,
        block,
        min(width, inputs),
        samples,
        layer.outputs,
        like - like,
    )
    columns, place = panel_columns(below, panel, like), panel_place(below, panel, i, like)
    dx, a = below.dz + place, below.a + place
    transpose(dx, dx_row, dx_t, block, columns, rows, like)
    times_slope(below.activation, dx, dx_row, dx, dx_row, a, dx_row, rows, columns, like)


@jit
def delta_across_inputs(layer, below, batch, sparse, scratch, member, members, like):
    """`delta` as dx = dz w^T. A unit is a panel of the layer below and a tile of samples.

    sparse : whether to leave out the deltas of outputs that are zero, as these are, too
    """
    size, width = item_bytes(like), below.width
    tiles = (batch + TILE_ROWS - 1) // TILE_ROWS
    if batch == 1 and layer.panels == 1 and layer.width == vector_lanes(like):
        # a single sample is not worth a transposition
        if member == 0:
            # where panels lie side by side, they are one
            columns = below.panels * width if below.a_panel == width else width
            for j in range(0, layer.inputs, columns):
                place = panel_place(below, j // width, 0, like)
                dx, a = below.dz + place, below.a + place
                rows, w = min(columns, layer.inputs - j), layer.w + j * layer.width * size
                dot_rows(dx, w, layer.width, layer.dz, rows, layer.outputs, like)
                times_slope(below.activation, dx, 0, dx, 0, a, 0, 1, columns, like)
        return
    first, last = share(below.panels * tiles, member, members)
    for panel in range(first // tiles, (last + tiles - 1) // tiles):
        begin = max(first - panel * tiles, 0) * TILE_ROWS
        end = min(min(last - panel * tiles, tiles) * TILE_ROWS, batch)
        columns, w_t = panel_columns(below, panel, like), scratch
        inputs = min(width, layer.panel_rows - panel * width)
        for p in range(layer.panels):
            w = layer.w + (p * layer.panel_step + panel * width * layer.w_row) * size
            target = w_t + p * layer.width * width * size
            transpose(target, width, w, layer.w_row, inputs, layer.width, like)
        for i in range(begin, end, SLOPE_ROWS):
            rows, place = min(SLOPE_ROWS, end - i), panel_place(below, panel, i, like)
            dx, a, dz = below.dz + place, below.a + place, layer.dz + i * layer.a_row * size
            f, zero, length = below.activation, like - like, layer.outputs
            dx_row, dz_row = below.a_row, layer.a_row
            if sparse:
                multiply_nonzeros(dx, dx_row, layer, layer.dz, i, rows, w_t, width, like)
            else:
                multiply(dx, dx_row, dz, dz_row, 1, 0, 0, w_t, width, rows, columns, length, zero)
            times_slope(f, dx, dx_row, dx, dx_row, a, dx_row, rows, columns, like)
