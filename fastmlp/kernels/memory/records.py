"""The two records through which Python hands work to compiled code, and how they are read.

Sizes, codes and addresses are run-time values, so one compiled program serves every network.
Behind each field stands what it is, and "->" stands for the address of an array; whoever fills a
record keeps these arrays alive. Distances are in elements, unless the name says bytes. Beyond
column O lies padding, which holds anything, and which no sum of a real column may take in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array
from numba.np.numpy_support import from_dtype

from fastmlp.functions import ACTIVATIONS, Array
from fastmlp.kernels.llvm.compile import jit
from fastmlp.kernels.llvm.emitter import INT64
from fastmlp.kernels.llvm.intrinsics import item_bytes, vector_lanes
from fastmlp.kernels.memory.panels import aligned_zeros, pack_panels, panel_width, zeros_apart

# How images are stored
UINT8, FLOAT32, FLOAT64 = range(3)
IMAGE_KINDS = {np.dtype(n): k for k, n in enumerate(("uint8", "float32", "float64"))}
# How the first layer takes images: multiplied; or without their zeros, image by image, or by the
# samples that a pair of pixels is in; or as rows of entries, the columns and values of sparse rows
DENSE, BY_IMAGE, BY_PAIR, BY_ENTRY = range(4)
# How a team shares a step: see `fastmlp.kernels.team.plan`
BY_COLUMNS, COLUMNS_THEN_ROWS, BY_SAMPLES, BY_INPUTS = range(4)
# How members share a layer: unit by unit, after each barrier anew; or each owns whole panels, or
# the rows of w that belong to its panels of the layer below
NONE, COLUMNS, ROWS = range(3)
# Arrays of state, as velocities, that an optimiser may keep for each parameter
MOST_SLOTS = 2

# Read by every phase on a layer; "train" where inference has no use for it
LAYER = np.dtype(
    [
        ("inputs", "i8"),  # I
        ("outputs", "i8"),  # O
        ("activation", "i8"),  # code
        ("width", "i8"),  # columns of a panel
        ("panels", "i8"),
        ("cut", "i8"),  # how members share it: NONE, COLUMNS or ROWS; train
        ("w", "i8"),  # -> panels (panels, I in whole vectors, width); or rows (I, O), with padding
        ("w_row", "i8"),  # between two rows of a panel: its width where it is packed
        ("w_panel", "i8"),  # between two panels
        ("b", "i8"),  # -> (panels * width,)
        ("w_state", "i8", MOST_SLOTS),  # -> the optimiser's state of w, laid out like w; train
        ("b_state", "i8", MOST_SLOTS),  # -> and of b; train
        # -> weighted sums, laid out like a, if derivatives need them, or outputs before some are
        # dropped; or 0; train
        ("z", "i8"),
        ("a", "i8"),  # -> outputs (B, O) with space for whole panels; train
        ("dz", "i8"),  # -> deltas (B, O), laid out like a; train
        ("a_row", "i8"),  # between two rows of a panel of a
        ("a_panel", "i8"),  # between two panels of a
        ("coefficient_row", "i8"),  # its row of a step's coefficients; train
        ("gradient", "i8"),  # bytes before its gradients in those of a slice; by samples
        ("nonzeros", "i8"),  # -> int64 (panels, B): which outputs are not zero, by bits; or 0
        ("nonzeros_panel", "i8"),  # between two panels of them; train
        ("drop_below", "i8"),  # see `fastmlp.functions.dropout`; 0 where nothing is dropped; train
        ("drop_key", "i8"),  # train
        ("drop_scale", "f8"),  # train
    ]
)
LAYER_BYTES = LAYER.itemsize
# Read by both kinds of job, unless "train" or "infer" stands behind the field
JOB = np.dtype(
    [
        # -> int64 (samples,): of the images in their order, and more; or, where inputs are dropped,
        # of copies, of as many steps as words are in memory
        ("addresses", "i8"),
        ("sources", "i8"),  # -> the same, of the images themselves; train
        ("image_kind", "i8"),  # UINT8, FLOAT32 or FLOAT64
        ("images_as", "i8"),  # DENSE, BY_IMAGE, BY_PAIR or BY_ENTRY
        # -> int64 (samples,): a sample's first entry, and the one behind its last; by entry
        ("begins", "i8"),
        ("ends", "i8"),
        ("columns", "i8"),  # -> int32: of the entries of all rows, ascending in each; by entry
        ("values", "i8"),  # -> numbers: of the entries of all rows; by entry
        ("scale", "f8"),  # factor on the images
        ("table", "i8"),  # -> (256,): scale times each value of a byte
        ("samples", "i8"),  # how many images
        ("scratch", "i8"),  # -> private memory for each member
        ("scratch_bytes", "i8"),  # of one member
        ("outputs", "i8"),  # -> (samples, O): what is inferred; or 0; infer
        ("classes", "i8"),  # -> int64 (samples,): what is inferred beside them; or 0; infer
        ("layers", "i8"),  # -> the LAYER records; infer, few images, as the next three
        ("layer_count", "i8"),
        ("copies", "i8"),  # -> int64 (copy_count, 3): to where, from where, bytes
        ("copy_count", "i8"),
        ("words", "i8"),  # -> which pairs of pixels are not zero: words, or lists, of three steps
        ("words_bytes", "i8"),  # of one sample
        ("step_bytes", "i8"),  # between the words of two steps
        ("words_mask", "i8"),  # step k has the words k & words_mask
        ("x_row", "i8"),  # between two rows of dense images
        ("cost", "i8"),  # code; train, as all that follows
        ("cost_setting", "f8"),  # the number that users set, or 0
        ("optimizer", "i8"),  # code
        # code of the optimiser that takes a step by gradients of limited norm; 0 where none is
        ("clipped", "i8"),
        ("squares", "i8"),  # -> float64: sums of squares of these gradients, by pieces; clipped
        ("batch_size", "i8"),
        ("epoch_steps", "i8"),  # in each epoch of the order
        ("short", "i8"),  # samples of its last step, if these are fewer and more follow; or 0
        ("first_step", "i8"),  # of those that are taken now, counted from the start of the order
        ("steps", "i8"),  # how many are taken now
        ("first_sample", "i8"),  # number in the run of the first sample of the order
        ("ready", "i8"),  # members for which the first step is prepared; written by a team, too
        # -> float64 (steps, rows, 2, count): of weights, of biases
        ("coefficients", "i8"),
        ("coefficient_rows", "i8"),  # of a step: 1 for all layers, or one for each
        ("coefficient_count", "i8"),  # COEFFICIENTS for general optimisers
        ("order", "i8"),  # -> int64 (samples,)
        ("labels", "i8"),  # -> int64 (samples,), in that order; or 0
        ("targets", "i8"),  # -> (N, O); or 0
        ("target_0", "f8"),  # what the target 0 becomes by smoothing, which is linear
        ("target_1", "f8"),  # and 1; a label's target is 1 in its column, and 0 elsewhere
        ("factors", "i8"),  # -> (samples,): what each sample's delta is multiplied by
        ("costs", "i8"),  # -> float64 (samples,): the cost of each sample
        ("hits", "i8"),  # -> uint8 (samples,): 1 where the answer was right
        ("x", "i8"),  # -> two minibatches (2, B, I) of dense images, or two for each member
        ("x_bytes", "i8"),  # between those of two members
        ("plan", "i8"),  # BY_COLUMNS, COLUMNS_THEN_ROWS, BY_SAMPLES or BY_INPUTS
        # -> columns, then rows: terms of z of the last layer (2, panels below, blocks); by samples:
        # gradients of all parameters (2, slices, ...); by inputs: terms of z of the first layer
        ("partials", "i8"),
        ("slices", "i8"),  # of a minibatch, by samples; of the inputs, by inputs
        ("partial_bytes", "i8"),  # between those of two panels, or of two slices
        ("drop_below", "i8"),  # of the inputs, as those of a layer's outputs
        ("drop_key", "i8"),
        ("drop_scale", "f8"),
    ]
)


def point(record: Any, **arrays: Array) -> None:
    """Let fields of a record point to arrays."""
    for name, array in arrays.items():
        record[name] = array.ctypes.data


def private_memory(record: Array, members: int, size: int) -> Array:
    """Let a JOB record point to scratch of at least so many bytes a member, and return it."""
    memory = zeros_apart(members, (size,), np.dtype(np.uint8))
    record["scratch"], record["scratch_bytes"] = memory.ctypes.data, memory.strides[0]
    return memory


def network_layers(
    weights: Sequence[Array],
    biases: Sequence[Array],
    activations: Sequence[str],
    owners: Sequence[int] | None = None,
) -> tuple[Array, list[dict[str, Array]]]:
    """Return LAYER records for a network's parameters, packed, and the arrays they point to.

    owners : for each layer, how many members shall have a panel of it, if it is wide enough
    """
    owners = [1] * len(weights) if owners is None else owners
    layers = np.zeros(len(weights), LAYER)
    arrays: list[dict[str, Array]] = []
    rows = zip(layers, weights, biases, activations, owners, strict=True)
    for layer, w, b, activation, members in rows:
        packed = pack_panels(w, panel_width(len(b), w.dtype, members))
        panels, rows, width = packed.shape
        own_b = aligned_zeros((panels * width,), w.dtype)
        own_b[: len(b)] = b
        layer["inputs"], layer["outputs"] = w.shape
        layer["panels"], layer["width"] = panels, width
        layer["w_row"], layer["w_panel"] = width, rows * width
        layer["activation"] = ACTIVATIONS[activation].code
        point(layer, w=packed, b=own_b)
        arrays.append({"w": packed, "b": own_b})
    return layers, arrays


def _array_at(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """Emit the array of args[1] adjacent elements at the address args[0]."""
    array = make_array(signature.return_type)(context, builder)
    item = context.get_abi_sizeof(context.get_data_type(signature.return_type.dtype))
    data = builder.inttoptr(args[0], array.data.type)
    populate_array(array, data, [args[1]], [INT64(item)], item, meminfo=None)
    return array._getvalue()


@intrinsic
def numbers_at(typingctx: Any, address: Any, count: Any, like: Any) -> Any:
    """Return so many adjacent numbers at an address as an array."""
    return types.Array(like, 1, "C")(types.int64, types.int64, like), _array_at


@intrinsic
def layers_at(typingctx: Any, address: Any, count: Any) -> Any:
    """Return so many LAYER records at an address as an array."""
    return types.Array(from_dtype(LAYER), 1, "C")(types.int64, types.int64), _array_at


def record_at(dtype: np.dtype) -> Any:
    """Return an intrinsic (address) that is the record there."""
    record = from_dtype(dtype)

    @intrinsic
    def at(typingctx: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(record))

        return record(types.int64), generate

    return at


job_at, layer_at = record_at(JOB), record_at(LAYER)


@jit
def member_layers(address, count, number):
    """Return LAYER records at an address: number 0 those that all share, then each member's."""
    return layers_at(address + number * count * LAYER_BYTES, count)


@jit
def panel_columns(layer, panel, like):
    """Return how many columns of a panel are not padding, in whole vectors."""
    lanes = vector_lanes(like)
    left = layer.outputs - panel * layer.width
    return min(layer.width, (left + lanes - 1) // lanes * lanes)


@jit
def row_offset(layer, panel, i, like):
    """Return how many bytes behind a, z or dz row i of a panel lies."""
    return (panel * layer.a_panel + i * layer.a_row) * item_bytes(like)


@jit
def weight_offset(layer, panel, i, like):
    """Return how many bytes behind w, or its state, row i of a panel lies."""
    return (panel * layer.w_panel + i * layer.w_row) * item_bytes(like)
