"""Which column of a table is the target, which number the rows, and what is said of the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from fastmlp.arrays import Array
from fastmlp.datasets.cells import shown
from fastmlp.datasets.delimited import Table
from fastmlp.datasets.written import are_codes, missing, number_of, words_for_nothing
from fastmlp.errors import refuse

# Names of a target, the most likely first, and of a column that numbers the rows if it is unique
TARGETS = (
    *("label", "labels", "class", "classes", "target", "y", "species", "outcome", "diagnosis"),
    *("category", "variety"),
)
ANOTHER = "target_column names another"
INDEX = "__index_level_"  # how pandas names the index of a DataFrame in a Parquet file
NUMBERING = ("", "id", "index", "rownames", "unnamed: 0")


def choose_target(table: Table, wanted: str | int | None) -> tuple[str, str]:
    """Return the name of the target's column, and a line on how it was chosen, or "".

    wanted : its name, or its number from 0; from the end if negative
    """
    names = list(table.columns)
    if wanted is not None:
        if str(wanted) in names:
            return str(wanted), ""
        try:
            return names[int(wanted)], ""
        except (ValueError, IndexError):
            rule, remedy = "must be a column's name or number", f"The columns are {shown(names)}."
            raise refuse("target_column", rule, repr(wanted), remedy) from None
    usual = {name.lower(): name for name in reversed(names)}
    for name in TARGETS:
        if name in usual:
            is_last = usual[name] == names[-1]
            said = f"the target is the column called {usual[name]!r}; {ANOTHER}"
            return usual[name], "" if is_last else said
    # constant numbers are none: the last pixel of an image, where the label comes first
    varied = [name for name in (names[-1], names[0]) if _varies(table, name)]
    chosen = varied[0] if varied else names[-1]
    place = "last" if chosen == names[-1] else "first"
    return chosen, f"the target is the {place} column; {ANOTHER}"


def _varies(table: Table, name: str) -> bool:
    """Return whether a column has different cells; 7 and 007 are two codes."""
    cells = table.columns[name]
    if cells.dtype.kind != "f" or len(set(cells)) > 1:
        return True
    texts = table.spelled(name)
    return texts is not None and len(set(texts.tolist())) > 1 and are_codes(texts)


def without_useless(
    table: Table, dropped: tuple[str, ...], target: str | None
) -> tuple[Table, list[str]]:
    """Return the table without columns that are dropped, are empty or number the rows.

    target : the column that a user wants to predict, which is kept
    """
    absent = [name for name in dropped if name not in table.columns]
    if absent:
        remedy = f"The columns are {shown(list(table.columns))}."
        raise refuse("drop_columns", "must be names of columns", shown(absent), remedy)
    if target in dropped:
        remedy = "Leave it out of drop_columns."
        raise refuse("drop_columns", "must not have the target", repr(target), remedy)
    kept, notes = {}, []
    for name, cells in table.columns.items():
        if name in dropped:
            continue
        if name == target:
            kept[name] = cells
        elif missing(cells).all():
            notes.append(f"the column {name!r} is empty and left out")
        elif _numbers_rows(name, cells):
            notes.append(f"the column {name!r} numbers the rows and is left out")
        else:
            kept[name] = cells
    return replace(table, columns=kept), notes


def _mixed(name: str, cells: Array) -> str:
    """Return a line on a column of categories of which most are numbers, or all have digits."""
    distinct = set() if cells.dtype.kind == "f" else {*cells[~missing(cells)]}
    texts = sorted(text for text in distinct if number_of(text) is None)
    if texts and all(any(map(str.isdigit, text)) for text in texts):  # units, dates
        return f"the column {name!r} has categories such as {texts[0]!r}, not quantities"
    if 2 * len(texts) >= len(distinct):
        return ""
    return f"the column {name!r} has categories, not numbers, because of {texts[0]!r}"


def _numbers_rows(name: str, cells: Array) -> bool:
    """Return whether a column of that name only numbers the rows, so that it predicts nothing."""
    if name.startswith(INDEX):
        return True
    held, is_number = cells[~missing(cells)], cells.dtype.kind == "f"
    if is_number and (held != np.floor(held)).any():
        return False
    if name.lower() in NUMBERING:
        return len(set(cells.tolist())) == len(cells)
    return is_number and name.lower().endswith("id") and bool((np.diff(cells) == 1).all())


def said_of(name: str, cells: Array) -> Iterator[str]:
    """Yield lines on an input column that may not be what its user takes it for."""
    if said := _mixed(name, cells):
        yield said
    if words := words_for_nothing(cells):
        yield f"in the column {name!r}, {words} count as missing, and are filled"
