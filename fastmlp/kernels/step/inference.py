"""Inference: images through all layers of a network, some at a time."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import copy_bytes, item_bytes, vector_lanes
from fastmlp.kernels.loops import costs
from fastmlp.kernels.loops.elementwise import SOFTMAX
from fastmlp.kernels.loops.tile import transpose
from fastmlp.kernels.memory.panels import round_up, units, vector_size
from fastmlp.kernels.memory.records import DENSE, member_layers, numbers_at
from fastmlp.kernels.memory.tuning import PART
from fastmlp.kernels.step.first_layer import forward_first
from fastmlp.kernels.step.forward import forward
from fastmlp.kernels.step.images import batch_at, prepare_images
from fastmlp.kernels.team.plan import share

NO_CLASS = -1


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch inference uses: z of the first layer, or softmax of a block."""
    block = (int(layers["panels"][-1] * layers["width"][-1]) + 1) * vector_size(dtype)
    return max(PART * int(layers["width"][0]), block) * dtype.itemsize


@shared
def infer(job, layers_address, count, barrier, scratch, member, members, like: float):
    """The outputs, or classes, of a member's share of the images: a step is a minibatch of them."""
    layers = member_layers(layers_address, count, member)
    bottom, top = layers[0], layers[count - 1]
    first, last = share(units(job.samples, job.batch_size), member, members)
    for step in range(first, last):
        position, batch = batch_at(job, step)
        prepare_images(job, bottom, step, 0, 1, like)
        for l in range(count):
            if l == 0 and job.images_as != DENSE:
                forward_first(job, bottom, step, scratch, 0, 1, like)
            else:
                forward(layers[l], layers[max(l - 1, 0)], step, 0, batch, 0, 1, like)
        if top.activation == SOFTMAX:
            softmax_rows(job, top, batch, scratch, like)
        write_answers(job, top, position, batch, like)


@jit
def softmax_rows(job, layer, rows, scratch, like):
    """a = softmax(a) for the first rows of outputs, as many at a time as a vector has lanes.

    None is taken alone but the only one of a job: the team's size decides how many there are here.
    """
    lanes, size = vector_lanes(like), item_bytes(like)
    used, block = round_up(layer.outputs, lanes), scratch + lanes * size
    for i in range(0, rows, lanes):
        a_i = layer.a + i * layer.a_row * size
        if job.samples == 1:
            costs.softmax(layer.outputs, 1, a_i, a_i, scratch, like)
            continue
        transpose(block, lanes, a_i, layer.a_row, lanes, used, like)
        costs.softmax(layer.outputs, 0, block, block, scratch, like)
        transpose(a_i, layer.a_row, block, lanes, used, lanes, like)


@jit
def class_of(address, columns, like):
    """Return the class that a row of outputs names, as `functions.classes_of` does."""
    a, best, is_nan = numbers_at(address, columns, like), 0, False
    for j in range(columns):
        is_nan |= a[j] != a[j]
        best = j if a[j] > a[best] else best
    if is_nan:
        return NO_CLASS
    return best if columns > 1 else int(a[0] >= type(like)(0.5))


@jit
def write_answers(job, top, first, rows, like):
    """Write what is wanted of the images first, first + 1, …: classes, or outputs."""
    size = item_bytes(like)
    for r in range(rows):
        address = top.a + r * top.a_row * size
        if job.classes != 0:
            classes = numbers_at(job.classes, job.samples, np.int64(0))
            classes[first + r] = class_of(address, top.outputs, like)
            continue
        row_bytes = top.outputs * size
        copy_bytes(job.outputs + (first + r) * row_bytes, address, row_bytes)
