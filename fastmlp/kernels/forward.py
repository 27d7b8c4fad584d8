"""The phase `forward`: a layer's outputs, and at the last layer the deltas, too."""

from __future__ import annotations

import numpy as np

from fastmlp.kernels.cost import output
from fastmlp.kernels.elementwise import IDENTITY, activate, row
from fastmlp.kernels.microkernel import multiply
from fastmlp.kernels.nonzeros import multiply_nonzeros, note_nonzeros
from fastmlp.kernels.options import jit
from fastmlp.kernels.records import FLOAT32, UINT8
from fastmlp.kernels.share import panel_columns, panel_place, share
from fastmlp.kernels.simd import item_bytes, prefetch
from fastmlp.kernels.tiles import TILE_ROWS

# Weights that rows of x meet in one go: so many bytes stay in the second-level cache
PANELS_BYTES = 2**18


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
def forward_tile(layer, activation, a, a_row, x, x_row, panel, rows, like):
    """a = f(x w + b) for at most TILE_ROWS rows of x and one panel; a and x: their first rows."""
    size, columns, w_row = item_bytes(like), panel_columns(layer, panel, like), layer.w_row
    w = layer.w + panel * layer.panel_step * size
    b = layer.b + panel * layer.width * size
    z, run, jump = a + panel * layer.a_panel * size, layer.x_run, layer.x_jump
    multiply(z, a_row, x, x_row, 1, run, jump, w, w_row, rows, columns, layer.inputs, like - like)
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
                    note_nonzeros(layer, panel, i, rows, like)


@jit
def forward_nonzeros(layer, below, batch, member, members, like):
    """`forward` where x is what the layer below noted to be not zero; the same units."""
    size, width, a_row = item_bytes(like), layer.width, layer.a_row
    tiles = (batch + TILE_ROWS - 1) // TILE_ROWS
    first, last = share(layer.panels * tiles, member, members)
    for panel in range(first // tiles, (last + tiles - 1) // tiles):
        begin = max(first - panel * tiles, 0) * TILE_ROWS
        rows = min(min(last - panel * tiles, tiles) * TILE_ROWS, batch) - begin
        z, b = layer.a + panel_place(layer, panel, begin, like), layer.b + panel * width * size
        w = layer.w + panel * layer.panel_step * size
        multiply_nonzeros(z, a_row, below, below.a, begin, rows, w, layer.w_row, like)
        activate(layer.activation, z, a_row, z, a_row, b, rows, width, like)
        note_nonzeros(layer, panel, begin, rows, like)


@jit
def forward_output(job, layer, x, x_row, batch, position, factor, scratch, member, members, like):
    """a = f(x w + b), dz = factor dC/dz of the last layer, for a member's share of the rows."""
    size, z_row = item_bytes(like), layer.panels * layer.width
    z = scratch
    first, last = share((batch + TILE_ROWS - 1) // TILE_ROWS, member, members)
    for i in range(first * TILE_ROWS, min(last * TILE_ROWS, batch)):
        foresee_row(layer, x + i * x_row * size, like)
    end = min(last * TILE_ROWS, batch)
    for i in range(first * TILE_ROWS, end):
        # Others have read this row. The first store to it calls their copies back, which takes
        # about as long as the products that follow: it is made before them.
        row(layer.dz + i * layer.a_row * size, 1, like)[0] = type(like)(0)
    for i in range(first * TILE_ROWS, end, 2 * TILE_ROWS):
        rows, x_i = min(2 * TILE_ROWS, end - i), x + i * x_row * size
        for panel in range(layer.panels):
            forward_tile(layer, IDENTITY, z, z_row, x_i, x_row, panel, rows, like)
        output(job.place, layer.place, z, z_row, i, rows, position, factor)


@jit
def foresee_row(layer, x, like):
    """Prefetch a row of a layer's input."""
    size, run, place = item_bytes(like), layer.x_run or layer.inputs, x
    for _ in range(0, layer.inputs, run):
        for line in range(place, place + run * size, 64):
            prefetch(line)
        place += (run + layer.x_jump) * size
