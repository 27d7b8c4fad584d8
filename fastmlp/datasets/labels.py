"""Targets of any kind: classes become the codes 0 … K - 1 with names, numbers stay numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.arrays import Array, as_array, check_present, plain_label
from fastmlp.arrays import encode_labels as encode
from fastmlp.errors import checked_call, refuse

FEW = 20  # so many whole numbers or fewer are classes
MOST = 1000  # so many or fewer are classes if they are a range without gaps
ROWS_OF_A_CLASS = 10  # and if each has so many rows on average


@checked_call
def encode_labels(values: ArrayLike) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the codes 0 … K - 1 of labels `(N,)`, and the names of the K classes in that order.

    values : text, bytes, booleans, integers or floats. Names are sorted by value if all of them
        are numbers; 2.0 has the name "2"

    Raises ArgumentError for what is no array, and for numbers that are missing.
    """
    array = as_array(values, "values")
    if array.ndim == 0:
        remedy = "Pass an array or a list of them."
        raise refuse("values", "must be labels, one for each sample", repr(values), remedy)
    if array.dtype.kind == "f":
        check_present(np.isnan(array), "values")
    distinct, codes = np.unique(_comparable(array), return_inverse=True)
    places, names = encode([text_of(value) for value in distinct.tolist()])
    return places[codes.reshape(-1)], tuple(names.tolist())


def text_of(value: object) -> str:
    """Return a label or a cell as text: 2.0 as "2"."""
    value = plain_label(value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def are_quantities(values: Array) -> bool:
    """Return whether targets `(N,)` are quantities, to be predicted by a regression, not classes.

    They are if one is not whole. Up to 20 different whole numbers are if they are more than half of
    over 20 rows; more are, unless they are a range of at most 1000 with 10 rows each on average.
    """
    if values.dtype.kind not in "iuf":
        return False
    if values.dtype.kind == "f" and not (values == np.round(values)).all():
        return True
    distinct = np.unique(values)
    if len(distinct) <= FEW:
        return 2 * len(distinct) > len(values) > FEW
    is_range = float(distinct[-1]) - float(distinct[0]) + 1 == len(distinct) <= MOST
    return not is_range or len(values) < ROWS_OF_A_CLASS * len(distinct)


def as_vector(labels: Array) -> Array | None:
    """Return labels `(N,)`, `(N, 1)` or one-hot `(N, K)` as `(N,)`; None for any other shape."""
    if labels.ndim > 1 and labels.size == len(labels):
        return labels.reshape(-1)
    if labels.ndim == 2 and labels.dtype.kind in "iufb":
        ones = labels == 1
        if ((labels == 0) | ones).all() and (ones.sum(axis=1) == 1).all():
            return np.asarray(ones.argmax(axis=1))
    return labels if labels.ndim == 1 else None


def _comparable(values: Array) -> Array:
    """Return values of one type that NumPy can sort."""
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind == "O":
        return np.array([text_of(value) for value in values.tolist()], object)
    return values
