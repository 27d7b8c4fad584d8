"""The phase `forward`: a layer's outputs."""

from __future__ import annotations

from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import item_bytes, vector_lanes
from fastmlp.kernels.loops.elementwise import activate, copy, drop_units, keeps_z
from fastmlp.kernels.loops.tile import PRODUCT, dot_rows, fuses, multiply, transpose
from fastmlp.kernels.memory.records import (
    numbers_at,
    panel_columns,
    row_offset,
    weight_offset,
)
from fastmlp.kernels.memory.tuning import PANELS_BYTES, TILE_ROWS, UNIT_ROWS
from fastmlp.kernels.step.images import dense_images
from fastmlp.kernels.step.nonzeros import mark_outputs, multiply_nonzeros
from fastmlp.kernels.team.plan import share_panels, units_of


@jit
def layer_input(job, layers, l, step, own, like):
    """Return what layer l reads: address, elements between rows, and its runs (see `forward`)."""
    if l == 0:
        return dense_images(job, step, own, like), job.x_row, 0, 0
    below = layers[l - 1]
    if below.a_panel == below.width:  # panels that lie side by side are one run
        return below.a, below.a_row, 0, 0
    return below.a, below.a_row, below.width, below.a_panel - below.width


@jit
def outputs_at(layer, panel, i, like):
    """Return the addresses of row i of a panel of a, and of what is kept: z, or a itself."""
    offset = row_offset(layer, panel, i, like)
    return layer.a + offset, (layer.z if layer.z != 0 else layer.a) + offset


@shared
def drop(layer, panel, sample, a, rows, columns, like: float):
    """a = a m / (1 - p) for some rows of a panel, outputs or deltas.

    a : address of the first of these rows; sample : number in the run of its sample
    """
    unit, scale = panel * layer.width, type(like)(layer.drop_scale)
    key, below = layer.drop_key, layer.drop_below
    drop_units(a, layer.a_row, rows, columns, key, sample, unit, below, scale)


@jit
def finish_outputs(layer, panel, i, rows, columns, sample, like):
    """Drop some outputs of rows i, i + 1, … of a panel, and mark which are not zero.

    sample : number in the run of the sample of row 0
    """
    if layer.drop_below != 0:
        a, kept = outputs_at(layer, panel, i, like)
        if not keeps_z(layer.activation):
            copy(kept, layer.a_row, a, layer.a_row, rows, columns, like)
        drop(layer, panel, sample + i, a, rows, columns, like)
    if layer.nonzeros != 0:
        mark_outputs(layer, panel, i, rows, like)


@shared
def finish_tile(layer, panel, i, rows, z, z_row, columns, sample, like: float):
    """a = f(z + b) for rows i, i + 1, … of a panel, and `finish_outputs`."""
    b = layer.b + panel * layer.width * item_bytes(like)
    a, kept = outputs_at(layer, panel, i, like)
    activate(layer.activation, a, layer.a_row, kept, z, z_row, b, rows, columns, like)
    finish_outputs(layer, panel, i, rows, columns, sample, like)


@shared
def forward_panel(layer, f, panel, x, x_row, run, jump, a, a_row, kept, rows, like: float):
    """a = f(x w + b) for some rows of x and one panel, and what f keeps: see `activate`."""
    columns, w = panel_columns(layer, panel, like), layer.w + weight_offset(layer, panel, 0, like)
    b, finish = layer.b + panel * layer.width * item_bytes(like), f if fuses(f) else PRODUCT
    multiply(
        a, a_row, x, x_row, 1, run, jump, w, layer.w_row, rows, columns, layer.inputs, finish, b,
        like - like,
    )  # fmt: skip
    if finish == PRODUCT:
        activate(f, a, a_row, kept, a, a_row, b, rows, columns, like)


@jit
def is_narrow(layer, like):
    """Return whether the layer has one vector of outputs, at least half of it padding."""
    return layer.width == vector_lanes(like) and 2 * layer.outputs <= layer.width


@jit
def transpose_narrow(layer, first, last, w_t, like):
    """Write w^T of the inputs first, …, last - 1 of a narrow layer; return the bytes of all of it.

    Of other layers nothing is written, and 0 is returned.
    """
    size, lanes = item_bytes(like), vector_lanes(like)
    wide = (layer.inputs + lanes - 1) // lanes * lanes
    if not is_narrow(layer, like):
        return 0
    w, rows = layer.w + weight_offset(layer, 0, first, like), min(last, wide) - first
    transpose(w_t + first * size, wide, w, layer.w_row, rows, lanes, like)
    return lanes * wide * size


@shared
def narrow_block(layer, block, x, x_row, run, jump, w_t, first, length, like: float):
    """block = (x w)^T of as many rows of x as a vector has lanes, for `length` inputs from `first`.

    And + b with the first input. x (see `forward`) begins with `first`. Dot products have vectors
    of inputs, where `forward_panel` multiplies with vectors of outputs, which are mostly padding.
    """
    size, lanes = item_bytes(like), vector_lanes(like)
    wide, b = (layer.inputs + lanes - 1) // lanes * lanes, numbers_at(layer.b, layer.outputs, like)
    width, apart = (run, run + jump) if run != 0 else (lanes, lanes)
    for j in range(layer.outputs):
        target, q = block + j * lanes * size, w_t + (j * wide + first) * size
        dot_rows(target, x, x_row, apart, width, q, lanes, length, like)
        if first == 0:
            z = numbers_at(target, lanes, like)
            for r in range(lanes):
                z[r] += b[j]


@shared
def forward(layer, x, x_row, run, jump, sample, batch, member, members, like: float):
    """a = f(x w + b) of a hidden layer. A unit is a panel and a tile of rows.

    x `(B, I)` has rows x_row apart, in runs of `run` columns, `jump` more apart (0: one run).
    sample : number in the run of the first of these samples
    For each tile of rows several panels are computed, which stay in the L2 cache.
    """
    size = item_bytes(like)
    tiles = (batch + TILE_ROWS - 1) // TILE_ROWS
    first, last, begin, end = share_panels(layer.panels, tiles, layer.cut, member, members)
    several = max(1, PANELS_BYTES // (layer.inputs * layer.width * size))
    for group in range(begin, end, several):
        for i in range(0, batch, UNIT_ROWS):
            for panel in range(group, min(group + several, end)):
                low, high = units_of(panel, first, last, tiles)
                start, stop = max(i, low * TILE_ROWS), min(i + UNIT_ROWS, high * TILE_ROWS, batch)
                if start < stop:
                    a, kept = outputs_at(layer, panel, start, like)
                    rows, x_i = stop - start, x + start * x_row * size
                    forward_panel(
                        layer, layer.activation, panel, x_i, x_row, run, jump, a, layer.a_row,
                        kept, rows, like,
                    )  # fmt: skip
                    columns = panel_columns(layer, panel, like)
                    finish_outputs(layer, panel, start, rows, columns, sample, like)


@shared
def forward_nonzeros(layer, below, sample, batch, member, members, like: float):
    """`forward` where x are the outputs of the layer below that are not zero; the same units."""
    tiles = (batch + TILE_ROWS - 1) // TILE_ROWS
    first, last, begin, end = share_panels(layer.panels, tiles, layer.cut, member, members)
    for panel in range(begin, end):
        low, high = units_of(panel, first, last, tiles)
        i, stop = low * TILE_ROWS, min(high * TILE_ROWS, batch)
        z = layer.a + row_offset(layer, panel, i, like)
        w = layer.w + weight_offset(layer, panel, 0, like)
        multiply_nonzeros(z, layer.a_row, below, below.a, i, stop - i, w, layer.w_row, like)
        finish_tile(layer, panel, i, stop - i, z, layer.a_row, layer.width, sample, like)
