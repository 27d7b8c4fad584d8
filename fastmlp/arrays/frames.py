"""DataFrames of pandas and polars, and tables of pyarrow: their columns and names.

Other packages are recognised by the name of a type's module, and never imported.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from fastmlp.arrays.checks import Array
from fastmlp.errors import in_one_line, refuse


def package_of(values: Any) -> str:
    """Return the name of the package that a value's type is of."""
    return type(values).__module__.partition(".")[0]


def is_frame(values: Any) -> bool:
    """Return whether values are a DataFrame of pandas or polars, or a table of pyarrow."""
    known = package_of(values) in ("pandas", "polars", "pyarrow") and hasattr(values, "shape")
    return known and hasattr(values, "columns")


def is_series(values: Any) -> bool:
    """Return whether values are a Series of pandas, which can be a row of a DataFrame."""
    is_one = hasattr(values, "to_frame") and hasattr(values, "index")  # an Index has no index
    return package_of(values) == "pandas" and is_one and values.ndim == 1


def column_names(values: Any) -> tuple[str, ...] | None:
    """Return the names of a DataFrame's columns; None for all else, and if they are 0, 1, 2, …"""
    if not is_frame(values):
        return None
    columns = _names_of(values)
    return None if columns == list(range(len(columns))) else tuple(map(str, columns))


def labels_of(values: Any) -> list[str]:
    """Return the names of a DataFrame's columns, or the index of a Series, as texts; [] for others.

    A row of a DataFrame is a Series whose index are the names of the columns.
    """
    names = _names_of(values) if is_frame(values) else ()
    return [str(name) for name in (values.index if is_series(values) else names)]


def frame_columns(values: Any, argument: str) -> list[str]:
    """Return the names of a DataFrame's columns as texts. Raises ArgumentError if two are one."""
    names = list(map(str, _names_of(values)))
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        remedy = "Rename or leave out one of them."
        raise refuse(argument, "must have columns of different names", f"{twice!r} twice", remedy)
    return names


def cells_of(values: Any, number: int, argument: str = "the DataFrame") -> Array:
    """Return a column of a DataFrame as an array `(N,)` of any dtype.

    Raises ArgumentError, which names `argument`, if NumPy has nothing like its cells.
    """
    try:
        if package_of(values) == "pyarrow":
            return np.asarray(values.column(number))
        take = values.iloc.__getitem__ if hasattr(values, "iloc") else values.__getitem__
        return np.asarray(take((slice(None), number)).to_numpy())
    except Exception as error:  # other packages raise nearly anything
        said = in_one_line(error)[:200]
        remedy = "Convert it to numbers or texts, or drop it."
        raise refuse(argument, "must be numbers or texts", said, remedy) from None


def has_texts(values: Any) -> bool:
    """Return whether a DataFrame has a column with texts; False for all else."""
    return is_frame(values) and any(
        are_texts(cells_of(values, number))
        for number, kind in enumerate(kinds_of(values))
        if not (isinstance(kind, np.dtype) and kind.kind in "buif")
    )


def are_texts(cells: Array) -> bool:
    """Return whether a column has texts, and perhaps numbers and missing values too."""
    return cells.dtype.kind in "UT" or (
        cells.dtype.kind == "O" and any(isinstance(cell, (str, bytes)) for cell in cells)
    )


def kinds_of(frame: Any) -> list[Any]:
    """Return the types of a DataFrame's columns."""
    return list(frame.schema.types if package_of(frame) == "pyarrow" else frame.dtypes)


def _names_of(frame: Any) -> list[Any]:
    return list(frame.column_names if package_of(frame) == "pyarrow" else frame.columns)
