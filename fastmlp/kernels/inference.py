"""Inference from the inside: images through all layers of a network, some at a time."""

from __future__ import annotations

import numpy as np

from fastmlp.kernels.codes import encode
from fastmlp.kernels.elementwise import SOFTMAX, activate, row
from fastmlp.kernels.forward import forward_tile, load_row
from fastmlp.kernels.masks import PART, make_masks
from fastmlp.kernels.options import jit, shared
from fastmlp.kernels.outputs import class_of, softmax_rows
from fastmlp.kernels.records import CODES, DENSE, job_at, layers_at
from fastmlp.kernels.share import share
from fastmlp.kernels.simd import item_bytes
from fastmlp.kernels.sparse import masked_forward, sparse_rows
from fastmlp.kernels.tiles import TILE_ROWS


@shared
def infer(job_place, layers_place, count, scratch, member, members, like):
    """The outputs, or classes, of a member's share of the images, some at a time."""
    job, layers = job_at(job_place), layers_at(layers_place, count)
    size, last, most = item_bytes(like), count - 1, job.infer_rows
    room = job.codes_offset // 2
    first, stop = share((job.samples + TILE_ROWS - 1) // TILE_ROWS, member, members)
    end = min(stop * TILE_ROWS, job.samples)
    for i in range(first * TILE_ROWS, end, most):
        rows, x, a, x_row = min(most, end - i), scratch, scratch + room * size, job.x_row
        for l in range(last + 1):
            layer, a_row = layers[l], layers[l].a_row
            if l == 0 and job.inputs_as != DENSE:
                infer_sparse(job, layer, i, rows, x, a, like)
            else:
                if l == 0:
                    for r in range(rows):
                        load_row(job, i + r, x + r * x_row * size, like)
                for panel in range(layer.panels):
                    f = layer.activation
                    forward_tile(layer, f, a, a_row, x, x_row, panel, rows, like)
            x, a, x_row = a, x, a_row
        top, answers = layers[last], job.answers + i * layers[last].outputs * size
        if top.activation == SOFTMAX:
            softmax_rows(x, top.a_row, rows, top.outputs, like)
        classes = row(job.classes + i * 8, rows, np.int64(0))
        for r in range(rows):
            place = x + r * top.a_row * size
            if job.classes != 0:
                classes[r] = class_of(place, top.outputs, like)
                continue
            source = row(place, top.outputs, like)
            answer = row(answers + r * top.outputs * size, top.outputs, like)
            for j in range(top.outputs):
                answer[j] = source[j]


@jit
def infer_sparse(job, layer, first, rows, scratch, a, like):
    """a = f(x w + b) of the first layer, for images first, first + 1, …"""
    size, width, place, f = item_bytes(like), layer.width, layer.place, layer.activation
    if job.inputs_as == CODES:
        codes, a_row = encode_rows(job, first, rows, scratch), layer.a_row
        for panel in range(layer.panels):
            target, b = a + panel * layer.a_panel * size, layer.b + panel * width * size
            sparse_rows(codes, job.place, 0, rows, place, panel, target, a_row, like)
            activate(f, target, a_row, target, a_row, b, rows, width, like)
        return
    images, masks = scratch, scratch + PART * 8
    z = masks + job.mask_size
    mask_rows(job, first, rows, images, masks, like)
    following = job.images + (first + rows) * job.image_row
    for panel in range(layer.panels):
        target, b = a + panel * layer.a_panel * size, layer.b + panel * width * size
        masked_forward(job.place, place, panel, rows, masks, images, following, z, like)
        activate(f, target, layer.a_row, z, width, b, rows, width, like)


@jit
def encode_rows(job, first, rows, place):
    """Encode images first, first + 1, …; return where the addresses of their codes lie."""
    codes = row(place, rows, np.int64(0))
    for r in range(rows):
        codes[r] = place + 8 * TILE_ROWS + r * job.code_size
        encode(job.images + (first + r) * job.image_row, job.inputs, codes[r])
    return place


@jit
def mask_rows(job, first, rows, images, masks, like):
    """Make the masks of images first, first + 1, …; write their addresses."""
    place, pairs = row(images, PART, np.int64(0)), (job.inputs + 1) // 2
    for r in range(PART):
        place[r] = job.images + min(first + r, job.samples - 1) * job.image_row
    make_masks(images, rows, 0, (pairs + PART - 1) // PART, pairs, masks, like)
