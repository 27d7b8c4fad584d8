"""What the doors of compiled code check; behind them nothing is checked any more."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.errors import ArgumentError, refuse


def check_out(name: str, out: Any, shape: tuple[int, ...], dtype: np.dtype, images: Array) -> None:
    """Refuse an output that compiled code cannot write to as it is, or that overlaps the images."""
    fresh = f"Pass numpy.empty({shape}, {dtype.name!r})."
    if not isinstance(out, np.ndarray):
        raise refuse(name, "must be a NumPy array", type(out).__name__, fresh)
    if out.shape != shape:
        raise refuse(name, f"must have shape {shape}", f"shape {out.shape}", fresh)
    if out.dtype != dtype:
        raise refuse(name, f"must be {dtype.name}", str(out.dtype), fresh)
    if not (out.flags.c_contiguous and out.flags.aligned):
        rule, got = "must be C-contiguous and aligned", f"strides {out.strides}"
        raise refuse(name, rule, got, fresh)
    if not out.flags.writeable:
        raise refuse(name, "must be writable", "a read-only array", fresh)
    if np.may_share_memory(out, images):
        raise refuse(name, "must not overlap images", "overlapping memory", fresh)


def check_indices(name: str, numbers: Array, below: int) -> None:
    """Refuse numbers that are not in 0, …, below - 1: compiled code uses them as addresses."""
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < below):
        found = f"{numbers.min()} to {numbers.max()}"
        remedy = "Pass indices of rows or classes."
        raise refuse(name, f"must lie in 0 … {below - 1}", found, remedy)


def refuse_batch(count: int, batch_size: int) -> ArgumentError:
    """Return the error for samples that are no minibatch."""
    rule, remedy = f"must have 1 to {batch_size} samples", "Make an engine for larger minibatches."
    return refuse("order", rule, count, remedy)
