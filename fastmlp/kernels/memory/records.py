"""The two records through which Python hands work to compiled code, and how they are read.

Sizes, codes and addresses are run-time values, so one compiled program serves every network.
Behind each field stands what it is, and "->" stands for the address of an array, of the network's
precision if no type is named; whoever fills a record keeps these arrays alive. Distances are in
elements, unless the name says bytes. Beyond column O lies padding, which holds anything, and which
no sum of a real column may take in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numba.np.numpy_support import from_dtype

from fastmlp.functions import Array
from fastmlp.functions.coefficients import BIASES
from fastmlp.kernels.llvm.compile import RECORDS, jit
from fastmlp.kernels.llvm.emitter import INT64
from fastmlp.kernels.llvm.intrinsics import item_bytes, vector_lanes
from fastmlp.kernels.memory.panels import round_up, zeros_apart

# How images are stored
UINT8, FLOAT32, FLOAT64 = range(3)
IMAGE_KINDS = {np.dtype(n): k for k, n in enumerate(("uint8", "float32", "float64"))}
# How the first layer takes images: multiplied; or without their zeros, image by image, or by the
# samples that a group of pixels is in; or as rows of entries, the columns and values of sparse rows
DENSE, BY_IMAGE, BY_GROUP, BY_ENTRY = range(4)
# How a team shares a step: see `fastmlp.kernels.team.plan`
BY_COLUMNS, COLUMNS_THEN_ROWS, BY_SAMPLES, BY_INPUTS = range(4)
# How members share a layer: unit by unit, after each barrier anew; or each owns whole panels; or
# these and the rows of w that belong to its panels of the layer below
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
        # -> quads and words of parts, or lists, of two steps, or one; first layer, sparse
        ("words", "i8"),
        # panels of the layer below in the first of two slices of the inputs; or 0, for one; train
        ("split", "i8"),
        ("partial", "i8"),  # -> what one of the slices adds to z, laid out like a; train
        # -> panels (panels, I in whole vectors, width), rows (I, O) or w^T (O, I), with padding
        ("w", "i8"),
        ("w_row", "i8"),  # between two rows of a panel: its width where it is packed
        # between two columns: 1; or more, where it is w^T; train
        ("w_column", "i8"),
        ("w_panel", "i8"),  # between two panels
        ("b", "i8"),  # -> (panels * width,)
        # -> its input (B, I): outputs of the layer below; or, of the first, dense images, in
        # training of two steps
        ("x", "i8"),
        ("x_row", "i8"),  # between two rows of x
        ("x_run", "i8"),  # columns of x that are adjacent, a power of two; or 0, for all; train
        ("x_jump", "i8"),  # from the end of one of these runs to the next; train
        ("x_step_bytes", "i8"),  # between the images of two steps; 0 above the first layer; train
        # -> the optimiser's state of w, laid out like w, and of b: w_0, w_1, b_0, b_1; train
        *((f"{name}_{k}", "i8") for name in "wb" for k in range(MOST_SLOTS)),
        # -> weighted sums, laid out like a, if derivatives need them, or outputs before some are
        # dropped; or 0; train
        ("z", "i8"),
        ("a", "i8"),  # -> outputs (B, O) with space for whole panels
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
        ("addresses", "i8"),  # -> int64 (samples,): of the images in their order, and more
        ("image_kind", "i8"),  # UINT8, FLOAT32 or FLOAT64
        ("images_as", "i8"),  # DENSE, BY_IMAGE, BY_GROUP or BY_ENTRY
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
        ("words_bytes", "i8"),  # of one sample, in quads and words, or in a list
        ("pair_stride", "i8"),  # between the two pairs of a quad of inputs; by group
        ("block_inputs", "i8"),  # how many are whole groups, and whole loads; by group
        ("step_bytes", "i8"),  # between these of two steps; 0 if one step has them
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
        ("ready", "i8"),  # members for which the first step is prepared: those of the last chunk
        # -> float64 (steps, rows, 2, count): of weights, of biases
        ("coefficients", "i8"),
        ("coefficient_rows", "i8"),  # of a step: 1 for all layers, or one for each
        ("coefficient_count", "i8"),  # COEFFICIENTS for general optimisers
        ("order", "i8"),  # -> int64 (samples,)
        ("labels", "i8"),  # -> (samples + PART,): each sample's class; or 0
        ("targets", "i8"),  # -> (N, O); or 0
        ("target_0", "f8"),  # what the target 0 becomes by smoothing, which is linear
        ("target_1", "f8"),  # and 1; a label's target is 1 in its column, and 0 elsewhere
        ("factors", "i8"),  # -> (samples + PART,): what each sample's delta is multiplied by
        ("costs", "i8"),  # -> (samples,): the cost of each sample
        ("hits", "i8"),  # -> uint8 (samples,): 1 where the answer was right
        ("weights", "i8"),  # -> float64 (samples,): on costs and hits in `totals`; or 0
        ("totals", "i8"),  # -> float64 (steps, 2): the sums of each step's costs, and of its hits
        ("traced", "i8"),  # whether outputs of the last layer are read after the step
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

RECORDS["job"] = from_dtype(JOB)
RECORDS |= dict.fromkeys(("layer", "below", "gradient"), from_dtype(LAYER))


def point(record: Any, **arrays: Array) -> None:
    """Let fields of a record point to arrays."""
    for name, array in arrays.items():
        record[name] = array.ctypes.data


def private_memory(record: Array, members: int, size: int) -> Array:
    """Let a JOB record point to scratch of at least so many bytes a member, and return it."""
    memory = zeros_apart(members, (size,), np.dtype(np.uint8))
    record["scratch"], record["scratch_bytes"] = memory.ctypes.data, memory.strides[0]
    return memory


def _array_at(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """Emit the array of args[1] adjacent elements at the address args[0]."""
    from numba.np.arrayobj import make_array, populate_array  # takes 50 ms; only to compile

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


@jit
def member_layers(address, count, number):
    """Return LAYER records at an address: number 0 those that all share, then each member's."""
    return layers_at(address + number * count * LAYER_BYTES, count)


@jit
def parameters_of(layer, kind):
    """Return the address of WEIGHTS or BIASES, those of their state, and how many they are."""
    if kind == BIASES:
        return layer.b, (layer.b_0, layer.b_1), layer.panels * layer.width
    return layer.w, (layer.w_0, layer.w_1), layer.panels * layer.w_panel


@jit
def is_transposed(layer):
    """Return whether w is stored as w^T: that of the last layer, if its outputs are few."""
    return layer.w_column > 1


@jit
def partial_at(job, step, count, number):
    """Return the address of one of `count` arrays of sums that members exchange in a step."""
    return job.partials + (step % 2 * count + number) * job.partial_bytes


@jit
def panel_columns(layer, panel, like):
    """Return how many columns of a panel are not padding, in whole vectors."""
    left = layer.outputs - panel * layer.width
    return min(layer.width, round_up(left, vector_lanes(like)))


@jit
def input_at(layer, step, i, like):
    """Return the address of row i of what a layer reads in a step."""
    return layer.x + step % 2 * layer.x_step_bytes + i * layer.x_row * item_bytes(like)


@jit
def row_offset(layer, panel, i, like):
    """Return how many bytes behind a, z or dz row i of a panel lies."""
    return (panel * layer.a_panel + i * layer.a_row) * item_bytes(like)


@jit
def weight_offset(layer, panel, i, like):
    """Return how many bytes behind w, or its state, row i of a panel lies."""
    return (panel * layer.w_panel + i * layer.w_row) * item_bytes(like)
