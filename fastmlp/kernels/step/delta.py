"""The phase `delta`: backpropagation from a layer to the one below."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.kernels.llvm.compile import shared
from fastmlp.kernels.llvm.intrinsics import item_bytes
from fastmlp.kernels.loops.elementwise import RELU, times_slope
from fastmlp.kernels.loops.tile import PRODUCT, SLOPE, dot_rows, multiply, transpose
from fastmlp.kernels.memory.records import panel_columns, row_offset, weight_offset
from fastmlp.kernels.memory.tuning import FEW_SAMPLES, TILE_ROWS, UNIT_ROWS
from fastmlp.kernels.step.forward import drop
from fastmlp.kernels.step.nonzeros import leaves_out, multiply_nonzeros
from fastmlp.kernels.team.plan import share_panels, units_of


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch this phase uses: w^T of the inputs that are one panel below."""
    outputs = layers["panels"] * layers["width"]
    pairs = zip(layers["width"][:-1], outputs[1:], strict=True)
    return max((int(width * above) for width, above in pairs), default=0) * dtype.itemsize


@shared
def delta(layer, below, sample, batch, full, scratch, member, members, like: float):
    """dz of the layer below = (dz w^T) f'(z), f'(z) computed from what that layer keeps.

    A unit is a panel of the layer below and a tile of samples. w^T is made for each panel, but for
    few samples. If enough outputs of `layer` are zero, so are their deltas, and they are skipped.
    sample : number in the run of the first of these samples
    full : samples of the minibatch of which these are some, or all. It chooses the loop: by
        samples, the team's size decides on `batch`, and may change no bit
    """
    size, width, w_t, zero = item_bytes(like), below.width, scratch, like - like
    finish, f = SLOPE if below.activation == RELU else PRODUCT, below.activation
    few, sparse = full <= FEW_SAMPLES, leaves_out(layer, below, batch)
    height, tiles = 1 if few else UNIT_ROWS, (batch + TILE_ROWS - 1) // TILE_ROWS
    first, last, begin, end = share_panels(below.panels, tiles, below.cut, member, members)
    for panel in range(begin, end):
        low, high = units_of(panel, first, last, tiles)
        stop, columns = min(high * TILE_ROWS, batch), panel_columns(below, panel, like)
        for p in range(0 if few else layer.panels):
            w = layer.w + weight_offset(layer, p, panel * width, like)
            target = w_t + p * layer.width * width * size
            transpose(target, width, w, layer.w_row, columns, layer.width, like)
        for i in range(low * TILE_ROWS, stop, height):
            rows, offset = min(height, stop - i), row_offset(below, panel, i, like)
            dz = layer.dz + i * layer.a_row * size
            dx, kept = below.dz + offset, (below.z if below.z != 0 else below.a) + offset
            if few:  # dot products with rows of w
                w = layer.w + weight_offset(layer, 0, panel * width, like)
                dot_rows(
                    dx, w, layer.w_row, layer.w_panel, layer.width, dz, columns, layer.outputs, like
                )
            elif sparse:
                multiply_nonzeros(dx, below.a_row, layer, layer.dz, i, rows, w_t, width, like)
            else:
                multiply(
                    dx, below.a_row, dz, layer.a_row, 1, 0, 0, w_t, width, rows, columns,
                    layer.outputs, finish, kept, zero,
                )  # fmt: skip
            if few or sparse or finish == PRODUCT:
                times_slope(f, dx, below.a_row, kept, below.a_row, rows, columns, like)
            if below.drop_below != 0:
                drop(below, panel, sample + i, dx, rows, columns, like)
