"""What outputs cost: f(z), its cost, whether it is right, and the first delta; a step's sums."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import COSTS
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import item_bytes, prefetch_lines, vector_lanes
from fastmlp.kernels.loops import costs, elementwise
from fastmlp.kernels.loops.elementwise import SOFTMAX, activate, copy, keeps_z, times_slope
from fastmlp.kernels.loops.tile import transpose
from fastmlp.kernels.memory.panels import round_up
from fastmlp.kernels.memory.records import BY_SAMPLES, FLOAT32, FLOAT64, is_transposed, numbers_at
from fastmlp.kernels.memory.tuning import ALONE, PANEL_VECTORS, PREFETCHED
from fastmlp.kernels.step.images import batch_at

CROSS_ENTROPY = COSTS["cross_entropy"].code


@jit
def is_row(job, layer, rows, like):
    """Return whether each of so many rows of outputs is taken by itself; else they are a block.

    Few rows fill few lanes of a block (`loops.costs`), and many outputs leave the L1 cache. By
    samples, the team's size decides which rows are adjacent, and may change no bit.
    """
    lanes = vector_lanes(like)
    if rows == 1 and job.plan != BY_SAMPLES:
        return not is_transposed(layer)
    samples = lanes if job.plan == BY_SAMPLES else rows
    # more than a panel has, of which a team may have smaller ones
    return layer.outputs > max(PANEL_VECTORS * lanes, ALONE * samples - 1)


@shared
def judge(job, layer, z, scratch, i, rows, position, is_mine, like: float):
    """a = f(z) and dz = factor dC/dz for rows i, i + 1, … of the batch; their costs and hits.

    is_mine : not 0 if this member writes costs and hits
    z : address of the block of these rows, whose samples begin at `position` of the order
    """
    size = item_bytes(like)
    f, columns, wide = layer.activation, layer.outputs, vector_lanes(like)
    by_row = int(is_row(job, layer, rows, like))
    # of a block, whole 128 bits of each sample's row are written
    used, lanes = round_up(columns, wide if by_row == 1 else 16 // size), 1 if by_row == 1 else wide
    block = used * lanes * size
    y, cost = scratch, scratch + block
    zeros, factor = cost + wide * size, job.factors + position * size
    a_rows, dz_rows = layer.a + i * layer.a_row * size, layer.dz + i * layer.a_row * size
    a, vectors = zeros + wide * size, used // wide if by_row == 1 else columns
    dz = dz_rows if by_row == 1 else a + block
    off, on = type(like)(job.target_0), type(like)(job.target_1)
    if job.targets == 0:
        costs.one_hot(columns, by_row, y, job.labels + position * size, off, on, like)
    else:
        gather_targets(job, y, columns, rows, lanes, position, off, on, like)
    if f == SOFTMAX:
        costs.softmax(columns, by_row, a, z, cost if is_mine != 0 else 0, like)
    else:
        numbers_at(zeros, wide, like)[:] = 0
        activate(f, a, wide, a, z, wide, zeros, vectors, wide, like)
    if costs.is_of_errors(job.cost):
        code, setting, is_softmax = job.cost, type(like)(job.cost_setting), int(f == SOFTMAX)
        costs.error_costs(columns, by_row, code, setting, a, y, dz, factor, cost, is_softmax, like)
        if f != SOFTMAX:  # dC/dz = dC/da f'(z)
            kept = z if keeps_z(f) else a
            times_slope(f, dz, wide, kept, wide, vectors, wide, like)
    else:
        if f != SOFTMAX:
            costs.integrals(columns, by_row, f, cost, z, a, like)
        sums = f == SOFTMAX and job.cost == CROSS_ENTROPY
        costs.matching_costs(columns, by_row, z, a, y, dz, factor, cost, int(sums), like)
    if is_mine != 0:
        hits, found = job.hits + position, job.costs + position * size
        costs.write_results(columns, by_row, a, y, hits, cost, found, rows, like)
    numbers_at(dz, used * lanes, like)[columns * lanes :] = 0
    if by_row == 0:
        transpose(dz_rows, layer.a_row, dz, lanes, columns, lanes, like)
    if job.traced != 0 and by_row == 0:
        transpose(a_rows, layer.a_row, a, lanes, columns, lanes, like)
    elif job.traced != 0:  # nobody else reads them
        copy(a_rows, 0, a, 0, 1, used, like)


@jit
def judge_rows(job, layer, z, z_row, scratch, i, rows, position, is_mine, like):
    """`judge` some rows of z, z_row elements apart: all at once, or each by itself."""
    size, lanes = item_bytes(like), vector_lanes(like)
    own = scratch + lanes * layer.panels * layer.width * size
    by_row = is_row(job, layer, rows, like)
    height = 1 if by_row else rows
    for r in range(0, rows, height):
        block = z + r * z_row * size
        if not by_row:
            transpose(scratch, lanes, block, z_row, lanes, layer.outputs, like)
            block = scratch
        judge(job, layer, block, own, i + r, height, position + r, is_mine, like)


@jit
def sum_step(job, step, like):
    """Write the sums of a step's costs and hits.

    In a fixed order: four sums of every fourth cost, then theirs; with weights, one sample after
    the other.
    """
    position, batch = batch_at(job, step)
    costs = numbers_at(job.costs + position * item_bytes(like), batch, like)
    hits = numbers_at(job.hits + position, batch, np.uint8(0))
    total = numbers_at(job.totals + step * 16, 2, np.float64(0))
    s_0 = s_1 = s_2 = s_3 = right = 0.0
    if job.weights != 0:
        weights = numbers_at(job.weights + position * 8, batch, np.float64(0))
        for r in range(batch):
            s_0 += weights[r] * costs[r]
            right += weights[r] * hits[r]
    else:
        whole, count = batch // 4 * 4, np.int64(0)
        for r in range(0, whole, 4):  # one sum alone would wait for each addition
            s_0, s_1 = s_0 + costs[r], s_1 + costs[r + 1]
            s_2, s_3 = s_2 + costs[r + 2], s_3 + costs[r + 3]
        for r in range(whole, batch):
            s_0 += costs[r]
        for r in range(batch):
            count += np.int64(hits[r])
        right = np.float64(count)
    total[0], total[1] = (s_0 + s_1) + (s_2 + s_3), right


@jit
def gather_targets(job, y, columns, rows, lanes, position, off, on, like):
    """y = off + (on - off) t, or (1 - s) t + s / classes, for some rows t of `targets`.

    Of a block, the rows of which it is made are first in the memory behind it.
    """
    size, row = item_bytes(like), round_up(columns, vector_lanes(like))
    kind = FLOAT32 if size == 4 else FLOAT64
    order = numbers_at(job.order, job.samples, np.int64(0))
    for r in range(rows):
        ahead = order[min(position + r + PREFETCHED, job.samples - 1)]
        prefetch_lines(job.targets + ahead * columns * size, columns * size)
        target = job.targets + order[position + r] * columns * size
        own = y if lanes == 1 else y + (lanes + r) * row * size
        elementwise.scale_image(own, target, kind, columns, on - off, off)
    if lanes > 1:
        transpose(y, lanes, y + lanes * row * size, row, lanes, columns, like)
