"""A job from the inside: minibatch SGD as a sequence of phases."""

from __future__ import annotations

import numpy as np

from fastmlp.kernels.codes import code_bytes, encode, foresee_code
from fastmlp.kernels.cost import output
from fastmlp.kernels.delta import delta
from fastmlp.kernels.elementwise import SOFTMAX, row
from fastmlp.kernels.forward import forward, forward_nonzeros, forward_output, load_row
from fastmlp.kernels.inference import infer
from fastmlp.kernels.nonzeros import leaves_out
from fastmlp.kernels.options import jit, shared
from fastmlp.kernels.outputs import softmax_rows
from fastmlp.kernels.records import (
    CODES,
    DELTA,
    DENSE,
    ENCODE,
    FORWARD,
    INFER,
    MASKS,
    MEET,
    OUTPUT,
    TRAIN,
    UPDATE,
    job_at,
    layers_at,
)
from fastmlp.kernels.share import share
from fastmlp.kernels.simd import item_bytes, prefetch
from fastmlp.kernels.sparse import (
    find_images,
    images_place,
    mask_batch,
    sparse_first_layer,
    sparse_first_rows,
    sparse_first_update,
)
from fastmlp.kernels.team import meet
from fastmlp.kernels.tiles import TILE_ROWS
from fastmlp.kernels.update import update, update_bias, update_nonzeros


@jit
def train(job, layers, board, scratch, member, members, like):
    """One SGD step for each learning rate. Between two meetings, members write apart."""
    last = len(layers) - 1
    rates = row(job.learning_rates, job.steps, np.float64(0))
    if job.inputs_as == MASKS:
        find_images(job, 0, images_place(job, 0, scratch, like))
    load_batch(job, 0, scratch, member, members, like)
    meet(board, members)
    for step in range(job.steps):
        position = step * job.batch_size
        batch = min(job.batch_size, job.samples - position)
        x = batch_place(job, step, like)
        factor, keep = step_factors(job, rates[step], batch, like)

        for l in range(last):
            if l == 0 and job.inputs_as != DENSE:
                layer = layers[0]
                if job.inputs_as == MASKS:
                    sparse_first_layer(job, layer, step, batch, scratch, member, members, like)
                else:
                    sparse_first_rows(job, layer, position, batch, scratch, member, members, like)
            elif l > 0 and leaves_out(layers[l - 1], layers[l], batch):
                forward_nonzeros(layers[l], layers[l - 1], batch, member, members, like)
            else:
                source, source_row = layer_input(layers, l, x, job.x_row)
                forward(layers[l], source, source_row, batch, member, members, like)
            meet(board, members)

        source, source_row = layer_input(layers, last, x, job.x_row)
        top = layers[last]
        forward_output(
            job, top, source, source_row, batch, position, factor, scratch, member, members, like
        )
        meet(board, members)

        for l in range(last, 0, -1):
            delta(layers[l], layers[l - 1], batch, scratch, member, members, like)
            if l > 1 or not is_apart(layers, batch, members):
                meet(board, members)

        for l in range(last, -1, -1):
            layer, one, rate = layers[l], type(like)(1), rates[step]
            if l == 0 and job.inputs_as != DENSE:
                sparse_first_update(job, layer, step, batch, keep, scratch, member, members)
            elif l > 0 and job.momentum == 0 and leaves_out(layers[l - 1], layer, batch):
                update_nonzeros(layer, layers[l - 1], batch, keep, scratch, member, members)
            else:
                source, source_row = layer_input(layers, l, x, job.x_row)
                update(
                    job,
                    layer,
                    source,
                    source_row,
                    batch,
                    rate,
                    keep,
                    scratch,
                    member,
                    members,
                    like,
                )
            update_bias(job, layer, batch, rate, one, scratch, member, members, like)
        load_batch(job, step + 1, scratch, member, members, like)
        meet(board, members)


@jit
def is_apart(layers, batch, members):
    """Whether members are apart in the first delta and the update: each may go on alone.

    They are where a member's units of the first layer are whole panels, and its tiles of the
    second one's weights are the rows that these panels meet.
    """
    first, second = layers[0], layers[1]
    whole = first.outputs == first.panels * first.width and first.width % TILE_ROWS == 0
    return whole and first.panels % members == 0 and second.panels == 1 and batch > 1


@jit
def batch_place(job, step, like):
    """Return where the images of a step's minibatch lie, if they are dense."""
    return job.x + step % 2 * job.batch_size * job.x_row * item_bytes(like)


@jit
def step_factors(job, rate, batch, like):
    """Return (factor on the delta, factor on the old weights) of a step.

    Plain SGD has no gradient array: w = (1 - rate decay) w + x^T (-rate dz), the rate already in
    dz. With momentum the gradient itself is wanted.
    """
    number = type(like)
    if job.momentum != 0:
        return number(1 / batch), number(0)
    return number(-rate / batch), number(1 - rate * job.weight_decay)


@jit
def layer_input(layers, l, x, x_row):
    """Return address and row distance of what layer l reads."""
    if l == 0:
        return x, x_row
    return layers[l - 1].a, layers[l - 1].a_row


@jit
def load_batch(job, step, scratch, member, members, like):
    """Prepare a member's share of a step's minibatch: masks, or, dense, x = scale * images."""
    position, x = step * job.batch_size, batch_place(job, step, like)
    batch = max(min(job.batch_size, job.samples - position), 0)
    order = row(job.order, job.samples, np.int64(0))
    if job.inputs_as == MASKS:
        mask_batch(job, step, batch, scratch, member, members, like)
        return
    if job.inputs_as == CODES:
        for place in range(position + batch, min(position + 2 * batch, job.samples)):
            foresee(job, order, place)
        return
    first, last = share(batch, member, members)
    for i in range(first, last):
        load_row(job, order[position + i], x + i * job.x_row * item_bytes(like), like)


@jit
def foresee(job, order, place):
    """Prefetch the code of the sample at a place of the order; later ones' offsets."""
    foresee_code(job.code + row(job.offsets + order[place] * 8, 1, np.int64(0))[0])
    if place + job.batch_size < job.samples:
        prefetch(job.offsets + order[place + job.batch_size] * 8)


@jit
def encode_all(job, member, members):
    """Measure, or encode where `code` is set, a member's share of all images."""
    first, last = share(job.samples, member, members)
    offsets = row(job.offsets, job.samples + 1, np.int64(0))
    for i in range(first, last):
        pixels = job.images + i * job.image_row
        if job.code == 0:
            offsets[i + 1] = code_bytes(pixels, job.inputs)
        else:
            encode(pixels, job.inputs, job.code + offsets[i])


@shared
def work(job_place, layers_place, count, board, member, members, like):
    """Do a member's part of the job at an address, with `count` layers at another."""
    job, layers = job_at(job_place), layers_at(layers_place, count)
    scratch = job.scratch + member * job.scratch_size * item_bytes(like)
    if job.kind == TRAIN:
        train(job, layers, board, scratch, member, members, like)
    elif job.kind == INFER:
        infer(job_place, layers_place, count, scratch, member, members, like)
    elif job.kind == ENCODE:
        encode_all(job, member, members)
    elif job.kind == MEET:
        for _ in range(job.steps):
            meet(board, members)
    elif count > 0:
        for _ in range(job.steps):
            work_on_layer(job, layers, board, scratch, member, members, like)
            meet(board, members)


@jit
def work_on_layer(job, layers, board, scratch, member, members, like):
    """Do a member's part of a job that is one phase on one layer."""
    first, last, size = layers[0], layers[len(layers) - 1], item_bytes(like)
    x, x_row, batch = job.x, job.x_row, job.samples
    if job.kind == FORWARD:
        forward(first, x, x_row, batch, member, members, like)
        if first.activation == SOFTMAX:
            meet(board, members)
            begin, end = share(batch, member, members)
            a = first.a + begin * first.a_row * size
            softmax_rows(a, first.a_row, end - begin, first.outputs, like)
    elif job.kind == OUTPUT:
        begin, end = share(batch, member, members)
        factor, z, rows = type(like)(1 / batch), x + begin * x_row * size, end - begin
        output(job.place, first.place, z, x_row, begin, rows, 0, factor)
    elif job.kind == DELTA:
        delta(last, first, batch, scratch, member, members, like)
    elif job.kind == UPDATE:
        rate, keep, keep_b = job.learning_rate, type(like)(job.keep), type(like)(job.keep_b)
        update(job, first, x, x_row, batch, rate, keep, scratch, member, members, like)
        update_bias(job, first, batch, rate, keep_b, scratch, member, members, like)
