"""The phase `output`: the last layer's outputs, what they cost, and the first delta."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import claim_lines, item_bytes, prefetch_lines, vector_lanes
from fastmlp.kernels.loops.elementwise import IDENTITY, activate, add, copy
from fastmlp.kernels.loops.tile import product
from fastmlp.kernels.memory.panels import units, vector_size
from fastmlp.kernels.memory.records import (
    BY_ENTRY,
    COLUMNS_THEN_ROWS,
    input_at,
    is_transposed,
    panel_columns,
    partial_at,
    row_offset,
    weight_offset,
)
from fastmlp.kernels.step.first_layer import forward_inputs
from fastmlp.kernels.step.forward import forward_panel, transposed_block
from fastmlp.kernels.step.judge import block_of, is_row, judge, judge_rows
from fastmlp.kernels.team.plan import share


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch this phase uses.

    z of as many samples as a vector has lanes, and their blocks of z, a, y and dz; a vector each of
    factors, costs and hits; and zeros as a row of biases.
    """
    wide, lanes = int(layers["panels"][-1] * layers["width"][-1]), vector_size(dtype)
    return ((5 * lanes + 1) * wide + 3 * lanes) * dtype.itemsize


@jit
def block_at(job, layer, below, step, panel, i, like):
    """Return the address of what a panel of the layer below adds to the block of rows i, …."""
    return partial_at(job, step, below.panels, panel) + i * layer.outputs * item_bytes(like)


@jit
def write_partial(job, layer, below, panel, i, rows, target, scratch, like):
    """Write the block of what a panel of the layer below adds to z of rows i, i + 1, ….

    + b with its first panel
    """
    a, first = below.a + row_offset(below, panel, i, like), panel * below.width
    length = min(below.width, below.outputs - first)
    if is_transposed(layer):
        transposed_block(layer, target, a, first, length, like)
        return
    width, lanes, columns = layer.width, vector_lanes(like), panel_columns(layer, 0, like)
    z, w = scratch, layer.w + weight_offset(layer, 0, first, like)
    product(z, width, a, below.a_row, 1, w, layer.w_row, rows, columns, length, like - like)
    if panel == 0:
        activate(IDENTITY, z, width, z, z, width, layer.b, rows, columns, like)
    found = block_of(job, layer, z + lanes * width * item_bytes(like), z, width, rows, like)
    # a row takes whole vectors, which are no more than its block
    used = layer.outputs if rows > 1 else units(layer.outputs, lanes)
    copy(target, lanes, found, lanes, used, lanes, like)


@jit
def claim_partials(job, layer, below, step, batch, member, members, like):
    """Take the lines that `partial_outputs` will write from the members that have read them."""
    first, last = share(below.panels, member, members)
    for panel in range(first, last):
        size = batch * layer.outputs * item_bytes(like)
        claim_lines(block_at(job, layer, below, step, panel, 0, like), size)


@shared
def partial_outputs(job, layer, below, step, batch, scratch, member, members, like: float):
    """Write what each of a member's panels of the layer below adds to z of the last layer."""
    lanes, (first, last) = vector_lanes(like), share(below.panels, member, members)
    for panel in range(first, last):
        for i in range(0, batch, lanes):
            target = block_at(job, layer, below, step, panel, i, like)
            rows = min(lanes, batch - i)
            write_partial(job, layer, below, panel, i, rows, target, scratch, like)


@shared
def output_of_partials(job, layer, below, step, batch, scratch, member, members, like: float):
    """a = f(z), dz = factor dC/dz of the last layer, with z the sum of partials, in their order.

    Each member computes them for all rows; the last writes costs and hits, as its last panel may be
    the narrower one. If others wrote some, their prefetchers would take its lines.
    """
    size, lanes, columns = item_bytes(like), vector_lanes(like), layer.outputs
    position, z = step * job.batch_size, scratch
    first, last = share(below.panels, member, members)
    for panel in range(below.panels):
        if not first <= panel < last:
            p = block_at(job, layer, below, step, panel, 0, like)
            prefetch_lines(p, batch * columns * size)
    for i in range(0, batch, lanes):
        rows = min(lanes, batch - i)
        vectors = units(columns, lanes) if is_row(job, layer, rows, like) else columns
        for panel in range(below.panels):
            p = block_at(job, layer, below, step, panel, i, like)
            if panel == 0:
                copy(z, lanes, p, lanes, vectors, lanes, like)
            else:
                add(z, lanes, p, lanes, vectors, lanes, like)
        blocks, is_mine = scratch + lanes * layer.width * size, int(member == members - 1)
        judge(job, layer, z, blocks, i, rows, position + i, is_mine, like)


@shared
def output(
    job, layer, below, step, position, batch, scratch, member, members, is_mine, like: float
):
    """a = f(x w + b), dz = factor dC/dz of the last layer, for a member's share of the rows.

    The batch begins at `position` of the order. Where there are partials, z is summed as they are.
    below : the layer below; of the only layer, itself
    is_mine : not 0 to write each sample's cost, and whether it is right
    """
    size, lanes, z_row = item_bytes(like), vector_lanes(like), layer.panels * layer.width
    is_only, by_panels = layer.a == below.a, job.plan == COLUMNS_THEN_ROWS
    by_entry, z = is_only and job.images_as == BY_ENTRY, scratch
    blocks = z + lanes * z_row * size
    first, last = share(units(batch, lanes), member, members)
    begin, end = first * lanes, min(last * lanes, batch)
    for i in range(begin, end if members > 1 and not by_entry else begin):
        x_i, run = input_at(layer, step, i, like), layer.x_run if layer.x_run != 0 else layer.inputs
        for _ in range(0, layer.inputs, run):
            prefetch_lines(x_i, run * size)
            x_i += (run + layer.x_jump) * size
    if members > 1:  # others have read these deltas
        claim_lines(layer.dz + begin * layer.a_row * size, (end - begin) * layer.a_row * size)
    for i in range(begin, end, lanes):
        rows, x_i = min(lanes, end - i), input_at(layer, step, i, like)
        if is_transposed(layer) or by_panels:  # z is a block
            for panel in range(below.panels if by_panels else 0):
                target, own = z if panel == 0 else blocks, blocks + lanes * z_row * size
                write_partial(job, layer, below, panel, i, rows, target, own, like)
                if panel > 0:
                    add(z, lanes, target, lanes, layer.outputs, lanes, like)
            if not by_panels:
                transposed_block(layer, z, x_i, 0, layer.inputs, like)
            judge(job, layer, z, blocks, i, rows, position + i, is_mine, like)
            continue
        for panel in range(layer.panels):
            z_p, b = z + panel * layer.width * size, layer.b + panel * layer.width * size
            if by_entry:
                columns, inputs = panel_columns(layer, panel, like), layer.inputs
                forward_inputs(job, layer, step, 0, panel, 0, inputs, i, i + rows, blocks, like)
                activate(IDENTITY, z_p, z_row, z_p, blocks, layer.width, b, rows, columns, like)
                continue
            forward_panel(layer, IDENTITY, panel, x_i, z_p, z_row, z_p, rows, like)
        judge_rows(job, layer, z, z_row, blocks, i, rows, position + i, is_mine, like)
