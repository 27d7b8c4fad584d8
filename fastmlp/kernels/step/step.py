"""Training: minibatch SGD as phases, with a barrier behind each."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.functions.coefficients import BIASES, CLIP, CLIP_NORM, COEFFICIENTS, WEIGHTS
from fastmlp.functions.limits import CLIP_EPSILON
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import item_bytes, prefetch_lines
from fastmlp.kernels.loops.elementwise import limit_gradients, optimizer_step, scale_numbers
from fastmlp.kernels.memory.records import (
    BY_IMAGE,
    BY_PAIR,
    COLUMNS_THEN_ROWS,
    DENSE,
    layers_at,
    member_layers,
    numbers_at,
    weight_offset,
)
from fastmlp.kernels.memory.tuning import PIECE
from fastmlp.kernels.step import delta as delta_phase
from fastmlp.kernels.step import first_layer
from fastmlp.kernels.step import output as output_phase
from fastmlp.kernels.step import update as update_phase
from fastmlp.kernels.step.delta import delta
from fastmlp.kernels.step.first_layer import forward_first, update_first
from fastmlp.kernels.step.forward import forward, forward_nonzeros, layer_input
from fastmlp.kernels.step.images import batch_at, prepare_images, words_at
from fastmlp.kernels.step.nonzeros import leaves_out
from fastmlp.kernels.step.output import output, output_of_partials, partial_outputs
from fastmlp.kernels.step.update import coefficients_at, is_fused, update, update_biases
from fastmlp.kernels.team.barrier import wait
from fastmlp.kernels.team.plan import share


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch a member uses in training: one phase after the other has it."""
    phases = (first_layer, output_phase, delta_phase, update_phase)
    return max(int(phase.scratch_bytes(layers, dtype)) for phase in phases)


@jit
def backpropagate(job, layers, count, first, step, position, rows, own, is_mine, scratch, like):
    """Outputs and deltas of the layers first, first + 1, … for some samples, by one member alone.

    position : of the first of these samples in the order
    """
    last, sample, full = count - 1, job.first_sample + position, batch_at(job, step)[1]
    for l in range(first, last):
        x, x_row, run, jump = layer_input(job, layers, l, step, own, like)
        forward(layers[l], x, x_row, run, jump, sample, rows, 0, 1, like)
    x, x_row, run, jump = layer_input(job, layers, last, step, own, like)
    output(
        job, layers[last], layers[max(last - 1, 0)], position, x, x_row, run, jump, rows, scratch,
        0, 1, is_mine, like,
    )  # fmt: skip
    for l in range(last, 0, -1):
        delta(layers[l], layers[l - 1], sample, rows, full, scratch, 0, 1, like)


@jit
def pieces_of(layer):
    """Return how many pieces a panel has: PIECE rows of weights each, or fewer, and its biases."""
    return (layer.inputs + PIECE - 1) // PIECE + 1


@jit
def piece_at(job, layer, step, unit, like):
    """Return a piece: BIASES or WEIGHTS, bytes behind these, rows, and columns without padding.

    And its coefficients.
    """
    panel, k = unit // pieces_of(layer), unit % pieces_of(layer)
    kind, first, width = WEIGHTS, k * PIECE, layer.width
    offset, rows = weight_offset(layer, panel, first, like), min(PIECE, layer.inputs - first)
    if k == pieces_of(layer) - 1:
        kind, offset, rows = BIASES, panel * width * item_bytes(like), 1
    columns = min(width, layer.outputs - panel * width)
    return kind, offset, rows, columns, coefficients_at(job, layer, step, kind)


@shared
def square_gradients(job, layer, squares, step, scratch, member, members, like: float):
    """Write the sums of the squares of a member's pieces of gradients, limited by clip_value.

    layer : of the record that has gradients in place of parameters
    squares : address of the layer's sums; the scratch has those of the columns of a piece
    """
    first, last = share(layer.panels * pieces_of(layer), member, members)
    found = numbers_at(squares, last, np.float64(0))
    for unit in range(first, last):
        kind, offset, rows, columns, coefficients = piece_at(job, layer, step, unit, like)
        g = offset + (layer.w if kind == WEIGHTS else layer.b)
        most = numbers_at(coefficients, COEFFICIENTS, np.float64(0))[CLIP]
        if most < np.inf:
            limit_gradients(g, g, rows * layer.width, like - like, type(like)(most))
        sums = numbers_at(scratch, columns, np.float64(0))
        sums[:] = 0
        for i in range(rows):
            row = numbers_at(g + i * layer.width * item_bytes(like), columns, like)
            for j in range(columns):
                sums[j] += np.float64(row[j]) * np.float64(row[j])
        total = 0.0
        for j in range(columns):
            total += sums[j]
        found[unit] = total


@shared
def step_clipped(job, layer, gradient, step, factor: float, member, members, like: float):
    """Take a general step by factor g with a member's pieces of a layer's parameters."""
    first, last = share(layer.panels * pieces_of(layer), member, members)
    for unit in range(first, last):
        kind, offset, rows, _, coefficients = piece_at(job, layer, step, unit, like)
        w, g, states = layer.w, gradient.w, layer.w_state
        if kind == BIASES:
            w, g, states = layer.b, gradient.b, layer.b_state
        count = rows * layer.width
        if factor != 1:
            scale_numbers(g + offset, count, factor)
        optimizer_step(
            job.clipped, w + offset, states[0] + offset, states[1] + offset, g + offset, count,
            coefficients, like,
        )  # fmt: skip


@jit
def clip_and_step(job, layers, gradients, count, step, barrier, scratch, member, members, like):
    """Two phases of a step of which all gradients are in memory: their squares, and the step.

    factor = min(1, clip_norm / (norm + 1e-6)), norm^2 the sum of the squares of all pieces in order
    """
    pieces, total = 0, 0.0
    for l in range(count):
        squares = job.squares + pieces * 8
        square_gradients(job, gradients[l], squares, step, scratch, member, members, like)
        pieces += layers[l].panels * pieces_of(layers[l])
    wait(barrier, members)
    found = numbers_at(job.squares, pieces, np.float64(0))
    for k in range(pieces):
        total += found[k]
    coefficients = coefficients_at(job, layers[0], step, WEIGHTS)
    most = numbers_at(coefficients, COEFFICIENTS, np.float64(0))[CLIP_NORM]
    factor = most / (np.sqrt(total) + CLIP_EPSILON)
    factor = 1.0 if factor >= 1 else factor  # NaN stays
    for l in range(count):
        own = type(like)(factor)
        step_clipped(job, layers[l], gradients[l], step, own, member, members, like)


@shared
def train(job, layers_address, count, barrier, scratch, member, members, like: float):
    """One step for each row of coefficients. Between two barriers, members write apart.

    Where z of the last layer has partial sums, each member owns whole panels of the layer below,
    and a step has one barrier; otherwise one behind each phase. Clipped, the update writes
    gradients, with records that have these in place of parameters, and two phases follow.
    """
    last = count - 1
    layers = layers_at(layers_address, count)
    apart = job.plan == COLUMNS_THEN_ROWS and members <= layers[0].panels
    own = member + 1 if apart else 0
    layers = member_layers(layers_address, count, own)
    targets = member_layers(layers_address, count, 1) if job.clipped != 0 else layers
    inputs, top, below = layers[0].inputs, layers[last], layers[max(last - 1, 0)]
    first_step, end = job.first_step, job.first_step + job.steps
    if job.ready != members:
        prepare_images(job, inputs, first_step, own, member, members, like)
        wait(barrier, members)
    for step in range(first_step, end):
        position, batch = batch_at(job, step)
        sample = job.first_sample + position
        for l in range(last):
            if l == 0 and job.images_as != DENSE:
                forward_first(job, layers[0], step, scratch, member, members, like)
            elif l > 0 and leaves_out(layers[l - 1], layers[l], batch):
                forward_nonzeros(layers[l], layers[l - 1], sample, batch, member, members, like)
            else:
                x, x_row, run, jump = layer_input(job, layers, l, step, own, like)
                forward(layers[l], x, x_row, run, jump, sample, batch, member, members, like)
            if not apart:
                wait(barrier, members)

        if apart:
            partial_outputs(job, top, below, step, batch, scratch, member, members, like)
            prepare_images(job, inputs, step + 1, own, member, members, like)
            wait(barrier, members)
            output_of_partials(job, top, below, step, batch, scratch, member, members, like)
            if members > 1 and (job.images_as == BY_IMAGE or job.images_as == BY_PAIR):
                prefetch_lines(words_at(job, step + 1, 0), job.step_bytes)
        else:
            x, x_row, run, jump = layer_input(job, layers, last, step, own, like)
            output(
                job, top, below, position, x, x_row, run, jump, batch, scratch, member, members,
                1, like,
            )  # fmt: skip
            wait(barrier, members)

        for l in range(last, 0, -1):
            delta(layers[l], layers[l - 1], sample, batch, batch, scratch, member, members, like)
            if not apart:
                wait(barrier, members)

        for l in range(last, -1, -1):
            layer = targets[l]
            if l == 0 and job.images_as != DENSE:
                update_first(job, layer, step, scratch, member, members, like)
            else:
                x, x_row, run, jump = layer_input(job, layers, l, step, own, like)
                source, fused = layers[max(l - 1, 0)], is_fused(job.optimizer)
                sparse = int(l > 0 and fused and leaves_out(source, layer, batch))
                update(
                    job, layer, source, sparse, step, x, x_row, run, jump, batch, scratch, member,
                    members, like,
                )  # fmt: skip
            update_biases(job, layer, step, batch, scratch, member, members, like)
        if job.clipped != 0:
            wait(barrier, members)
            clip_and_step(
                job, layers, targets, count, step, barrier, scratch, member, members, like
            )
        if not apart:
            prepare_images(job, inputs, step + 1, own, member, members, like)
            wait(barrier, members)
    if member == 0:
        job.ready = members
