"""The phase `update`: a layer's weights and biases take a step."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.functions.coefficients import BIASES, KEEP, WEIGHTS
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import item_bytes, vector_lanes
from fastmlp.kernels.loops.bit_loops import sum_rows
from fastmlp.kernels.loops.elementwise import copy, is_fused, optimizer_step
from fastmlp.kernels.loops.tile import add_outer, product, transpose
from fastmlp.kernels.memory import records, tuning
from fastmlp.kernels.memory.panels import round_up, units, vector_size
from fastmlp.kernels.memory.records import numbers_at, panel_columns, row_offset, weight_offset
from fastmlp.kernels.step.forward import slice_at
from fastmlp.kernels.step.nonzeros import leaves_out, mark_rows, nonzeros_times_dz
from fastmlp.kernels.team.plan import rows_of, share, share_panels

STEP_ROWS = 3 * tuning.TILE_ROWS  # of weights whose gradient is in memory at once


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch this phase uses.

    UPDATE_DEPTH rows of dz of a panel, or the gradient of a piece or of biases; x^T of as many
    samples, whose rows have up to two vectors more.
    """
    width = int(layers["width"].max())
    rows = tuning.TRANSPOSED * (tuning.UPDATE_DEPTH + 2 * vector_size(dtype))
    return (tuning.UPDATE_DEPTH * width + rows) * dtype.itemsize


@jit
def coefficients_at(job, layer, step, kind):
    """Return the address of a layer's coefficients in a step, of WEIGHTS or BIASES."""
    row = 2 * (step * job.coefficient_rows + layer.coefficient_row) + kind
    return job.coefficients + row * job.coefficient_count * 8


@jit
def kept_share(job, layer, step, kind, like):
    """Return how much of its WEIGHTS or BIASES a fused step keeps; 0 for a general one."""
    return type(like)(numbers_at(coefficients_at(job, layer, step, kind), 1, np.float64(0))[KEEP])


@jit
def general_step(job, layer, step, kind, offset, g, count, like):
    """Take a step by gradients g on `count` adjacent WEIGHTS or BIASES, so many bytes behind."""
    w, state, _ = records.parameters_of(layer, kind)
    first, second = state[0] + offset, state[1] + offset
    optimizer = job.clipped if job.clipped != 0 else job.optimizer
    coefficients = coefficients_at(job, layer, step, kind)
    optimizer_step(optimizer, w + offset, first, second, g, count, coefficients, like)


@jit
def _general_rows(job, layer, step, w, x, x_column, x_row, dz, rows, batch, scratch, like):
    """Take a general step on some rows of a panel, piece by piece; w : bytes from layer.w to them.

    A piece is whole tiles, of each width, and its gradient and state stay in the L1 cache.
    """
    size, width, zero = item_bytes(like), layer.width, like - like
    for i in range(0, rows, STEP_ROWS):
        count, x_i = min(STEP_ROWS, rows - i), x + i * x_column * size
        product(scratch, width, x_i, x_column, x_row, dz, layer.a_row, count, width, batch, zero)
        offset, count = w + i * width * size, count * width
        general_step(job, layer, step, WEIGHTS, offset, scratch, count, like)


@jit
def _general_columns(job, layer, step, w, x, x_row, dz, rows, length, scratch, like):
    """Take a general step on some columns of w^T, piece by piece, with vectors of inputs."""
    size, lanes, outputs, zero = item_bytes(like), vector_lanes(like), layer.outputs, like - like
    wide = tuning.PANEL_VECTORS * lanes
    for i in range(0, rows, wide):
        columns, x_i = round_up(min(wide, rows - i), lanes), x + i * size
        product(scratch, wide, dz, 1, layer.a_row, x_i, x_row, outputs, columns, length, zero)
        for j in range(outputs):
            offset, g = w + (j * layer.w_column + i) * size, scratch + j * wide * size
            general_step(job, layer, step, WEIGHTS, offset, g, columns, like)


@jit
def x_times_dz(
    job, layer, step, target, panel, low, high, x, x_column, k, length, beta, scratch, like
):
    """target = beta target + x^T dz for the rows low, …, high - 1 of a panel of weights.

    target : address of what is laid out like w; 0 to take a general step with x^T dz instead
    x : address of the first of `length` samples, the sample k of the minibatch; its columns are
        x_column elements apart: 1, or, where it is transposed, more
    """
    size, width, x_row, run = item_bytes(like), layer.width, layer.x_row, layer.x_run
    if x_column != 1:
        x_row, run = 1, 0
    dz, columns = layer.dz + row_offset(layer, panel, k, like), panel_columns(layer, panel, like)
    q, q_k = dz, layer.a_row
    if target != 0 and q_k >= 2 * width and 1 < length <= tuning.UPDATE_DEPTH:
        # rows far apart are in many pages
        q, q_k = scratch, width
        copy(q, q_k, dz, layer.a_row, length, columns, like)
    # divisions, and so ranges of variable steps, take 1 to 3 % of a step of a small network
    number, i = low // run if run != 0 else 0, low
    while i < high:
        stop = min(high, (number + 1) * run) if run != 0 else high
        x_i, rows = x + (i * x_column + number * layer.x_jump) * size, stop - i
        w = target + weight_offset(layer, panel, i, like)
        if records.is_transposed(layer) and target != 0:  # w^T = beta w^T + dz^T x
            dz_row, outputs = layer.a_row, layer.outputs
            columns = round_up(rows, vector_lanes(like))
            product(w, layer.w_column, dz, 1, dz_row, x_i, x_row, outputs, columns, length, beta)
        elif records.is_transposed(layer):
            _general_columns(job, layer, step, w, x_i, x_row, dz, rows, length, scratch, like)
        elif target == 0:
            _general_rows(
                job, layer, step, w, x_i, x_column, x_row, dz, rows, length, scratch, like
            )
        elif length == 1:  # x is not transposed: x_column is 1
            add_outer(width, w, width, x_i, dz, rows, beta)
        else:
            product(w, width, x_i, x_column, x_row, q, q_k, rows, columns, length, beta)
        number, i = number + 1, stop


@jit
def _transpose_inputs(x_t, row, layer, x, low, high, length, like):
    """Write x^T of the inputs low, …, high - 1: input i of `length` samples i `row` behind x_t."""
    size, run = item_bytes(like), layer.x_run if layer.x_run != 0 else high
    for number in range(low // run, units(high, run)):
        i, stop = max(low, number * run), min(high, (number + 1) * run)
        x_i = x + (i + number * layer.x_jump) * size
        transpose(x_t + i * row * size, row, x_i, layer.x_row, length, stop - i, like)


@jit
def update_rows(job, layer, step, batch, scratch, sparse, height, span, lowest, highest, like):
    """`update` of the weights of the inputs lowest, …, highest - 1 that are in a member's share.

    span : what `share_panels` returns, of units of `height` inputs
    """
    size, lanes, fused = item_bytes(like), vector_lanes(like), is_fused(job.optimizer)
    (first, last, begin, end), inputs, turned = span, layer.inputs, records.is_transposed(layer)
    target, keep = layer.w if fused else 0, kept_share(job, layer, step, WEIGHTS, like)
    if batch == 1:
        x = records.input_at(layer, step, 0, like)
        for panel in range(begin, end):
            low, high = rows_of(panel, first, last, height, inputs)
            low, high = max(low, lowest), min(high, highest)
            x_times_dz(job, layer, step, target, panel, low, high, x, 1, 0, 1, keep, scratch, like)
        return
    depth = tuning.UPDATE_DEPTH if fused else batch
    if end - begin == 1:
        low, high = rows_of(begin, first, last, height, inputs)
        lowest, highest = max(lowest, low - low % lanes), min(highest, high)
    x_t = scratch + tuning.UPDATE_DEPTH * layer.width * size
    # of x^T: odd, in vectors, as rows a power of two apart would share a few sets of the cache; in
    # what is left of a row are the words of `mark_rows`
    most, row = tuning.TRANSPOSED, (units(depth, lanes) | 1) * lanes
    pays = end - begin > 1 or layer.x_row * size >= tuning.FAR_ROWS
    k = 0
    while k < batch:
        beta = keep if k == 0 else type(like)(1)
        x_k, length = records.input_at(layer, step, k, like), min(depth, batch - k)
        x_column, count = 1, inputs
        if sparse or (pays and length > tuning.PART and not turned):
            block = min(most, most * tuning.UPDATE_DEPTH // depth // lanes * lanes)
            x_column, count = (row, block) if block > 0 else (1, inputs)
        i = lowest
        while i < highest:
            stop, source = min(i + count, highest), x_k
            if x_column != 1:
                source = x_t - i * row * size
                _transpose_inputs(source, row, layer, x_k, i, stop, length, like)
            if sparse:
                mark_rows(source, row, i, stop, length, like)
            for panel in range(begin, end):
                low, high = rows_of(panel, first, last, height, inputs)
                low, high = max(low, i), min(high, stop)
                if low < high and sparse:
                    nonzeros_times_dz(
                        layer, panel, low, high, source, row, k, length, beta, scratch, like
                    )
                elif low < high:
                    x_times_dz(
                        job, layer, step, target, panel, low, high, source,
                        x_column, k, length, beta, scratch, like,
                    )  # fmt: skip
            i = stop
        k += depth


@shared
def update(job, layer, below, step, batch, scratch, member, members, like: float):
    """w = keep w + x^T dz: the step's factor is already in dz; or a general step by g = x^T dz.

    A unit is a panel and a tile of inputs, or, of w^T, a vector of them, or the rows of a
    panel below. A fused step takes UPDATE_DEPTH samples at a time, for all panels, so that their x
    stays in the cache; a general one all. For several panels, or where rows of x are far apart, x
    is transposed first: otherwise a tile reads one line, and one page, for each sample. If enough
    of x, the outputs of the layer below, are zero, a fused step leaves them out. One sample is
    multiplied panel by panel, with its zeros.
    """
    inputs, cut, turned = layer.inputs, layer.cut, records.is_transposed(layer)
    height = vector_lanes(like) if turned else tuning.TILE_ROWS
    # of rows, a member's are in all panels
    whose, sharing = (0, 1) if cut == records.ROWS else (member, members)
    span = share_panels(layer.panels, height, inputs, cut, whose, sharing)
    if span[0] == span[1]:
        return
    reads_outputs = batch > 1 and is_fused(job.optimizer) and layer.x == below.a
    # slice by slice: who owns one knows which of its outputs are not zero
    for number in range(1 + int(layer.split != 0)):
        first, end, lowest, highest = slice_at(layer, below, number)
        if cut == records.ROWS:
            begin, stop = share(below.panels, member, members)
            first, end = max(first, begin), min(end, stop)
            lowest, highest = first * below.width, min(end * below.width, inputs)
        if lowest < highest:
            sparse = reads_outputs and leaves_out(below, layer, batch, first, end)
            what = sparse, height, span, lowest, highest
            update_rows(job, layer, step, batch, scratch, *what, like)


@jit
def update_biases(job, layer, step, batch, scratch, member, members, like):
    """b = keep b + sum of dz, or a general step: a bias is a weight whose input is always 1."""
    size, width, fused = item_bytes(like), layer.width, is_fused(job.optimizer)
    keep = kept_share(job, layer, step, BIASES, like)
    first, last = share(layer.panels, member, members)
    if layer.cut == records.ROWS and layer.panels == 1:  # who has the first rows adds them to z
        first, last = 0, int(member == 0)
    for panel in range(first, last):
        offset, dz = panel * width * size, layer.dz + row_offset(layer, panel, 0, like)
        sum_rows(width, layer.b + offset if fused else scratch, dz, layer.a_row, batch, keep)
        if not fused:
            general_step(job, layer, step, BIASES, offset, scratch, width, like)
