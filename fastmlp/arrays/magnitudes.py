"""The check of numbers that users pass for sizes that a network cannot compute with."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.arrays.checks import Array, largest
from fastmlp.arrays.sparse import Rows, SparseRows
from fastmlp.errors import counted, refuse

# Of more numbers, OpenBLAS adds the squares with threads of its own: a call never returns if the
# process forks meanwhile, and calls at the same time wait for each other
PIECE = 8192


def sum_of_squares(numbers: Array) -> float:
    """Return the sum of the squares; NaN if one is NaN. An overflow gives no warning."""
    flat = numbers.reshape(-1)
    pieces = (flat[i : i + PIECE] for i in range(0, flat.size, PIECE))
    # of NumPy: a float of Python would be rounded to the precision of what it is compared with
    return np.float64(sum(float(np.vdot(piece, piece)) for piece in pieces))


def check_magnitudes(rows: Rows, dtype: Any, argument: str, remedy: str = "") -> None:
    """Refuse NaN, infinity, and numbers whose square overflows in `dtype`.

    rows : floats, one row for each sample; remedy : for NaN and infinity
    """
    most = largest(dtype)
    flat = rows.values if isinstance(rows, SparseRows) else rows.reshape(-1)
    # fast path: if the sum of the squares is small enough, so is each square
    if sum_of_squares(flat) <= most:
        return
    with np.errstate(all="ignore"):
        sizes, limit = np.abs(flat), np.sqrt(most)
    bad = np.flatnonzero(~np.isfinite(sizes))
    if bad.size:
        row, column = _places(rows, bad)
        raise refuse(
            argument,
            "must be finite",
            f"NaN or infinity in {counted(len(np.unique(row)), 'row')}, "
            f"the first of them row {row[0]}, column {column[0]}",
            remedy or "Remove or fill these rows.",
        )
    bad = np.flatnonzero(sizes > limit)
    if bad.size:
        row, _ = _places(rows, bad)
        found, name = sizes[bad[row == row[0]]].max(), np.dtype(dtype).name
        raise refuse(
            argument,
            f"must lie between -{limit:.3g} and {limit:.3g}; larger numbers overflow in {name}",
            f"{found:.3g} in row {row[0]}",
            "Scale them, to about -1 to 1 for example.",
        )


def _places(rows: Rows, numbers: Array) -> tuple[Array, Array]:
    """Return rows and columns of numbers that are given by where they lie one behind the other."""
    if isinstance(rows, SparseRows):
        return np.searchsorted(rows.starts, numbers, side="right") - 1, rows.columns[numbers]
    return np.divmod(numbers, max(1, rows.size // len(rows)))
