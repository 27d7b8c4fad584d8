"""What the doors of compiled code check; behind them nothing is checked any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.errors import ArgumentError, refuse
from fastmlp.functions import Array

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


def check_indices(name: str, numbers: Array, below: int) -> None:
    """Refuse numbers that do not lie in 0, …, below - 1: compiled code goes where they say."""
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < below):
        found = f"{numbers.min()} to {numbers.max()}"
        raise refuse(
            name, f"must lie in 0 … {below - 1}", found, "Pass indices of rows or classes."
        )


def refuse_batch(count: int, batch_size: int) -> ArgumentError:
    """Return the error for samples that are no minibatch."""
    rule, remedy = f"must have 1 to {batch_size} samples", "Make an engine for larger minibatches."
    return refuse("order", rule, count, remedy)
