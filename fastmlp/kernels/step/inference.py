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
from fastmlp.kernels.memory.records import DENSE, UINT8, layers_at, member_layers, numbers_at
from fastmlp.kernels.memory.tuning import PART, SPARSE_BELOW
from fastmlp.kernels.step.first_layer import forward_layer
from fastmlp.kernels.step.images import batch_at, prepare_images
from fastmlp.kernels.team.plan import share


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch inference uses: z of the first layer, or softmax of a block."""
    block = int(layers["panels"][-1] * layers["width"][-1]) * vector_size(dtype)
    return max(PART * int(layers["width"][0]), block) * dtype.itemsize


@shared
def infer(job, layers_address, count, barrier, scratch, member, members, like: float):
    """The outputs, or classes, of a member's share of the images: a step is a minibatch of them."""
    layers = member_layers(layers_address, count, member)
    bottom, top = layers[0], layers[count - 1]
    first, last = share(units(job.samples, job.batch_size), member, members)
    for step in range(first, last):
        position, batch = batch_at(job, step)
        prepare_images(job, bottom, step, scratch, 0, 1, like)
        for l in range(count):
            forward_layer(job, layers, l, step, position, batch, 0, scratch, 0, 1, like)
        if top.activation == SOFTMAX:
            softmax_rows(job, top, batch, scratch, like)
        write_answers(job, top, position, batch, like)


@shared
def infer_few(job, like: float):
    """`infer` of few adjacent images; parameters are copied and nonzero pixels counted before."""
    copies = numbers_at(job.copies, 3 * job.copy_count, np.int64(0))
    for k in range(0, 3 * job.copy_count, 3):
        copy_bytes(copies[k], copies[k + 1], copies[k + 2])
    inputs, if_sparse = layers_at(job.layers, 1)[0].inputs, job.images_as
    found = job.samples * inputs
    if job.image_kind == UINT8 and job.layer_count > 1:
        size, found = job.samples * round_up(inputs, job.block_inputs), 0
        pixels = numbers_at(numbers_at(job.addresses, 1, np.int64(0))[0], size, np.uint8(0))
        for k in range(size):
            found += int(pixels[k] != 0)
    if found >= SPARSE_BELOW * job.samples * inputs:
        job.images_as = DENSE
    infer(job, job.layers, job.layer_count, 0, job.scratch, 0, 1, like)
    job.images_as = if_sparse


@jit
def softmax_rows(job, layer, rows, scratch, like):
    """a = softmax(a) for the first rows of outputs, as many at a time as a vector has lanes.

    None is taken alone but the only one of a job: the team's size decides how many there are here.
    """
    lanes, size = vector_lanes(like), item_bytes(like)
    for i in range(0, rows, lanes):
        a_i = layer.a + i * layer.a_row * size
        if job.samples == 1:
            costs.softmax(layer.outputs, 1, a_i, a_i, 0, like)
            continue
        transpose(scratch, lanes, a_i, layer.a_row, lanes, layer.outputs, like)
        costs.softmax(layer.outputs, 0, scratch, scratch, 0, like)
        transpose(a_i, layer.a_row, scratch, lanes, layer.outputs, lanes, like)


@jit
def class_of(address, columns, like):
    """Return the class that a row of outputs names, as `functions.classes_of` does; -1 for NaN."""
    a, best, is_nan = numbers_at(address, columns, like), 0, False
    for j in range(columns):
        is_nan |= a[j] != a[j]
        best = j if a[j] > a[best] else best
    if is_nan:
        return -1
    return best if columns > 1 else int(a[0] >= type(like)(0.5))


@jit
def write_answers(job, top, first, rows, like):
    """Write what is wanted of the images first, first + 1, …: classes, outputs, or both."""
    size = item_bytes(like)
    for r in range(rows):
        address = top.a + r * top.a_row * size
        if job.classes != 0:
            classes = numbers_at(job.classes, job.samples, np.int64(0))
            classes[first + r] = class_of(address, top.outputs, like)
        if job.outputs != 0:
            row_bytes = top.outputs * size
            copy_bytes(job.outputs + (first + r) * row_bytes, address, row_bytes)
