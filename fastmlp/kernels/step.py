"""A job from the inside: minibatch SGD as a sequence of phases, and inference."""

from __future__ import annotations

import numpy as np

from fastmlp.kernels.codes import code_bytes, encode, foresee_code
from fastmlp.kernels.cost import output
from fastmlp.kernels.elementwise import IDENTITY, SOFTMAX, activate, row, softmax
from fastmlp.kernels.options import jit, shared
from fastmlp.kernels.phases import delta, forward, forward_tile, share, update, update_bias
from fastmlp.kernels.records import (
    DELTA,
    ENCODE,
    FLOAT32,
    FORWARD,
    INFER,
    MEET,
    OUTPUT,
    TRAIN,
    UINT8,
    UPDATE,
    job_at,
    layers_at,
)
from fastmlp.kernels.simd import item_bytes, prefetch
from fastmlp.kernels.sparse import (
    is_listed,
    sparse_first_layer,
    sparse_first_rows,
    sparse_first_update,
    sparse_rows,
)
from fastmlp.kernels.team import meet
from fastmlp.kernels.tiles import TILE_ROWS


@jit
def train(job, layers, board, scratch, member, members, like):
    """One SGD step for each learning rate. Between two meetings, members write apart."""
    last = len(layers) - 1
    rates = row(job.learning_rates, job.steps, np.float64(0))
    load_batch(job, 0, member, members, like)
    meet(board, members)
    for step in range(job.steps):
        position = step * job.batch_size
        batch = min(job.batch_size, job.samples - position)
        x = batch_place(job, step, like)
        factor, keep = step_factors(job, rates[step], batch, like)

        for l in range(last):
            if l == 0 and job.sparse != 0:
                layer = layers[0]
                if is_listed(job):
                    sparse_first_layer(job, layer, position, batch, scratch, member, members, like)
                else:
                    sparse_first_rows(job, layer, position, batch, scratch, member, members, like)
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
            meet(board, members)

        for l in range(last + 1):
            layer, one, rate = layers[l], type(like)(1), rates[step]
            if l == 0 and job.sparse != 0:
                place = job.learning_rates + step * 8
                sparse_first_update(job, layer, batch, place, keep, scratch, member, members)
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
        load_batch(job, step + 1, member, members, like)
        meet(board, members)


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
def load_batch(job, step, member, members, like):
    """x = scale * images for a member's share of a step's minibatch, if they are dense."""
    position, x = step * job.batch_size, batch_place(job, step, like)
    batch = max(min(job.batch_size, job.samples - position), 0)
    order = row(job.order, job.samples, np.int64(0))
    if job.sparse != 0:
        for place in range(position + batch, min(position + 2 * batch, job.samples)):
            foresee(job, order, place)
        return
    first, last = share(batch, member, members)
    for i in range(first, last):
        load_row(job, order[position + i], x + i * job.x_row * item_bytes(like), like)


@jit
def foresee(job, order, place):
    """Prefetch what will be needed, in two steps' time, for the sample at a place of the order."""
    sample = order[place]
    prefetch(job.labels + sample * 8)
    if not is_listed(job):
        foresee_code(job.code + row(job.offsets + sample * 8, 1, np.int64(0))[0])
    if place + job.batch_size < job.samples:
        prefetch(job.offsets + order[place + job.batch_size] * 8)


@jit
def load_row(job, sample, x, like):
    """x = scale * one image."""
    number, inputs = type(like), job.inputs
    target, scale = row(x, inputs, like), type(like)(job.scale)
    if job.image_kind == UINT8:
        pixels = row(job.images + sample * inputs, inputs, np.uint8(0))
        for k in range(inputs):
            target[k] = scale * number(pixels[k])
    elif job.image_kind == FLOAT32:
        singles = row(job.images + sample * inputs * 4, inputs, np.float32(0))
        for k in range(inputs):
            target[k] = scale * number(singles[k])
    else:
        doubles = row(job.images + sample * inputs * 8, inputs, np.float64(0))
        for k in range(inputs):
            target[k] = scale * number(doubles[k])


@jit
def forward_output(job, layer, x, x_row, batch, position, factor, scratch, member, members, like):
    """a = f(x w + b), dz = factor dC/dz of the last layer, for a member's share of the rows."""
    size, z_row = item_bytes(like), layer.panels * layer.width
    z = scratch
    first, last = share((batch + TILE_ROWS - 1) // TILE_ROWS, member, members)
    for i in range(first * TILE_ROWS, min(last * TILE_ROWS, batch)):
        for line in range(x + i * x_row * size, x + (i * x_row + layer.inputs) * size, 64):
            prefetch(line)
    for i in range(first * TILE_ROWS, min(last * TILE_ROWS, batch), TILE_ROWS):
        rows, x_i = min(TILE_ROWS, batch - i), x + i * x_row * size
        for panel in range(layer.panels):
            forward_tile(layer, IDENTITY, z, z_row, x_i, x_row, panel, rows, like)
        output(job.place, layer.place, z, z_row, i, rows, position, factor)


@jit
def infer(job, layers, scratch, member, members, like):
    """The outputs of a member's share of the images, TILE_ROWS at a time, through all layers."""
    size, last = item_bytes(like), len(layers) - 1
    room = job.scratch_size // 2
    first, stop = share((job.samples + TILE_ROWS - 1) // TILE_ROWS, member, members)
    for i in range(first * TILE_ROWS, min(stop * TILE_ROWS, job.samples), TILE_ROWS):
        rows = min(TILE_ROWS, job.samples - i)
        x, a, x_row = scratch, scratch + room * size, job.x_row
        for l in range(last + 1):
            layer, a_row = layers[l], layers[l].a_row
            target = a if l < last else layer.a + i * a_row * size
            if l == 0 and job.sparse != 0:
                codes = encode_rows(job, i, rows, x)
                for panel in range(layer.panels):
                    z, place = target + panel * layer.width * size, layer.place
                    sparse_rows(codes, job.place, 0, rows, place, panel, z, a_row, like)
                f, columns = layer.activation, layer.panels * layer.width
                activate(f, target, a_row, target, a_row, layer.b, rows, columns, like)
            else:
                if l == 0:
                    for r in range(rows):
                        load_row(job, i + r, x + r * x_row * size, like)
                for panel in range(layer.panels):
                    f = layer.activation
                    forward_tile(layer, f, target, a_row, x, x_row, panel, rows, like)
            x, a, x_row = target, x, a_row
        if layers[last].activation == SOFTMAX:
            softmax_rows(layers[last], x, 0, rows, like)


@jit
def encode_rows(job, first, rows, place):
    """Encode images first, first + 1, …; return where the addresses of their codes lie."""
    codes = row(place, rows, np.int64(0))
    for r in range(rows):
        codes[r] = place + 8 * TILE_ROWS + r * job.code_size
        encode(job.images + (first + r) * job.inputs, job.inputs, codes[r])
    return place


@jit
def encode_all(job, member, members):
    """Measure, or encode where `code` is set, a member's share of all images."""
    first, last = share(job.samples, member, members)
    offsets = row(job.offsets, job.samples + 1, np.int64(0))
    for i in range(first, last):
        pixels = job.images + i * job.inputs
        if job.code == 0:
            offsets[i + 1] = code_bytes(pixels, job.inputs)
        else:
            encode(pixels, job.inputs, job.code + offsets[i])


@jit
def softmax_rows(layer, a, first, last, like):
    """a = softmax(a) for some rows of a layer's outputs."""
    for i in range(first, last):
        a_i = a + i * layer.a_row * item_bytes(like)
        softmax(a_i, a_i, layer.outputs, like)


@shared
def work(job_place, layers_place, count, board, member, members, like):
    """Do a member's part of the job at an address, with `count` layers at another."""
    job, layers = job_at(job_place), layers_at(layers_place, count)
    scratch = job.scratch + member * job.scratch_size * item_bytes(like)
    if job.kind == TRAIN:
        train(job, layers, board, scratch, member, members, like)
    elif job.kind == INFER:
        infer(job, layers, scratch, member, members, like)
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
            softmax_rows(first, first.a, begin, end, like)
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
