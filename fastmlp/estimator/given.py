"""The data that users pass to an estimator, checked."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.validation import validate_data

from fastmlp.arrays import Rows, as_numbers, is_sparse_matrix, sparse_rows
from fastmlp.arrays.given import REMEDIES
from fastmlp.errors import ArgumentError, in_one_line, refuse
from fastmlp.estimator.parameters import documented_errors

ROWS = {"accept_sparse": ["csr", "csc"], "dtype": (np.float64, np.float32)}


def checked_data(estimator: Any, X: Any, y: Any, first: bool, suffix: str = "") -> tuple[Rows, Any]:
    """Return X as rows `(N, I)`, and y as numbers, labels or a matrix, which can be sparse.

    first : whether X defines what later calls must be like; suffix : of the names in errors
    """
    name, is_numeric = f"y{suffix}", estimator._is_numeric
    _refuse_dates(f"X{suffix}", X)
    if is_numeric:
        _refuse_dates(name, y)
    with documented_errors(f"X{suffix} or {name}"):
        try:
            options: Any = {**ROWS, "multi_output": True, "y_numeric": is_numeric}
            X, y = validate_data(estimator, X, y, reset=first, **options)
        except ValueError as error:
            if not suffix or isinstance(error, ArgumentError):
                raise
            said = re.sub(r"\b[Xy]\b", rf"\g<0>{suffix}", in_one_line(error)).rstrip(".")
            remedy = "Prepare them as X and y."
            raise refuse(f"X{suffix}, {name}", "must be like X and y", said, remedy) from None
    if is_numeric:
        y = as_numbers(y, name)
    with documented_errors(name):
        return _rows(X), column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y


def checked_rows(estimator: Any, X: Any) -> Rows:
    """Return X as rows `(N, I)` like those of the fit."""
    _refuse_dates("X", X)
    with documented_errors("X"):
        return _rows(validate_data(estimator, X, reset=False, **ROWS))


def _refuse_dates(name: str, values: Any) -> None:
    """Refuse dates and times in an array or a DataFrame, which scikit-learn makes numbers of."""
    given: Any = getattr(values, "dtypes", getattr(values, "dtype", None))
    several: Any = given if hasattr(given, "__iter__") else [given]
    for dtype in several:
        if getattr(dtype, "kind", "") in ("m", "M"):
            raise refuse(name, "must be numbers", f"dtype {dtype}", REMEDIES["M"])


def _rows(X: Any) -> Rows:
    """Return a matrix as a C-contiguous array, or as sparse rows."""
    return sparse_rows(X, "X") if is_sparse_matrix(X) else np.ascontiguousarray(X)
