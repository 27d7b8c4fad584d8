"""A step by inputs: each member has slices of the first layer's inputs, and all other layers.

For small networks whose images are mostly zeros: nearly all of their work is in the first layer.
"""

from __future__ import annotations

from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import prefetch_lines
from fastmlp.kernels.loops.elementwise import add, copy
from fastmlp.kernels.memory.records import (
    BY_PAIR,
    layers_at,
    member_layers,
    row_offset,
)
from fastmlp.kernels.memory.tuning import PART, UPDATE_PAIRS
from fastmlp.kernels.step.first_layer import (
    forward_lists,
    forward_pairs,
    update_lists,
    update_pairs,
)
from fastmlp.kernels.step.forward import finish_tile, layer_input
from fastmlp.kernels.step.images import batch_at, mark_pixels, pairs_of, parts_of, words_at
from fastmlp.kernels.step.samples import copy_parameters
from fastmlp.kernels.step.step import backpropagate
from fastmlp.kernels.step.update import update, update_biases
from fastmlp.kernels.team.barrier import wait
from fastmlp.kernels.team.plan import share


@jit
def slice_at(job, inputs, number):
    """Return the first input of a slice, and the one behind its last: whole runs of pairs."""
    first, last = share(parts_of(pairs_of(inputs)), number, job.slices)
    return first * 2 * PART, min(last * 2 * PART, inputs)


@jit
def term_at(job, layer, step, number, panel, i, like):
    """Return the address of what a slice adds to z of a panel, from row i on: laid out like a."""
    term = job.partials + (step % 2 * job.slices + number) * job.partial_bytes
    return term + row_offset(layer, panel, i, like)


@shared
def forward_slice(job, layer, step, number, like: float):
    """Mark a slice of the images, and write what it adds to z of the first layer."""
    (position, batch), (low, high) = batch_at(job, step), slice_at(job, layer.inputs, number)
    mark_pixels(job, layer.inputs, step, number, 0, batch, low, high, like)
    for panel in range(layer.panels):
        z = term_at(job, layer, step, number, panel, 0, like)
        if job.images_as != BY_PAIR:
            lists = words_at(job, step, number * job.batch_size)
            following = position + job.batch_size
            forward_lists(
                job, layer, panel, low, high, batch, lists, following, z, layer.a_row, like
            )
            continue
        for i in range(0, batch, PART):
            rows, z = min(PART, batch - i), term_at(job, layer, step, number, panel, i, like)
            images, words = job.addresses + (position + i) * 8, words_at(job, step, i)
            pairs = pairs_of(high)
            forward_pairs(job, layer, panel, low // 2, pairs, 0, rows, words, images, 0, z, like)


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


@shared
def update_slice(job, layer, step, number, scratch, like: float):
    """w = keep w + x^T dz, or a general step, for the rows of w of a slice of the inputs."""
    low, high = slice_at(job, layer.inputs, number)
    for panel in range(layer.panels):
        if job.images_as == BY_PAIR:
            last = pairs_of(high)
            for begin in range(low // 2, last, UPDATE_PAIRS):
                end = min(begin + UPDATE_PAIRS, last)
                update_pairs(job, layer, step, panel, begin, end, scratch, like)
        else:
            lists = words_at(job, step, number * job.batch_size)
            update_lists(job, layer, step, panel, low, high, lists, like)


@shared
def train_by_inputs(job, layers_address, count, barrier, scratch, member, members, like: float):
    """One step for each row of coefficients, with one barrier."""
    own = member + 1
    base = layers_at(layers_address, count)
    layers = member_layers(layers_address, count, own)
    first_step, last_step, bottom = job.first_step, job.first_step + job.steps, layers[0]
    first, end = share(job.slices, member, members)
    if job.ready != members:
        for l in range(count if member > 0 else 0):
            copy_parameters(layers[l], base[l], like)
        for number in range(first, end):
            forward_slice(job, bottom, first_step, number, like)
        wait(barrier, members)
    for step in range(first_step, last_step):
        position, batch = batch_at(job, step)
        sum_slices(job, bottom, step, batch, first, end, like)
        is_mine = int(member == 0)
        backpropagate(job, layers, count, 1, step, position, batch, own, is_mine, scratch, like)
        for l in range(1, count):
            x, x_row, run, jump = layer_input(job, layers, l, step, own, like)
            update(
                job, layers[l], layers[l - 1], 0, step, x, x_row, run, jump, batch, scratch, 0, 1,
                like,
            )  # fmt: skip
        for number in range(first, end):
            update_slice(job, bottom, step, number, scratch, like)
        for l in range(count):
            update_biases(job, layers[l], step, batch, scratch, 0, 1, like)
        for number in range(first, end):
            forward_slice(job, bottom, step + 1, number, like)
        wait(barrier, members)
    if member == 0:
        job.ready = members
