"""A step by samples, or by inputs: each member has parameters for itself, and takes slices.

By samples, of a minibatch, through all layers. By inputs, of the first layer's, and all other
layers: for small networks whose images are mostly zeros, which have nearly all of their work there.
"""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.functions.coefficients import BIASES, WEIGHTS
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import flush_small, item_bytes, prefetch_lines, set_control
from fastmlp.kernels.loops.bit_loops import sum_rows
from fastmlp.kernels.loops.elementwise import add, clear, copy, keep_and_add
from fastmlp.kernels.memory.panels import units
from fastmlp.kernels.memory.records import (
    BY_INPUTS,
    input_at,
    member_layers,
    parameters_of,
    partial_at,
    row_offset,
)
from fastmlp.kernels.memory.tuning import PART, SUMMED, TILE_ROWS
from fastmlp.kernels.step.first_layer import forward_inputs, update_inputs
from fastmlp.kernels.step.forward import finish_tile
from fastmlp.kernels.step.images import batch_at, load_images, mark_pixels
from fastmlp.kernels.step.step import backpropagate
from fastmlp.kernels.step.step import scratch_bytes as step_scratch
from fastmlp.kernels.step.update import (
    coefficients_at,
    general_step,
    is_fused,
    kept_share,
    update,
    update_biases,
    x_times_dz,
)
from fastmlp.kernels.team.barrier import arrive, wait, wait_for_all
from fastmlp.kernels.team.plan import share


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch a step uses: its phases', or, by samples, 2 x SUMMED gradients."""
    return max(step_scratch(layers, dtype), 2 * SUMMED * dtype.itemsize)


@jit
def slice_of_samples(batch, number, slices):
    """Return the first sample of a slice, and the one behind its last. Most are whole tiles."""
    first, last = share(units(batch, TILE_ROWS), number, slices)
    return min(first * TILE_ROWS, batch), min(last * TILE_ROWS, batch)


@jit
def samples_of(job, batch, first, end):
    """Return the first sample of the slices first, …, end - 1 of a minibatch, and how many."""
    begin = slice_of_samples(batch, first, job.slices)[0]
    return begin, slice_of_samples(batch, end - 1, job.slices)[1] - begin if first < end else 0


@jit
def slice_of_inputs(job, inputs, number):
    """Return the first input of a slice, and the one behind its last: whole blocks."""
    size = job.block_inputs
    first, last = share(units(inputs, size), number, job.slices)
    return first * size, min(last * size, inputs)


@jit
def gradients_at(job, layer, step, number, kind, like):
    """Return the address of the gradients of a layer's WEIGHTS or BIASES, of one slice."""
    weights = parameters_of(layer, WEIGHTS)[2] if kind == BIASES else 0
    return partial_at(job, step, job.slices, number) + layer.gradient + weights * item_bytes(like)


@jit
def is_joint(job, number, members):
    """Return whether the slices number, which is even, and number + 1 are one member's.

    It writes the sum of their gradients as those of the first: half as many lines change cores.
    """
    owner = ((number + 1) * members - 1) // job.slices
    return number + 1 < job.slices * (owner + 1) // members


@shared
def slice_gradient(job, layer, step, number, i, rows, scratch, beta: float):
    """g = beta g + x^T dz, and the sums of dz, of a slice: rows i, … of a member's samples.

    number : of the slice whose gradients g are
    """
    size, like = item_bytes(beta), beta
    g = gradients_at(job, layer, step, number, WEIGHTS, like)
    b = gradients_at(job, layer, step, number, BIASES, like)
    x, inputs = input_at(layer, step, i, like), layer.inputs
    for panel in range(layer.panels):
        x_times_dz(job, layer, g, panel, 0, inputs, x, 1, i, rows, beta, 0, scratch, like)
        dz = layer.dz + row_offset(layer, panel, i, like)
        sum_rows(layer.width, b + panel * layer.width * size, dz, layer.a_row, rows, beta)


@jit
def add_pair(job, layer, step, batch, number, kind, offset, scratch, length, members, like):
    """Add to the scratch some gradients of the slices number and number + 1, if they have any."""
    target, end, joint = scratch, number + 1, is_joint(job, number, members)
    if not joint:
        target, end = scratch + SUMMED * item_bytes(like), min(number + 2, job.slices)
        clear(target, 0, 1, length, like)
    for k in range(number, end):
        begin = slice_of_samples(batch, k, job.slices)[0]
        if begin < slice_of_samples(batch, k + int(joint), job.slices)[1]:
            g = gradients_at(job, layer, step, k, kind, like) + offset
            add(target, 0, g, 0, 1, length, like)
    if not joint:
        add(scratch, 0, target, 0, 1, length, like)


@shared
def take_step(job, layer, step, batch, kind, scratch, members, like: float):
    """Take a step on a layer's WEIGHTS or BIASES by their gradients: a sum over pairs of slices."""
    size, coefficients = item_bytes(like), coefficients_at(job, layer, step, kind)
    w, _, count = parameters_of(layer, kind)
    for j in range(0, count, SUMMED):
        length, offset = min(SUMMED, count - j), j * size
        clear(scratch, 0, 1, length, like)
        for k in range(0, job.slices, 2):
            add_pair(job, layer, step, batch, k, kind, offset, scratch, length, members, like)
        if is_fused(job.optimizer):
            keep_and_add(w + offset, scratch, length, kept_share(coefficients, like))
        else:
            general_step(job.optimizer, layer, kind, offset, scratch, length, coefficients, like)


@jit
def term_at(job, layer, step, number, panel, i, like):
    """Return the address of what a slice adds to z of a panel, from row i on: laid out like a."""
    return partial_at(job, step, job.slices, number) + row_offset(layer, panel, i, like)


@shared
def forward_slice(job, layer, step, number, scratch, like: float):
    """Mark a slice of the images, and write what it adds to z of the first layer."""
    batch, (low, high) = batch_at(job, step)[1], slice_of_inputs(job, layer.inputs, number)
    mark_pixels(job, layer, step, number, 0, batch, low, high, scratch, like)
    for panel in range(layer.panels):
        for i in range(0, batch, PART):
            stop, z = min(i + PART, batch), term_at(job, layer, step, number, panel, i, like)
            forward_inputs(job, layer, step, number, panel, low, high, i, stop, z, like)


@shared
def sum_slices(job, layer, step, batch, first, end, like: float):
    """a = f(z + b) of the first layer, with z the sum of the terms of all slices, in their order.

    The slices first, …, end - 1 are a member's own: the others are prefetched.
    """
    for number in range(job.slices):
        if not first <= number < end:
            for panel in range(layer.panels):
                term = term_at(job, layer, step, number, panel, 0, like)
                size = term_at(job, layer, step, number, panel, batch, like) - term
                prefetch_lines(term, size)
    for panel in range(layer.panels):
        z, z_row = layer.a + row_offset(layer, panel, 0, like), layer.a_row
        for number in range(job.slices):
            term = term_at(job, layer, step, number, panel, 0, like)
            if number == 0:
                copy(z, z_row, term, z_row, batch, layer.width, like)
            else:
                add(z, z_row, term, z_row, batch, layer.width, like)
        sample = job.first_sample + step * job.batch_size
        finish_tile(layer, panel, 0, batch, z, z_row, layer.width, sample, like)


@jit
def copy_parameters(layer, other, like):
    """Copy the parameters of a layer, and their state, from another record of it."""
    for kind in (WEIGHTS, BIASES):
        (w, state, count), (source, old, _) = parameters_of(layer, kind), parameters_of(other, kind)
        for to, of in ((w, source), (state[0], old[0]), (state[1], old[1])):
            if to != of:  # not the same memory
                copy(to, 0, of, 0, 1, count, like)


@jit
def prepare_slices(job, layer, step, first, end, scratch, like):
    """By samples, load the images of the slices first, …, end - 1; by inputs, `forward_slice`."""
    if job.plan == BY_INPUTS:
        for number in range(first, end):
            forward_slice(job, layer, step, number, scratch, like)
        return
    position, batch = batch_at(job, step)
    begin, rows = samples_of(job, batch, first, end)
    load_images(job, layer, position + begin, rows, input_at(layer, step, 0, like), like)


@shared
def train_by_slices(job, layers_address, count, barrier, scratch, member, members, like: float):
    """One step for each row of coefficients, with one barrier."""
    base, by_inputs = member_layers(layers_address, count, 0), job.plan == BY_INPUTS
    layers = member_layers(layers_address, count, member + 1)
    bottom, (first, end) = layers[0], share(job.slices, member, members)
    control = flush_small()
    if job.ready != members:
        for l in range(count if member > 0 else 0):
            copy_parameters(layers[l], base[l], like)
        prepare_slices(job, bottom, job.first_step, first, end, scratch, like)
        wait(barrier, members)
    for step in range(job.first_step, job.first_step + job.steps):
        position, batch = batch_at(job, step)
        lowest, begin, rows, is_mine = 1, 0, batch, int(member == 0)
        if by_inputs:
            sum_slices(job, bottom, step, batch, first, end, like)
        else:
            lowest, is_mine, (begin, rows) = 0, 1, samples_of(job, batch, first, end)
        i = position + begin
        backpropagate(job, layers, count, lowest, step, i, rows, is_mine, scratch, like)
        for l in range(lowest, count):
            if by_inputs:
                update(job, layers[l], layers[l - 1], step, batch, scratch, 0, 1, like)
                continue
            for number in range(first, end):
                low, high = slice_of_samples(batch, number, job.slices)
                even, i, beta = number - number % 2, low - begin, like - like
                if not is_joint(job, even, members):
                    even = number
                elif slice_of_samples(batch, even, job.slices)[0] < low:  # not the first with any
                    beta = type(like)(1)
                if low < high:
                    slice_gradient(job, layers[l], step, even, i, high - low, scratch, beta)
        if by_inputs:
            for number in range(first, end):
                low, high = slice_of_inputs(job, bottom.inputs, number)
                for panel in range(bottom.panels):
                    update_inputs(job, bottom, step, number, panel, low, high, scratch, like)
            for l in range(count):
                update_biases(job, layers[l], step, batch, scratch, 0, 1, like)
            # before the barrier: others need what this writes
            prepare_slices(job, bottom, step + 1, first, end, scratch, like)
        everyone = arrive(barrier, members)
        if not by_inputs:
            prepare_slices(job, bottom, step + 1, first, end, scratch, like)
        wait_for_all(barrier, everyone)
        for l in range(count if not by_inputs else 0):
            take_step(job, layers[l], step, batch, WEIGHTS, scratch, members, like)
            take_step(job, layers[l], step, batch, BIASES, scratch, members, like)
    set_control(control)
    if member == 0:
        job.ready = members
