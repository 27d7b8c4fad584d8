"""The phase `output`: the last layer's outputs, what they cost, and the first delta."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import COSTS, Array
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import item_bytes, vector_lanes
from fastmlp.kernels.loops import costs
from fastmlp.kernels.loops.elementwise import (
    IDENTITY,
    SOFTMAX,
    activate,
    add,
    clear,
    copy,
    keeps_z,
    times_slope,
)
from fastmlp.kernels.loops.tile import PRODUCT, multiply
from fastmlp.kernels.loops.transpose import transpose
from fastmlp.kernels.memory.panels import round_up, vector_size
from fastmlp.kernels.memory.records import (
    BY_ENTRY,
    BY_SAMPLES,
    COLUMNS_THEN_ROWS,
    job_at,
    layer_at,
    numbers_at,
    panel_columns,
    row_offset,
    weight_offset,
)
from fastmlp.kernels.memory.tuning import ALONE, PANEL_VECTORS
from fastmlp.kernels.step.first_layer import forward_entries
from fastmlp.kernels.step.forward import forward_panel, is_narrow, narrow_block, transpose_narrow
from fastmlp.kernels.step.images import prefetch_lines
from fastmlp.kernels.team.units import share

CROSS_ENTROPY = COSTS["cross_entropy"].code


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
def is_row(job, layer, rows, like):
    """Return whether so many rows of outputs are taken as a single row, not as a block.

    By samples, the team's size decides which rows are adjacent, and may change no bit.
    """
    return rows == 1 and job.plan != BY_SAMPLES and not is_narrow(layer, like)


@jit
def block_of(job, layer, block, z, z_row, rows, like):
    """Return the address of z as a block (see `loops.costs`): of some rows, or of a single one."""
    lanes = vector_lanes(like)
    if is_row(job, layer, rows, like):
        return z
    transpose(block, lanes, z, z_row, lanes, (layer.outputs + lanes - 1) // lanes * lanes, like)
    return block


@shared
def judge(job_address, layer_address, z, scratch, i, rows, position, is_mine, like: float):
    """a = f(z) and dz = factor dC/dz for rows i, i + 1, … of the batch; their costs and hits.

    is_mine : not 0 if this member writes costs and hits
    z : address of the block of these rows, whose samples begin at `position` of the order
    """
    job, layer, size = job_at(job_address), layer_at(layer_address), item_bytes(like)
    f, columns, wide = layer.activation, layer.outputs, vector_lanes(like)
    by_row = int(is_row(job, layer, rows, like))
    used, lanes = (columns + wide - 1) // wide * wide, 1 if by_row == 1 else wide
    block = used * lanes * size
    y, factor = scratch, scratch + block
    cost, hits, zeros = factor + wide * size, factor + 2 * wide * size, factor + 3 * wide * size
    a_rows, dz_rows = layer.a + i * layer.a_row * size, layer.dz + i * layer.a_row * size
    a, dz, tile, tile_columns = a_rows, dz_rows, 1, used
    if lanes > 1:
        a, dz = zeros + used * size, zeros + used * size + block
        tile, tile_columns = columns, lanes
    gather_targets(job, y, columns, rows, lanes, position, like)
    factors, own = numbers_at(job.factors, job.samples, like), numbers_at(factor, wide, like)
    for r in range(wide):  # of a row, one factor in all lanes
        own[r] = factors[position + min(r, rows - 1)]
    if f == SOFTMAX:
        costs.softmax(columns, by_row, a, z, cost, like)
    else:
        clear(zeros, 0, 1, used, like)
        activate(f, a, lanes, a, z, lanes, zeros, tile, tile_columns, like)
    if (costs.ERROR_BITS >> job.cost) & 1 == 1:
        setting, is_softmax = type(like)(job.cost_setting), int(f == SOFTMAX)
        costs.error_costs(
            columns, by_row, job.cost, setting, a, y, dz, factor, cost, is_softmax, like
        )
        if f != SOFTMAX:  # dC/dz = dC/da f'(z)
            kept = z if keeps_z(f) else a
            times_slope(f, dz, lanes, kept, lanes, tile, tile_columns, like)
    else:
        if f != SOFTMAX:
            costs.integrals(columns, by_row, f, cost, z, a, like)
        sums = f == SOFTMAX and job.cost == CROSS_ENTROPY
        costs.matching_costs(columns, by_row, z, a, y, dz, factor, cost, int(sums), like)
    if is_mine != 0:
        costs.mark_hits(columns, by_row, a, y, hits, like)
        cost_of, is_hit = numbers_at(cost, rows, like), numbers_at(hits, rows, like)
        found = numbers_at(job.costs, job.samples, np.float64(0))
        right = numbers_at(job.hits, job.samples, np.uint8(0))
        for r in range(rows):
            found[position + r], right[position + r] = cost_of[r], is_hit[r]
    numbers_at(dz, used * lanes, like)[columns * lanes :] = 0
    if lanes > 1:
        transpose(a_rows, layer.a_row, a, lanes, used, lanes, like)
        transpose(dz_rows, layer.a_row, dz, lanes, used, lanes, like)


@jit
def judge_rows(job, layer, z, z_row, scratch, i, rows, position, is_mine, like):
    """`judge` some rows of z, z_row elements apart: all at once, or each alone.

    Few rows fill few lanes of a block; many outputs fill the vectors of a row.
    """
    size, lanes = item_bytes(like), vector_lanes(like)
    own = scratch + lanes * layer.panels * layer.width * size
    # more than a panel has, of which a team may have smaller ones
    is_wide = layer.outputs > PANEL_VECTORS * lanes and layer.outputs >= ALONE * rows
    height = 1 if is_wide and rows < lanes and job.plan != BY_SAMPLES else rows
    for r in range(0, rows, height):
        block = block_of(job, layer, scratch, z + r * z_row * size, z_row, height, like)
        judge(job, layer, block, own, i + r, height, position + r, is_mine, like)


@jit
def gather_targets(job, block, columns, rows, lanes, position, like):
    """Write the block of targets, smoothed: (1 - s) y + s / classes."""
    y, off, on = numbers_at(block, columns * lanes, like), job.target_0, job.target_1
    off, on = type(like)(off), type(like)(on)
    if job.targets == 0:
        labels = numbers_at(job.labels, job.samples, np.int64(0))
        y[:] = off
        for r in range(rows):
            y[labels[position + r] * lanes + r] = on
        return
    order = numbers_at(job.order, job.samples, np.int64(0))
    for r in range(rows):
        target = job.targets + order[position + r] * columns * item_bytes(like)
        own = numbers_at(target, columns, like)
        for j in range(columns):
            y[j * lanes + r] = off + (on - off) * own[j]


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
def partial_outputs(
    job_address, layer_address, below_address, step, batch, scratch, member, members, like: float
):
    """Write what each of a member's panels of the layer below adds to z of the last layer."""
    job, layer, below = job_at(job_address), layer_at(layer_address), layer_at(below_address)
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
def output_of_partials(
    job_address, layer_address, below_address, step, batch, scratch, member, members, like: float
):
    """a = f(z), dz = factor dC/dz of the last layer, with z the sum of partials, in their order.

    Each member computes them for all rows, and writes the costs and hits of some.
    """
    job, layer, below = job_at(job_address), layer_at(layer_address), layer_at(below_address)
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
    job_address, layer_address, below_address, position, x, x_row, run, jump, batch, scratch,
    member, members, is_mine, like: float,
):  # fmt: skip
    """a = f(x w + b), dz = factor dC/dz of the last layer, for a member's share of the rows.

    x as in `forward`; of the only layer, the entries of sparse rows. The batch begins at `position`
    of the order. Where there are partials, z is summed as they are.

    is_mine : not 0 to write each sample's cost, and whether it is right
    """
    job, layer, below = job_at(job_address), layer_at(layer_address), layer_at(below_address)
    size, lanes, z_row = item_bytes(like), vector_lanes(like), layer.panels * layer.width
    narrow = is_narrow(layer, like) and layer_address != below_address
    z, by_panels = scratch, job.plan == COLUMNS_THEN_ROWS
    if narrow:
        z += transpose_narrow(layer, 0, layer.inputs, scratch, like)
    blocks = z + lanes * z_row * size
    first, last = share((batch + lanes - 1) // lanes, member, members)
    begin, end = first * lanes, min(last * lanes, batch)
    by_entry = layer_address == below_address and job.images_as == BY_ENTRY
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
