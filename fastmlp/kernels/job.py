"""The records that Python fills for the compiled room, and the arrays that they point to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp.functions import ACTIVATIONS, Array
from fastmlp.kernels.codes import largest_code
from fastmlp.kernels.layout import (
    aligned_zeros,
    pack_panels,
    round_up,
    row_panel_width,
    row_stride,
)
from fastmlp.kernels.masks import PART, mask_bytes
from fastmlp.kernels.records import JOB, LAYER
from fastmlp.kernels.simd import VECTOR_BYTES
from fastmlp.kernels.sparse import slopes_bytes
from fastmlp.kernels.tiles import TILE_ROWS, TILE_VECTORS
from fastmlp.kernels.update import UPDATE_DEPTH


def layer_records(
    weights: Sequence[Array], biases: Sequence[Array], activations: Sequence[str], members: int = 1
) -> tuple[Array, list[dict[str, Array]]]:
    """Return LAYER records for a network's parameters, packed, and the arrays they point to.

    A team of so many members will share a layer by panels.
    """
    layers = np.zeros(len(weights), LAYER)
    arrays: list[dict[str, Array]] = []
    for layer, w, b, activation in zip(layers, weights, biases, activations, strict=True):
        packed = pack_panels(w, row_panel_width(len(b), w.dtype, members))
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

    infer_rows : how many images to infer at a time

    A member's scratch has room for the largest of: a transposed panel of weights, or blocks of
    dz^T and dx^T (delta), a panel of dz, x^T and what is zero in it (update), two tiles' rows of
    the last layer (output), some rows of two layers with codes, or masks and z (infer), a part's
    z (masked forward). Behind it are the addresses of a minibatch's codes or images, which last
    from forward to update, and some gradients.
    """

    def __init__(
        self,
        layers: Array,
        dtype: np.dtype,
        members: int,
        batch_size: int = 0,
        infer_rows: int = TILE_ROWS,
    ) -> None:
        inputs, width, item = int(layers["inputs"][0]), int(layers["width"].max()), dtype.itemsize
        widest = int(max((layers["panels"] * layers["width"]).max(), layers["inputs"].max()))
        stride, masks = row_stride(widest, dtype), mask_bytes(inputs)
        codes = TILE_ROWS * (largest_code(inputs) + 64) // item
        masks_and_z = (8 * PART + masks) // item + PART * width
        inferred = 2 * max(infer_rows * stride, codes, masks_and_z)
        tile = stride * max(width, 2 * TILE_ROWS)
        blocks = (stride + width) * TILE_VECTORS * VECTOR_BYTES // item
        left_out = UPDATE_DEPTH * (stride + 8 * int(layers["panels"].max()) // item)
        updated = UPDATE_DEPTH * width + (left_out if layers["nonzeros"].any() else 0)
        room = max(tile, blocks, updated, inferred)
        parts = -(-batch_size // PART)
        addresses = 2 * 8 * PART * parts // item
        slopes = round_up(slopes_bytes(width, item) // item, 64)
        room = round_up(room, 128)
        size = room + addresses + slopes
        self.record = np.zeros(1, JOB)
        self.record["codes_offset"], self.record["slopes_offset"] = room, room + addresses
        self.record["image_row"], self.record["mask_size"] = inputs, masks
        self.record["infer_rows"] = infer_rows
        self.record["scratch_size"], self.record["inputs"] = size, inputs
        self.record["code_size"] = largest_code(inputs)
        self._arrays: dict[str, Array] = {}
        self.point(
            scratch=aligned_zeros((members, size), dtype),
            zeros=aligned_zeros((widest,), dtype),
            ones=np.ones(1, dtype),
            masks=aligned_zeros((2 * parts * masks,), np.dtype(np.uint8)),
        )

    def point(self, **arrays: Array) -> None:
        """Let fields of the record point to arrays, which live as long as the job."""
        for name, array in arrays.items():
            self.record[name] = array.ctypes.data
        self._arrays |= arrays

    def forget(self, *names: str) -> None:
        """Let fields point to nothing, and their arrays live no longer than others want."""
        for name in names:
            self.record[name] = 0
            del self._arrays[name]
