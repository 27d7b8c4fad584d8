"""The records that Python fills for the compiled room, and the arrays that they point to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp.functions import ACTIVATIONS, Array
from fastmlp.kernels.codes import largest_code
from fastmlp.kernels.layout import (
    aligned_zeros,
    first_panel_width,
    pack_panels,
    panel_width,
    round_up,
    row_stride,
)
from fastmlp.kernels.phases import UPDATE_DEPTH
from fastmlp.kernels.records import JOB, LAYER
from fastmlp.kernels.sparse import LISTED, lists_bytes, slopes_bytes
from fastmlp.kernels.tiles import TILE_ROWS


def layer_records(
    weights: Sequence[Array], biases: Sequence[Array], activations: Sequence[str], members: int = 1
) -> tuple[Array, list[dict[str, Array]]]:
    """Return LAYER records for a network's parameters, packed, and the arrays they point to.

    A team of so many members will share the first layer by panels.
    """
    layers = np.zeros(len(weights), LAYER)
    arrays: list[dict[str, Array]] = []
    for layer, w, b, activation in zip(layers, weights, biases, activations, strict=True):
        first = first_panel_width(len(b), w.dtype, members)
        packed = pack_panels(w, panel_width(len(b), w.dtype) if arrays else first)
        panels, rows, width = packed.shape
        own_b = aligned_zeros((panels * width,), w.dtype)
        own_b[: len(b)] = b
        layer["inputs"], layer["outputs"] = w.shape
        layer["panels"], layer["panel_rows"], layer["width"] = panels, rows, width
        layer["w_row"], layer["panel_step"] = width, rows * width
        layer["activation"] = ACTIVATIONS[activation].code
        layer["w"], layer["b"] = packed.ctypes.data, own_b.ctypes.data
        arrays.append({"w": packed, "b": own_b})
    return layers, arrays


class Job:
    """A JOB record for some layers, with scratch for each member of a team.

    A member's scratch has room for the largest of: a transposed panel of weights (delta), a
    panel of dz (update), a tile's rows of the last layer (output), a tile's rows or codes of two
    layers (infer), a part's z (sparse forward). Behind it are the addresses of a minibatch's
    codes and its lists, which last from forward to update, and some gradients.
    """

    def __init__(self, layers: Array, dtype: np.dtype, members: int, batch_size: int = 0) -> None:
        inputs, width, item = int(layers["inputs"][0]), int(layers["width"].max()), dtype.itemsize
        widest = int(max((layers["panels"] * layers["width"]).max(), layers["inputs"].max()))
        codes = 2 * TILE_ROWS * (largest_code(inputs) + 64) // item
        rows = row_stride(widest, dtype) * max(width, 2 * TILE_ROWS)
        room = round_up(max(rows, UPDATE_DEPTH * width, LISTED * width, codes), 64)
        addresses = round_up(8 * batch_size // item, 64)
        lists = round_up(lists_bytes(inputs, batch_size) // item, 64)
        slopes = round_up(slopes_bytes(width, item) // item, 64)
        size = room + addresses + lists + slopes
        self.record = np.zeros(1, JOB)
        self.record["codes_offset"], self.record["lists_offset"] = room, room + addresses
        self.record["slopes_offset"] = room + addresses + lists
        self.record["scratch_size"], self.record["inputs"] = size, inputs
        self.record["code_size"] = largest_code(inputs)
        self._arrays: dict[str, Array] = {}
        self.point(
            scratch=aligned_zeros((members, size), dtype),
            zeros=aligned_zeros((widest,), dtype),
            ones=np.ones(1, dtype),
        )

    def point(self, **arrays: Array) -> None:
        """Let fields of the record point to arrays, which live as long as the job."""
        for name, array in arrays.items():
            self.record[name] = array.ctypes.data
        self._arrays |= arrays
