"""The phase `output`: the last layer's outputs, what they cost, and the first delta."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import claim_lines, item_bytes, prefetch_lines, vector_lanes
from fastmlp.kernels.loops.elementwise import IDENTITY, activate, add, copy
from fastmlp.kernels.loops.tile import PRODUCT, transpose
from fastmlp.kernels.memory import records
from fastmlp.kernels.memory.panels import round_up, units, vector_size
from fastmlp.kernels.memory.records import BY_ENTRY, input_at, is_transposed, panel_columns
from fastmlp.kernels.step.first_layer import forward_inputs
from fastmlp.kernels.step.forward import forward_panel, transposed_block
from fastmlp.kernels.step.images import batch_at
from fastmlp.kernels.step.judge import is_row, judge, judge_rows
from fastmlp.kernels.team.plan import share


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch this phase uses.

    z of as many samples as a vector has lanes, and their blocks of z, a, y and dz; their costs; and
    zeros as a row of biases.
    """
    wide, lanes = int(layers["panels"][-1] * layers["width"][-1]), vector_size(dtype)
    return ((5 * lanes + 1) * wide + lanes) * dtype.itemsize


@jit
def block_at(job, layer, below, step, panel, i, like):
    """Return the address of what a panel of the layer below adds to the block of rows i, …."""
    return records.partial_at(job, step, below.panels, panel) + i * layer.outputs * item_bytes(like)


@jit
def claim_partials(job, layer, below, step, batch, first, last, like):
    """Take the lines that `partial_outputs` will write from the members that have read them."""
    for panel in range(first, last):
        size = batch * layer.outputs * item_bytes(like)
        claim_lines(block_at(job, layer, below, step, panel, 0, like), size)


@shared
def partial_outputs(job, layer, below, step, first, last, begin, end, scratch, like: float):
    """Write what the panels first, …, last - 1 of the layer below add to z of some rows, as blocks.

    + b with its first panel
    """
    width, lanes = layer.width, vector_lanes(like)
    z, block = scratch, scratch + lanes * width * item_bytes(like)
    for panel in range(first, last):
        k, f = panel * below.width, IDENTITY if panel == 0 else PRODUCT
        length = min(below.width, below.outputs - k)
        for i in range(begin, end, lanes):
            target = block_at(job, layer, below, step, panel, i, like)
            rows, a = min(lanes, end - i), below.a + records.row_offset(below, panel, i, like)
            if is_transposed(layer):
                transposed_block(layer, target, a, k, length, like)
                continue
            forward_panel(layer, f, 0, k, length, a, z, width, rows, 0, like)
            if rows == 1:  # it takes whole vectors, which are no more than its block
                copy(target, lanes, z, lanes, units(layer.outputs, lanes), lanes, like)
            else:
                transpose(block, lanes, z, width, lanes, round_up(layer.outputs, lanes), like)
                copy(target, lanes, block, lanes, layer.outputs, lanes, like)


@shared
def output_of_partials(job, layer, below, step, first, last, begin, end, scratch, like: float):
    """a = f(z), dz = factor dC/dz for some rows, with z the sum of all partials, in their order.

    first, …, last - 1 : a member's panels. Who has the last one writes costs and hits, as it may be
    narrower. If others wrote some of the same rows, their prefetchers would take its lines.
    """
    size, lanes, columns = item_bytes(like), vector_lanes(like), layer.outputs
    position, z, is_mine = step * job.batch_size, scratch, int(last == below.panels)
    for panel in range(below.panels):
        if not first <= panel < last:
            p = block_at(job, layer, below, step, panel, begin, like)
            prefetch_lines(p, (end - begin) * columns * size)
    for i in range(begin, end, lanes):
        rows = min(lanes, end - i)
        vectors = units(columns, lanes) if is_row(job, layer, rows, like) else columns
        p = block_at(job, layer, below, step, 0, i, like)
        copy(z, lanes, p, lanes, vectors, lanes, like)
        for panel in range(1, below.panels):
            p = block_at(job, layer, below, step, panel, i, like)
            add(z, lanes, p, lanes, vectors, lanes, like)
        blocks = scratch + lanes * layer.width * size
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
    by_entry, z, inputs = layer.a == below.a and job.images_as == BY_ENTRY, scratch, layer.inputs
    blocks, full = z + lanes * z_row * size, batch_at(job, step)[1]
    first, last = share(units(batch, lanes), member, members)
    begin, end = first * lanes, min(last * lanes, batch)
    for i in range(begin, end if members > 1 and not by_entry else begin):
        x_i, run = input_at(layer, step, i, like), layer.x_run if layer.x_run != 0 else inputs
        for _ in range(0, inputs, run):
            prefetch_lines(x_i, run * size)
            x_i += (run + layer.x_jump) * size
    if members > 1 and begin < end:  # others have read these deltas
        claim_lines(layer.dz + begin * layer.a_row * size, (end - begin) * layer.a_row * size)
    if job.plan == records.COLUMNS_THEN_ROWS:
        partial_outputs(job, layer, below, step, 0, below.panels, begin, end, scratch, like)
        output_of_partials(job, layer, below, step, 0, below.panels, begin, end, scratch, like)
        return
    for i in range(begin, end, lanes):
        rows, x_i = min(lanes, end - i), input_at(layer, step, i, like)
        if is_transposed(layer):  # z is a block
            transposed_block(layer, z, x_i, 0, inputs, like)
            judge(job, layer, z, blocks, i, rows, position + i, is_mine, like)
            continue
        for panel in range(layer.panels):
            z_p, b = z + panel * layer.width * size, layer.b + panel * layer.width * size
            if by_entry:
                columns = panel_columns(layer, panel, like)
                forward_inputs(job, layer, step, 0, panel, 0, inputs, i, i + rows, blocks, like)
                activate(IDENTITY, z_p, z_row, z_p, blocks, layer.width, b, rows, columns, like)
                continue
            forward_panel(layer, IDENTITY, panel, 0, inputs, x_i, z_p, z_row, rows, full, like)
        judge_rows(job, layer, z, z_row, blocks, i, rows, position + i, is_mine, like)
