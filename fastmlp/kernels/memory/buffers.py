"""The arrays of an engine: of each layer and member, what members exchange, and of the samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.functions import ACTIVATIONS, Array
from fastmlp.functions.dropout import Dropout
from fastmlp.kernels.memory import records
from fastmlp.kernels.memory.panels import (
    aligned_zeros,
    round_up,
    row_stride,
    vector_size,
    zeros_apart,
)
from fastmlp.kernels.memory.tuning import PANEL_VECTORS, PART, PIECE

BYTES = np.dtype(np.uint8)
Buffers = Sequence[dict[str, Array]]  # the arrays of each layer by name
# Steps whose words are in memory, a power of two: prepared with the step that reads them; or one
# before; or, with one barrier, where a member may be one step ahead of another, also one more
KEPT_STEPS = {
    records.BY_COLUMNS: 2,
    records.COLUMNS_THEN_ROWS: 4,
    records.BY_SAMPLES: 1,
    records.BY_INPUTS: 1,
}


def set_dropout(record: Any, number: int, dropout: Dropout | None) -> bool:
    """Let a hidden layer drop outputs, or the job INPUTS; return whether it does."""
    record["drop_scale"] = 1
    if dropout is None or number >= len(dropout.rates):
        return False
    record["drop_below"], record["drop_scale"] = dropout.below(number), dropout.scale(number)
    record["drop_key"] = np.uint64(dropout.key(number)).view(np.int64)
    return bool(record["drop_below"])


def add_buffers(
    layers: Array,
    buffers: Buffers,
    number: int,
    batch_size: int,
    slots: Sequence[str],
    keeps: bool,
) -> None:
    """Give a layer its outputs, deltas, kept sums and the state of its parameters."""
    layer, arrays = layers[number], buffers[number]
    count, width, dtype = int(layer["panels"]), int(layer["width"]), arrays["w"].dtype
    # rounded up, as transpositions read and write squares of vectors
    rows = round_up(batch_size, vector_size(dtype))
    if number == 0 and len(layers) > 1:
        # panel by panel: each is the memory of the member that writes it
        shape: tuple[int, ...] = (count, rows, width)
        layer["a_row"], layer["a_panel"] = width, rows * width
    else:
        shape = (rows, row_stride(count * width, dtype))
        layer["a_row"], layer["a_panel"] = shape[1], width
    names = ("a", "dz", "z") if keeps and number < len(layers) - 1 else ("a", "dz")
    for name in names:
        arrays[name] = aligned_zeros(shape, dtype)
    records.point(layer, **{name: arrays[name] for name in names})
    for k, slot in enumerate(slots):
        for name in ("w", "b"):
            arrays[f"{name} {slot}"] = state = aligned_zeros(arrays[name].shape, dtype)
            layer[f"{name}_state"][k] = state.ctypes.data


def mark_outputs(layers: Array, buffers: Buffers, batch_size: int) -> None:
    """Let hidden ReLU layers mark which outputs are not zero, if they and a neighbour are wide.

    Forward and update of the layer above leave out the others; delta leaves out their deltas.
    """
    widest = PANEL_VECTORS * vector_size(buffers[0]["w"].dtype)
    is_wide = [False, *(layers["width"] == widest), False]
    rows, relu = round_up(batch_size, PART), ACTIVATIONS["relu"].code
    for l, layer in enumerate(layers[:-1]):
        if layer["activation"] == relu and is_wide[l + 1] and (is_wide[l] or is_wide[l + 2]):
            words = aligned_zeros((int(layer["panels"]), rows), np.dtype(np.int64))
            records.point(layer, nonzeros=words)
            layer["nonzeros_panel"], buffers[l]["nonzeros"] = rows, words


def plan_memory(
    job: Array, layers: Array, buffers: Buffers, slots: Sequence[str], members: int, lists: bool
) -> tuple[Array, list[Array]]:
    """Return the LAYER records of a job's plan, and the memory that these and the job point to.

    lists : whether sparse images are taken as lists, of as many slices as the plan has
    """
    kind, dtype, samples = int(job["plan"][0]), buffers[0]["w"].dtype, int(job["batch_size"][0])
    samples = samples * int(job["slices"][0]) if lists else round_up(samples, PART)
    own, kept = int(job["words_bytes"][0]), KEPT_STEPS[kind]
    job["step_bytes"], job["words_mask"] = samples * own, kept - 1
    words = aligned_zeros((kept, samples, own), BYTES)
    records.point(job, words=words)
    if job["clipped"]:
        own_layers, gradients = gradient_records(job, layers, buffers)
        return own_layers, [words, *gradients]
    if kind == records.BY_COLUMNS:
        return layers, [words]
    shared = exchanged(job, layers, buffers, dtype)
    own_layers, private = private_records(kind, layers, buffers, slots, members)
    return own_layers, [words, shared, private]


def gradient_records(job: Array, layers: Array, buffers: Buffers) -> tuple[Array, list[Array]]:
    """Return LAYER records `(2, L)`, the second with gradients in place of w and b, and memory."""
    both, memory = np.tile(layers, (2, 1)), []
    for layer, arrays in zip(both[1], buffers, strict=True):
        for name in ("w", "b"):
            memory.append(aligned_zeros(arrays[name].shape, arrays[name].dtype))
            records.point(layer, **{name: memory[-1]})
    pieces = int((layers["panels"] * (layers["inputs"] // PIECE + 2)).sum())
    memory.append(aligned_zeros((pieces,), np.dtype(np.float64)))
    records.point(job, squares=memory[-1])
    return both, memory


def private_records(
    plan: int, layers: Array, buffers: Buffers, slots: Sequence[str], members: int
) -> tuple[Array, Array]:
    """Return LAYER records `(1 + members, L)`, and the memory of the members.

    First come the records as they are, then those of each member. The first member has the arrays
    of the buffers. Of the others, each has outputs and deltas of the last layer for itself
    (columns, then rows), or all arrays (by samples), or all but weights of the first layer, and
    their state (by inputs). Products of so few rows leave out no zeros, so none marks them.
    """
    own = np.tile(layers, (1 + members, 1))
    own["nonzeros"] = 0
    names = [sorted(set(arrays) - {"nonzeros"}) for arrays in buffers]
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


def exchanged(job: Array, layers: Array, buffers: Buffers, dtype: np.dtype) -> Array:
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


class Orders:
    """Epochs one behind the other, each padded to whole minibatches if another one follows.

    order : int64 `(samples,)`, of all epochs; weight : of these samples, or None
    steps : minibatches of an epoch; short : the size of its last one if that is padded, else 0
    """

    def __init__(
        self, orders: Array, batch_size: int, count: int, sample_weight: Array | None
    ) -> None:
        """Take `count` minibatches of the samples whose indices are given, `(epochs, samples)`."""
        (self._epochs, samples), self._batch = orders.shape, batch_size
        self.steps = max(1, count // self._epochs)
        last = samples - (self.steps - 1) * batch_size
        self.short = last if self._epochs > 1 and last < batch_size else 0
        self._sizes = np.full(count, batch_size)
        self._sizes[self.steps - 1 :: self.steps] = last
        weight = None if sample_weight is None else sample_weight[orders]
        if self.short:
            padding = np.zeros((self._epochs, batch_size - last), np.int64)
            orders = np.hstack([orders, padding])
            weight = None if weight is None else np.hstack([weight, padding])
        self.order = np.ascontiguousarray(orders.ravel(), np.int64)
        self.weight = None if weight is None else weight.ravel()

    def factors(self, steps: Array, dtype: np.dtype) -> Array:
        """Return the factor of each sample's delta: step / B, or step w / sum(w) of its batch."""
        batch, samples = self._batch, len(self.order)
        if self.weight is None:
            return np.repeat((steps / self._sizes).astype(dtype), batch)[:samples]
        sums = np.add.reduceat(self.weight, np.arange(len(steps)) * batch)
        sums[sums == 0] = 1
        shares = self.weight / np.repeat(sums, batch)[:samples]
        return np.asarray(np.repeat(steps, batch)[:samples] * shares, dtype)

    def sums(self, costs: Array, hits: Array) -> tuple[Array, Array]:
        """Return the weighted sums of costs of each minibatch, and of hits of each epoch."""
        if self.weight is not None:
            costs, hits = self.weight * costs, self.weight * hits
        first = np.arange(len(self._sizes)) * self._batch
        return np.add.reduceat(costs, first), hits.reshape(self._epochs, -1).sum(axis=1)
