"""A step by samples: each member has all parameters for itself, and takes slices of a minibatch."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.functions.coefficients import BIASES, WEIGHTS
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import item_bytes
from fastmlp.kernels.loops.bit_loops import sum_rows
from fastmlp.kernels.loops.elementwise import add, clear, copy, keep_and_add, optimizer_step
from fastmlp.kernels.memory.records import MOST_SLOTS, member_layers, row_offset
from fastmlp.kernels.memory.tuning import SUMMED, TILE_ROWS
from fastmlp.kernels.step.forward import layer_input
from fastmlp.kernels.step.images import batch_at, dense_images, load_images
from fastmlp.kernels.step.step import backpropagate
from fastmlp.kernels.step.step import scratch_bytes as step_scratch
from fastmlp.kernels.step.update import coefficients_at, is_fused, kept_share, x_times_dz
from fastmlp.kernels.team.barrier import wait
from fastmlp.kernels.team.plan import share


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch this plan uses: that of the phases of a step, or SUMMED gradients."""
    return max(step_scratch(layers, dtype), SUMMED * dtype.itemsize)


@jit
def slice_at(batch, number, slices):
    """Return the first sample of a slice, and the one behind its last. Most are whole tiles."""
    first, last = share((batch + TILE_ROWS - 1) // TILE_ROWS, number, slices)
    return min(first * TILE_ROWS, batch), min(last * TILE_ROWS, batch)


@jit
def gradients_at(job, layer, step, number, like):
    """Return the addresses of the gradients of a layer's weights and biases, of one slice."""
    g = job.partials + (step % 2 * job.slices + number) * job.partial_bytes + layer.gradient
    return g, g + layer.panels * layer.w_panel * item_bytes(like)


@shared
def slice_gradient(job, layer, step, number, x, x_row, run, jump, i, rows, scratch, like: float):
    """Write x^T dz, and the sums of dz, of a slice: rows i, i + 1, … of a member's samples."""
    size, zero = item_bytes(like), like - like
    g, b = gradients_at(job, layer, step, number, like)
    for panel in range(layer.panels):
        x_times_dz(
            job, layer, g, panel, 0, layer.inputs, x + i * x_row * size, 1, x_row, run, jump, i,
            rows, zero, 0, scratch, like,
        )  # fmt: skip
        dz = layer.dz + row_offset(layer, panel, i, like)
        sum_rows(layer.width, b + panel * layer.width * size, dz, layer.a_row, rows, zero)


@shared
def take_step(job, layer, step, batch, kind, scratch, like: float):
    """Take a step on a layer's WEIGHTS or BIASES by the sum of their gradients of all slices."""
    size, coefficients = item_bytes(like), coefficients_at(job, layer, step, kind)
    g_w, g_b = gradients_at(job, layer, step, 0, like)
    w, first, count, states = layer.w, g_w, layer.panels * layer.w_panel, layer.w_state
    if kind == BIASES:
        w, first, count, states = layer.b, g_b, layer.panels * layer.width, layer.b_state
    for j in range(0, count, SUMMED):
        length, offset = min(SUMMED, count - j), j * size
        clear(scratch, 0, 1, length, like)
        for number in range(job.slices):
            begin, end = slice_at(batch, number, job.slices)
            if begin < end:
                add(scratch, 0, first + number * job.partial_bytes + offset, 0, 1, length, like)
        if is_fused(job.optimizer):
            keep_and_add(w + offset, scratch, length, kept_share(coefficients, like))
        else:
            optimizer_step(
                job.optimizer, w + offset, states[0] + offset, states[1] + offset, scratch, length,
                coefficients, like,
            )  # fmt: skip


@jit
def copy_new(target, source, count, like):
    """Copy adjacent numbers, unless they are the same memory, or there is none."""
    if target != source:
        copy(target, 0, source, 0, 1, count, like)


@jit
def copy_parameters(layer, other, like):
    """Copy the parameters of a layer, and their state, from another record of it."""
    weights, biases = layer.panels * layer.w_panel, layer.panels * layer.width
    copy_new(layer.w, other.w, weights, like)
    copy_new(layer.b, other.b, biases, like)
    for slot in range(MOST_SLOTS):
        copy_new(layer.w_state[slot], other.w_state[slot], weights, like)
        copy_new(layer.b_state[slot], other.b_state[slot], biases, like)


@shared
def train_by_samples(job, layers_address, count, barrier, scratch, member, members, like: float):
    """One step for each row of coefficients, with one barrier."""
    own = member + 1
    base = member_layers(layers_address, count, 0)
    layers = member_layers(layers_address, count, own)
    first, end = share(job.slices, member, members)
    first_step, last_step = job.first_step, job.first_step + job.steps
    if job.ready != members:
        for l in range(count if member > 0 else 0):
            copy_parameters(layers[l], base[l], like)
        load_slices(job, layers[0].inputs, first_step, own, first, end, like)
        wait(barrier, members)
    for step in range(first_step, last_step):
        position, batch = batch_at(job, step)
        begin, rows = samples_of(job, batch, first, end)
        samples = position + begin
        backpropagate(job, layers, count, 0, step, samples, rows, own, 1, scratch, like)
        for l in range(count):
            x, x_row, run, jump = layer_input(job, layers, l, step, own, like)
            for number in range(first, end):
                low, high = slice_at(batch, number, job.slices)
                if low < high:
                    slice_gradient(
                        job, layers[l], step, number, x, x_row, run, jump, low - begin, high - low,
                        scratch, like,
                    )  # fmt: skip
        load_slices(job, layers[0].inputs, step + 1, own, first, end, like)
        wait(barrier, members)
        for l in range(count):
            take_step(job, layers[l], step, batch, WEIGHTS, scratch, like)
            take_step(job, layers[l], step, batch, BIASES, scratch, like)
    if member == 0:
        job.ready = members


@jit
def samples_of(job, batch, first, end):
    """Return the first sample of the slices first, …, end - 1 of a minibatch, and how many."""
    begin = slice_at(batch, first, job.slices)[0]
    return begin, slice_at(batch, end - 1, job.slices)[1] - begin if first < end else 0


@jit
def load_slices(job, inputs, step, own, first, end, like):
    """x = scale images of a member's slices of a step's minibatch."""
    position, batch = batch_at(job, step)
    begin, rows = samples_of(job, batch, first, end)
    load_images(job, inputs, position + begin, rows, dense_images(job, step, own, like), like)
