"""The phase `update`: a layer's weights and biases take an SGD step."""

from __future__ import annotations

import numpy as np

from fastmlp.kernels.elementwise import copy, row
from fastmlp.kernels.masks import PART
from fastmlp.kernels.microkernel import multiply, transpose
from fastmlp.kernels.nonzeros import TERMS, nonzeros_by_output, sum_nonzeros
from fastmlp.kernels.options import jit
from fastmlp.kernels.share import panel_columns, panel_place, share
from fastmlp.kernels.simd import item_bytes
from fastmlp.kernels.tiles import TILE_ROWS

# Rows of a batch that an update takes at once: so many rows of dz stay in the first-level cache
UPDATE_DEPTH = TERMS


@jit
def update(job, layer, x, x_row, batch, rate, keep, scratch, member, members, like):
    """w = keep w + x^T dz: the step's factor is already in dz.

    The batch goes by in parts, each for all panels, so that a part of x stays in the cache.
    With momentum, the sums are gradients, and `momentum_step` applies them.
    """
    size, width, dz_row, run = item_bytes(like), layer.width, layer.a_row, layer.x_run
    depth = UPDATE_DEPTH if job.momentum == 0 else batch
    tiles = (layer.inputs + TILE_ROWS - 1) // TILE_ROWS
    first, last = share(layer.panels * tiles, member, members)
    if run == 0:
        run = layer.inputs
    for k in range(0, batch, depth):
        beta = keep if k == 0 else type(like)(1)
        x_k, length = x + k * x_row * size, min(depth, batch - k)
        for panel in range(first // tiles, (last + tiles - 1) // tiles):
            begin = max(first - panel * tiles, 0) * TILE_ROWS
            end = min(min(last - panel * tiles, tiles) * TILE_ROWS, layer.inputs)
            dz, columns = panel_place(layer, panel, k, like), panel_columns(layer, panel, like)
            dz += layer.dz
            if job.momentum == 0:
                copy(scratch, width, dz, dz_row, dz, 0, length, columns, like)
            for number in range(begin // run, (end + run - 1) // run):
                i, stop = max(begin, number * run), min(end, (number + 1) * run)
                x_i, rows = x_k + (i + number * layer.x_jump) * size, stop - i
                w = (panel * layer.panel_rows + i) * width * size
                if job.momentum != 0:
                    momentum_update(job, layer, w, x_i, x_row, dz, rows, batch, rate, scratch, like)
                    continue
                w, q = layer.w + w, scratch
                multiply(w, width, x_i, 1, x_row, 0, 0, q, width, rows, columns, length, beta)


@jit
def update_nonzeros(layer, below, batch, keep, scratch, member, members):
    """`update` where x is what the layer below noted to be not zero; the same units, no momentum.

    A row of w meets the rows of dz of the samples in which that input is not zero. The inputs are
    transposed, as a row reads those of one column, in no pattern.
    """
    size, width = item_bytes(keep), layer.width
    tiles = (layer.inputs + TILE_ROWS - 1) // TILE_ROWS
    first, last = share(layer.panels * tiles, member, members)
    if first == last:
        return
    q, noted = scratch, scratch + UPDATE_DEPTH * width * size
    x_t = noted + below.panels * UPDATE_DEPTH * 8
    bits = row(noted, below.panels * UPDATE_DEPTH, np.int64(0))
    low, high = 0, layer.inputs  # the inputs that this share meets
    if first // tiles == (last - 1) // tiles:
        low, stop = first % tiles * TILE_ROWS, ((last - 1) % tiles + 1) * TILE_ROWS
        high = min(stop, layer.inputs)
    for k in range(0, batch, UPDATE_DEPTH):
        beta, length = keep if k == 0 else type(keep)(1), min(UPDATE_DEPTH, batch - k)
        nonzeros_by_output(below, k, length, noted)
        for p in range(low // below.width, (high - 1) // below.width + 1):
            x = below.a + panel_place(below, p, k, keep)
            target = x_t + p * below.width * UPDATE_DEPTH * size
            transpose(target, UPDATE_DEPTH, x, below.a_row, length, below.width, keep)
        for panel in range(first // tiles, (last + tiles - 1) // tiles):
            begin = max(first - panel * tiles, 0) * TILE_ROWS
            end = min(min(last - panel * tiles, tiles) * TILE_ROWS, layer.inputs)
            dz = layer.dz + panel_place(layer, panel, k, keep)
            copy(q, width, dz, layer.a_row, dz, 0, length, width, keep)
            for i in range(begin, end):
                one = i // below.width * UPDATE_DEPTH + i % below.width
                samples, later = bits[one], bits[one + PART]
                if samples | later != 0 or beta != 1:
                    x = x_t + i * UPDATE_DEPTH * size
                    w = layer.w + (panel * layer.panel_rows + i) * width * size
                    sum_nonzeros(w, 0, x, samples, later, q, width, beta)


@jit
def momentum_update(job, layer, place, x, x_row, dz, rows, batch, rate, scratch, like):
    """`update` for some rows of a panel, tile by tile; place : bytes from w, or vw, to them."""
    size, width, zero = item_bytes(like), layer.width, like - like
    for i in range(0, rows, TILE_ROWS):
        count, x_i = min(TILE_ROWS, rows - i), x + i * size
        multiply(scratch, width, x_i, 1, x_row, 0, 0, dz, layer.a_row, count, width, batch, zero)
        w, v = layer.w + place + i * width * size, layer.vw + place + i * width * size
        momentum_step(job, w, v, scratch, count * width, rate, True, like)


@jit
def update_bias(job, layer, batch, rate, keep, scratch, member, members, like):
    """b = keep b + sum of dz, as `update`: a bias is a weight whose input is always 1."""
    size, width, zero = item_bytes(like), layer.width, like - like
    first, last = share(layer.panels, member, members)
    for panel in range(first, last):
        place, dz = panel * width * size, layer.dz + panel_place(layer, panel, 0, like)
        b = layer.b + place
        if job.momentum == 0:
            multiply(b, 0, job.ones, 0, 0, 0, 0, dz, layer.a_row, 1, width, batch, keep)
        else:
            multiply(scratch, 0, job.ones, 0, 0, 0, 0, dz, layer.a_row, 1, width, batch, zero)
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
