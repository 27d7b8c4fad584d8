"""The phase `output`: the last layer's outputs, what they cost, and the first delta."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import item_bytes, prefetch_lines, vector_lanes
from fastmlp.kernels.loops.elementwise import IDENTITY, activate, add, copy
from fastmlp.kernels.loops.tile import PRODUCT, multiply
from fastmlp.kernels.memory.panels import round_up, vector_size
from fastmlp.kernels.memory.records import (
    BY_ENTRY,
    COLUMNS_THEN_ROWS,
    numbers_at,
    panel_columns,
    row_offset,
    weight_offset,
)
from fastmlp.kernels.step.first_layer import forward_entries
from fastmlp.kernels.step.forward import forward_panel, is_narrow, narrow_block, transpose_narrow
from fastmlp.kernels.step.judge import block_of, is_row, judge, judge_rows
from fastmlp.kernels.team.plan import share


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch this phase uses.

    z of as many samples as a vector has lanes, and their blocks of z, a, y and dz; a vector each of
    factors, costs and hits; and zeros as a row of biases. Before all, w^T of a narrow layer.
    """
    wide, lanes = int(layers["panels"][-1] * layers["width"][-1]), vector_size(dtype)
    w_t = round_up(int(layers["inputs"][-1]), lanes) * lanes
    return ((5 * lanes + 1) * wide + 3 * lanes + w_t) * dtype.itemsize


@jit
def prefetch_row(x, inputs, run, jump, like):
    """Prefetch a row of a layer's input."""
    size, columns = item_bytes(like), run if run != 0 else inputs
    for _ in range(0, inputs, columns):
        prefetch_lines(x, columns * size)
        x += (columns + jump) * size


@jit
def partial_at(job, layer, below, step, panel, i, like):
    """Return the address of what a panel of the layer below adds to the block of rows i, …."""
    offset = i * layer.outputs * item_bytes(like)
    return job.partials + (step % 2 * below.panels + panel) * job.partial_bytes + offset


@jit
def add_panel(layer, below, panel, i, rows, z, beta, like):
    """z = beta z + a w of some rows and a panel of the layer below; + b with its first panel."""
    columns, width = panel_columns(layer, 0, like), below.width
    a, w = below.a + row_offset(below, panel, i, like), weight_offset(layer, 0, panel * width, like)
    multiply(
        z, layer.width, a, below.a_row, 1, 0, 0, layer.w + w, layer.w_row, rows, columns,
        min(width, below.outputs - panel * width), PRODUCT, 0, beta,
    )  # fmt: skip
    if panel == 0:
        activate(IDENTITY, z, layer.width, z, z, layer.width, layer.b, rows, columns, like)


@jit
def narrow_panel(layer, below, panel, i, block, w_t, like):
    """block = what a panel of the layer below adds to the block of rows i, … of a narrow layer."""
    a, first = below.a + row_offset(below, panel, i, like), panel * below.width
    length = min(below.width, below.outputs - first)
    narrow_block(layer, block, a, below.a_row, 0, 0, w_t, first, length, like)


@shared
def partial_outputs(job, layer, below, step, batch, scratch, member, members, like: float):
    """Write what each of a member's panels of the layer below adds to z of the last layer."""
    size, lanes, zero = item_bytes(like), vector_lanes(like), like - like
    first, last = share(below.panels, member, members)
    width = below.width
    z = scratch + transpose_narrow(layer, first * width, last * width, scratch, like)
    block = z + lanes * layer.width * size
    for panel in range(first, last):
        for i in range(0, batch, lanes):
            rows, count = min(lanes, batch - i), layer.outputs
            target = partial_at(job, layer, below, step, panel, i, like)
            if is_narrow(layer, like):
                narrow_panel(layer, below, panel, i, target, scratch, like)
                continue
            add_panel(layer, below, panel, i, rows, z, zero, like)
            found = block_of(job, layer, block, z, layer.width, rows, like)
            # a row takes whole vectors, which are no more than its block
            copy(target, lanes, found, lanes, count if rows > 1 else (count + lanes - 1) // lanes,
                 lanes, like)  # fmt: skip


@shared
def output_of_partials(job, layer, below, step, batch, scratch, member, members, like: float):
    """a = f(z), dz = factor dC/dz of the last layer, with z the sum of partials, in their order.

    Each member computes them for all rows, and writes the costs and hits of some.
    """
    size, lanes, columns = item_bytes(like), vector_lanes(like), layer.outputs
    position, z = step * job.batch_size, scratch
    first, last = share(below.panels, member, members)
    for panel in range(below.panels):
        if not first <= panel < last:
            p = partial_at(job, layer, below, step, panel, 0, like)
            prefetch_lines(p, batch * columns * size)
    for i in range(0, batch, lanes):
        rows = min(lanes, batch - i)
        vectors = (columns + lanes - 1) // lanes if is_row(job, layer, rows, like) else columns
        for panel in range(below.panels):
            p = partial_at(job, layer, below, step, panel, i, like)
            if panel == 0:
                copy(z, lanes, p, lanes, vectors, lanes, like)
            else:
                add(z, lanes, p, lanes, vectors, lanes, like)
        blocks, is_mine = scratch + lanes * layer.width * size, int(i // lanes % members == member)
        judge(job, layer, z, blocks, i, rows, position + i, is_mine, like)


@shared
def output(
    job, layer, below, position, x, x_row, run, jump, batch, scratch,
    member, members, is_mine, like: float,
):  # fmt: skip
    """a = f(x w + b), dz = factor dC/dz of the last layer, for a member's share of the rows.

    x as in `forward`; of the only layer, the entries of sparse rows. The batch begins at `position`
    of the order. Where there are partials, z is summed as they are.

    is_mine : not 0 to write each sample's cost, and whether it is right
    """
    size, lanes, z_row = item_bytes(like), vector_lanes(like), layer.panels * layer.width
    is_only = layer.a == below.a  # which is given as the layer below, too
    narrow = is_narrow(layer, like) and not is_only
    z, by_panels = scratch, job.plan == COLUMNS_THEN_ROWS
    if narrow:
        z += transpose_narrow(layer, 0, layer.inputs, scratch, like)
    blocks = z + lanes * z_row * size
    first, last = share((batch + lanes - 1) // lanes, member, members)
    begin, end = first * lanes, min(last * lanes, batch)
    by_entry = is_only and job.images_as == BY_ENTRY
    for i in range(begin, end if members > 1 and not by_entry else begin):
        prefetch_row(x + i * x_row * size, layer.inputs, run, jump, like)
    for i in range(begin, end if members > 1 else begin):
        # Others have read this row. The first store to it invalidates their copies, which takes
        # about as long as the products that follow: it is made before them.
        numbers_at(layer.dz + i * layer.a_row * size, 1, like)[0] = type(like)(0)
    for i in range(begin, end, lanes):
        rows, x_i = min(lanes, end - i), x + i * x_row * size
        if narrow:
            own = blocks + lanes * z_row * size
            for panel in range(below.panels if by_panels else 0):
                narrow_panel(layer, below, panel, i, z if panel > 0 else blocks, scratch, like)
                if panel > 0:
                    add(blocks, lanes, z, lanes, layer.outputs, lanes, like)
            if not by_panels:
                inputs = layer.inputs
                narrow_block(layer, blocks, x_i, x_row, run, jump, scratch, 0, inputs, like)
            judge(job, layer, blocks, own, i, rows, position + i, is_mine, like)
            continue
        for panel in range(below.panels if by_panels else 0):
            add_panel(layer, below, panel, i, rows, z, type(like)(panel > 0), like)
        for panel in range(layer.panels if not by_panels else 0):
            z_p, b = z + panel * layer.width * size, layer.b + panel * layer.width * size
            if by_entry:
                columns = panel_columns(layer, panel, like)
                forward_entries(job, layer, panel, position + i, rows, z_p, z_row, like)
                activate(IDENTITY, z_p, z_row, z_p, z_p, z_row, b, rows, columns, like)
                continue
            forward_panel(
                layer, IDENTITY, panel, x_i, x_row, run, jump, z_p, z_row, z_p, rows, like
            )
        judge_rows(job, layer, z, z_row, blocks, i, rows, position + i, is_mine, like)
