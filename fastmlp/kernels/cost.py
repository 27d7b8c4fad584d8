"""What a network's outputs cost, and the delta that backpropagation starts from."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import COSTS
from fastmlp.kernels.elementwise import (
    SOFTMAX,
    activate,
    integral,
    row,
    times,
    times_slope,
)
from fastmlp.kernels.options import jit, shared
from fastmlp.kernels.outputs import is_beaten, softmax
from fastmlp.kernels.records import job_at, layers_at
from fastmlp.kernels.simd import item_bytes

SQUARED_ERROR, CROSS_ENTROPY = COSTS["squared_error"].code, COSTS["cross_entropy"].code


@shared
def output(job_place, layer_place, z, z_row, i, rows, position, factor):
    """a = f(z) and dz = factor dC/dz for rows i, i + 1, … of the batch; their costs and hits.

    z is the address of the first of these rows. The batch begins at `position` of the order,
    which says what samples its rows are.
    """
    job, layer, like = job_at(job_place), layers_at(layer_place, 1)[0], factor
    size, columns = item_bytes(like), layer.outputs
    a, dz = layer.a + i * layer.a_row * size, layer.dz + i * layer.a_row * size
    if layer.activation != SOFTMAX:
        activate(layer.activation, a, layer.a_row, z, z_row, job.zeros, rows, columns, like)
    costs, hits = (
        row(job.costs, job.samples, np.float64(0)),
        row(job.hits, job.samples, np.uint8(0)),
    )
    # one loop for each quantity: the rows of each are independent, so the core overlaps them
    if layer.activation == SOFTMAX:
        for r in range(rows):
            z_r, a_r = z + r * z_row * size, a + r * layer.a_row * size
            costs[position + i + r] = softmax(z_r, a_r, columns, like)
    for r in range(rows):
        place = position + i + r
        label, targets = answer(job, place, columns, like)
        z_r, a_r = z + r * z_row * size, a + r * layer.a_row * size
        dz_r, f, log_sum = dz + r * layer.a_row * size, layer.activation, type(like)(costs[place])
        costs[place] = output_row(
            z_r, a_r, dz_r, columns, label, targets, f, job.cost, factor, log_sum
        )
    for r in range(rows):
        place = position + i + r
        label, targets = answer(job, place, columns, like)
        hits[place] = is_hit(a + r * layer.a_row * size, columns, label, targets, like)
    if job.cost == SQUARED_ERROR and layer.activation != SOFTMAX:
        # dC/dz = dC/da f'(z)
        f, a_row = layer.activation, layer.a_row
        times_slope(f, dz, a_row, dz, a_row, a, a_row, rows, columns, like)


@jit
def answer(job, place, columns, like):
    """Return (label, targets) of the sample at a place of the order: a label, or -1 and targets."""
    label = row(job.labels, job.samples, np.int64(0))[place] if job.targets == 0 else -1
    sample = row(job.order, job.samples, np.int64(0))[place]
    return label, row(job.targets + sample * columns * item_bytes(like), columns, like)


@jit
def target_of(targets, label, j, like):
    """Return y[j]: a label's is 1 in its place and 0 elsewhere; without label, the target."""
    if label < 0:
        return targets[j]
    return type(like)(1) if j == label else type(like)(0)


@jit
def output_row(
    z_place, a_place, dz_place, columns, label, targets, activation, cost, factor, log_sum
):
    """dz = factor dC/dz for one sample; return its cost C. log_sum : for softmax, log sum e^z."""
    number = type(factor)
    z, a, dz = (
        row(z_place, columns, factor),
        row(a_place, columns, factor),
        row(dz_place, columns, factor),
    )
    total = number(0)
    if cost == SQUARED_ERROR:
        # C = sum (a - y)^2, dC/da = 2 (a - y)
        for j in range(columns):
            error = a[j] - target_of(targets, label, j, factor)
            total += error * error
            dz[j] = number(2) * factor * error
        if activation == SOFTMAX:
            # da_j/dz_i = a_j (delta_ij - a_i)
            mean = number(0)
            for j in range(columns):
                mean += dz[j] * a[j]
            for j in range(columns):
                dz[j] = (dz[j] - mean) * a[j]
        return total
    # C = F(z) - y z, dC/dz = a - y
    if label >= 0:
        times(dz_place, a_place, columns, factor)
        dz[label] = factor * (a[label] - number(1))
        if activation == SOFTMAX:
            return log_sum - z[label]
    elif activation == SOFTMAX:
        return softmax_targets(z, a, dz, columns, targets, cost, factor, log_sum)
    else:
        for j in range(columns):
            dz[j] = factor * (a[j] - targets[j])
    for j in range(columns):
        y = target_of(targets, label, j, factor)
        total += integral(activation, z[j], a[j]) - y * z[j]
    return total


@jit
def softmax_targets(z, a, dz, columns, targets, cost, factor, log_sum):
    """`output_row` for softmax and targets: C = S F(z) - y z, dC/dz = S a - y.

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
def is_hit(a_place, columns, label, targets, like):
    """Whether the largest output is the target's; a single output says yes from one half up."""
    a = row(a_place, columns, like)
    if columns == 1:
        half = type(a[0])(0.5)
        return (a[0] >= half) == (target_of(targets, label, 0, half) >= half)
    wanted = max(label, 0)
    if label < 0:
        for j in range(columns):
            wanted = j if targets[j] > targets[wanted] else wanted
    return not is_beaten(a_place, columns, wanted, a[wanted])
