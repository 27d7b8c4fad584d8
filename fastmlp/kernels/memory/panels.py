"""How arrays lie in memory: aligned rows, and weights as panels, or transposed."""

from __future__ import annotations

from itertools import accumulate
from math import prod
from typing import Any

import numpy as np
from numba.extending import register_jitable

from fastmlp.arrays.aligned import aligned_zeros
from fastmlp.functions import Array
from fastmlp.kernels.llvm.emitter import VECTOR_BYTES
from fastmlp.kernels.memory.tuning import PANEL_VECTORS

# Bytes: more than a large page, and no power of two, so that caches hold several members' lines
MEMORY_APART = 2**21 + 2**12 + 64


def vector_size(dtype: np.dtype) -> int:
    """Return how many numbers one vector holds."""
    return VECTOR_BYTES // dtype.itemsize


def panel_width(outputs: int, dtype: np.dtype, members: int = 1) -> int:
    """Return how many columns a panel has: 1, 2 or 4 vectors, the fewest that hold all outputs.

    Half of 4, if that gives more of so many members a panel. No sum depends on it.
    """
    vector = vector_size(dtype)
    width = next((n * vector for n in (1, 2) if n * vector >= outputs), PANEL_VECTORS * vector)
    return min(width, 2 * vector) if -(-outputs // width) < members else width


@register_jitable
def units(count: int, size: int) -> int:
    """Return how many units of so many hold `count`."""
    return (count + size - 1) // size


@register_jitable
def round_up(count: int, unit: int) -> int:
    """Return the least multiple of unit that is at least count."""
    return units(count, unit) * unit


def row_stride(columns: int, dtype: np.dtype) -> int:
    """Return a distance between rows, in elements, that keeps them aligned, in many cache sets.

    An odd number of vectors: rows a power of two apart would share a few sets.
    """
    vector = vector_size(dtype)
    return (round_up(columns, vector) // vector | 1) * vector


def zeros_apart(members: int, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Return zeros for each of so many members, `(members, *shape)`, MEMORY_APART from the next.

    What the prefetcher of one core reads beyond its memory is then nobody's: it would take the
    lines from the other core.
    """
    size = prod(shape) * dtype.itemsize
    apart = round_up(size, 64 if members == 1 else MEMORY_APART)
    # what is between them stays untouched: to zero 2 MB for each takes longer than a small fit
    memory = aligned_zeros((members, apart), np.dtype(np.uint8), np.empty)[:, :size]
    memory[...] = 0
    return memory.view(dtype).reshape(members, *shape)


def pack(w: Array, width: int) -> Array:
    """Return w `(I, O)` as panels `(panels, rows, width)`; of width 0, as w^T `(O, rows)`.

    Both are padded with zeros. Panel p holds the columns p * width, …, those of an input side by
    side: what a tile reads next lies next in memory.
    """
    rows, outputs = round_up(len(w), vector_size(w.dtype)), w.shape[1]
    shape = (units(outputs, width), rows, width) if width else (outputs, rows)
    packed = aligned_zeros(shape, w.dtype)
    for panel, columns in panel_views(packed, w):
        panel[...] = columns
    return packed


def panel_views(packed: Array, w: Array) -> list[tuple[Array, Array]]:
    """Return, for each panel, views of the same weights in packed and in w `(I, O)`."""
    if packed.ndim == 2:
        return [(packed.T[: len(w)], w)]
    width = packed.shape[2]
    columns = [w[:, p * width : (p + 1) * width] for p in range(len(packed))]
    return [(p[: len(w), : c.shape[1]], c) for p, c in zip(packed, columns, strict=True)]


def spread_panels(layer: Any, arrays: dict[str, Array]) -> None:
    """Move the arrays of a layer: those of a panel together, MEMORY_APART from the next panel's."""
    panels = {name: array for name, array in arrays.items() if array.ndim == 3}
    sizes = [round_up(array[0].nbytes, 64) for array in panels.values()]
    memory = zeros_apart(int(layer["panels"]), (sum(sizes),), np.dtype(np.uint8))
    for (name, old), start in zip(panels.items(), accumulate([0, *sizes[:-1]]), strict=True):
        new = memory[:, start : start + old[0].nbytes].view(old.dtype).reshape(old.shape)
        new[...], arrays[name], layer[name] = old, new, new.ctypes.data
    layer["w_panel"] = layer["a_panel"] = memory.strides[0] // arrays["w"].dtype.itemsize


def join_panels(layer: Any, arrays: dict[str, Array]) -> None:
    """Move the panels of each array of a layer side by side: where `spread_panels` left them."""
    for name, old in arrays.items():
        if old.ndim == 3:
            arrays[name] = new = aligned_zeros(old.shape, old.dtype)
            new[...], layer[name] = old, new.ctypes.data
    layer["w_panel"], layer["a_panel"] = arrays["w"][0].size, arrays["a"][0].size
