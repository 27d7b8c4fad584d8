"""Cells as they are written: missing values, numbers, decimal commas, leading zeros."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np

from fastmlp.arrays import Array
from fastmlp.datasets.idx import file_error

MISSING = frozenset(("", "na", "n/a", "#n/a", "nan", "null", "none", "?"))
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.I)
COMMA = re.compile(r"[+-]?[\d.,]*,\d[\d.,]*(e[+-]?\d+)?", re.ASCII | re.I)
# Perhaps 1000 times as much as with a decimal comma
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
WHOLE, CODE = re.compile(r"\d+(e\d+)?", re.ASCII | re.I), re.compile(r"0\d+", re.ASCII)


class Missing(str):
    """The text of a cell that counts as missing; empty where there is none."""


def as_column(
    cells: Sequence[str | None], absent: Collection[str] = (), as_texts: bool = False
) -> Array:
    """Return cells as a column: numbers if all of them are numbers or missing, else texts.

    Those that are None are missing, and those that are in `absent` in lower case.
    as_texts : whether numbers are texts too, of which "01" is another than "1"
    """
    distinct: dict[str | None, int] = {}
    codes = [distinct.setdefault(cell and cell.strip(), len(distinct)) for cell in cells]
    texts = [
        Missing(text or "") if text is None or text.lower() in absent else text for text in distinct
    ]
    numbers = [np.nan if isinstance(text, Missing) else number_of(text) for text in texts]
    if as_texts or None in numbers:
        return np.array(texts, object)[codes]
    return np.array(numbers, np.float64)[codes]


def missing(column: Array) -> Array:
    """Return whether each cell of a column is missing: bool `(N,)`."""
    if column.dtype.kind == "f":
        return np.isnan(column)
    return np.array([isinstance(cell, Missing) for cell in column], np.bool_)


def words_for_nothing(column: Array) -> str:
    """Return the texts of a column that count as missing, for a message, or ""."""
    words = () if column.dtype.kind == "f" else {*column[missing(column)]}
    return ", ".join(map(repr, map(str, sorted(filter(None, words)))))


def number_of(text: str) -> float | None:
    """Return a text as a number, None if it is anything else."""
    return float(text) if NUMBER.fullmatch(text) else None


def are_codes(texts: Array) -> bool:
    """Return whether all cells are whole, and one has a leading zero: "007" is no quantity."""
    distinct = set(texts)
    return all(map(WHOLE.fullmatch, distinct)) and any(map(CODE.fullmatch, distinct))


def decimal_of(text: str) -> float | None:
    """Return a text as a number, with a decimal point or comma; None if it is none."""
    return number_of(text.replace(",", ".", 1))


def with_points(
    path: Path,
    table: dict[str, Array],
    spelled: Callable[[str], Array],
    separator: str,
    known: bool,
    is_read: Callable[[str], bool],
) -> dict[str, Array]:
    """Return the columns of numbers of which some have decimal commas, as numbers.

    Commas are decimal if other characters separate cells, and if that is known, or if one of them
    cannot be a comma of thousands. spelled : as in `Table`; is_read : as of `read_delimited`

    Raises DataError for other commas in numbers, and for numbers with points beside such columns,
    if all points can be those of thousands; a column that is not read is left as it is then.
    """
    skipped = set()
    found = {name: texts for name, cells in table.items() if (texts := _with_commas(cells))}
    for name, texts in found.items():
        commas = {text for each in found.values() for text in each if "," in text}
        if separator == "," or (not known and all(map(THOUSANDS.fullmatch, commas))):
            skipped.add(name)
            rule = f"numbers with a decimal point in column {name!r}"
            remedy = "Write 3.5, not 3,5, and 1000, not 1,000."
            if is_read(name):
                raise file_error(path, rule, repr(min(texts & commas)), remedy)
    for name, cells in table.items() if found else ():
        texts = found.get(name) or set(spelled(name) if cells.dtype.kind == "f" else ())
        wrong = {text for text in texts if "." in text}
        if name in found:
            wrong |= {text for text in texts if number_of(text.replace(",", ".")) is None}
        elif not all(map(THOUSANDS.fullmatch, wrong)):  # decimal points
            continue
        if wrong:
            skipped.add(name)
            rule = f"numbers with decimal commas in column {name!r}, as the table has some"
            remedy = "Write 3.5 everywhere, not 3,5, and 1000, not 1.000."
            if is_read(name):
                raise file_error(path, rule, repr(min(wrong)), remedy)
    return {name: _decimal(table[name]) for name in found if name not in skipped}


def _with_commas(cells: Array) -> set[str]:
    """Return the different texts of a column of numbers of which some have commas; {} of others."""
    texts = set() if cells.dtype.kind == "f" else set(cells[~missing(cells)])
    commas = [text for text in texts if COMMA.fullmatch(text)]
    are_numbers = commas and all(number_of(text) is not None for text in texts.difference(commas))
    return texts if are_numbers else set()


def _decimal(cells: Array) -> Array:
    """Return a column of numbers with decimal commas as float64."""
    return as_column(
        [None if isinstance(text, Missing) else text.replace(",", ".") for text in cells]
    )
