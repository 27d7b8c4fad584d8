"""How a phase of a training step is shared, and where its panels lie.

A share is a run of tiles; which member computes a tile changes nothing in it, and every element
is summed by one tile in one order. So the bits do not depend on the number of members.
In all phases `like` carries the precision, `member` counts from 0 to members - 1, and x is the
layer's input.
"""

from __future__ import annotations

from fastmlp.kernels.options import jit
from fastmlp.kernels.simd import item_bytes, vector_lanes


@jit
def share(work, member, members):
    """Return the first and the last-but-one unit of a member's share of `work` units."""
    if members == 1:
        return 0, work
    return work * member // members, work * (member + 1) // members


@jit
def panel_columns(layer, panel, like):
    """Return how many columns of a panel are not padding, in whole vectors."""
    lanes = vector_lanes(like)
    left = layer.outputs - panel * layer.width
    return min(layer.width, (left + lanes - 1) // lanes * lanes)


@jit
def panel_place(layer, panel, i, like):
    """Return how many bytes behind a, or dz, row i of a panel lies."""
    return (panel * layer.a_panel + i * layer.a_row) * item_bytes(like)
