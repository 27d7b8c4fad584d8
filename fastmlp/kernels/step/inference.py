"""Inference: images through all layers of a network, some at a time."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import copy_bytes, item_bytes, vector_lanes
from fastmlp.kernels.loops import costs
from fastmlp.kernels.loops.bits import list_bytes, list_pairs, mark_samples
from fastmlp.kernels.loops.elementwise import SOFTMAX, activate
from fastmlp.kernels.loops.tile import transpose
from fastmlp.kernels.memory.panels import row_stride
from fastmlp.kernels.memory.records import (
    BY_ENTRY,
    BY_IMAGE,
    BY_PAIR,
    DENSE,
    UINT8,
    job_at,
    layers_at,
    numbers_at,
)
from fastmlp.kernels.memory.tuning import MOST_LISTED, PART, SPARSE_BELOW, TILE_ROWS
from fastmlp.kernels.step.first_layer import forward_entries, forward_lists, forward_pairs
from fastmlp.kernels.step.forward import forward_panel
from fastmlp.kernels.step.images import load_image, pairs_of, parts_of
from fastmlp.kernels.team.plan import share

NO_CLASS = -1


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch inference uses: two halves, from one to the other by each layer.

    A half has rows of outputs, or of dense images; or the words or lists of a part, and z.
    """
    inputs, width = int(layers["inputs"][0]), int(layers["width"][0])
    widest = max(inputs, int((layers["panels"] * layers["width"]).max()))
    # a row more for softmax
    rows = (PART + 1) * row_stride(widest, dtype) * dtype.itemsize
    sparse = PART * (list_bytes(inputs, 1, dtype) + width * dtype.itemsize)
    return 2 * _half(max(rows, sparse))


def _half(size: int) -> int:
    return -(-size // 512) * 512


@shared
def infer(job_address, layers_address, count, barrier, scratch, member, members, like: float):
    """The outputs, or classes, of a member's share of the images, PART at a time."""
    job, layers = job_at(job_address), layers_at(layers_address, count)
    size, half, top = item_bytes(like), job.scratch_bytes // 2, layers[count - 1]
    first, last = share((job.samples + TILE_ROWS - 1) // TILE_ROWS, member, members)
    end = min(last * TILE_ROWS, job.samples)
    for i in range(first * TILE_ROWS, end, PART):
        rows, x, a, x_row = min(PART, end - i), scratch, scratch + half, job.x_row
        for l in range(count):
            if l == 0 and job.images_as != DENSE:
                infer_sparse(job, layers[0], i, rows, x, a, like)
            else:
                if l == 0:
                    images = numbers_at(job.addresses + i * 8, rows, np.int64(0))
                    for r in range(rows):
                        load_image(job, images[r], layers[0].inputs, x + r * x_row * size, like)
                infer_layer(layers[l], x, x_row, a, rows, like)
            x, a, x_row = a, x, layers[l].a_row
        if top.activation == SOFTMAX:
            softmax_rows(job, top, x, rows, a, like)
        write_answers(job, top, x, i, rows, like)


@shared
def infer_few(job_address, like: float):
    """`infer` of few adjacent images; parameters are copied and nonzero pixels counted before."""
    job = job_at(job_address)
    copies = numbers_at(job.copies, 3 * job.copy_count, np.int64(0))
    for k in range(0, 3 * job.copy_count, 3):
        copy_bytes(copies[k], copies[k + 1], copies[k + 2])
    job.images_as, inputs = DENSE, layers_at(job.layers, 1)[0].inputs
    if job.image_kind == UINT8 and job.layer_count > 1:
        size, found = job.samples * 2 * pairs_of(inputs), 0
        pixels = numbers_at(numbers_at(job.addresses, 1, np.int64(0))[0], size, np.uint8(0))
        for k in range(size):
            found += int(pixels[k] != 0)
        if found < SPARSE_BELOW * job.samples * inputs:
            job.images_as = BY_IMAGE if inputs <= 2 * MOST_LISTED else BY_PAIR
    infer(job_address, job.layers, job.layer_count, 0, job.scratch, 0, 1, like)


@jit
def infer_layer(layer, x, x_row, a, rows, like):
    """a = f(x w + b) for some rows."""
    for panel in range(layer.panels):
        z, f = a + panel * layer.a_panel * item_bytes(like), layer.activation
        forward_panel(layer, f, panel, x, x_row, 0, 0, z, layer.a_row, z, rows, like)


@jit
def softmax_rows(job, layer, a, rows, scratch, like):
    """a = softmax(a) for some rows of outputs, as many at a time as a vector has lanes.

    None is taken alone but the only one of a job: the team's size decides how many there are here.
    """
    lanes, size = vector_lanes(like), item_bytes(like)
    used, block = (layer.outputs + lanes - 1) // lanes * lanes, scratch + lanes * size
    for i in range(0, rows, lanes):
        a_i = a + i * layer.a_row * size
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
def write_answers(job, top, a, first, rows, like):
    """Write what is wanted of the images first, first + 1, …: classes, outputs, or both."""
    size = item_bytes(like)
    for r in range(rows):
        address = a + r * top.a_row * size
        if job.classes != 0:
            classes = numbers_at(job.classes, job.samples, np.int64(0))
            classes[first + r] = class_of(address, top.outputs, like)
        if job.outputs != 0:
            source = numbers_at(address, top.outputs, like)
            outputs = numbers_at(job.outputs + (first + r) * top.outputs * size, top.outputs, like)
            for j in range(top.outputs):
                outputs[j] = source[j]


@jit
def infer_sparse(job, layer, first, rows, scratch, a, like):
    """a = f(x w + b) of the first layer, for images first, first + 1, …, without their zeros."""
    size, width, f, pairs = item_bytes(like), layer.width, layer.activation, pairs_of(layer.inputs)
    if job.images_as == BY_ENTRY:
        for panel in range(layer.panels):
            z, b = a + panel * layer.a_panel * size, layer.b + panel * width * size
            forward_entries(job, layer, panel, first, rows, z, layer.a_row, like)
            activate(f, z, layer.a_row, z, z, layer.a_row, b, rows, width, like)
        return
    images, words, z = job.addresses + first * 8, scratch, scratch + PART * job.words_bytes
    address = numbers_at(images, rows + 1, np.int64(0))
    if job.images_as == BY_IMAGE:
        for r in range(rows):
            list_pairs(address[r], layer.inputs, job.scale, words + r * job.words_bytes, like)
    else:
        mark_samples(images, rows, 0, parts_of(pairs), pairs, words)
    following = address[rows]
    for panel in range(layer.panels):
        target, b = a + panel * layer.a_panel * size, layer.b + panel * width * size
        if job.images_as == BY_IMAGE:
            inputs = layer.inputs
            forward_lists(job, layer, panel, 0, inputs, rows, words, -1, z, width, like)
        else:
            forward_pairs(job, layer, panel, 0, pairs, 0, rows, words, images, following, z, like)
        activate(f, target, layer.a_row, target, z, width, b, rows, width, like)
