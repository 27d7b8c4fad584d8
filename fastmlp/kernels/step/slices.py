"""A step by samples, or by inputs: each member has parameters for itself, and takes slices.

By samples, of a minibatch, through all layers. By inputs, of the first layer's, and all other
layers: for small networks whose images are mostly zeros, which have nearly all of their work there.
"""

from __future__ import annotations

from fastmlp.functions.coefficients import BIASES, WEIGHTS
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import flush_small, item_bytes, prefetch_lines, set_control
from fastmlp.kernels.loops.bit_loops import sum_rows
from fastmlp.kernels.loops.elementwise import add, add_pairs, copy, is_fused
from fastmlp.kernels.memory import records
from fastmlp.kernels.memory.panels import units
from fastmlp.kernels.memory.records import input_at, parameters_of, partial_at, weight_offset
from fastmlp.kernels.memory.tuning import AT_ONCE, PART, SLICE_ROWS, SUMMED
from fastmlp.kernels.step.first_layer import forward_inputs, update_inputs
from fastmlp.kernels.step.forward import finish_tile
from fastmlp.kernels.step.images import batch_at, load_images, mark_pixels
from fastmlp.kernels.step.judge import sum_step
from fastmlp.kernels.step.step import backpropagate
from fastmlp.kernels.step.update import general_step, kept_share, update, update_biases, x_times_dz
from fastmlp.kernels.team.barrier import arrive, wait, wait_for_all
from fastmlp.kernels.team.plan import share


@jit
def slices_of(job, count, size, first, end):
    """Return where the slices first, …, end - 1 of so many samples, or inputs, begin and end.

    size : what divides each slice but the last: SLICE_ROWS samples, or block_inputs inputs
    """
    whole = units(count, size)
    begin, stop = whole * first // job.slices * size, whole * end // job.slices * size
    return min(begin, count), min(stop, count)


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
        x_times_dz(job, layer, step, g, panel, 0, inputs, x, 1, i, rows, beta, scratch, like)
        dz = layer.dz + records.row_offset(layer, panel, i, like)
        sum_rows(layer.width, b + panel * layer.width * size, dz, layer.a_row, rows, beta)


@jit
def at_once(job):
    """Return how many slices of samples a member takes at once: AT_ONCE samples, or one slice.

    All of them where somebody reads the outputs of all samples.
    """
    return job.slices if job.traced != 0 else max(1, AT_ONCE // units(job.batch_size, job.slices))


@jit
def load_slices(job, layer, step, first, end, like):
    """Load the images of the slices first, …, end - 1, by samples."""
    position, batch = batch_at(job, step)
    begin, stop = slices_of(job, batch, SLICE_ROWS, first, end)
    load_images(job, layer, position + begin, stop - begin, input_at(layer, step, 0, like), like)


@jit
def train_on_slices(job, layers, step, first, end, scratch, members, like):
    """Write the gradients of the slices first, …, end - 1, by samples, a few slices at once.

    What is computed for these stays in the L2 cache: for the next ones it lies in the same place.
    """
    position, batch = batch_at(job, step)
    for run in range(first, end, at_once(job)):
        stop = min(run + at_once(job), end)
        if run > first:
            load_slices(job, layers[0], step, run, stop, like)
        begin, behind = slices_of(job, batch, SLICE_ROWS, run, stop)
        i, rows = position + begin, behind - begin
        backpropagate(job, layers, step, i, rows, 1, 0, scratch, 0, 1, like)
        for l in range(len(layers)):
            for number in range(run, stop):
                low, high = slices_of(job, batch, SLICE_ROWS, number, number + 1)
                second = number % 2 * int(is_joint(job, number - number % 2, members))
                i, size, beta = low - begin, high - low, type(like)(second)
                slice_gradient(job, layers[l], step, number - second, i, size, scratch, beta)


@shared
def take_step(job, layer, step, kind, scratch, members, like: float):
    """Take a step on a layer's WEIGHTS or BIASES by their gradients: a sum over pairs of slices."""
    (w, _, count), apart, joint = parameters_of(layer, kind), job.partial_bytes, 0
    g, pairs = gradients_at(job, layer, step, 0, kind, like), job.slices // 2
    for pair in range(pairs):
        joint |= int(is_joint(job, 2 * pair, members)) << pair
    if is_fused(job.optimizer):
        keep = kept_share(job, layer, step, kind, like)
        add_pairs(w, g, apart, pairs, joint, count, keep)
        return
    for j in range(0, count, SUMMED):
        length, offset = min(SUMMED, count - j), j * item_bytes(like)
        add_pairs(scratch, g + offset, apart, pairs, joint, length, like - like)
        general_step(job, layer, step, kind, offset, scratch, length, like)


@jit
def term_at(job, layer, step, number, panel, i, like):
    """Return the address of what a slice adds to z of a panel, from row i on: laid out like a."""
    return partial_at(job, step, job.slices, number) + records.row_offset(layer, panel, i, like)


@shared
def sum_slices(job, layer, step, batch, first, end, like: float):
    """a = f(z + b) of the first layer, with z the sum of the terms of all slices, in their order.

    The slices first, …, end - 1 are a member's own: the others are prefetched.
    """
    size = batch * layer.a_row * item_bytes(like)
    for number in range(job.slices):
        if not first <= number < end:
            for panel in range(layer.panels):
                prefetch_lines(term_at(job, layer, step, number, panel, 0, like), size)
    for panel in range(layer.panels):
        z, z_row = layer.a + records.row_offset(layer, panel, 0, like), layer.a_row
        term = term_at(job, layer, step, 0, panel, 0, like)
        copy(z, z_row, term, z_row, batch, layer.width, like)
        for number in range(1, job.slices):
            term = term_at(job, layer, step, number, panel, 0, like)
            add(z, z_row, term, z_row, batch, layer.width, like)
        sample = job.first_sample + step * job.batch_size
        finish_tile(layer, panel, 0, batch, z, z_row, sample, like)


@jit
def copy_parameters(layer, other, kind, offset, count, like):
    """Copy so many WEIGHTS or BIASES, so many bytes behind, and their state, from other records."""
    (w, state, _), (source, old, _) = parameters_of(layer, kind), parameters_of(other, kind)
    for to, of in ((w, source), (state[0], old[0]), (state[1], old[1])):
        if to != of:  # not the same memory
            copy(to + offset, 0, of + offset, 0, 1, count, like)


@jit
def return_slices(job, layer, base, first, end, like):
    """By inputs, copy a member's slices of w, and their state, to the arrays that all share."""
    for number in range(first, end):
        low, high = slices_of(job, layer.inputs, job.block_inputs, number, number + 1)
        for panel in range(layer.panels):
            offset, count = weight_offset(layer, panel, low, like), (high - low) * layer.width
            copy_parameters(base, layer, WEIGHTS, offset, count, like)


@shared
def prepare_slices(job, layer, step, first, end, scratch, like: float):
    """By samples, load images of the first of the slices first, …, end - 1; by inputs, mark these
    in the images, write what each adds to z of the first layer, and prefetch labels and factors.
    """
    position, batch = batch_at(job, step)
    if job.plan != records.BY_INPUTS:
        load_slices(job, layer, step, first, min(first + at_once(job), end), like)
        return
    for answers in (job.factors, job.labels):  # labels may be 0
        if answers != 0:
            prefetch_lines(answers + position * item_bytes(like), batch * item_bytes(like))
    for number in range(first, end):
        low, high = slices_of(job, layer.inputs, job.block_inputs, number, number + 1)
        mark_pixels(job, layer, step, number, 0, batch, low, high, scratch, like)
        for panel in range(layer.panels):
            for i in range(0, batch, PART):
                stop, z = min(i + PART, batch), term_at(job, layer, step, number, panel, i, like)
                forward_inputs(job, layer, step, number, panel, low, high, i, stop, z, like)


@shared
def train_by_slices(job, layers_address, count, barrier, scratch, member, members, like: float):
    """One step for each row of coefficients, with one barrier.

    Members work on copies of the parameters. By inputs, they copy their slices of w back.
    """
    base, by_inputs = records.member_layers(layers_address, count, 0), job.plan == records.BY_INPUTS
    layers = records.member_layers(layers_address, count, member + 1)
    bottom, (first, end) = layers[0], share(job.slices, member, members)
    control = flush_small()
    if job.ready != members:
        for l in range(count):
            for kind in (WEIGHTS, BIASES):
                copy_parameters(layers[l], base[l], kind, 0, parameters_of(base[l], kind)[2], like)
        prepare_slices(job, bottom, job.first_step, first, end, scratch, like)
        wait(barrier, members)
    for step in range(job.first_step, job.first_step + job.steps):
        position, batch = batch_at(job, step)
        if not by_inputs:
            train_on_slices(job, layers, step, first, end, scratch, members, like)
        else:
            sum_slices(job, bottom, step, batch, first, end, like)
            is_mine = int(member == 0)
            backpropagate(job, layers, step, position, batch, is_mine, 0, scratch, 0, 1, like)
            for number in range(first, end):
                low, high = slices_of(job, bottom.inputs, job.block_inputs, number, number + 1)
                for panel in range(bottom.panels):
                    update_inputs(job, bottom, step, number, panel, low, high, scratch, like)
            # before the barrier: others need what this writes
            prepare_slices(job, bottom, step + 1, first, end, scratch, like)
        everyone = arrive(barrier, members)
        if by_inputs:  # others need none of this
            for l in range(count):
                if l > 0:
                    update(job, layers[l], layers[l - 1], step, batch, scratch, 0, 1, like)
                update_biases(job, layers[l], step, batch, scratch, 0, 1, like)
        else:
            prepare_slices(job, bottom, step + 1, first, end, scratch, like)
        wait_for_all(barrier, everyone)
        if member == 0:
            sum_step(job, step, like)
        for l in range(count if not by_inputs else 0):
            for kind in (WEIGHTS, BIASES):
                take_step(job, layers[l], step, kind, scratch, members, like)
    if by_inputs:
        return_slices(job, bottom, base[0], first, end, like)
    set_control(control)
