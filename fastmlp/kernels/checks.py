"""The checks at the doors of the compiled room, behind which nothing is checked any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.errors import refuse
from fastmlp.functions import Array
from fastmlp.kernels.layout import panel_width, round_up
from fastmlp.kernels.simd import VECTOR_BYTES

PRECISIONS = (np.dtype(np.float32), np.dtype(np.float64))


def check_array(
    name: str,
    array: Any,
    shape: Sequence[int | None],
    dtype: np.dtype | None = None,
) -> None:
    """Refuse an array that is not C-contiguous, aligned, and of this dtype and shape.

    None in a shape stands for any length; no dtype means float32 or float64.
    """
    if not isinstance(array, np.ndarray):
        kind = type(array).__name__
        raise refuse(name, "must be a NumPy array", kind, f"Pass numpy.asarray({name}).")
    dtypes = PRECISIONS if dtype is None else (dtype,)
    fits = array.ndim == len(shape) and all(
        wanted in (None, length) for wanted, length in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise refuse(
            name, f"must have shape ({wanted})", f"shape {array.shape}", "Pass the matching array."
        )
    if array.dtype not in dtypes:
        names = " or ".join(d.name for d in dtypes)
        raise refuse(
            name, f"must be {names}", str(array.dtype), f"Convert it: {name}.astype({names!r})."
        )
    if not (array.flags.c_contiguous and array.flags.aligned):
        raise refuse(
            name,
            "must be C-contiguous and aligned",
            f"strides {array.strides}",
            f"Pass numpy.ascontiguousarray({name}).",
        )


def check_output(name: str, array: Array, inputs: dict[str, Array]) -> None:
    """Refuse an output that is read-only, or that shares memory with one of the inputs."""
    if not array.flags.writeable:
        raise refuse(name, "must be writable", "a read-only array", "Pass a fresh array.")
    for other, source in inputs.items():
        if np.may_share_memory(array, source):
            raise refuse(
                name, f"must not overlap {other}", "overlapping memory", "Pass a fresh array."
            )


def check_packed(name: str, w: Any, inputs: int, outputs: int, dtype: np.dtype) -> None:
    """Refuse weights that are not what `pack_weights` makes of an array `(inputs, outputs)`."""
    if not isinstance(w, np.ndarray):
        kind = type(w).__name__
        raise refuse(name, "must be packed weights", kind, f"Pass pack_weights({name}).")
    width = panel_width(outputs, dtype)
    rows = round_up(inputs, VECTOR_BYTES // dtype.itemsize)
    if w.shape != (-(-outputs // width), rows, width) or w.dtype != dtype:
        raise refuse(
            name,
            f"must be packed {dtype} weights for {inputs} inputs and {outputs} outputs",
            f"{w.dtype} of shape {w.shape}",
            f"Pass pack_weights({name}).",
        )
    check_array(name, w, w.shape, dtype)


def check_indices(name: str, numbers: Array, below: int) -> None:
    """Refuse numbers that do not lie in 0, …, below - 1: compiled code goes where they say."""
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < below):
        found = f"{numbers.min()} to {numbers.max()}"
        raise refuse(
            name, f"must lie in 0 … {below - 1}", found, "Pass indices of rows or classes."
        )


def check_numbers(**numbers: Any) -> None:
    """Refuse what is no finite number."""
    for name, value in numbers.items():
        if not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
            raise refuse(name, "must be a finite number", repr(value), f"Pass {name}=0.1, say.")
