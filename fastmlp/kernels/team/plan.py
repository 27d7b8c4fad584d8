"""How a team shares the layers of a step: chosen by the sizes of the network and its minibatches.

Three plans, which differ in what changes cores, in cache lines of 64 bytes, and in barriers:

by columns          Each phase is shared unit by unit, with a barrier behind it. Outputs and deltas
                    of every layer change cores.
columns, then rows  For one hidden layer. A member owns panels of it, and the rows of the last layer
                    that read them. z of the last layer is a sum over these panels, whose terms
                    change cores; each member computes outputs and deltas of the last layer for
                    itself. One barrier.
by samples          For small dense networks. A member has all parameters for itself, and takes
                    slices of the minibatch through all layers. The gradients of slices change
                    cores; each member adds them all, in one order. One barrier.

What is summed in which order depends on the plan, and so on sizes alone: results are the same bits
for any number of members.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fastmlp.kernels.memory.panels import vector_size
from fastmlp.kernels.memory.records import BY_COLUMNS, BY_SAMPLES, COLUMNS_THEN_ROWS
from fastmlp.kernels.memory.tuning import MOST_SLICES, PANEL_VECTORS, SLICE

NAMES = {
    BY_COLUMNS: "by columns",
    COLUMNS_THEN_ROWS: "columns, then rows",
    BY_SAMPLES: "by samples",
}


@dataclass(frozen=True)
class Plan:
    """How a team shares a step. kind : one of NAMES; slices : of a minibatch, by samples."""

    kind: int
    slices: int = 1


def plan_of(sizes: Sequence[int], batch_size: int, dtype: np.dtype) -> Plan:
    """Return the plan for a network of such layer sizes; by samples is for dense images only."""
    vector, hidden = vector_size(dtype), sizes[1:-1]
    if len(hidden) == 1 and hidden[0] > vector and sizes[-1] <= PANEL_VECTORS * vector:
        return Plan(COLUMNS_THEN_ROWS)
    parameters = sum(i * o + o for i, o in pairwise(sizes))
    slices = min(MOST_SLICES, batch_size // SLICE)
    # each member reads the gradients of all slices: 2 parameters for each of two
    pays = 2 * parameters < 2.5 * batch_size * sum(hidden)
    if len(hidden) > 1 and slices > 1 and pays:
        return Plan(BY_SAMPLES, slices)
    return Plan(BY_COLUMNS)
