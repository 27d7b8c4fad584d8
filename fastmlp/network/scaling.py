"""How a network scales its inputs: x' = (x - shift) factor, column by column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.arrays import (
    Array,
    Rows,
    SparseRows,
    as_dense,
    check_magnitudes,
    quiet,
    sum_of_squares,
)
from fastmlp.arrays.checks import largest
from fastmlp.errors import refuse

# Pixels lie between 0 and one of these: bits, 4 bits, bytes, 16 bits
RANGES = (1, 16, 255, 65535)
# Shares of the range may be outside of 0 … 1 by this much, as pixels with noise are
NOISE = 0.5
# Other pixels by this share of their range, as interpolated ones can be
OVERSHOT = 0.05
# Unscaled numbers this many times as large as those of the training data are refused
FAR = 16
# Rows that are scaled at once, so that their float64 copies stay in the cache
ROWS = 1024


@dataclass(frozen=True, eq=False)
class Scaling:
    """How a network scales its inputs, as it was decided from its first training data.

    kind : a row of the table KINDS; inputs : how many columns there are
    shift, factor : float64 `(I,)`; of pixels, the factor `(1,)` is 1 / range; of unchanged numbers,
        1 / largest. None where the kind has none
    fill : float64 `(I,)`, what takes the place of NaN; None to refuse NaN
    """

    kind: str
    inputs: int
    shift: Array | None = None
    factor: Array | None = None
    fill: Array | None = None

    def __str__(self) -> str:
        what = "pixel" if self.kind == "pixels" else "column"
        text = f"{self.inputs:,} {what}{'s' * (self.inputs != 1)}, {KINDS[self.kind].text}"
        if self.kind == "pixels":
            text += f", from 0 to {self.range:,}"
        return text + (", missing values filled" if self.fill is not None else "")

    @property
    def range(self) -> int:
        """The largest pixel of the training data, rounded up to a row of RANGES."""
        return 1 if self.factor is None else round(1 / float(self.factor[0]))

    def square_limit(self, dtype: Any) -> float:
        """Return the sum of squares up to which `apply` changes no float of a row; -1 if it may."""
        if self.kind == "unchanged":
            known = np.inf if self.factor is None else 1 / float(self.factor[0])
            return float(min((FAR * known) ** 2, 1e30))
        return float(largest(dtype)) if self.kind == "none" else -1.0

    def apply(self, rows: Rows, dtype: Any, pixel_scale: float, argument: str) -> Rows:
        """Return rows `(N, I)`, C-contiguous, as engines need them: uint8, or scaled floats.

        Sparse rows stay sparse, in the precision of the network, unless a shift makes zeros rare:
        only dense training data have one.

        rows : bool, integers, float32 or float64; dtype : of the network
        pixel_scale : the factor with which engines multiply uint8

        Raises ArgumentError for NaN, infinity, numbers that overflow, and numbers on another scale
        than the training data, where this can be seen.
        """
        rows = filled(rows, self.fill)
        if isinstance(rows, SparseRows) and self.shift is None:
            return _of_sparse(self, rows, dtype, pixel_scale, argument)
        return KINDS[self.kind].apply(self, as_dense(rows), dtype, pixel_scale, argument)

    def check(self, rows: Rows, dtype: Any, argument: str) -> None:
        """Refuse NaN, infinity, and numbers that overflow."""
        if rows.dtype.kind == "f":
            check_magnitudes(rows, dtype, argument, FILLING if self.fill is None else "")

    def tensors(self) -> dict[str, Array]:
        """Return its arrays by name."""
        named = {name: getattr(self, name) for name in ("shift", "factor", "fill")}
        return {name: array for name, array in named.items() if array is not None}


FILLING = 'Remove or fill these rows, or train with impute="median".'


def scaling_from(kind: Any, inputs: int, tensors: Mapping[str, Array]) -> Scaling:
    """Return the scaling that a file describes. Raises ValueError if it is damaged."""
    if kind not in KINDS:
        raise ValueError(f"scaling is {kind!r}")
    wanted = dict.fromkeys(KINDS[kind].arrays, (inputs,))
    if kind in ("pixels", "unchanged"):
        wanted["factor"] = (1,)
    known = wanted | {"fill": (inputs,)}
    if not wanted.keys() <= tensors.keys() <= known.keys():
        raise ValueError(f"the scaling has the tensors {sorted(tensors)}")
    for name, array in tensors.items():
        if array.shape != known[name] or array.dtype != np.float64 or not np.isfinite(array).all():
            raise ValueError(f"scaling.{name} is {array.dtype} of shape {array.shape}")
    if kind == "pixels" and not 0 < tensors["factor"][0] <= 1:
        raise ValueError(f"scaling.factor is {tensors['factor'][0]}")
    return Scaling(kind, inputs, **tensors)


def range_of(largest: float) -> int:
    """Return the least row of RANGES that is not below a number."""
    return next((row for row in RANGES if largest <= row), RANGES[-1])


def filled(rows: Rows, fill: Array | None) -> Rows:
    """Return rows in which numbers of `fill` `(I,)`, one for each column, are in place of NaN."""
    if fill is None or rows.dtype.kind != "f":
        return rows
    fill = fill.astype(rows.dtype)
    if isinstance(rows, SparseRows):
        values = rows.values
        return rows.with_values(np.where(np.isnan(values), fill[rows.columns], values))
    return np.where(np.isnan(rows), fill, rows)


def reach(rows: Rows) -> float:
    """Return the largest magnitude of some numbers."""
    return max(float(rows.max()), -float(rows.min()))


def is_whole(rows: Array) -> bool:
    """Return whether all are whole numbers."""
    return rows.dtype.kind != "f" or bool((rows == np.rint(rows)).all())


def as_floats(rows: Array, dtype: Any) -> Array:
    """Return rows, C-contiguous: floats as they are, all other numbers as floats of a dtype."""
    return np.ascontiguousarray(rows, rows.dtype if rows.dtype.kind == "f" else dtype)


def _keep(scaling: Scaling, rows: Array, dtype: Any, pixel_scale: float, argument: str) -> Array:
    """Return bytes as pixels, and all other numbers unchanged."""
    scaling.check(rows, dtype, argument)
    return np.ascontiguousarray(rows) if rows.dtype == np.uint8 else as_floats(rows, dtype)


def _check_size(
    scaling: Scaling, rows: Array, dtype: Any, pixel_scale: float, argument: str
) -> Array:
    """Return rows unchanged. Raises ArgumentError if they are far larger than training data."""
    floats = as_floats(rows, dtype)
    # fast path: if the sum of the squares is small enough, so is each number
    if sum_of_squares(floats) <= scaling.square_limit(dtype):
        return floats
    scaling.check(floats, dtype, argument)
    known = np.inf if scaling.factor is None else 1 / float(scaling.factor[0])
    largest = reach(rows)
    if largest > FAR * known:
        rule = f"must be on the scale of the training data, which reach {known:.4g}"
        remedy = "Scale them as those, or train anew with unscaled data."
        raise refuse(argument, rule, f"numbers that reach {largest:.4g}", remedy)
    return floats


@quiet
def _affine(scaling: Scaling, rows: Array, dtype: Any, pixel_scale: float, argument: str) -> Array:
    """x' = (x - shift) factor, in float64, rounded to the precision of the network."""
    scaling.check(rows, dtype, argument)
    scaled = np.empty(rows.shape, dtype)
    shift = 0.0 if scaling.shift is None else scaling.shift
    factor = 1.0 if scaling.factor is None else scaling.factor
    for start in range(0, len(rows), ROWS):
        part = slice(start, start + ROWS)
        np.multiply(rows[part] - shift, factor, out=scaled[part], casting="same_kind")
    check_magnitudes(scaled, dtype, f"{argument}, scaled as the training data,")
    return scaled


def _as_pixels(
    scaling: Scaling, rows: Array, dtype: Any, pixel_scale: float, argument: str
) -> Array:
    """Return pixels as uint8 or as shares of their range, whatever their range and type are.

    Floats of about 0 to 1 are shares of the range. Other numbers count in the range of the training
    data if they fit into it, else in the next range that holds them. They must reach a 16th of it,
    unless they are whole numbers in the range of the training data.
    """
    low, high = float(rows.min()), float(rows.max())
    if rows.dtype.kind in "fb" and low >= -NOISE and high <= 1 + NOISE:
        return as_floats(rows, dtype)
    scaling.check(rows, dtype, argument)
    near = scaling.range if high <= scaling.range * (1 + OVERSHOT) else high / (1 + OVERSHOT)
    unit, whole = range_of(near), is_whole(rows)
    inside = -OVERSHOT * unit <= low and high <= unit * (1 + OVERSHOT)
    if not inside or not (high >= unit / 16 or (whole and unit == scaling.range)):
        rule = f"must be pixels from 0 to {scaling.range}, as in training, or from 0 to 1"
        remedy = "Pass them unscaled, or limited by numpy.clip."
        raise refuse(argument, rule, f"numbers from {low:.4g} to {high:.4g}", remedy)
    if whole and unit == round(1 / pixel_scale) and 0 <= low <= high <= unit:
        return np.ascontiguousarray(rows, np.uint8)
    return np.ascontiguousarray(rows * np.dtype(dtype).type(1 / unit), dtype)


@quiet
def _of_sparse(
    scaling: Scaling, rows: SparseRows, dtype: Any, pixel_scale: float, argument: str
) -> SparseRows:
    """Return sparse rows, scaled entry by entry: 0 stays 0."""
    scaling.check(rows, dtype, argument)
    if KINDS[scaling.kind].apply is _affine and scaling.factor is not None:
        values = (rows.values * scaling.factor[rows.columns]).astype(dtype)
    elif rows.values.size:
        column = rows.values.reshape(-1, 1)
        values = KINDS[scaling.kind].apply(scaling, column, dtype, pixel_scale, argument)[:, 0]
        values = values * pixel_scale if values.dtype == np.uint8 else values
    else:
        values = rows.values
    scaled = rows.with_values(np.ascontiguousarray(values, dtype))
    check_magnitudes(scaled, dtype, f"{argument}, scaled as the training data,")
    return scaled


@dataclass(frozen=True)
class Kind:
    """One row of the table of scalings: its name, what a sentence says, arrays, and function."""

    name: str
    text: str
    arrays: tuple[str, ...]
    apply: Callable[[Scaling, Array, Any, float, str], Array]


KINDS = {
    row.name: row
    for row in (
        Kind("none", "not scaled (bytes are multiplied by pixel_scale)", (), _keep),
        Kind("unchanged", "not scaled, as they are small enough", ("factor",), _check_size),
        Kind("pixels", "divided by their range", ("factor",), _as_pixels),
        Kind("standardize", "standardised", ("shift", "factor"), _affine),
        Kind("largest", "divided by the largest magnitude of each", ("factor",), _affine),
        Kind("deviation", "divided by their deviations, not centred", ("factor",), _affine),
    )
}
