"""Training by columns, or by columns, then rows: a step as phases, with barriers between them."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.functions.coefficients import BIASES, CLIP, CLIP_NORM, COEFFICIENTS, WEIGHTS
from fastmlp.functions.limits import CLIP_EPSILON
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import flush_small, item_bytes, set_control
from fastmlp.kernels.loops.elementwise import limit_gradients, scale_numbers
from fastmlp.kernels.memory import records
from fastmlp.kernels.memory.panels import units
from fastmlp.kernels.memory.records import is_transposed, numbers_at, parameters_of, weight_offset
from fastmlp.kernels.memory.tuning import PIECE, SUMMED
from fastmlp.kernels.step import first_layer, forward
from fastmlp.kernels.step import output as output_phase
from fastmlp.kernels.step import update as update_phase
from fastmlp.kernels.step.first_layer import forward_layer, update_first
from fastmlp.kernels.step.forward import delta, forward_own
from fastmlp.kernels.step.images import batch_at, prepare_images
from fastmlp.kernels.step.judge import sum_step
from fastmlp.kernels.step.output import claim_partials, output, output_of_partials, partial_outputs
from fastmlp.kernels.step.update import coefficients_at, general_step, update, update_biases
from fastmlp.kernels.team.barrier import arrive, wait, wait_for_all
from fastmlp.kernels.team.plan import share


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch a member uses in training: one phase after the other has it."""
    phases = (first_layer, output_phase, forward, update_phase)
    clipped = 8 * int(layers["inputs"][-1])  # sums of squares of the columns of w^T
    summed = SUMMED * dtype.itemsize  # by samples: sums of gradients
    return max(clipped, summed, *(int(phase.scratch_bytes(layers, dtype)) for phase in phases))


@jit
def pieces_of(layer):
    """Return how many pieces a panel has: PIECE rows of weights each, or fewer, and its biases."""
    return units(layer.outputs if is_transposed(layer) else layer.inputs, PIECE) + 1


@jit
def piece_at(layer, unit, like):
    """Return a piece: its kind, bytes behind that, its rows, numbers from one to the next, and of
    these without padding.
    """
    panel, k = unit // pieces_of(layer), unit % pieces_of(layer)
    kind, first, width = WEIGHTS, k * PIECE, layer.width
    offset, rows = weight_offset(layer, panel, first, like), min(PIECE, layer.inputs - first)
    columns = min(width, layer.outputs - panel * width)
    if k == pieces_of(layer) - 1:
        kind, offset, rows = BIASES, panel * width * item_bytes(like), 1
    elif is_transposed(layer):  # rows of w^T, which are fewer than PIECE
        rows, width, columns = layer.outputs, layer.w_column, layer.inputs
    return kind, offset, rows, width, columns


@shared
def square_gradients(job, layer, squares, step, scratch, member, members, like: float):
    """Write the sums of the squares of a member's pieces of gradients, limited by clip_value.

    layer : of the record that has gradients in place of parameters
    squares : address of the layer's sums; the scratch has those of the columns of a piece
    """
    first, last = share(layer.panels * pieces_of(layer), member, members)
    found = numbers_at(squares, last, np.float64(0))
    for unit in range(first, last):
        kind, offset, rows, width, columns = piece_at(layer, unit, like)
        g = parameters_of(layer, kind)[0] + offset
        coefficients = coefficients_at(job, layer, step, kind)
        most = numbers_at(coefficients, COEFFICIENTS, np.float64(0))[CLIP]
        if most < np.inf:
            limit_gradients(g, g, rows * width, like - like, type(like)(most))
        sums = numbers_at(scratch, columns, np.float64(0))
        sums[:] = 0
        for i in range(rows):
            row = numbers_at(g + i * width * item_bytes(like), columns, like)
            for j in range(columns):
                sums[j] += np.float64(row[j]) * np.float64(row[j])
        found[unit] = sums.sum()


@shared
def step_clipped(job, layer, gradient, step, factor: float, member, members, like: float):
    """Take a general step by factor g with a member's pieces of a layer's parameters."""
    first, last = share(layer.panels * pieces_of(layer), member, members)
    for unit in range(first, last):
        kind, offset, rows, width, _ = piece_at(layer, unit, like)
        g, count = parameters_of(gradient, kind)[0] + offset, rows * width
        if factor != 1:
            scale_numbers(g, count, factor)
        general_step(job, layer, step, kind, offset, g, count, like)


@jit
def clip_and_step(job, layers, gradients, step, barrier, scratch, member, members, like):
    """Two phases of a step of which all gradients are in memory: their squares, and the step.

    factor = min(1, clip_norm / (norm + 1e-6)), norm^2 the sum of the squares of all pieces in order
    """
    pieces, count = 0, len(layers)
    for l in range(count):
        squares = job.squares + pieces * 8
        square_gradients(job, gradients[l], squares, step, scratch, member, members, like)
        pieces += layers[l].panels * pieces_of(layers[l])
    wait(barrier, members)
    total = numbers_at(job.squares, pieces, np.float64(0)).sum()
    coefficients = coefficients_at(job, layers[0], step, WEIGHTS)
    most = numbers_at(coefficients, COEFFICIENTS, np.float64(0))[CLIP_NORM]
    factor = most / (np.sqrt(total) + CLIP_EPSILON)
    factor = 1.0 if factor >= 1 else factor  # NaN stays
    for l in range(count):
        own = type(like)(factor)
        step_clipped(job, layers[l], gradients[l], step, own, member, members, like)


@jit
def prepare_and_wait(job, layer, step, barrier, scratch, member, members, own, like):
    """A barrier, and a step's images: if each member has its own, while others arrive."""
    if not own:
        prepare_images(job, layer, step, scratch, member, members, like)
    everyone = arrive(barrier, members)
    if own:
        prepare_images(job, layer, step, scratch, 0, 1, like)
    wait_for_all(barrier, everyone)


@jit
def update_layer(job, layers, l, step, batch, scratch, member, members, like):
    """A layer's weights and biases take a step."""
    layer, below = layers[l], layers[max(l - 1, 0)]
    if l == 0 and job.images_as != records.DENSE:
        update_first(job, layer, step, scratch, member, members, like)
    else:
        update(job, layer, below, step, batch, scratch, member, members, like)
    update_biases(job, layer, step, batch, scratch, member, members, like)


@jit
def backpropagate(
    job, layers, step, position, rows, is_mine, barrier, scratch, member, members, like
):
    """Outputs and deltas for some samples; by inputs, but the first layer's outputs.

    position : of the first of these samples in the order
    """
    last, sample, full = len(layers) - 1, job.first_sample + position, batch_at(job, step)[1]
    top, below = layers[last], layers[max(last - 1, 0)]
    for l in range(int(job.plan == records.BY_INPUTS), last):
        forward_layer(job, layers, l, step, position, rows, full, scratch, member, members, like)
        wait(barrier, members)
    output(job, top, below, step, position, rows, scratch, member, members, is_mine, like)
    wait(barrier, members)
    for l in range(last, 0, -1):
        delta(layers[l], layers[l - 1], sample, rows, full, scratch, member, members, like)
        wait(barrier, members)


@shared
def train(job, layers_address, count, barrier, scratch, member, members, like: float):
    """One step for each row of coefficients, by columns. Between two barriers, members write apart.

    Images are prepared by all members together, or, as long as each has a panel of the first layer,
    by each for itself. Clipped, the update writes gradients, with records that have these in place
    of parameters, and two phases follow.
    """
    base = records.member_layers(layers_address, count, 0)
    # clipped, or if columns, then rows, has too many members, all share records
    own = members <= base[0].panels and job.squares == 0 and job.plan == records.BY_COLUMNS
    layers = records.member_layers(layers_address, count, member + 1 if own else 0)
    targets = records.member_layers(layers_address, count, 1) if job.clipped != 0 else layers
    bottom, control = layers[0], flush_small()
    if job.ready != members:
        prepare_and_wait(job, bottom, job.first_step, barrier, scratch, member, members, own, like)
    for step in range(job.first_step, job.first_step + job.steps):
        position, batch = batch_at(job, step)
        backpropagate(
            job, layers, step, position, batch, 1, barrier, scratch, member, members, like
        )
        if member == members - 1:
            sum_step(job, step, like)
        for l in range(count - 1, -1, -1):
            update_layer(job, targets, l, step, batch, scratch, member, members, like)
        if job.clipped != 0:
            wait(barrier, members)
            clip_and_step(job, layers, targets, step, barrier, scratch, member, members, like)
        prepare_and_wait(job, bottom, step + 1, barrier, scratch, member, members, own, like)
    set_control(control)


@shared
def train_by_rows(job, layers_address, count, barrier, scratch, member, members, like: float):
    """One step for each row of coefficients, by columns, then rows.

    A member owns panels of each hidden layer, and the rows of weights that read them. Members
    exchange only what rows add to z of the layer above, and deltas. They arrive at a barrier before
    they do what others need not wait for.
    """
    layers, last = records.member_layers(layers_address, count, member + 1), count - 1
    top, below, bottom, control = layers[last], layers[last - 1], layers[0], flush_small()
    begin, end = share(below.panels, member, members)
    if job.ready != members:
        prepare_and_wait(job, bottom, job.first_step, barrier, scratch, member, members, True, like)
    for step in range(job.first_step, job.first_step + job.steps):
        position, batch = batch_at(job, step)
        sample = job.first_sample + position
        if members > 1:
            claim_partials(job, top, below, step, batch, begin, end, like)
        forward_layer(job, layers, 0, step, position, batch, batch, scratch, member, members, like)
        for l in range(1, last):
            source = layers[l - 1]
            forward_own(layers[l], source, step, sample, batch, barrier, member, members, like)
        partial_outputs(job, top, below, step, begin, end, 0, batch, scratch, like)
        prepare_and_wait(job, bottom, step + 1, barrier, scratch, member, members, True, like)
        output_of_partials(job, top, below, step, begin, end, 0, batch, scratch, like)
        if member == members - 1:  # it alone has written costs and hits
            sum_step(job, step, like)
        for l in range(last, 0, -1):
            delta(layers[l], layers[l - 1], sample, batch, batch, scratch, member, members, like)
            everyone = arrive(barrier, members) if l > 1 else 0
            update_layer(job, layers, l, step, batch, scratch, member, members, like)
            wait_for_all(barrier, everyone)
        update_layer(job, layers, 0, step, batch, scratch, member, members, like)
    set_control(control)
