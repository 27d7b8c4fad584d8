"""What a network's outputs cost, and the delta that backpropagation starts from."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import COSTS
from fastmlp.kernels.elementwise import SOFTMAX, activate, integral, row, softmax, times_slope
from fastmlp.kernels.options import jit, shared
from fastmlp.kernels.records import job_at, layers_at
from fastmlp.kernels.simd import item_bytes

SQUARED_ERROR = COSTS["squared_error"].code


@shared
def output(job_place, layer_place, z, z_row, i, rows, position, y, factor):
    """a = f(z) and dz = factor dC/dz for rows i, i + 1, … of the batch; their costs and hits.

    z is the address of the first of these rows, y of scratch for one target. The batch begins at
    `position` of the order, which says what samples its rows are.
    """
    job, layer, like = job_at(job_place), layers_at(layer_place, 1)[0], factor
    size, columns = item_bytes(like), layer.outputs
    a, dz = layer.a + i * layer.a_row * size, layer.dz + i * layer.dz_row * size
    if layer.activation != SOFTMAX:
        activate(layer.activation, a, layer.a_row, z, z_row, job.zeros, rows, columns, like)
    order = row(job.order, job.samples, np.int64(0))
    costs, hits = (
        row(job.costs, job.samples, np.float64(0)),
        row(job.hits, job.samples, np.uint8(0)),
    )
    for r in range(rows):
        place = position + i + r
        target = find_target(job, order[place], columns, y, like)
        z_r, a_r = (
            row(z + r * z_row * size, columns, like),
            row(a + r * layer.a_row * size, columns, like),
        )
        dz_r = row(dz + r * layer.dz_row * size, columns, like)
        costs[place] = output_row(z_r, target, a_r, dz_r, layer.activation, job.cost, factor)
        hits[place] = is_hit(a_r, target)
    if job.cost == SQUARED_ERROR and layer.activation != SOFTMAX:
        # dC/dz = dC/da f'(z)
        times_slope(
            layer.activation,
            dz,
            layer.dz_row,
            dz,
            layer.dz_row,
            a,
            layer.a_row,
            rows,
            columns,
            like,
        )


@jit
def find_target(job, sample, columns, y, like):
    """Return a sample's target row; a label's is 1 in its place and 0 elsewhere."""
    if job.targets != 0:
        return row(job.targets + sample * columns * item_bytes(like), columns, like)
    target = row(y, columns, like)
    for j in range(columns):
        target[j] = type(like)(0)
    target[row(job.labels + sample * 8, 1, np.int64(0))[0]] = type(like)(1)
    return target


@jit
def output_row(z, y, a, dz, activation, cost, factor):
    """dz = factor dC/dz for one sample with target y, and for softmax a = f(z); return C."""
    number = type(factor)
    columns = len(z)
    log_sum, total = number(0), number(0)
    if activation == SOFTMAX:
        log_sum = softmax(z, a)
    if cost == SQUARED_ERROR:
        # C = sum (a - y)^2, dC/da = 2 (a - y)
        for j in range(columns):
            error = a[j] - y[j]
            total += error * error
            dz[j] = number(2) * factor * error
        if activation == SOFTMAX:
            # da_j/dz_i = a_j (delta_ij - a_i)
            mean = number(0)
            for j in range(columns):
                mean += dz[j] * a[j]
            for j in range(columns):
                dz[j] = (dz[j] - mean) * a[j]
    else:
        # C = F(z) - y z, dC/dz = a - y
        for j in range(columns):
            dz[j] = factor * (a[j] - y[j])
        for j in range(columns):
            if activation != SOFTMAX:
                total += integral(activation, z[j], a[j]) - y[j] * z[j]
            elif y[j] != 0:
                total += y[j] * (log_sum - z[j])
    return total


@jit
def is_hit(a, y):
    """Whether the largest output is the target's; a single output says yes from one half up."""
    if len(a) == 1:
        return (a[0] >= 0.5) == (y[0] >= 0.5)
    answer, wanted = 0, 0
    for j in range(len(a)):
        answer = j if a[j] > a[answer] else answer
        wanted = j if y[j] > y[wanted] else wanted
    return answer == wanted
