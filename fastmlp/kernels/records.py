"""The two records through which Python hands work to the compiled room, and their layouts.

Sizes, names (as codes) and addresses are run-time values, so one compiled program serves every
network. Fields that hold addresses are marked with the array that lies there; whoever fills a
record keeps those arrays alive while it is used. Beyond column O lies padding, which holds
anything, and which no sum of a real column may take in.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numba.np.numpy_support import from_dtype

from fastmlp.kernels.options import jit

# What the team is asked to do
FORWARD, OUTPUT, DELTA, UPDATE, TRAIN, INFER, ENCODE, MEET = range(8)
# How images are stored
UINT8, FLOAT32, FLOAT64 = range(3)
# How the first layer takes them: multiplied, or without their zeros
DENSE, CODES, MASKS = range(3)
IMAGE_KINDS = {"uint8": UINT8, "float32": FLOAT32, "float64": FLOAT64}

LAYER = np.dtype(
    [
        ("place", "i8"),  # the record's own address
        ("inputs", "i8"),  # I
        ("outputs", "i8"),  # O
        ("activation", "i8"),  # code
        ("width", "i8"),  # columns of a panel
        ("panels", "i8"),
        ("panel_rows", "i8"),  # I rounded up to whole vectors
        ("w", "i8"),  # -> panels (panels, panel_rows, width)
        ("w_row", "i8"),  # elements between two rows of a panel: its width where it is packed
        ("panel_step", "i8"),  # elements between two panels
        ("b", "i8"),  # -> (panels * width,)
        ("vw", "i8"),  # -> velocity of w, laid out like w
        ("vb", "i8"),  # -> velocity of b
        ("x_run", "i8"),  # columns of x that are adjacent, a power of two; 0: all of them
        ("x_jump", "i8"),  # elements between two runs
        ("a", "i8"),  # -> outputs (B, O) with room for whole panels
        ("dz", "i8"),  # -> deltas (B, O), which lie likewise
        ("a_row", "i8"),  # elements between two rows of a panel of a, or of dz
        ("a_panel", "i8"),  # elements between two panels of them
        ("nonzeros", "i8"),  # -> int64 (panels, B): which outputs are not zero, by bits; or 0
        ("nonzeros_panel", "i8"),  # bytes between two panels of them
    ]
)
JOB = np.dtype(
    [
        ("place", "i8"),  # the record's own address
        ("kind", "i8"),
        ("cost", "i8"),  # code
        ("batch_size", "i8"),
        ("steps", "i8"),
        ("samples", "i8"),  # length of order, or rows of the images to infer
        ("images", "i8"),  # -> (N, I)
        ("inputs", "i8"),  # I
        ("image_kind", "i8"),
        ("inputs_as", "i8"),  # how the first layer takes the images: DENSE, CODES or MASKS
        ("image_row", "i8"),  # elements between two images, uint8
        ("infer_rows", "i8"),  # how many images go through all layers at a time
        ("codes_offset", "i8"),  # where in a member's scratch, in elements, the addresses lie of a
        # minibatch's codes, or of two minibatches' images
        ("slopes_offset", "i8"),  # and some gradients of the first layer
        ("masks", "i8"),  # -> the masks of two minibatches' parts
        ("mask_size", "i8"),  # bytes of one part's masks
        ("code", "i8"),  # -> the codes of all images, one behind the other
        ("code_size", "i8"),  # bytes of the longest possible code
        ("offsets", "i8"),  # -> int64 (N + 1,): where in them each code begins
        ("table", "i8"),  # -> (256,): scale times each value of a pixel
        ("order", "i8"),  # -> int64 (samples,)
        ("labels", "i8"),  # -> int64 (samples,), in that order, or 0
        ("targets", "i8"),  # -> (N, O), or 0
        ("learning_rate", "f8"),  # of a single UPDATE
        ("keep", "f8"),  # how much of w a single UPDATE keeps
        ("keep_b", "f8"),  # how much of b
        ("learning_rates", "i8"),  # -> float64 (steps,)
        ("costs", "i8"),  # -> float64 (samples,): the cost of each sample
        ("answers", "i8"),  # -> (samples, O) of the last layer: what is inferred
        ("classes", "i8"),  # -> int64 (samples,): what is inferred instead, or 0
        ("hits", "i8"),  # -> uint8 (samples,): 1 where the answer was right
        ("zeros", "i8"),  # -> as many zeros as the widest layer has outputs
        ("ones", "i8"),  # -> one 1
        ("x", "i8"),  # -> two minibatches (2, B, I), rows x_row elements apart
        ("x_row", "i8"),
        ("scratch", "i8"),  # -> private memory, scratch_size elements for each member
        ("scratch_size", "i8"),
        ("scale", "f8"),
        ("momentum", "f8"),
        ("weight_decay", "f8"),
        ("nesterov", "i8"),
    ]
)


def _pointer_to(record: Any) -> Any:
    """Return an intrinsic that makes an address a pointer to records."""

    @intrinsic
    def pointer(typingctx: Any, address: Any) -> Any:
        kind = types.CPointer(record)  # type: ignore[attr-defined]

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return kind(types.int64), generate

    return pointer


_job_pointer, _layer_pointer = _pointer_to(from_dtype(JOB)), _pointer_to(from_dtype(LAYER))


@jit
def job_at(address):
    """Return the JOB record at an address."""
    return numba.carray(_job_pointer(address), (1,))[0]


@jit
def layers_at(address, count):
    """Return the LAYER records at an address."""
    return numba.carray(_layer_pointer(address), (count,))
