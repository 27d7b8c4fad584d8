"""Decides from the first training data how a network scales its inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.arrays import Array, Rows, SparseRows, as_dense, check_magnitudes, quiet
from fastmlp.errors import refuse
from fastmlp.network.scaling import (
    FILLING,
    NOISE,
    OVERSHOT,
    RANGES,
    ROWS,
    Scaling,
    as_floats,
    filled,
    is_whole,
    range_of,
    reach,
)

# The remedy where NaN are filled
INFINITE = "Make them NaN, which are filled, or remove these rows."
# What users can choose; None decides by the data
CHOICES = (None, "standardize", "pixels", "none")
IMPUTERS = (None, "median")
# Pixels share a range: this share of the columns reaches half of it
SPREAD = 1 / 8
# This share of zeros shows that fractions are pixels
ZEROS = 0.2
# About so many rows, evenly spaced, show what kind of numbers they are
SAMPLE = 1000
# Numbers are small enough to stay unchanged if none is larger, no mean is larger, and columns vary
# by at least this much
LARGEST, FARTHEST, LEAST_SPAN = 10.0, 5.0, 0.3
# So many columns may be pixels or words, of which rare ones vary little
MANY = 49
# Smaller magnitudes count as 0
SMALLEST = 1e-30


def check_choices(scaling: Any, impute: Any) -> None:
    """Refuse a choice that there is not."""
    for name, value, known in (("scaling", scaling, CHOICES), ("impute", impute, IMPUTERS)):
        if not isinstance(value, (str, type(None))) or value not in known:
            remedy = f"Choose from {', '.join(map(repr, known))}."
            raise refuse(name, "must be one of the choices", repr(value), remedy)


@quiet
def decide_scaling(
    rows: Rows,
    dtype: Any,
    argument: str,
    scaling: str | None = None,
    impute: str | None = None,
    picture: bool = False,
    training: Any = slice(None),
    is_table: bool = False,
) -> Scaling:
    """Return how to scale a network's inputs, decided from its training data `(N, I)`.

    scaling : a row of CHOICES; impute : what fills NaN, a row of IMPUTERS
    picture : whether the shape of the data is that of pictures
    training : indices of the rows that train, from which means, deviations, largest magnitudes of
        columns and medians are
    is_table : whether bytes are no pixels

    All rows decide the rest, without a choice by the first rule that is true:

        sparse            each column is divided by its largest magnitude; by its standard
                          deviation, if `scaling` is "standardize"
        uint8, no table   pixels
        picture           pixels, if `is_pixels` says so of their numbers
        sensible scale    unchanged, if `is_sensible` says so
        all else          standardised: mean 0 and standard deviation 1 in each column

    Raises ArgumentError for NaN without `impute`, and for a choice of pixels that are none.
    """
    fill = _medians(rows[training]) if impute else None
    rows = filled(rows, fill)
    if rows.dtype.kind == "f":
        check_magnitudes(rows, dtype, argument, FILLING if fill is None else INFINITE)
    if isinstance(rows, SparseRows):
        scaling = OF_SPARSE.get(scaling, scaling)
    if scaling == "pixels":
        _check_pixels(rows)
    scaling = scaling or _kind_of(as_dense(rows), picture, is_table)
    fit_to = rows[training] if scaling in OF_COLUMNS else rows
    return Scaling(scaling, rows.shape[1], **FITS[scaling](fit_to), fill=fill)


def pixel_scale_of(scaling: Scaling, rows: Rows, default: float) -> float:
    """Return the factor of uint8 inputs of a network with that scaling and training data."""
    known = scaling.kind == "pixels" and (rows.dtype == np.uint8 or 1 < scaling.range <= 255)
    return 1 / scaling.range if known else default


def is_pixels(sample: Array, low: float, high: float) -> bool:
    """Return whether numbers of pictures are pixels.

    sample : some of the rows `(n, I)`; low, high : the smallest and largest number of all rows

    They are at least 0, an eighth of the columns reaches half of their range, and they are: whole
    numbers up to 255, or of uint16; multiples of 1 / 255 or 1 / 16 up to 1; or other numbers up to
    255 of which a fifth is 0.
    """
    most = RANGES[-1] if sample.dtype == np.uint16 else 255
    if not (0 <= low < high <= most):
        return False
    if (sample.max(axis=0) >= range_of(high) / 2).mean() < SPREAD:
        return False
    exact = sample.astype(np.float64)
    if high <= 1 and any(np.abs(exact * n - np.rint(exact * n)).max() < 1e-3 for n in (255, 16)):
        return True
    return (high > 1 and is_whole(sample)) or (exact == 0).mean() >= ZEROS


def is_sensible(sample: Array, low: float, high: float) -> bool:
    """Return whether a table's numbers are of a scale that a network learns from as it is.

    None is larger than 10, no column's mean than 5, and no column that varies does so by less than
    0.3; of 49 columns or more, without those from 0 to 1, half may. A single row is, too.

    sample, low, high : as of `is_pixels`
    """
    if len(sample) < 2:
        return True
    largest = max(high, -low)
    if largest > LARGEST or (largest > FARTHEST and np.abs(_means(sample)).max() > FARTHEST):
        return False
    span = sample.max(axis=0).astype(np.float64) - sample.min(axis=0)
    varying = span[(span > 0) & (span != 1)]  # what texts become varies by 1
    if not len(varying):
        return True
    return float(varying.min() if len(varying) < MANY else np.median(varying)) >= LEAST_SPAN


def _kind_of(rows: Array, picture: bool, is_table: bool) -> str:
    if rows.dtype == np.uint8 and not is_table:
        return "pixels"
    what = rows[:: -(-len(rows) // SAMPLE)], float(rows.min()), float(rows.max())
    if picture and is_pixels(*what):
        return "pixels"
    return "unchanged" if is_sensible(*what) else "standardize"


def _check_pixels(rows: Rows) -> None:
    values = rows.values if isinstance(rows, SparseRows) else rows
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    unit, near = range_of(high), low >= -NOISE and high <= 1 + NOISE
    if not near and (low < -OVERSHOT * unit or high > unit * (1 + OVERSHOT)):
        rule = f"must not be 'pixels' of numbers below 0, or above {RANGES[-1]}"
        remedy = "Pass scaling='standardize', or leave it out."
        raise refuse("scaling", rule, f"numbers from {low:.4g} to {high:.4g}", remedy)


def _means(rows: Array) -> Array:
    return np.asarray(rows.mean(axis=0, dtype=np.float64))


def _medians(rows: Rows) -> Array:
    """Return the median of each column, float64 `(I,)`, without its NaN; 0 if it has no others."""
    if isinstance(rows, SparseRows):
        return _sparse_medians(rows)
    medians = np.zeros(rows.shape[1])
    for number, column in enumerate(as_floats(rows, np.float64).T):
        known = column[~np.isnan(column)]
        medians[number] = np.median(known) if len(known) else 0.0
    return medians


def _sparse_medians(rows: SparseRows) -> Array:
    """Return what `_medians` does. Zeros that are no entries lie between entries by their sign."""
    known = ~np.isnan(rows.values)
    values, columns = rows.values[known].astype(np.float64), rows.columns[known]
    values = values[np.lexsort((values, columns))]
    count, below = (
        np.bincount(columns[part], minlength=rows.shape[1])
        for part in (slice(None), rows.values[known] < 0)
    )
    first = np.cumsum(count) - count
    zeros = len(rows) - np.bincount(rows.columns, minlength=rows.shape[1])
    middle = []
    for place in ((count + zeros - 1) // 2, (count + zeros) // 2):
        is_entry = (count > 0) & ((place < below) | (place >= below + zeros))
        entry = first + place - zeros * (place >= below + zeros)
        middle.append(np.zeros(rows.shape[1]))
        middle[-1][is_entry] = values[entry[is_entry]]
    return np.asarray(middle[0] + (middle[1] - middle[0]) / 2)


def _fit_largest_of_all(rows: Array) -> dict[str, Array]:
    return {"factor": np.array([1 / max(reach(rows), SMALLEST)])}


def _fit_pixels(rows: Array) -> dict[str, Array]:
    # fast path: a few bytes show that their range is the whole one
    few = rows[:SAMPLE] if rows.dtype == np.uint8 else rows
    high = float(few.max())
    high = high if high > RANGES[1] else float(rows.max())
    return {"factor": np.array([1 / range_of(high if high > 0 else 255)])}


def _fit_standard(rows: Array) -> dict[str, Array]:
    """Return mean and 1 / standard deviation of each column; 0 for a constant one.

    So a column that does not vary in training has no effect later.
    """
    mean, unit = _means(rows), np.maximum(_largest(rows), SMALLEST)
    total = np.zeros(rows.shape[1])
    for start in range(0, len(rows), ROWS):
        total += (((rows[start : start + ROWS] - mean) / unit) ** 2).sum(axis=0)
    deviation = np.sqrt(total / len(rows))
    varies = (rows.min(axis=0) < rows.max(axis=0)) & (deviation > 1e-12)
    return {"shift": mean, "factor": _inverse(deviation * unit, varies)}


def _fit_deviation(rows: SparseRows) -> dict[str, Array]:
    """Return 1 / standard deviation of each column, zeros included; 0 for a constant one."""
    columns, inputs = rows.columns, rows.shape[1]
    unit = np.maximum(_largest(rows), SMALLEST)
    x = rows.values / unit[columns]
    mean = np.bincount(columns, x, inputs) / len(rows)
    # the sum of (x - mean)^2 is that of the entries, and of all others, for which x = 0
    total = np.bincount(columns, (x - mean[columns]) ** 2, inputs)
    others = len(rows) - np.bincount(columns, minlength=inputs)
    deviation = np.sqrt((total + others * mean**2) / len(rows))
    return {"factor": _inverse(deviation * unit, deviation > 1e-12)}


def _fit_largest(rows: Array) -> dict[str, Array]:
    largest = _largest(rows)
    return {"factor": _inverse(largest, largest > SMALLEST)}


def _inverse(sizes: Array, where: Array) -> Array:
    """Return 1 / sizes, and 0 elsewhere."""
    return np.divide(1, sizes, out=np.zeros(len(sizes)), where=where)


def _largest(rows: Rows) -> Array:
    """Return the largest magnitude of each column, float64 `(I,)`."""
    if isinstance(rows, SparseRows):
        found = np.zeros(rows.shape[1])
        np.maximum.at(found, rows.columns, np.abs(rows.values.astype(np.float64)))
        return found
    low, high = rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64)
    return np.asarray(np.maximum(np.abs(low), np.abs(high)))


FITS: dict[str, Callable[[Any], dict[str, Array]]] = {
    "none": lambda rows: {},
    "unchanged": _fit_largest_of_all,
    "pixels": _fit_pixels,
    "standardize": _fit_standard,
    "largest": _fit_largest,
    "deviation": _fit_deviation,
}
# Those of them that have statistics of each column
OF_COLUMNS = ("standardize", "largest", "deviation")
# What choices are for a sparse matrix: a mean that is subtracted would leave no zeros
OF_SPARSE = {None: "largest", "standardize": "deviation"}
