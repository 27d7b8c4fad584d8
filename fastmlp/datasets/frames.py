"""DataFrames with columns of texts: they become numbers as the columns of files do."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fastmlp.arrays import Array, column_names
from fastmlp.arrays.frames import are_texts, cells_of, frame_columns
from fastmlp.arrays.given import as_number_column, is_missing
from fastmlp.datasets.columns import Columns, describe_columns
from fastmlp.datasets.delimited import Table
from fastmlp.datasets.labels import text_of
from fastmlp.datasets.written import as_column
from fastmlp.errors import ArgumentError


def describe_frame(
    frame: Any, argument: str, task: str, fill_from: Any
) -> tuple[dict[str, Any], Array]:
    """Return the description of a DataFrame's columns, as `Dataset.columns`, and inputs `(N, I)`.

    task, fill_from : as in `describe_columns`. Raises ArgumentError, which names `argument`.
    """
    table = frame_table(frame, argument)
    columns = describe_columns(table, "", task, fill_from, argument)
    return columns.to_plain(), columns.encode(table, argument)


def encode_frame(
    frame: Any, columns: Mapping[str, Any], argument: str, unknown: str = "refuse"
) -> Array:
    """Return the inputs `(N, I)` in a DataFrame for a network with these columns.

    They are found by name; others are not read. unknown : as in `read_inputs`

    Raises ArgumentError, which names `argument`, for other columns or cells.
    """
    known = Columns.from_plain(columns)
    table = frame_table(frame, argument, known.names, known.of_texts)
    table = replace(table, has_header=table.has_header and known.has_header)
    return known.encode(table, argument, unknown)


def frame_table(
    frame: Any,
    argument: str,
    wanted: Sequence[str] = (),
    texts: Container[str] = (),
    dropped: Container[str] = (),
) -> Table:
    """Return a DataFrame as a table.

    wanted : the columns that have to be numbers or texts; others are left out if they are neither.
        By default all. texts : those that become texts whatever they contain
    dropped : columns that are not read
    """
    names, columns, bools = frame_columns(frame, argument), {}, []
    for number, name in enumerate(names):
        where = f"{argument}, column {name!r},"
        if name in dropped:
            columns[name] = np.full(len(frame), np.nan)
            continue
        try:
            cells = cells_of(frame, number, where)
            columns[name] = _column(cells, where, name in texts)
        except ArgumentError:
            if not wanted or name in wanted or not set(wanted) <= set(names):
                raise
            continue
        if cells.dtype.kind == "b":
            bools.append(name)

    def spelled(name: str) -> Array | None:
        cells = cells_of(frame, names.index(name), argument)
        return _column(cells, argument, True) if are_texts(cells) else None

    return Table(columns, column_names(frame) is not None, tuple(bools), spelled)


def _column(cells: Array, argument: str, as_texts: bool) -> Array:
    if as_texts or are_texts(cells):
        cells = cells.astype("M8[us]") if cells.dtype.kind == "M" else cells
        return as_column(list(map(_text_of, cells.tolist())), as_texts=as_texts)
    return np.asarray(as_number_column(cells, argument), np.float64)


def _text_of(cell: object) -> str | None:
    return None if is_missing(cell) else text_of(cell)
