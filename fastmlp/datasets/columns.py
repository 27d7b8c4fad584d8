"""The description of a table's columns: which are inputs, and how their cells become numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, isqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.datasets.delimited import Missing, Table, missing, number_of, words_for_nothing
from fastmlp.datasets.idx import file_error
from fastmlp.datasets.labels import text_of
from fastmlp.errors import DataError, FastMLPError, refuse

Array = NDArray[Any]

# A text column with more categories is refused; so is one that has as many as rows / 2, if they
# are more than FEW, or as many as rows, if they are more than FEWEST
MOST_CATEGORIES, FEW, FEWEST = 1000, 20, 8
LEAST_SQUARE, BRIGHT = 49, 128  # fewer pixels, or none so bright, are no image
# Texts in a file for numbers that a DataFrame had as bools
BOOLS = {"false": 0.0, "true": 1.0}
EXACT = 1 << 24  # larger numbers are not exact in float32


@dataclass(frozen=True)
class Column:
    """One input column.

    categories : of a text column, which becomes one number for each, 1 for the cell's own, else 0
    fill : what replaces a missing value: a number or a category; None if there must be none
    """

    name: str
    categories: tuple[str, ...] | None = None
    fill: float | str | None = None


@dataclass(frozen=True)
class Columns:
    """The columns of a table that a network is trained on.

    target : the name of the column to predict; task : "classification" or "regression"
    has_header : whether the names are from the file
    pixels : whether all inputs are whole numbers from 0 to 255 that become uint8
    seed : that drew the test rows; sha256 : a digest of all rows
    """

    inputs: tuple[Column, ...]
    target: str
    task: str = "classification"
    has_header: bool = True
    pixels: bool = False
    seed: int = 0
    sha256: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the input columns."""
        return tuple(column.name for column in self.inputs)

    @property
    def expanded(self) -> tuple[str, ...] | None:
        """The names of the inputs, of texts one for each category: "colour=red"; None without."""
        names = [
            name
            for c in self.inputs
            for name in (
                [c.name] if c.categories is None else map(f"{c.name}={{}}".format, c.categories)
            )
        ]
        return tuple(names) if self.has_header and len(set(names)) == len(names) else None

    @property
    def of_texts(self) -> dict[str, tuple[str, ...]]:
        """The categories of the columns of texts, by name."""
        return {c.name: c.categories for c in self.inputs if c.categories is not None}

    def to_plain(self) -> dict[str, Any]:
        """Return the description in types of JSON."""
        return {**vars(self), "inputs": [vars(column) for column in self.inputs]}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Columns:
        """Return the columns that `to_plain` described. Raises DataError for anything else."""
        try:
            inputs = tuple(_column(**column) for column in plain["inputs"])
            columns = cls(**{**plain, "inputs": inputs})
            if not isinstance(columns.target, str) or not inputs or type(columns.seed) is not int:
                raise ValueError("no target, no inputs or no seed")
        except (TypeError, ValueError, KeyError) as error:
            got = f"damaged ones: {error}"
            if isinstance(plain, Mapping) and "pictures" in plain:
                got = "those of pictures. Use data like those of the training."
            raise DataError(f"columns must describe a table; got {got}") from None
        return columns

    def encode(self, table: Table, path: Path | str, unknown: str = "refuse") -> Array:
        """Return the inputs of a table, uint8, float32 or float64 `(N, I)`.

        path : of the file, for errors; of what is no file, the name of the argument
        unknown : "ignore" encodes new categories as zeros
        """
        found = self._inputs_of(table, path)
        _refuse_missing(path, {c.name: found[c.name] for c in self.inputs if c.fill is None})
        parts = []
        for column in self.inputs:
            cells = found[column.name]
            if column.categories is None:
                parts.append(_numbers(path, column, cells)[:, np.newaxis])
            else:
                parts.append(_one_hot(path, column, cells, unknown))
        x = np.concatenate(parts, axis=1)
        if self.pixels:
            if not are_pixels(x):
                rule = "pixels, which are whole numbers from 0 to 255"
                raise _error(path, rule, f"{x.min():g} to {x.max():g}", "Check the columns.")
            return x.astype(np.uint8)
        return x.astype(np.float32) if np.abs(x).max(initial=0) <= EXACT else x

    def _inputs_of(self, table: Table, path: Path | str) -> dict[str, Array]:
        """Return the input columns by name; without names, the target may be left out."""
        found = table.columns
        absent = [name for name in self.names if name not in found]
        if not table.has_header and not self.has_header and len(found) == len(self.inputs):
            return dict(zip(self.names, found.values(), strict=True)) if absent else found
        if absent:
            rule, remedy = f"also the columns {shown(absent)}", "Their order does not matter."
            raise _error(path, rule, shown(list(found)), remedy)
        return found


def describe_columns(
    table: Table, target: str, task: str, fill_from: Any, path: Path | str
) -> Columns:
    """Return the description of a table's columns, all of them inputs but the target.

    fill_from : an index of the rows of which medians and most frequent texts replace missing values
    """
    inputs = []
    for name, cells in table.columns.items():
        if name == target:
            continue
        categories, fill = None, None
        if cells.dtype.kind != "f":
            categories = tuple(sorted(set(cells[~missing(cells)])))
            most = min(MOST_CATEGORIES, max(len(cells) // 2, FEW))
            if len(categories) > most or len(categories) == len(cells) > FEWEST:
                # first those for which the column is no column of numbers
                few = shown(sorted(categories, key=lambda text: number_of(text) is not None)[:3])
                rule = f"numbers or repeated texts in column {name!r}"
                how = " with drop_columns" * isinstance(path, Path)
                remedy = f"Leave it out{how}, or write numbers."
                raise _error(path, rule, f"{len(categories)} texts such as {few}", remedy)
        if fill_from is not None:
            fill = _fill(cells[fill_from])
        inputs.append(Column(name, categories, fill))
    if not inputs:
        raise _error(path, "columns beside the target", f"only {target!r}", "Add some.")
    return Columns(tuple(inputs), target, task, table.has_header, _is_image(table, inputs))


def are_pixels(x: Array) -> bool:
    """Return whether numbers are whole and from 0 to 255."""
    return bool((x >= 0).all() and (x <= 255).all() and (x == np.floor(x)).all())


def shape_of(inputs: int) -> tuple[int, ...]:
    """Return the shape of an image with so many values: a square, one in colour, or (1, I)."""
    for count, channels in ((inputs, ()), (inputs // 3, (3,))):
        side = isqrt(count)
        if side * side * (channels or (1,))[0] == inputs and (not channels or side > 6):
            return side, side, *channels
    return 1, inputs


def shown(names: tuple[str, ...] | list[str]) -> str:
    """Return names for a message, at most eight of them."""
    more = f", … ({len(names)} in all)" if len(names) > 8 else ""
    return ", ".join(map(repr, names[:8])) + more


def _error(path: Path | str, expected: str, found: str, remedy: str) -> FastMLPError:
    """Return the error for the content of a file, or of an argument."""
    if isinstance(path, Path):
        return file_error(path, expected, found, remedy)
    return refuse(path, f"must have {expected}", found, remedy)


def _is_image(table: Table, inputs: list[Column]) -> bool:
    """Return whether the inputs are the pixels of an image."""
    cells = [table.columns[column.name] for column in inputs]
    if any(column.dtype.kind != "f" for column in cells):
        return False
    enough = len(inputs) >= LEAST_SQUARE and shape_of(len(inputs))[0] > 1
    return enough and all(map(are_pixels, cells)) and max(c.max() for c in cells) >= BRIGHT


def _column(name: str, categories: Any = None, fill: Any = None) -> Column:
    categories = None if categories is None else tuple(categories)
    texts = (name, *(categories or ()))
    known = fill is None or (fill in categories if categories else isfinite(fill))
    if not all(isinstance(text, str) for text in texts) or categories == () or not known:
        raise ValueError(f"column {name!r}")
    return Column(name, categories, fill)


def _fill(cells: Array) -> float | str | None:
    """Return the median of numbers, 0 if there are none, or the most frequent text, or None."""
    held = cells[~missing(cells)]
    if not len(held):
        return 0.0 if cells.dtype.kind == "f" else None
    if cells.dtype.kind == "f":
        return float(np.median(held))
    texts, counts = np.unique(held, return_counts=True)
    return str(texts[counts.argmax()])


def _refuse_missing(path: Path | str, columns: Mapping[str, Array]) -> None:
    counts = {name: int(missing(cells).sum()) for name, cells in columns.items()}
    words = {name: words_for_nothing(cells) for name, cells in columns.items()}
    found = [
        f"{count} in {name!r}" + f" (of them {words[name]})" * bool(words[name])
        for name, count in counts.items()
        if count
    ]
    if found:
        more = f" and {len(found) - 8} more columns" if len(found) > 8 else ""
        remedy = 'Fill them, or train with impute="median".'
        raise _error(path, "no missing values", ", ".join(found[:8]) + more, remedy)


def _numbers(path: Path | str, column: Column, cells: Array) -> Array:
    if cells.dtype.kind != "f":
        numbers = [
            np.nan if isinstance(text, Missing) else BOOLS.get(text.lower(), number_of(text))
            for text in cells
        ]
        if None in numbers:
            found = f"{cells[numbers.index(None)]!r} in row {numbers.index(None) + 1}"
            raise _error(path, f"numbers in column {column.name!r}", found, "Correct the cell.")
        cells = np.array(numbers, np.float64)
    fill = np.nan if column.fill is None else column.fill
    filled = np.asarray(np.where(np.isnan(cells), fill, cells), np.float64)
    if not np.isfinite(filled).all():
        found = f"infinity in row {int(np.argmin(np.isfinite(filled))) + 1}"
        raise _error(path, f"finite numbers in column {column.name!r}", found, "Correct it.")
    return filled


def _one_hot(path: Path | str, column: Column, cells: Array, unknown: str) -> Array:
    """Return `(N, K)`: 1 where a cell is the category of the column, else 0."""
    texts = np.array([text_of(cell) for cell in cells.tolist()], object)
    if column.fill is not None:
        texts[missing(cells)] = column.fill
    new = sorted(set(texts).difference(column.categories or ()))
    if new and unknown != "ignore":
        rule = f"known texts in column {column.name!r} ({shown(column.categories or ())})"
        how = 'unknown="ignore"'
        if not isinstance(path, Path) and path != "frame":  # of read_inputs
            how = f"fastmlp.datasets.read_inputs(frame, network.columns, {how})"
        remedy = f"Correct them, or encode them as zeros with {how}."
        raise _error(path, rule, shown(new), remedy)
    places = {text: place for place, text in enumerate(column.categories or ())}
    codes = np.array([places.get(text, -1) for text in texts])
    return np.asarray(codes[:, np.newaxis] == np.arange(len(places)), np.float64)
