"""What users pass, as NumPy arrays: lists, DataFrames, tensors, masked and sparse arrays.

Other packages are recognised by the name of a type's module, and never imported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from fastmlp.arrays.checks import Array, quiet
from fastmlp.arrays.frames import (
    cells_of,
    column_names,
    frame_columns,
    is_frame,
    kinds_of,
    labels_of,
    package_of,
)
from fastmlp.errors import ArgumentError, refuse

Names = Sequence[str] | None
NAMED = 8  # the most columns that an error names
NO_NUMBERS = (str, bytes, complex)
TEXTS = {str, bytes, np.str_, np.bytes_}
MISSING = ("NoneType", "NAType", "NaTType")  # None, and what pandas has for it
# What to do about arrays that are no numbers, by the kind of their dtype
REMEDIES = {
    "O": "Encode texts as numbers, by pandas.get_dummies for example, or leave them out.",
    "M": "Convert dates to numbers, of days for example, or leave them out.",
    "c": "Pass real numbers, of real and imaginary parts for example.",
    "V": "Pass numpy.lib.recfunctions.structured_to_unstructured of it.",
}


def as_array(values: Any, argument: str, names: Names = None) -> Array:
    """Return values as an array, in the byte order of the machine, of any dtype and shape.

    names : of the columns to take from a DataFrame, in this order, or from a Series of one row

    Masked values become NaN. Raises ArgumentError for what is no array, for example rows of unequal
    lengths, and if a DataFrame lacks a column.
    """
    array: Array = values
    if type(values) is not np.ndarray:
        try:
            array = np.asarray(_read(values, argument, names))
        except (ArgumentError, OSError, MemoryError):  # a TimeoutError of a signal handler
            raise
        except Exception as error:  # another package's __array__ can raise anything
            said, remedy = str(error).rstrip("."), "Pass a NumPy array."
            if "setting an array element" in said:
                said = f"a {type(values).__name__} whose items have different shapes"
            raise refuse(argument, "must be an array", said, remedy) from None
        if array.ndim == 0 and array.dtype.kind in "OUS":  # a generator, a set, a path
            remedy = "Pass a NumPy array or a list; load_dataset reads files; a Split has images."
            raise refuse(argument, "must be an array", type(values).__name__, remedy)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def as_numbers(values: Any, argument: str, names: Names = None) -> Array:
    """Return values as an array of bool, integers, float32 or float64, of any shape.

    Objects that are numbers become float64, and missing ones NaN. Raises ArgumentError, as
    `as_array`, and for texts, dates and complex numbers.
    """
    array = as_array(values, argument, names)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "O":
        return _of_objects(array, argument)
    if kind not in "buif":
        remedy = REMEDIES.get(kind, REMEDIES["M" if kind == "m" else "O"])
        raise refuse(argument, "must be numbers", f"dtype {array.dtype}", remedy)
    if kind == "f" and size not in (4, 8):
        return converted(array, np.float32 if size < 4 else np.float64)
    return array


def as_number_column(cells: Any, argument: str) -> Array:
    """Return the cells of a column as numbers `(N,)`. Raises ArgumentError, as `as_numbers`."""
    numbers = as_numbers(cells, argument)
    if numbers.ndim != 1:
        rule, got = "must have one number in each row", f"{numbers.shape[1]} in each"
        raise refuse(argument, rule, got, "Make a column of each of them.")
    return numbers


def is_missing(cell: Any) -> bool:
    """Return whether a cell or label is None, NaN, or what pandas has for them."""
    return type(cell).__name__ in MISSING or (isinstance(cell, float) and cell != cell)


def order_of(columns: Sequence[str], names: Sequence[str], argument: str) -> list[int]:
    """Return where each of the names is among the columns. Raises ArgumentError if one is not."""
    places = {name: place for place, name in enumerate(columns)}
    missing = [name for name in names if name not in places]
    if missing:
        rule, got = "must have the columns of the training data", f"none named {missing[0]!r}"
        more = f" and {len(missing) - 1} others" if missing[1:] else ""
        known = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
        raise refuse(argument, rule, got + more, f"The columns are {known}.")
    return [places[name] for name in names]


def is_sparse_matrix(values: Any) -> bool:
    """Return whether values are one of SciPy's sparse matrices or arrays."""
    return package_of(values) == "scipy" and hasattr(values, "toarray")


def _read(values: Any, argument: str, names: Names) -> Any:
    """Return values of another package as an array, or as what NumPy can convert."""
    several = isinstance(values, (list, tuple)) and values and hasattr(values[0], "shape")
    if several and package_of(values[0]) not in ("numpy", "builtins"):
        return np.stack([as_array(value, argument, names) for value in values])
    package = package_of(values)
    if package in ("pandas", "polars") or is_frame(values):
        return _read_frame(values, argument, names)
    reader = READERS.get(package)
    return values if reader is None else reader(values)


def _read_list(values: Any) -> Any:
    """Return a list whose texts are among other things as objects: NumPy makes texts of all.

    The same holds for texts that are members of an Enum, which NumPy cuts.
    """
    array = np.asarray(values)
    if array.dtype.kind in "US" and isinstance(values, (list, tuple)):
        objects = np.array(values, object)
        kinds = set(map(type, objects.flat))
        return array if len(kinds) == 1 and kinds <= TEXTS else objects
    return array


def _read_masked(values: Any) -> Any:
    if not isinstance(values, np.ma.MaskedArray):
        return values
    if not np.ma.is_masked(values):
        return values.data
    numbers = values.dtype.kind in "buif"
    filled = np.array(values.data, np.float64 if numbers else object)
    filled[np.ma.getmaskarray(values)] = np.nan if numbers else None
    return filled


def _read_frame(values: Any, argument: str, names: Names) -> Any:
    """Return a DataFrame, or a Series of a row or a column, of pandas or polars; or a table."""
    if not is_frame(values):
        if not hasattr(values, "to_numpy"):  # a LazyFrame, groups
            remedy = "Pass a DataFrame: frame.collect(), for example."
            raise refuse(argument, "must be an array", type(values).__name__, remedy)
        array = values.to_numpy()
        if not names:
            return array
        labels = labels_of(values)
        by_name = not set(labels).isdisjoint(names)  # other names are those of samples, perhaps
        return array[order_of(labels, names, argument)] if by_name else array
    columns = frame_columns(values, argument)
    order = list(range(len(columns)))
    if names and (column_names(values) is not None or set(names) <= set(columns)):
        order = order_of(columns, names, argument)
    kinds = set(kinds_of(values))
    kind = next(iter(kinds), None)
    if len(kinds) == 1 and isinstance(kind, np.dtype) and kind.kind in "buif":
        return values.to_numpy()[:, order]
    if len(order) == 1:  # perhaps labels, which can be texts
        return cells_of(values, order[0])[:, np.newaxis]
    parts = [
        as_number_column(cells_of(values, k), f"{argument}, column {columns[k]!r},") for k in order
    ]
    return np.column_stack(parts) if parts else np.empty((len(values), 0))


def _read_tensor(values: Any) -> Any:
    """Return a tensor of torch, also one that requires a gradient or is on another device."""
    if not hasattr(values, "numpy"):  # no tensor
        return values
    try:
        return values.numpy(force=True)
    except TypeError:  # bfloat16
        return values.float().numpy(force=True)


def _read_sparse(values: Any) -> Any:
    """Return a sparse matrix as a dense array."""
    return values.toarray() if is_sparse_matrix(values) else values


# How to read the types of a package; of others, NumPy converts what it can
READERS: dict[str, Callable[[Any], Any]] = {
    "builtins": _read_list,
    "numpy": _read_masked,
    "torch": _read_tensor,
    "scipy": _read_sparse,
}


def _of_objects(array: Array, argument: str) -> Array:
    """Return an array of objects as float64; missing ones are NaN."""
    if array.ndim == 1 and len(array) and isinstance(array[0], (list, tuple, np.ndarray)):
        return as_numbers(list(array), argument)
    kinds = set(map(type, array.flat))
    if not any(issubclass(k, NO_NUMBERS) or k.__name__ in MISSING for k in kinds):
        with suppress(TypeError, ValueError, OverflowError):
            return array.astype(np.float64)
    found = np.empty(array.shape, np.float64)
    flat = found.reshape(-1)
    for k, value in enumerate(array.reshape(-1)):
        try:
            if isinstance(value, NO_NUMBERS):
                raise TypeError
            flat[k] = np.nan if type(value).__name__ in MISSING else float(value)
        except (TypeError, ValueError, OverflowError):
            remedy = REMEDIES["M" if hasattr(value, "day") else "O"]
            raise refuse(argument, "must be numbers", repr(value), remedy) from None
    return found


@quiet
def converted(array: Array, dtype: Any) -> Array:
    """Return a C-contiguous array of a dtype; numbers too large for it become infinite."""
    return np.asarray(array, dtype, order="C")
