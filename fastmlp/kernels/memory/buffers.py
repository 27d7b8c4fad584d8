"""LAYER records and their arrays: of each layer, of each member, and what members exchange."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from fastmlp.arrays.aligned import aligned_zeros
from fastmlp.functions import ACTIVATIONS, Array
from fastmlp.functions.dropout import Dropout
from fastmlp.kernels.memory import panels, records, tuning
from fastmlp.kernels.memory.panels import round_up, row_stride, vector_size, zeros_apart

BYTES = np.dtype(np.uint8)
Buffers = Sequence[dict[str, Array]]  # the arrays of each layer by name


def network_layers(
    weights: Sequence[Array],
    biases: Sequence[Array],
    activations: Sequence[str],
    owners: Sequence[int],
    batch_size: int,
    slots: int,
    dropout: Dropout | None,
    marked: Sequence[int] = (),
) -> tuple[Array, list[dict[str, Array]]]:
    """Return LAYER records for a network's parameters, packed, and the arrays they point to.

    Each layer has outputs, deltas, kept sums and so many slots of state of its parameters, too.
    owners : for each layer, how many members shall have a panel of it, if it is wide enough
    marked : layers that have a word for each panel and row: see `marked_layers`
    """
    layers, last = np.zeros(len(weights), records.LAYER), len(weights) - 1
    buffers: list[dict[str, Array]] = []
    dtype, vector = weights[0].dtype, vector_size(weights[0].dtype)
    # rounded up, as transpositions take whole vectors of samples
    rows = round_up(batch_size, vector)
    parameters = zip(layers, weights, biases, activations, owners, strict=True)
    for l, (layer, w, b, activation, members) in enumerate(parameters):
        width = panels.panel_width(len(b), dtype, members)
        # w of the last of several layers lies transposed if much of a vector would be padding
        few = tuning.FEW_OUTPUTS[batch_size >= tuning.BY_GROUP_FROM] * vector
        turned = len(b) <= few and 0 < l == last
        packed = panels.pack(w, 0 if turned else width)
        count = 1 if turned else len(packed)
        layer["w_row"], layer["w_column"] = (1, packed.shape[1]) if turned else (width, 1)
        layer["w_panel"] = packed.size // count
        arrays = {"w": packed, "b": aligned_zeros((count * width,), dtype)}
        arrays["b"][: len(b)] = b
        layer["inputs"], layer["outputs"] = w.shape
        layer["panels"], layer["width"] = count, width
        layer["activation"] = ACTIVATIONS[activation].code
        if l == 0 < last:
            # panel by panel: each is the memory of the member that writes it
            shape: tuple[int, ...] = (count, rows, width)
            layer["a_row"], layer["a_panel"] = width, rows * width
        else:
            shape = (rows, row_stride(count * width, dtype))
            layer["a_row"], layer["a_panel"] = shape[1], width
        keeps = set_dropout(layer, l, dropout) or ACTIVATIONS[activation].keeps == "z"
        names = ("a", "dz", "z") if keeps and l < last else ("a", "dz")
        shapes = dict.fromkeys(names, shape)
        shapes |= {f"{n}_{k}": arrays[n].shape for n in ("w", "b") for k in range(slots)}
        arrays |= {name: aligned_zeros(own, dtype) for name, own in shapes.items()}
        if l in marked:
            layer["nonzeros_panel"] = words = round_up(batch_size, tuning.PART)
            arrays["nonzeros"] = aligned_zeros((count, words), np.dtype(np.int64))
        records.point(layer, **arrays)
        buffers.append(arrays)
    return layers, buffers


def read_outputs(layers: Array) -> None:
    """Let each layer but the first of LAYER records `(..., L)` read the outputs of that below."""
    below, above = layers[..., :-1], layers[..., 1:]
    # a panel alone is one run, and so are those that are adjacent
    apart = (below["panels"] > 1) & (below["a_panel"] != below["width"])
    above["x"], above["x_row"] = below["a"], below["a_row"]
    above["x_run"] = apart * below["width"]
    above["x_jump"] = apart * (below["a_panel"] - below["width"])


def point_to_own(layers: Array, field: str, memory: Array) -> None:
    """Let a field of the first layers of LAYER records `(..., L)` point to memory `(members, ...)`.

    Behind the records that all share, which point to the first member's, are those of each member.
    """
    first = layers.reshape(-1, layers.shape[-1])[:, 0]
    numbers = np.clip(np.arange(len(first), dtype=np.int64) - 1, 0, len(memory) - 1)
    first[field] = memory.ctypes.data + numbers * memory.strides[0]


def set_dropout(record: Any, number: int, dropout: Dropout | None) -> bool:
    """Let a hidden layer drop outputs, or the job INPUTS; return whether it does."""
    record["drop_scale"] = 1
    if dropout is None or number >= len(dropout.rates):
        return False
    record["drop_below"], record["drop_scale"] = dropout.below(number), dropout.scale(number)
    record["drop_key"] = np.uint64(dropout.key(number)).view(np.int64)
    return bool(record["drop_below"])


def marked_layers(
    sizes: Sequence[int], activations: Sequence[str], dtype: np.dtype, batch_size: int
) -> list[int]:
    """Return which layers mark the outputs that are not zero: ReLU ones, wide beside a wide one.

    Forward and update of the layer above leave out the others; delta leaves out their deltas.
    """
    if batch_size < tuning.BY_GROUP_FROM:
        return []
    widest = tuning.PANEL_VECTORS * vector_size(dtype)
    is_wide = [False, *(panels.panel_width(size, dtype) == widest for size in sizes[1:]), False]
    hidden = [l for l, name in enumerate(activations[:-1]) if name == "relu" and is_wide[l + 1]]
    return [l for l in hidden if is_wide[l] or is_wide[l + 2]]


def plan_memory(
    job: Array, layers: Array, buffers: Buffers, members: int, lists: bool
) -> tuple[Array, list[Array]]:
    """Return the LAYER records of a job's plan, and the memory that these and the job point to.

    lists : whether sparse images are taken as lists, of as many slices as the plan has
    """
    kind, samples = int(job["plan"][0]), int(job["batch_size"][0])
    samples = samples * int(job["slices"][0]) if lists else round_up(samples, tuning.PART)
    # by columns, those of the next step are made while others still read these
    own, kept = int(job["words_bytes"][0]), 1 if kind == records.BY_INPUTS else 2
    job["step_bytes"] = (kept - 1) * samples * own
    count, is_deep = int(layers["panels"][0]), len(layers) > 2
    is_apart = kind == records.COLUMNS_THEN_ROWS
    # of each member that can have its own; by samples, where images are dense, and clipped: of one
    most = {records.BY_SAMPLES: 1, records.BY_INPUTS: int(job["slices"][0])}
    most |= {records.COLUMNS_THEN_ROWS: 2 if is_deep else count}
    owners = 1 if job["clipped"] else min(members, most.get(kind, count))
    words = zeros_apart(owners, (kept, samples, own), BYTES)
    memory = [words]
    if job["clipped"]:
        layers, gradients = gradient_records(job, layers, buffers)
        memory.append(gradients)
    elif kind == records.BY_COLUMNS:
        layers = np.tile(layers, (1 + members, 1))
    else:
        if kind == records.BY_SAMPLES:  # the plan for sparse images may have spread them
            panels.join_panels(layers[0], buffers[0])
        # of several hidden layers, many panels of a member lie together
        if is_apart and not is_deep and members > 1 and count <= tuning.MOST_SPREAD:
            panels.spread_panels(layers[0], buffers[0])
        memory.append(exchanged(job, layers, buffers))
        layers, private = private_records(kind, layers, buffers, members)
        memory.append(private)
        if is_apart and is_deep:
            memory += divide_inputs(layers, buffers)
    read_outputs(layers)
    point_to_own(layers, "words", words)
    return layers, memory


def dense_images(layers: Array, members: int, batch_size: int, dtype: np.dtype) -> Array:
    """Return memory for the dense images of two steps, which first layers read from now on."""
    inputs = int(layers["inputs"].flat[0])
    shape = 2, round_up(batch_size, vector_size(dtype)), row_stride(inputs, dtype)
    x = zeros_apart(members, shape, dtype)
    point_to_own(layers, "x", x)
    layers["x_row"][..., 0], layers["x_step_bytes"][..., 0] = shape[2], x.strides[1]
    return x


def inference_records(
    layers: Array, members: int, rows: int, words_bytes: int, dtype: np.dtype
) -> tuple[Array, Array]:
    """Return LAYER records `(members, L)`, and their memory.

    Each member has outputs of each layer, dense images, and words, of so many samples for itself.
    """
    own, samples = np.tile(layers, (members, 1)), round_up(rows, vector_size(dtype))
    sizes = [layers["inputs"][0], *(layers["panels"] * layers["width"])]
    strides = [row_stride(int(size), dtype) for size in sizes]
    columns = own["x"][:, 0], *own["a"].T
    places = [(c, samples * n * dtype.itemsize) for c, n in zip(columns, strides, strict=True)]
    memory = give_memory([(own["words"][:, 0], round_up(rows, tuning.PART) * words_bytes), *places])
    own["a_row"], own["a_panel"] = strides[1:], own["width"]
    read_outputs(own)
    own["x_row"][:, 0] = strides[0]
    return own, memory


def gradient_records(job: Array, layers: Array, buffers: Buffers) -> tuple[Array, Array]:
    """Return LAYER records `(2, L)`, the second with gradients in place of w and b, and memory."""
    both = np.tile(layers, (2, 1))
    pieces = layers["panels"] * (layers["inputs"] // tuning.PIECE + 2)
    places = [(both[n][1:, l], a[n].nbytes) for l, a in enumerate(buffers) for n in ("w", "b")]
    return both, give_memory([*places, (job["squares"], 8 * int(pieces.sum()))])


def private_records(
    plan: int, layers: Array, buffers: Buffers, members: int
) -> tuple[Array, Array]:
    """Return LAYER records `(1 + members, L)`, and the memory of the members.

    First come the records as they are, then those of each member. The first member has the arrays
    of the buffers. Of the others, each has outputs and deltas of the last layer for itself
    (columns, then rows), or all arrays; by inputs, if the first layer has more than COPIED bytes of
    weights, all but these and their state. Products of so few rows leave out no zeros, so none
    marks them, unless several hidden layers are shared by columns, then rows.
    """
    own = np.tile(layers, (1 + members, 1))
    names = [sorted(set(arrays) - {"nonzeros"}) for arrays in buffers]
    if plan == records.COLUMNS_THEN_ROWS:
        names = [[]] * (len(buffers) - 1) + [["a", "dz"]]
        own["cut"][1:], own["cut"][1:, 0] = records.ROWS, records.COLUMNS
    if plan != records.COLUMNS_THEN_ROWS or len(buffers) == 2:
        own["nonzeros"] = 0
    if plan == records.BY_INPUTS and buffers[0]["w"].nbytes > tuning.COPIED:
        names[0] = [name for name in names[0] if not name.startswith("w")]
    chosen = [(l, name) for l, own_names in enumerate(names) for name in own_names]
    return own, give_memory([(own[name][2:, l], buffers[l][name].nbytes) for l, name in chosen])


def divide_inputs(layers: Array, buffers: Buffers) -> list[Array]:
    """Let LAYER records `(..., L)` above the first have two slices of their inputs.

    Return memory for what one slice adds to z; that of the last layer is `exchanged`.
    """
    layers["split"][..., 1:] = layers["panels"][..., :-1] // 2
    memory = [aligned_zeros(arrays["a"].shape, arrays["a"].dtype) for arrays in buffers[1:-1]]
    layers["partial"][..., 1:-1] = [array.ctypes.data for array in memory]
    return memory


def give_memory(places: Sequence[tuple[Array, int]]) -> Array:
    """Let fields, columns `(members,)`, point to so many bytes of a member; return the memory."""
    sizes = [round_up(size, 64) for _, size in places]
    memory = zeros_apart(len(places[0][0]), (sum(sizes),), BYTES)
    begins = memory.ctypes.data + np.arange(len(memory), dtype=np.int64) * memory.strides[0]
    for (column, _), start in zip(places, accumulate([0, *sizes[:-1]]), strict=True):
        column[...] = begins + start
    return memory


def exchanged(job: Array, layers: Array, buffers: Buffers) -> Array:
    """Return the memory through which members exchange sums in two steps, the job's `partials`."""
    count, sizes = int(job["slices"][0]), [buffers[0]["a"].nbytes]  # by inputs
    if job["plan"] == records.COLUMNS_THEN_ROWS:
        z = buffers[-1]["a"][:, : int(layers["outputs"][-1])]  # without the padded columns
        count, sizes = int(layers["panels"][-2]), [z.nbytes]
    elif job["plan"] == records.BY_SAMPLES:
        sizes = [round_up(arrays["w"].nbytes + arrays["b"].nbytes, 64) for arrays in buffers]
        layers["gradient"] = [*accumulate([0, *sizes[:-1]])]
    memory = zeros_apart(2 * count, (sum(sizes),), BYTES)
    job["partial_bytes"] = memory.strides[0]
    records.point(job, partials=memory)
    return memory
