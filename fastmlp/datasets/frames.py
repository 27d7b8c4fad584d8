"""DataFrames with columns of texts: they become numbers as the columns of files do."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import column_names
from fastmlp.arrays.frames import are_texts, cells_of, frame_columns
from fastmlp.arrays.given import as_number_column, is_missing
from fastmlp.datasets.columns import Columns, describe_columns
from fastmlp.datasets.delimited import Table, as_column
from fastmlp.datasets.labels import text_of

Array = NDArray[Any]


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
    table = frame_table(frame, argument, known.names, known.of_texts, known.has_header)
    return known.encode(table, argument, unknown)


def frame_table(
    frame: Any,
    argument: str,
    wanted: tuple[str, ...] = (),
    texts: Container[str] = (),
    has_header: bool = True,
) -> Table:
    """Return a DataFrame as a table.

    wanted : the columns to take, if the frame has all of them; texts : those of them that become
        texts whatever they contain. Without `has_header`, names have no meaning
    """
    names, columns = frame_columns(frame, argument), {}
    chosen = set(wanted or names) if set(wanted) <= set(names) else set(names)
    for number, name in enumerate(names):
        if name in chosen:
            where = f"{argument}, column {name!r},"
            columns[name] = _column(cells_of(frame, number), where, name in texts)
    return Table(columns, has_header and column_names(frame) is not None)


def _column(cells: Array, argument: str, as_texts: bool) -> Array:
    if as_texts or are_texts(cells):
        return as_column(list(map(_text_of, cells.tolist())))
    return np.asarray(as_number_column(cells, argument), np.float64)


def _text_of(cell: object) -> str:
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    return "" if is_missing(cell) else text_of(cell)
