"""The phases `forward` and `delta`: outputs from those of the layer below, and deltas for it."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.intrinsics import item_bytes, vector_lanes
from fastmlp.kernels.loops import elementwise, tile
from fastmlp.kernels.loops.elementwise import activate, add, copy, drop_units, times_slope
from fastmlp.kernels.loops.tile import PRODUCT, SLOPE, dot_rows, fuses, multiply, multiply_row
from fastmlp.kernels.memory import records
from fastmlp.kernels.memory.records import is_transposed, panel_columns, row_offset, weight_offset
from fastmlp.kernels.memory.tuning import FEW_SAMPLES, PANELS_BYTES, TILE_ROWS, UNIT_ROWS
from fastmlp.kernels.step.nonzeros import leaves_out, mark_outputs, multiply_nonzeros
from fastmlp.kernels.team.barrier import arrive, wait_for_all
from fastmlp.kernels.team.plan import rows_of, share_panels


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch `delta` uses: w^T of the inputs that are one panel below."""
    outputs = layers["panels"] * layers["width"]
    pairs = zip(layers["width"][:-1], outputs[1:], strict=True)
    return max((int(width * above) for width, above in pairs), default=0) * dtype.itemsize


@shared
def drop(layer, panel, sample, a, rows, columns, like: float):
    """a = a m / (1 - p) for some rows of a panel, outputs or deltas.

    a : address of the first of these rows; sample : number in the run of its sample
    """
    unit, below, scale = panel * layer.width, layer.drop_below, type(like)(layer.drop_scale)
    drop_units(a, layer.a_row, rows, columns, layer.drop_key, sample, unit, below, scale)


@shared
def finish_tile(layer, panel, i, rows, z, z_row, sample, like: float):
    """a = f(z + b) for rows i, i + 1, … of a panel; drop some, and mark which are not zero.

    z : 0 where a is f(z + b); sample : number in the run of the sample of row 0
    """
    offset, columns = row_offset(layer, panel, i, like), panel_columns(layer, panel, like)
    a, kept = layer.a + offset, (layer.z if layer.z != 0 else layer.a) + offset
    if z != 0:
        b = layer.b + panel * layer.width * item_bytes(like)
        activate(layer.activation, a, layer.a_row, kept, z, z_row, b, rows, columns, like)
    if layer.drop_below != 0:
        if not elementwise.keeps_z(layer.activation):
            copy(kept, layer.a_row, a, layer.a_row, rows, columns, like)
        drop(layer, panel, sample + i, a, rows, columns, like)
    if layer.nonzeros != 0:
        mark_outputs(layer, panel, i, rows, like)


@shared
def forward_panel(layer, f, panel, k, length, x, a, a_row, rows, full, like: float):
    """a = f(x w + b) for some rows of x and one panel; x w if the tile does not compute f.

    x : its columns k, k + 1, …, so many
    full : samples of the minibatch of which these are some, or all. It chooses the loop: by
        samples, the team's size decides on `rows`, and may change no bit
    """
    columns, w = panel_columns(layer, panel, like), layer.w + weight_offset(layer, panel, k, like)
    b, finish = layer.b + panel * layer.width * item_bytes(like), f if fuses(f) else PRODUCT
    x_row, run, jump, w_row, zero = layer.x_row, layer.x_run, layer.x_jump, layer.w_row, like - like
    if full == 1:
        multiply_row(layer.width, a, x, run, jump, w, w_row, length, finish, b, zero)
        return
    multiply(a, a_row, x, x_row, 1, run, jump, w, w_row, rows, columns, length, finish, b, zero)


@shared
def transposed_block(layer, block, x, first, length, like: float):
    """block = (x w)^T of as many rows of x as a vector has lanes, for `length` inputs from `first`.

    And + b with the first input. x begins with `first`; w is transposed. Dot products have vectors
    of inputs, where `forward_panel` multiplies with vectors of outputs, which are partly padding.
    """
    size, lanes, run = item_bytes(like), vector_lanes(like), layer.x_run
    b, zero = records.numbers_at(layer.b, layer.outputs, like), like - like
    width, apart = (run, run + layer.x_jump) if run != 0 else (lanes, lanes)
    for j in range(layer.outputs):
        target, q = block + j * lanes * size, layer.w + (j * layer.w_column + first) * size
        own = b[j] if first == 0 else zero
        dot_rows(target, x, layer.x_row, apart, width, q, lanes, length, own)


@jit
def slice_at(layer, below, number):
    """Return where a slice of a layer's inputs begins and ends: panels of the layer below; inputs.

    number : of the slice: 0, and 1 if there are two
    """
    first, end = layer.split * number, below.panels
    if number == 0 and layer.split != 0:
        end = layer.split
    last = layer.inputs if end == below.panels else end * below.width
    return first, end, first * below.width, last


@shared
def forward_slice(layer, below, step, sample, batch, full, number, c, member, members, like: float):
    """c = x w for a member's share of one slice of the inputs; of the only one, a = f(x w + b).

    A unit is a panel and a tile of rows. For each tile of rows several panels are computed, which
    stay in the L2 cache. If enough of x, outputs of the layer below, are zero, they are skipped.
    sample : number in the run of the first of these samples; c : laid out like a
    full : as in `forward_panel`
    """
    p, p_end, k, k_end = slice_at(layer, below, number)
    sparse = layer.x == below.a and leaves_out(below, layer, batch, p, p_end)
    panels, cut, a_row, whole = layer.panels, layer.cut, layer.a_row, layer.split == 0
    several = max(1, PANELS_BYTES // ((k_end - k) * layer.width * item_bytes(like)))
    height, several = (batch, 1) if sparse else (UNIT_ROWS, several)
    f = layer.activation if whole else PRODUCT
    first, last, begin, end = share_panels(panels, TILE_ROWS, batch, cut, member, members)
    for group in range(begin, end, several):
        for row in range(0, batch, height):
            for panel in range(group, min(group + several, end)):
                low, high = rows_of(panel, first, last, TILE_ROWS, batch)
                i, rows = max(row, low), min(row + height, high) - max(row, low)
                if rows <= 0:
                    continue
                z = c + row_offset(layer, panel, i, like)
                if sparse:
                    w, x = layer.w + weight_offset(layer, panel, k, like), below.a
                    multiply_nonzeros(z, a_row, below, p, p_end, x, i, rows, w, layer.w_row, like)
                else:
                    x = records.input_at(layer, step, i, like) + row_offset(below, p, 0, like)
                    forward_panel(layer, f, panel, k, k_end - k, x, z, a_row, rows, full, like)
                    z = 0 if fuses(f) else z
                if whole:
                    finish_tile(layer, panel, i, rows, z, a_row, sample, like)


@shared
def finish_slices(layer, sample, batch, member, members, like: float):
    """a = f(a + partial + b) for a member's share: what both slices add to z."""
    panels, cut, a_row = layer.panels, layer.cut, layer.a_row
    first, last, begin, end = share_panels(panels, TILE_ROWS, batch, cut, member, members)
    for panel in range(begin, end):
        i, stop = rows_of(panel, first, last, TILE_ROWS, batch)
        columns, offset = panel_columns(layer, panel, like), row_offset(layer, panel, i, like)
        add(layer.a + offset, a_row, layer.partial + offset, a_row, stop - i, columns, like)
        finish_tile(layer, panel, i, stop - i, layer.a + offset, a_row, sample, like)


@shared
def forward(layer, below, step, sample, batch, full, member, members, like: float):
    """a = f(x w + b) for a member's share: see `forward_slice`."""
    for number in range(1 + int(layer.split != 0)):
        c = layer.a if number == 0 else layer.partial
        forward_slice(layer, below, step, sample, batch, full, number, c, member, members, like)
    if layer.split != 0:
        finish_slices(layer, sample, batch, member, members, like)


@shared
def forward_own(layer, below, step, sample, batch, barrier, member, members, like: float):
    """`forward` by one or two members that own panels; each of two has a slice of the inputs.

    A member first writes what its slice adds to z of the other's panels; while it multiplies for
    its own, the other may finish. One member has both slices.
    """
    other, c = members - 1 - member, layer.partial  # of one member: itself
    forward_slice(layer, below, step, sample, batch, batch, 1 - other, c, other, members, like)
    everyone = arrive(barrier, members)
    forward_slice(layer, below, step, sample, batch, batch, member, layer.a, member, members, like)
    wait_for_all(barrier, everyone)
    finish_slices(layer, sample, batch, member, members, like)


@shared
def delta(layer, below, sample, batch, full, scratch, member, members, like: float):
    """dz of the layer below = (dz w^T) f'(z), f'(z) computed from what that layer keeps.

    A unit is a panel of the layer below and a tile of samples. w^T is made for each panel, unless w
    is transposed, or there are few samples. If enough outputs of `layer` are zero, so are their
    deltas, and they are skipped.
    sample : number in the run of the first of these samples
    full : as in `forward_panel`
    """
    size, width, zero, turned = item_bytes(like), below.width, like - like, is_transposed(layer)
    finish, f = SLOPE if below.activation == elementwise.RELU else PRODUCT, below.activation
    few = full <= FEW_SAMPLES and not turned
    sparse, outputs = leaves_out(layer, below, batch, 0, layer.panels), layer.outputs
    w_t, w_row, dx_row, count = scratch, width, below.a_row, layer.panels
    height, panels, cut = 1 if few else UNIT_ROWS, below.panels, below.cut
    first, last, begin, end = share_panels(panels, TILE_ROWS, batch, cut, member, members)
    for panel in range(begin, end):
        low, stop = rows_of(panel, first, last, TILE_ROWS, batch)
        columns = panel_columns(below, panel, like)
        w = layer.w + weight_offset(layer, 0, panel * width, like)
        if turned:
            w_t, w_row = w, layer.w_column
        for p in range(0 if few or turned else count):
            target, source = w_t + p * layer.width * width * size, w + p * layer.w_panel * size
            tile.transpose(target, width, source, layer.w_row, columns, layer.width, like)
        for i in range(low, stop, height):
            rows, offset = min(height, stop - i), row_offset(below, panel, i, like)
            dz = layer.dz + i * layer.a_row * size
            dx, kept = below.dz + offset, (below.z if below.z != 0 else below.a) + offset
            if few:  # dot products with rows of w
                dot_rows(dx, w, layer.w_row, layer.w_panel, layer.width, dz, columns, outputs, zero)
            elif sparse:
                multiply_nonzeros(dx, dx_row, layer, 0, count, layer.dz, i, rows, w_t, w_row, like)
            else:
                multiply(
                    dx, dx_row, dz, layer.a_row, 1, 0, 0, w_t, w_row, rows, columns, outputs,
                    finish, kept, zero,
                )  # fmt: skip
            if few or sparse or finish == PRODUCT:
                times_slope(f, dx, dx_row, kept, dx_row, rows, columns, like)
            if below.drop_below != 0:
                drop(below, panel, sample + i, dx, rows, columns, like)
