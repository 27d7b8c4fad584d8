"""A job from the inside: minibatch SGD as a sequence of phases, and inference."""

from __future__ import annotations

import numpy as np

from fastmlp.kernels.cost import output
from fastmlp.kernels.elementwise import IDENTITY, SOFTMAX, row, softmax
from fastmlp.kernels.options import jit, shared
from fastmlp.kernels.phases import delta, forward, forward_tile, share, update
from fastmlp.kernels.records import (
    DELTA,
    FLOAT32,
    FORWARD,
    INFER,
    OUTPUT,
    TRAIN,
    UINT8,
    UPDATE,
    job_at,
    layers_at,
)
from fastmlp.kernels.simd import TILE_ROWS, item_bytes
from fastmlp.kernels.team import meet


@jit
def train(job, layers, board, scratch, member, members, like):
    """One SGD step for each learning rate. Between two meetings, members write apart."""
    size, last = item_bytes(like), len(layers) - 1
    rates = row(job.learning_rates, job.steps, np.float64(0))
    x_size = job.batch_size * job.x_row * size
    load_batch(job, 0, job.x, member, members, like)
    meet(board, members)
    for step in range(job.steps):
        position = step * job.batch_size
        batch = min(job.batch_size, job.samples - position)
        x = job.x + step % 2 * x_size
        factor, keep = step_factors(job, rates[step], batch, like)

        for l in range(last):
            source, source_row = layer_input(layers, l, x, job.x_row)
            forward(layers[l], source, source_row, batch, member, members, like)
            meet(board, members)
        source, source_row = layer_input(layers, last, x, job.x_row)
        forward_output(
            job,
            layers[last],
            source,
            source_row,
            batch,
            position,
            factor,
            scratch,
            member,
            members,
            like,
        )
        meet(board, members)
        for l in range(last, 0, -1):
            delta(layers[l], layers[l - 1], batch, scratch, member, members, like)
            meet(board, members)
        for l in range(last + 1):
            source, source_row = layer_input(layers, l, x, job.x_row)
            update(
                job,
                layers[l],
                source,
                source_row,
                batch,
                rates[step],
                keep,
                type(like)(1),
                scratch,
                member,
                members,
                like,
            )
        load_batch(job, step + 1, job.x + (step + 1) % 2 * x_size, member, members, like)
        meet(board, members)


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
def load_batch(job, step, x, member, members, like):
    """x = scale * images, for a member's share of the rows of a step's minibatch."""
    position = step * job.batch_size
    batch = min(job.batch_size, job.samples - position)
    order = row(job.order, job.samples, np.int64(0))
    first, last = share(max(batch, 0), member, members)
    for i in range(first, last):
        load_row(job, order[position + i], x + i * job.x_row * item_bytes(like), like)


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
    z, y = scratch, scratch + TILE_ROWS * z_row * size
    first, last = share((batch + TILE_ROWS - 1) // TILE_ROWS, member, members)
    for i in range(first * TILE_ROWS, min(last * TILE_ROWS, batch), TILE_ROWS):
        rows, x_i = min(TILE_ROWS, batch - i), x + i * x_row * size
        for panel in range(layer.panels):
            forward_tile(layer, IDENTITY, z, z_row, x_i, x_row, panel, rows, like)
        output(job.place, layer.place, z, z_row, i, rows, position, y, factor)


@jit
def infer(job, layers, scratch, member, members, like):
    """The outputs of a member's share of the images, TILE_ROWS at a time, through all layers."""
    size, last = item_bytes(like), len(layers) - 1
    room = job.scratch_size // 2
    first, stop = share((job.samples + TILE_ROWS - 1) // TILE_ROWS, member, members)
    for i in range(first * TILE_ROWS, min(stop * TILE_ROWS, job.samples), TILE_ROWS):
        rows = min(TILE_ROWS, job.samples - i)
        x, a, x_row = scratch, scratch + room * size, job.x_row
        for r in range(rows):
            load_row(job, i + r, x + r * x_row * size, like)
        for l in range(last + 1):
            layer, a_row = layers[l], layers[l].a_row
            target = a if l < last else layer.a + i * a_row * size
            for panel in range(layer.panels):
                forward_tile(layer, layer.activation, target, a_row, x, x_row, panel, rows, like)
            x, a, x_row = target, x, a_row
        if layers[last].activation == SOFTMAX:
            softmax_rows(layers[last], x, 0, rows, like)


@jit
def softmax_rows(layer, a, first, last, like):
    """a = softmax(a) for some rows of a layer's outputs."""
    for i in range(first, last):
        a_i = row(a + i * layer.a_row * item_bytes(like), layer.outputs, like)
        softmax(a_i, a_i)


@shared
def work(job_place, layers_place, count, board, member, members, like):
    """Do a member's part of the job at an address, with `count` layers at another."""
    job, layers = job_at(job_place), layers_at(layers_place, count)
    scratch = job.scratch + member * job.scratch_size * item_bytes(like)
    if job.kind == TRAIN:
        train(job, layers, board, scratch, member, members, like)
    elif job.kind == INFER:
        infer(job, layers, scratch, member, members, like)
    elif count > 0:
        work_on_layer(job, layers, board, scratch, member, members, like)


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
        output(job.place, first.place, z, x_row, begin, rows, 0, scratch, factor)
    elif job.kind == DELTA:
        delta(last, first, batch, scratch, member, members, like)
    elif job.kind == UPDATE:
        rate, keep, keep_b = job.learning_rate, type(like)(job.keep), type(like)(job.keep_b)
        update(job, first, x, x_row, batch, rate, keep, keep_b, scratch, member, members, like)
