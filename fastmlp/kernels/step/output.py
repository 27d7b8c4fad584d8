"""The phase `output`: the last layer's outputs, what they cost, and the first delta."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import COSTS, Array
from fastmlp.kernels.llvm.compile import jit
from fastmlp.kernels.llvm.intrinsics import item_bytes, prefetch
from fastmlp.kernels.loops.elementwise import (
    IDENTITY,
    SOFTMAX,
    activate,
    clear,
    integral,
    keeps_z,
    times,
    times_slope,
)
from fastmlp.kernels.loops.reduce import is_beaten, softmax
from fastmlp.kernels.memory.records import numbers_at
from fastmlp.kernels.memory.tuning import TILE_ROWS
from fastmlp.kernels.step.forward import multiply_panel
from fastmlp.kernels.team.units import share

SQUARED_ERROR, CROSS_ENTROPY = COSTS["squared_error"].code, COSTS["cross_entropy"].code


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch this phase uses: z of two tiles' rows, and a row of zeros."""
    return (2 * TILE_ROWS + 1) * int(layers["panels"][-1] * layers["width"][-1]) * dtype.itemsize


@jit
def prefetch_row(x, inputs, run, jump, like):
    """Prefetch a row of a layer's input."""
    size, columns = item_bytes(like), run if run != 0 else inputs
    for _ in range(0, inputs, columns):
        for line in range(x, x + columns * size, 64):
            prefetch(line)
        x += (columns + jump) * size


@jit
def judge_rows(job, layer, z, z_row, zeros, i, rows, position, like):
    """a = f(z) and dz = factor dC/dz for rows i, i + 1, … of the batch; their costs and hits.

    z : address of the first of these rows, whose samples begin at `position` of the order
    """
    size, columns, a_row, f = item_bytes(like), layer.outputs, layer.a_row, layer.activation
    a, dz = layer.a + i * a_row * size, layer.dz + i * a_row * size
    wide = layer.panels * layer.width
    if f != SOFTMAX:
        activate(f, a, a_row, a, z, z_row, zeros, rows, wide, like)
    costs = numbers_at(job.costs, job.samples, np.float64(0))
    hits = numbers_at(job.hits, job.samples, np.uint8(0))
    factors = numbers_at(job.factors, job.samples, like)
    # one loop for each quantity: the rows of each are independent, so the core overlaps them
    if f == SOFTMAX:
        for r in range(rows):
            z_r, a_r = z + r * z_row * size, a + r * a_row * size
            costs[position + r] = softmax(z_r, a_r, columns, like)
    for r in range(rows):
        label, targets = answer(job, position + r, columns, like)
        z_r, offset = z + r * z_row * size, r * a_row * size
        log_sum, factor = type(like)(costs[position + r]), factors[position + r]
        costs[position + r] = judge_row(
            z_r, a + offset, dz + offset, columns, label, targets, f, job.cost, factor, log_sum
        )
    for r in range(rows):
        label, targets = answer(job, position + r, columns, like)
        hits[position + r] = is_hit(a + r * a_row * size, columns, label, targets, like)
    if job.cost == SQUARED_ERROR and f != SOFTMAX:
        # dC/dz = dC/da f'(z)
        if keeps_z(f):
            times_slope(f, dz, a_row, z, z_row, rows, wide, like)
        else:
            times_slope(f, dz, a_row, a, a_row, rows, wide, like)


@jit
def answer(job, position, columns, like):
    """Return (label, targets) of the sample at a position: a label, or -1 and targets."""
    label = numbers_at(job.labels, job.samples, np.int64(0))[position] if job.targets == 0 else -1
    sample = numbers_at(job.order, job.samples, np.int64(0))[position]
    return label, numbers_at(job.targets + sample * columns * item_bytes(like), columns, like)


@jit
def target_of(targets, label, j, like):
    """Return y[j]: a label's is 1 in its column and 0 elsewhere; without label, the target."""
    if label < 0:
        return targets[j]
    return type(like)(1) if j == label else type(like)(0)


@jit
def judge_row(z, a, dz, columns, label, targets, activation, cost, factor, log_sum):
    """dz = factor dC/da of one sample, or dC/dz where f'(z) is no separate factor; return C.

    log_sum : for softmax, log sum e^z
    """
    number = type(factor)
    z_j = numbers_at(z, columns, factor)
    a_j = numbers_at(a, columns, factor)
    dz_j = numbers_at(dz, columns, factor)
    total = number(0)
    if cost == SQUARED_ERROR:
        # C = sum (a - y)^2, dC/da = 2 (a - y)
        for j in range(columns):
            error = a_j[j] - target_of(targets, label, j, factor)
            total += error * error
            dz_j[j] = number(2) * factor * error
        if activation == SOFTMAX:
            # da_j/dz_i = a_j (delta_ij - a_i)
            mean = number(0)
            for j in range(columns):
                mean += dz_j[j] * a_j[j]
            for j in range(columns):
                dz_j[j] = (dz_j[j] - mean) * a_j[j]
        return total
    # C = F(z) - y z, dC/dz = a - y
    if label >= 0:
        times(dz, a, columns, factor)
        dz_j[label] = factor * (a_j[label] - number(1))
        if activation == SOFTMAX:
            return log_sum - z_j[label]
    elif activation == SOFTMAX:
        return softmax_targets(z_j, a_j, dz_j, columns, targets, cost, factor, log_sum)
    else:
        for j in range(columns):
            dz_j[j] = factor * (a_j[j] - targets[j])
    for j in range(columns):
        y = target_of(targets, label, j, factor)
        total += integral(activation, z_j[j], a_j[j]) - y * z_j[j]
    return total


@jit
def softmax_targets(z, a, dz, columns, targets, cost, factor, log_sum):
    """`judge_row` for softmax and targets: C = S F(z) - y z, dC/dz = S a - y.

    S is sum(y) for the cross entropy, and 1 for the matching cost.
    """
    number = type(factor)
    total, whole = number(0), number(1)
    if cost == CROSS_ENTROPY:
        whole = number(0)
        for j in range(columns):
            whole += targets[j]
            total += targets[j] * (log_sum - z[j])
    else:
        total = log_sum
        for j in range(columns):
            total -= targets[j] * z[j]
    for j in range(columns):
        dz[j] = factor * (whole * a[j] - targets[j])
    return total


@jit
def is_hit(a, columns, label, targets, like):
    """Return whether the largest output is the target's; a single output says yes from 1/2 up."""
    if columns == 1:
        half = type(like)(0.5)
        says = numbers_at(a, 1, like)[0]
        return says == says and (says >= half) == (target_of(targets, label, 0, half) >= half)
    wanted = max(label, 0)
    if label < 0:
        for j in range(columns):
            wanted = j if targets[j] > targets[wanted] else wanted
    return not is_beaten(a, columns, wanted, numbers_at(a, columns, like)[wanted])


@jit
def output(job, layer, position, x, x_row, run, jump, batch, scratch, member, members, like):
    """a = f(x w + b), dz = factor dC/dz of the last layer, for a member's share of the rows.

    x as in `forward`. The batch begins at `position` of the order. Writes each sample's cost, and
    whether it is right.
    """
    size, z, z_row = item_bytes(like), scratch, layer.panels * layer.width
    zeros = z + 2 * TILE_ROWS * z_row * size
    clear(zeros, 0, 1, z_row, like)
    first, last = share((batch + TILE_ROWS - 1) // TILE_ROWS, member, members)
    begin, end = first * TILE_ROWS, min(last * TILE_ROWS, batch)
    for i in range(begin, end):
        prefetch_row(x + i * x_row * size, layer.inputs, run, jump, like)
    for i in range(begin, end):
        # Others have read this row. The first store to it invalidates their copies, which takes
        # about as long as the products that follow: it is made before them.
        numbers_at(layer.dz + i * layer.a_row * size, 1, like)[0] = type(like)(0)
    for i in range(begin, end, 2 * TILE_ROWS):
        rows, x_i = min(2 * TILE_ROWS, end - i), x + i * x_row * size
        for panel in range(layer.panels):
            z_p, b = z + panel * layer.width * size, layer.b + panel * layer.width * size
            columns = multiply_panel(layer, panel, x_i, x_row, run, jump, z_p, z_row, rows, like)
            activate(IDENTITY, z_p, z_row, z_p, z_p, z_row, b, rows, columns, like)
        judge_rows(job, layer, z, z_row, zeros, i, rows, position + i, like)
