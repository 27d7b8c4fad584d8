"""The cells of a table's columns as numbers, and the errors for cells that cannot be converted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastmlp.arrays import Array
from fastmlp.datasets.idx import file_error
from fastmlp.datasets.labels import text_of
from fastmlp.datasets.written import Missing, missing, number_of, words_for_nothing
from fastmlp.errors import DataError, FastMLPError, refuse

# Texts in a file for numbers that a DataFrame had as bools
BOOLS = {"false": 0.0, "true": 1.0}


@dataclass(frozen=True)
class Column:
    """One input column.

    categories : of a text column, which becomes one number for each, 1 for the cell's own, else 0
    fill : what replaces a missing value: a number or a category; None if there must be none
    """

    name: str
    categories: tuple[str, ...] | None = None
    fill: float | str | None = None


def shown(names: tuple[str, ...] | list[str]) -> str:
    """Return names for a message, at most eight of them."""
    more = f", … ({len(names)} in all)" if len(names) > 8 else ""
    return ", ".join(map(repr, names[:8])) + more


def content_error(path: Path | str, expected: str, found: str, remedy: str) -> FastMLPError:
    """Return the error for the content of a file, or of an argument."""
    if isinstance(path, Path):
        return file_error(path, expected, found, remedy)
    return refuse(path, f"must have {expected}", found, remedy)


def other_data(expected: str, found: str) -> DataError:
    """Return the error for data of another kind than a network was trained on."""
    return DataError(
        f"The data must be {expected}, as those that the network was trained on; got {found}. "
        "Pass such data, or train a network on these."
    )


def refuse_missing(path: Path | str, columns: Mapping[str, Array]) -> None:
    """Raise the error for columns that have missing values and nothing to fill them."""
    found = []
    for name, cells in columns.items():
        if count := int(missing(cells).sum()):
            words = words_for_nothing(cells)
            found.append(f"{count} in {name!r}" + f" (of them {words})" * bool(words))
    if found:
        more = f" and {len(found) - 8} more columns" if len(found) > 8 else ""
        remedy = 'Fill them, or train with impute="median".'
        raise content_error(path, "no missing values", ", ".join(found[:8]) + more, remedy)


def numbers_of(path: Path | str, column: Column, cells: Array) -> Array:
    """Return the cells of a column of numbers, filled, float64 `(N,)`."""
    if cells.dtype.kind != "f":
        numbers = [
            np.nan if isinstance(text, Missing) else BOOLS.get(text.lower(), number_of(text))
            for text in cells
        ]
        if None in numbers:
            found = f"{cells[numbers.index(None)]!r} in row {numbers.index(None) + 1}"
            raise content_error(
                path, f"numbers in column {column.name!r}", found, "Correct the cell."
            )
        cells = np.array(numbers, np.float64)
    fill = np.nan if column.fill is None else column.fill
    filled = np.asarray(np.where(np.isnan(cells), fill, cells), np.float64)
    if not np.isfinite(filled).all():
        found = f"infinity in row {int(np.argmin(np.isfinite(filled))) + 1}"
        raise content_error(path, f"finite numbers in column {column.name!r}", found, "Correct it.")
    return filled


def one_hot(path: Path | str, column: Column, cells: Array, unknown: str) -> Array:
    """Return `(N, K)`: 1 where a cell is the category of the column, else 0.

    Words for bools are of the category that differs from them in upper and lower case only.
    """
    texts = np.array([text_of(cell) for cell in cells.tolist()], object)
    if column.fill is not None:
        texts[missing(cells)] = column.fill
    places = {text: place for place, text in enumerate(column.categories or ())}
    bools = {text.lower(): place for text, place in places.items() if text.lower() in BOOLS}
    codes = np.array([places.get(text, bools.get(text.lower(), -1)) for text in texts])
    new = sorted(set(texts[codes < 0]))
    if new and unknown != "ignore":
        rule = f"known texts in column {column.name!r} ({shown(column.categories or ())})"
        how = 'unknown="ignore"'
        if not isinstance(path, Path) and path != "frame":  # of read_inputs
            how = f"fastmlp.datasets.read_inputs(frame, network.columns, {how})"
        remedy = f"Correct them, or encode them as zeros with {how}."
        raise content_error(path, rule, shown(new), remedy)
    return np.asarray(codes[:, np.newaxis] == np.arange(len(places)), np.float64)
