"""Divide the rows of a data set into a training and a test part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Array
from fastmlp.datasets.idx import file_error
from fastmlp.errors import refuse

SHARE = 0.2  # of the rows of each class, for the test


Indices = slice | NDArray[np.int64]


def divide(
    path: Path, labels: Array, seed: int, whole: bool | None
) -> tuple[tuple[Indices, Indices], tuple[str, ...]]:
    """Return indices of the training and of the test rows, both rising, and lines on them.

    labels : codes `(N,)`, of whose classes a share of 0.2 tests, or floats `(N,)`, which are drawn
        as one class. A class keeps at least one row for training
    whole : whether both are all rows

    Raises DataError with that path if there are no two rows to divide.
    """
    if whole:
        return (slice(None), slice(None)), ()
    if seed < 0:
        raise refuse("seed", "must be at least 0", seed, "Pass a whole number from 0 on.")
    codes = labels if labels.dtype.kind in "iu" else np.zeros(len(labels), np.int64)
    order = np.random.default_rng(seed).permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    counts = np.bincount(codes)
    tests = (SHARE * counts + 0.5).astype(np.int64)
    if not tests.any():
        tests[counts.argmax()] = min(1, counts.max() - 1)
    if not tests.any():
        found = f"{len(codes)} rows of {len(counts)} classes"
        raise file_error(path, "a class with two rows, to train and to test", found, "Add rows.")
    rank = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
    is_test = np.empty(len(codes), np.bool_)
    is_test[order] = rank < tests[codes[order]]
    note = f"no test part: {100 * SHARE:.0f} % of the rows test, drawn by seed {seed}"
    return (np.flatnonzero(~is_test), np.flatnonzero(is_test)), (note,)
