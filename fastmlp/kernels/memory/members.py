"""What members of a team have each for themselves, and what they exchange, by the plan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp.functions import Array
from fastmlp.kernels.memory import records
from fastmlp.kernels.memory.panels import round_up, vector_size, zeros_apart

BYTES = np.dtype(np.uint8)


def private_records(
    plan: int,
    layers: Array,
    buffers: Sequence[dict[str, Array]],
    slots: Sequence[str],
    members: int,
) -> tuple[Array, Array]:
    """Return LAYER records `(1 + members, L)`, and the memory of the members.

    First come the records as they are, then those of each member. The first member has the arrays
    of the buffers. Of the others, each has outputs and deltas of the last layer for itself
    (columns, then rows), or all arrays (by samples), or all but weights of the first layer, and
    their state (by inputs).
    """
    own = np.tile(layers, (1 + members, 1))
    names = [sorted(arrays) for arrays in buffers]
    if plan == records.COLUMNS_THEN_ROWS:
        names = [[], ["a", "dz"]]
        own["cut"][1:] = records.COLUMNS, records.ROWS
    elif plan == records.BY_INPUTS:
        names[0] = [name for name in names[0] if not name.startswith("w")]
    private = [(l, name, buffers[l][name]) for l, chosen in enumerate(names) for name in chosen]
    sizes = [round_up(array.nbytes, 64) for _, _, array in private]
    memory = zeros_apart(members, (sum(sizes),), BYTES)
    for member in range(1, members):
        address = memory[member].ctypes.data
        for (l, name, _), size in zip(private, sizes, strict=True):
            field, _, slot = name.partition(" ")
            if slot:
                own[1 + member][l][f"{field}_state"][slots.index(slot)] = address
            else:
                own[1 + member][l][field] = address
            address += size
    return own, memory


def exchanged(
    job: Array, layers: Array, buffers: Sequence[dict[str, Array]], dtype: np.dtype
) -> Array:
    """Return the memory through which members exchange sums in two steps, the job's `partials`."""
    if job["plan"] == records.COLUMNS_THEN_ROWS:
        below, top = layers
        blocks = round_up(int(job["batch_size"][0]), vector_size(dtype)) * int(top["outputs"])
        memory = zeros_apart(2 * int(below["panels"]), (blocks * dtype.itemsize,), BYTES)
    elif job["plan"] == records.BY_INPUTS:
        memory = zeros_apart(2 * int(job["slices"][0]), (buffers[0]["a"].nbytes,), BYTES)
    else:
        sizes = [round_up(arrays["w"].nbytes + arrays["b"].nbytes, 64) for arrays in buffers]
        layers["gradient"] = np.cumsum([0, *sizes[:-1]])
        memory = zeros_apart(2 * int(job["slices"][0]), (sum(sizes),), BYTES)
    job["partial_bytes"] = memory.strides[0]
    records.point(job, partials=memory)
    return memory
