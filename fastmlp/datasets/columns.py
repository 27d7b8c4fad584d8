"""The description of a table's columns: which are inputs, and how their cells become numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.arrays import Array, quiet, shape_of
from fastmlp.datasets.cells import (
    Column,
    content_error,
    numbers_of,
    one_hot,
    other_data,
    refuse_missing,
    shown,
)
from fastmlp.datasets.delimited import Table
from fastmlp.datasets.written import missing, number_of
from fastmlp.errors import DataError

# A text column with more categories is refused; so is one that has as many as rows / 2, if they
# are more than FEW, or as many as rows, if they are more than FEWEST
MOST_CATEGORIES, FEW, FEWEST = 1000, 20, 8
BRIGHT = 128  # pixels of which none is so bright are no image
EXACT = 1 << 24  # larger numbers are not exact in float32
OFFSET = 16  # numbers this many times as large as their range lose four bits of 24 in float32
# The fields of Columns that are not its inputs
KINDS: dict[str, type] = {"target": str, "task": str, "sha256": str, "seed": int}
KINDS |= {"has_header": bool, "pixels": bool, "decimal_commas": bool, "wide": bool}


@dataclass(frozen=True)
class Columns:
    """The columns of a table that a network is trained on.

    target : the name of the column to predict; task : "classification" or "regression"
    has_header : whether the names are from the file
    pixels : whether all inputs are whole numbers from 0 to 255 that become uint8
    decimal_commas : whether numbers of the file had such
    wide : whether the inputs are float64, as numbers of a column lie close together, but far from 0
    seed : that drew the test rows; sha256 : a digest of all rows
    """

    inputs: tuple[Column, ...]
    target: str
    task: str = "classification"
    has_header: bool = True
    pixels: bool = False
    seed: int = 0
    sha256: str = ""
    decimal_commas: bool = False
    wide: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the input columns."""
        return tuple(column.name for column in self.inputs)

    @property
    def expanded(self) -> tuple[str, ...] | None:
        """The names of the inputs, of texts one for each category: "colour=red"; None without."""
        names = []
        for c in self.inputs:
            known = c.categories
            names += [c.name] if known is None else [f"{c.name}={text}" for text in known]
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
            if not inputs:
                raise ValueError("no inputs")
            for name, kind in KINDS.items():
                if type(getattr(columns, name)) is not kind:
                    raise ValueError(f"{name} is no {kind.__name__}")
        except (TypeError, ValueError, LookupError) as error:
            if isinstance(plain, Mapping) and "pictures" in plain:
                raise other_data("pictures", "a table") from None
            raise DataError(f"columns must describe a table; got damaged ones: {error}") from None
        return columns

    @classmethod
    def of_numbers(cls, names: Sequence[str], fill: Array | None, task: str) -> Columns:
        """Return columns of numbers without a target; fill : what replaces missing ones `(I,)`."""
        fills = [None] * len(names) if fill is None else fill.tolist()
        own = zip(names, fills, strict=True)
        return cls(tuple(Column(name, fill=value) for name, value in own), "", task, wide=True)

    def encode(self, table: Table, path: Path | str, unknown: str = "refuse") -> Array:
        """Return the inputs of a table, uint8, float32 or float64 `(N, I)`.

        path : of the file, for errors; of what is no file, the name of the argument
        unknown : "ignore" encodes new categories as zeros
        """
        found = self._inputs_of(table, path)
        refuse_missing(path, {c.name: found[c.name] for c in self.inputs if c.fill is None})
        parts = []
        for column in self.inputs:
            cells = found[column.name]
            if column.categories is None:
                parts.append(numbers_of(path, column, cells)[:, np.newaxis])
            else:
                parts.append(one_hot(path, column, cells, unknown))
        x = np.concatenate(parts, axis=1)
        if self.pixels:
            if not are_pixels(x):
                rule = "pixels, which are whole numbers from 0 to 255"
                raise content_error(path, rule, f"{x.min():g} to {x.max():g}", "Check the columns.")
            return x.astype(np.uint8)
        narrow = not self.wide and np.abs(x).max(initial=0) <= EXACT
        return x.astype(np.float32) if narrow else x

    def _inputs_of(self, table: Table, path: Path | str) -> dict[str, Array]:
        """Return the input columns by name; without names, the target may be left out."""
        found = table.columns
        absent = [name for name in self.names if name not in found]
        if not table.has_header and not self.has_header and len(found) == len(self.inputs):
            return dict(zip(self.names, found.values(), strict=True)) if absent else found
        if absent:
            rule, remedy = f"also the columns {shown(absent)}", "Their order does not matter."
            if not table.has_header:
                remedy = "The file has no line of names: add one."
            raise content_error(path, rule, shown(list(found)), remedy)
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
                raise content_error(path, rule, f"{len(categories)} texts such as {few}", remedy)
        if fill_from is not None:
            fill = _fill(cells[fill_from])
        inputs.append(Column(name, categories, fill))
    if not inputs:
        raise content_error(path, "columns beside the target", f"only {target!r}", "Add some.")
    return Columns(
        tuple(inputs),
        target,
        task,
        table.has_header,
        _is_image(table, inputs),
        decimal_commas=table.decimal_commas,
        wide=any(_is_wide(table.columns[column.name]) for column in inputs),
    )


def are_pixels(x: Array) -> bool:
    """Return whether numbers are whole and from 0 to 255."""
    return bool((x >= 0).all() and (x <= 255).all() and (x == np.floor(x)).all())


@quiet
def _is_wide(cells: Array) -> bool:
    """Return whether float32 would lose what distinguishes the numbers of a column."""
    numbers = cells[~missing(cells)]
    if cells.dtype.kind != "f" or not len(numbers) or (numbers == np.floor(numbers)).all():
        return False
    return bool(np.abs(numbers).max() > OFFSET * np.ptp(numbers) > 0)


def _is_image(table: Table, inputs: list[Column]) -> bool:
    """Return whether the inputs are the pixels of an image."""
    cells = [table.columns[column.name] for column in inputs]
    if any(column.dtype.kind != "f" for column in cells):
        return False
    is_square = shape_of(len(inputs))[0] > 1
    return is_square and all(map(are_pixels, cells)) and max(c.max() for c in cells) >= BRIGHT


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
