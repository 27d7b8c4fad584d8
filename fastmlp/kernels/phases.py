"""The phases of a training step: each does one team member's share of one layer's work.

A share is a run of tiles; which member computes a tile changes nothing in it, and every element
is summed by one tile in one order. So the bits do not depend on the number of members.
`like` carries the precision, `member` counts from 0 to members - 1, x is the layer's input.
"""

from __future__ import annotations

import numpy as np

from fastmlp.kernels.elementwise import activate, copy, row, times_slope
from fastmlp.kernels.microkernel import multiply, transpose
from fastmlp.kernels.options import jit
from fastmlp.kernels.records import FLOAT32, UINT8
from fastmlp.kernels.simd import item_bytes, vector_lanes
from fastmlp.kernels.tiles import TILE_ROWS, TILE_VECTORS, dot_rows

# Weights that rows of x meet in one go: so many bytes stay in the second-level cache
PANELS_BYTES = 2**18
# Rows of a batch that an update takes at once: so many rows of dz stay in the first-level cache
UPDATE_DEPTH = 128
# Rows whose product is multiplied by the slope while it is still in the first-level cache
SLOPE_ROWS = 64


@jit
def share(work, member, members):
    """Return the first and the last-but-one unit of a member's share of `work` units."""
    if members == 1:
        return 0, work
    return work * member // members, work * (member + 1) // members


@jit
def load_row(job, sample, x, like):
    """x = scale * one image."""
    number, inputs = type(like), job.inputs
    target, scale = row(x, inputs, like), type(like)(job.scale)
    if job.image_kind == UINT8:
        pixels = row(job.images + sample * job.image_row, inputs, np.uint8(0))
        for k in range(inputs):
            target[k] = scale * number(pixels[k])
    elif job.image_kind == FLOAT32:
        singles = row(job.images + sample * inputs * 4, inputs, np.float32(0))
        for k in range(inputs):
            target[k] = scale * number(singles[k])
    else:
        doubles = row(job.images + sample * inputs * 8, inputs, np.float64(0))
        for k in range(inputs):
            target[k] = scale * number(doubles[k])


@jit
def panel_columns(layer, panel, like):
    """Return how many columns of a panel are not padding, in whole vectors."""
    lanes = vector_lanes(like)
    left = layer.outputs - panel * layer.width
    return min(layer.width, (left + lanes - 1) // lanes * lanes)


@jit
def forward_tile(layer, activation, a, a_row, x, x_row, panel, rows, like):
    """a = f(x w + b) for at most TILE_ROWS rows of x and one panel; a and x: their first rows."""
    size, width = item_bytes(like), layer.width
    w = layer.w + panel * layer.panel_step * size
    b = layer.b + panel * width * size
    z, w_row, columns = a + panel * width * size, layer.w_row, panel_columns(layer, panel, like)
    multiply(z, a_row, x, x_row, 1, 0, 0, w, w_row, rows, columns, layer.inputs, like - like)
    activate(activation, z, a_row, z, a_row, b, rows, columns, like)


@jit
def forward(layer, x, x_row, batch, member, members, like):
    """a = f(x w + b) of a hidden layer. A unit is a panel and a tile of rows.

    Rows go by once for several panels, which stay in the second-level cache.
    """
    size, a_row, f = item_bytes(like), layer.a_row, layer.activation
    tiles = (batch + TILE_ROWS - 1) // TILE_ROWS
    first, last = share(layer.panels * tiles, member, members)
    several = max(1, PANELS_BYTES // (layer.inputs * layer.width * size))
    for begin in range(first // tiles, (last + tiles - 1) // tiles, several):
        end = min(begin + several, layer.panels)
        for tile in range(tiles):
            i = tile * TILE_ROWS
            a, x_i = layer.a + i * a_row * size, x + i * x_row * size
            for panel in range(begin, end):
                if first <= panel * tiles + tile < last:
                    rows = min(TILE_ROWS, batch - i)
                    forward_tile(layer, f, a, a_row, x_i, x_row, panel, rows, like)


@jit
def delta(layer, below, batch, scratch, member, members, like):
    """dz of the layer below = (dz w^T) f'(z), where its outputs a = f(z) were.

    The vectors hold samples, for which dz and dx are transposed, or else inputs, for which w is:
    whichever are fewer numbers. Every sum is the same either way.
    """
    inputs, outputs = layer.inputs, layer.outputs
    if batch >= vector_lanes(like) and batch * (inputs + outputs) <= inputs * outputs:
        delta_across_samples(layer, below, batch, scratch, member, members, like)
    else:
        delta_across_inputs(layer, below, batch, scratch, member, members, like)


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
        rows, dz = min(block, batch - i), layer.dz + i * layer.dz_row * size
        if begin < end:
            transpose(dz_t, block, dz, layer.dz_row, rows, layer.outputs, like)
        for panel in range(begin, end):
            delta_block(layer, below, panel, i, rows, dz_t, dx_t, block, like)


@jit
def delta_block(layer, below, panel, i, rows, dz_t, dx_t, block, like):
    """dz of a panel of the layer below, for rows i, i + 1, …, whose dz^T lies at dz_t."""
    size, lanes, width, dx_row = item_bytes(like), vector_lanes(like), below.width, below.dz_row
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
    columns, dx = panel_columns(below, panel, like), below.dz + panel * below.dz_panel * size
    dx, a = dx + i * dx_row * size, below.a + (i * below.a_row + panel * width) * size
    transpose(dx, dx_row, dx_t, block, columns, rows, like)
    times_slope(below.activation, dx, dx_row, dx, dx_row, a, below.a_row, rows, columns, like)


@jit
def delta_across_inputs(layer, below, batch, scratch, member, members, like):
    """`delta` as dx = dz w^T. A unit is a panel of the layer below and a tile of samples."""
    size, width = item_bytes(like), below.width
    tiles = (batch + TILE_ROWS - 1) // TILE_ROWS
    if batch == 1 and layer.panels == 1 and layer.width == vector_lanes(like):
        # a single sample is not worth a transposition
        if member == 0:
            # where the panels of dz lie side by side, they are one
            columns = below.panels * width if below.dz_panel == width else width
            for j in range(0, layer.inputs, columns):
                dx, a = below.dz + j // width * below.dz_panel * size, below.a + j * size
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
            rows, dz = min(SLOPE_ROWS, end - i), layer.dz + i * layer.dz_row * size
            dx = below.dz + (panel * below.dz_panel + i * below.dz_row) * size
            a = below.a + (i * below.a_row + panel * width) * size
            f, zero, length = below.activation, like - like, layer.outputs
            dx_row, dz_row = below.dz_row, layer.dz_row
            multiply(dx, dx_row, dz, dz_row, 1, 0, 0, w_t, width, rows, columns, length, zero)
            times_slope(f, dx, dx_row, dx, dx_row, a, below.a_row, rows, columns, like)


@jit
def update(job, layer, x, x_row, batch, rate, keep, scratch, member, members, like):
    """w = keep w + x^T dz: the step's factor is already in dz.

    The batch goes by in parts, each for all panels, so that a part of x stays in the cache.
    With momentum, the sums are gradients, and `momentum_step` applies them.
    """
    size, width, depth = item_bytes(like), layer.width, UPDATE_DEPTH
    if job.momentum != 0:
        depth = batch
    tiles = (layer.inputs + TILE_ROWS - 1) // TILE_ROWS
    first, last = share(layer.panels * tiles, member, members)
    for k in range(0, batch, depth):
        beta = keep if k == 0 else type(like)(1)
        x_k, length = x + k * x_row * size, min(depth, batch - k)
        for panel in range(first // tiles, (last + tiles - 1) // tiles):
            begin = max(first - panel * tiles, 0) * TILE_ROWS
            end = min(min(last - panel * tiles, tiles) * TILE_ROWS, layer.inputs)
            place, x_i = (panel * layer.panel_rows + begin) * width * size, x_k + begin * size
            w, dz = layer.w + place, layer.dz + (panel * layer.dz_panel + k * layer.dz_row) * size
            if job.momentum == 0:
                rows, columns = end - begin, panel_columns(layer, panel, like)
                copy(scratch, width, dz, layer.dz_row, dz, 0, length, columns, like)
                multiply(w, width, x_i, 1, x_row, 0, 0, scratch, width, rows, columns, length, beta)
                continue
            for i in range(begin, end, TILE_ROWS):
                rows, zero, dz_row = min(TILE_ROWS, end - i), like - like, layer.dz_row
                place, x_i = (panel * layer.panel_rows + i) * width * size, x + i * size
                multiply(scratch, width, x_i, 1, x_row, 0, 0, dz, dz_row, rows, width, batch, zero)
                w, v = layer.w + place, layer.vw + place
                momentum_step(job, w, v, scratch, rows * width, rate, True, like)


@jit
def update_bias(job, layer, batch, rate, keep, scratch, member, members, like):
    """b = keep b + sum of dz, as `update`: a bias is a weight whose input is always 1."""
    size, width, zero = item_bytes(like), layer.width, like - like
    first, last = share(layer.panels, member, members)
    for panel in range(first, last):
        place, dz = panel * width * size, layer.dz + panel * layer.dz_panel * size
        b = layer.b + place
        if job.momentum == 0:
            multiply(b, 0, job.ones, 0, 0, 0, 0, dz, layer.dz_row, 1, width, batch, keep)
        else:
            multiply(scratch, 0, job.ones, 0, 0, 0, 0, dz, layer.dz_row, 1, width, batch, zero)
            momentum_step(job, b, layer.vb + place, scratch, width, rate, False, like)


@jit
def momentum_step(job, parameter, velocity, gradient, count, rate, decays, like):
    """v = momentum v + g; w -= rate v, or with Nesterov w -= rate (g + momentum v)."""
    number = type(like)
    rate, momentum = number(rate), number(job.momentum)
    decay = number(job.weight_decay if decays else 0.0)
    w, v, g = row(parameter, count, like), row(velocity, count, like), row(gradient, count, like)
    nesterov = job.nesterov != 0
    for k in range(count):
        slope = g[k] + decay * w[k]
        speed = momentum * v[k] + slope
        v[k] = speed
        w[k] -= rate * (slope + momentum * speed if nesterov else speed)
