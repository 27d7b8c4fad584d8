"""Rows of numbers that are mostly zeros, as SciPy's CSR matrices have them; SciPy is not needed."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.arrays.checks import Array
from fastmlp.arrays.given import as_numbers
from fastmlp.errors import refuse

MOST_COLUMNS = 2**31 - 1  # numbers of columns are int32


class SparseRows:
    """Rows `(N, I)` as entries: what is not zero, row by row, in ascending columns, each once.

    values : `(entries,)`; columns : int32 `(entries,)`, those of the values
    starts : int64 `(N + 1,)`: row n has the entries starts[n], …, starts[n + 1] - 1; starts[0] is 0

    Rows are taken as from an array: by a slice, or by an array of numbers.
    """

    ndim = 2

    def __init__(self, values: Array, columns: Array, starts: Array, inputs: int) -> None:
        self.values, self.columns, self.starts = values, columns, starts
        self.shape = len(starts) - 1, inputs

    @property
    def parts(self) -> tuple[Array, Array, Array]:
        """Values, columns and starts."""
        return self.values, self.columns, self.starts

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values."""
        return self.values.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Array) -> SparseRows:
        if isinstance(rows, slice) and rows.step in (None, 1):
            first, last, _ = rows.indices(len(self))
            starts = self.starts[first : max(first, last) + 1]
            taken: Any = slice(starts[0], starts[-1])
            starts = starts - starts[0]
        else:
            rows = np.arange(len(self))[rows]
            sizes = np.diff(self.starts)[rows]
            starts = np.concatenate([[0], np.cumsum(sizes)])
            taken = np.repeat(self.starts[rows] - starts[:-1], sizes) + np.arange(starts[-1])
        return SparseRows(self.values[taken], self.columns[taken], starts, self.shape[1])

    def __array__(self, *_: Any, **__: Any) -> Array:
        raise TypeError("sparse rows become an array only by their method dense()")

    def with_values(self, values: Array) -> SparseRows:
        """Return the same rows with other values."""
        return SparseRows(values, self.columns, self.starts, self.shape[1])

    def dense(self) -> Array:
        """Return the rows as an array `(N, I)`."""
        found = np.zeros(self.shape, self.dtype)
        found[np.repeat(np.arange(len(self)), np.diff(self.starts)), self.columns] = self.values
        return found

    def max(self) -> Any:
        """Return the largest number, zeros included."""
        return np.max(self.values, **self._with_zeros())

    def min(self) -> Any:
        """Return the smallest number, zeros included."""
        return np.min(self.values, **self._with_zeros())

    def _with_zeros(self) -> dict[str, Any]:
        return {} if self.values.size == self.shape[0] * self.shape[1] else {"initial": 0}

    def are_same(self) -> bool:
        """Return whether all rows have the same entries."""
        sizes = np.diff(self.starts)
        parts = (part.reshape(len(self), -1) for part in (self.columns, self.values))
        return bool((sizes == sizes[0]).all() and all((part == part[0]).all() for part in parts))


Rows = Array | SparseRows


def sparse_rows(matrix: Any, argument: str) -> SparseRows:
    """Return a sparse matrix of SciPy `(N, I)`, of any format, as rows; those unchanged.

    Entries of the same place are added; if a CSR matrix has none such, its values are not copied.
    Raises ArgumentError for what are no numbers, for too many columns, and for a matrix whose
    parts contradict each other.
    """
    if isinstance(matrix, SparseRows):
        return matrix
    rows = matrix.tocsr()
    try:
        rows.check_format(full_check=True)
    except ValueError as error:
        remedy = "Make it by scipy.sparse.coo_array(...).tocsr(), for example."
        raise refuse(argument, "must be a valid sparse matrix", str(error), remedy) from None
    if rows.shape[1] > MOST_COLUMNS:
        rule, remedy = f"must have at most {MOST_COLUMNS:,} columns", "Leave some out."
        raise refuse(argument, rule, f"{rows.shape[1]:,}", remedy)
    # what the matrix says of their order may be from before its indices were changed
    rises = np.diff(rows.indices[: rows.indptr[-1]]) > 0
    begins = rows.indptr[1:-1]
    rises[begins[(begins > 0) & (begins <= len(rises))] - 1] = True
    if not rises.all():
        rows = rows.copy()
        rows.has_sorted_indices = rows.has_canonical_format = False
        rows.sum_duplicates()
    columns, starts = rows.indices.astype(np.int32), rows.indptr.astype(np.int64)
    count = int(starts[-1])
    values = as_numbers(rows.data, argument)
    return SparseRows(values[:count], columns[:count], starts, rows.shape[1])


def as_dense(rows: Rows) -> Array:
    """Return rows as an array; an array is returned unchanged."""
    return rows.dense() if isinstance(rows, SparseRows) else rows


def density(rows: Rows, sample: int) -> float:
    """Return the share of nonzero values in rows `(N, I)`, of arrays by a sample of so many."""
    if isinstance(rows, SparseRows):
        return rows.values.size / max(1, rows.shape[0] * rows.shape[1])
    some = rows if len(rows) < 2 * sample else rows[:: len(rows) // sample]
    return float(np.count_nonzero(some)) / max(1, some.size)
