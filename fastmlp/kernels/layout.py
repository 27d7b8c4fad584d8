"""How arrays lie in memory: aligned rows, and weights as panels."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.kernels.rows import ROW_VECTORS
from fastmlp.kernels.simd import VECTOR_BYTES
from fastmlp.kernels.tiles import TILE_VECTORS


def panel_width(outputs: int, dtype: np.dtype, widest: int = TILE_VECTORS) -> int:
    """Return how many columns a panel has: 1, 2, 4, … `widest` vectors, or fewer if they do."""
    vector = VECTOR_BYTES // dtype.itemsize
    vectors = next((n for n in (1, 2, 4, 8) if n * vector >= outputs), widest)
    return vector * min(vectors, widest)


def row_panel_width(outputs: int, dtype: np.dtype, members: int = 1) -> int:
    """Return how many columns a panel has in a network that trains: its inputs may be sparse.

    Half as many as could be, if that gives more of so many members a panel. No sum depends on it.
    """
    width = panel_width(outputs, dtype, ROW_VECTORS)
    narrow = panel_width(outputs, dtype)
    return narrow if -(-outputs // width) < members else width


def round_up(count: int, unit: int) -> int:
    """Return the least multiple of unit that is at least count."""
    return -(-count // unit) * unit


def row_stride(columns: int, dtype: np.dtype) -> int:
    """Return a distance between rows, in elements, that keeps rows aligned and the caches happy.

    An odd number of vectors: rows a power of two apart would all fall into the same few sets.
    """
    vector = VECTOR_BYTES // dtype.itemsize
    return (round_up(columns, vector) // vector | 1) * vector


def aligned_zeros(shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Return zeros that begin at a whole cache line (64 bytes)."""
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)


def pack_weights(w: Array) -> Array:
    """Return w `(I, O)` in this backend's own layout: panels of one tile's width."""
    return pack_panels(w, panel_width(w.shape[1], w.dtype))


def pack_panels(w: Array, width: int) -> Array:
    """Return w `(I, O)` as panels `(panels, rows, width)`, padded with zeros.

    Panel p holds the columns p * width, …, each input's side by side: what a tile reads next
    lies next in memory.
    """
    inputs, outputs = w.shape
    vector = VECTOR_BYTES // w.dtype.itemsize
    packed = aligned_zeros((-(-outputs // width), round_up(inputs, vector), width), w.dtype)
    for panel, columns in panel_views(packed, w):
        panel[...] = columns
    return packed


def unpack_weights(packed: Array, w: Array) -> None:
    """Write packed weights back to w `(I, O)`."""
    for panel, columns in panel_views(packed, w):
        columns[...] = panel


def panel_views(packed: Array, w: Array) -> list[tuple[Array, Array]]:
    """Return, for each panel, views of the same weights in packed and in w `(I, O)`."""
    width = packed.shape[2]
    columns = [w[:, p * width : (p + 1) * width] for p in range(len(packed))]
    return [(p[: len(w), : c.shape[1]], c) for p, c in zip(packed, columns, strict=True)]
