"""Read CSV, TSV and similar text files, packed or not, into columns of numbers or texts."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.datasets.idx import file_error
from fastmlp.datasets.unpacking import read_lines
from fastmlp.errors import counted

Array = NDArray[Any]

MISSING = frozenset(("", "na", "n/a", "#n/a", "nan", "null", "none", "?"))
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.I)
COMMA = re.compile(r"[+-]?[\d.,]*\d,\d[\d.,]*", re.ASCII)
SEPARATORS = ("\t", ";", "|", ",")  # in this order, as a comma may be a decimal one
SAMPLE = 100  # rows, from which separator and header are found
END = "\x1a"  # a last row, which an open quote would take into its cell
REMEDY = (
    "Quote cells that contain separators, and write numbers with a point, not a comma; leave out "
    "lines that are no rows."
)


class Missing(str):
    """The text of a cell that counts as missing; empty where there is none."""


@dataclass(frozen=True)
class Table:
    """The columns of a file by name; without a header, the names are "0", "1", …

    A column is float64 `(N,)`, NaN where a value is missing, or text: objects `(N,)` of type str,
    Missing where one is missing.
    bools : the columns of 0 and 1 that had bools
    """

    columns: dict[str, Array]
    has_header: bool
    bools: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def read_delimited(
    path: Path, known: Collection[str] = (), texts: Mapping[str, Collection[str]] | None = None
) -> Table:
    """Return the table in a text file. Separator and header are found from its first rows.

    known : names of columns; a first row that has all of them is the header
    texts : the columns that become texts whatever they contain, and those that are not missing

    Raises DataError with the file, what was expected and what was found.
    """
    lines = read_lines(path)
    try:
        separator = _find_separator(path, lines)
        if separator == " ":
            lines = [line.strip(" \r\n") + "\n" for line in lines]
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
        first = [cell.strip() for cell in next(reader)]
        begin = reader.line_num
        sample = [row for row, _ in zip(reader, range(SAMPLE), strict=False) if any(row)]
        has_header = (bool(known) and set(known) <= set(first)) or _is_header(first, sample)
        body = lines[begin:] if has_header else lines
        columns = [] if texts else _numbers(body, separator)
        if not columns:
            of_texts = [(texts or {}).get(name) for name in first] if has_header else []
            columns = _texts(path, body, separator, len(lines) - len(body), of_texts)
    except csv.Error as error:
        raise file_error(path, "a table of text", str(error), "Check its quotes.") from None
    if not columns:
        raise file_error(path, "rows below the header", "none", "Check the file.")
    names = first if has_header else [str(n) for n in range(len(columns))]
    return Table(_named(path, names, columns), has_header)


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


def _cell(text: str) -> float | None:
    """Return a cell of a file as a number, NaN if it is missing, None if it is anything else."""
    return np.nan if text.lower() in MISSING else number_of(text)


def _find_separator(path: Path, lines: list[str]) -> str:
    """Return the first separator that divides the first rows into equally many cells.

    If there is none, the one that divides most of them into the most cells.
    """
    if said := re.fullmatch(r"sep=(.)\s*", lines[0]):  # written by spreadsheets
        del lines[0]
        return said[1]
    sample = [line.strip(" \r\n") for line in lines[:SAMPLE] if line.strip()]
    usual = {}
    for separator in (*SEPARATORS, " "):
        rows = csv.reader(sample, delimiter=separator, skipinitialspace=True)
        counts = [len(row) for row in rows]
        width = usual[separator] = sorted(counts)[len(counts) // 2]
        # R writes one name less than there are columns, as the names of rows have none; the last
        # row of the sample may be cut
        is_even = set(counts[1:-1]) <= {width} and counts[0] in (width, width - 1)
        if is_even and width > 1 and (counts[-1] == width or len(lines) > SAMPLE):
            return separator
    best = max(reversed(SEPARATORS), key=usual.__getitem__)
    if usual[best] == 1:
        remedy = "Separate columns by commas, semicolons or tabs."
        raise file_error(path, "at least two columns", "one", remedy)
    return best


def _is_header(first: list[str], rows: list[list[str]]) -> bool:
    """Return whether the first row has names: a text above numbers, or texts that do not recur."""
    columns = [[cell.strip() for cell in column] for column in zip(*rows, strict=False)]
    offset = 1 if rows and len(rows[0]) == len(first) + 1 else 0
    pairs = list(zip(map(_cell, first), first, columns[offset:], strict=False))
    for number, _, column in pairs:
        below = [_cell(cell) for cell in column]
        if number is None and None not in below and any(n == n for n in below):
            return True
    numbers = [number for number, _, _ in pairs if number is not None and number == number]
    if numbers and (len(numbers) < 2 or set(np.diff(numbers)) != {1.0}):
        return False
    return len(set(first)) == len(first) and not any(name in col for _, name, col in pairs)


def _numbers(lines: list[str], separator: str) -> list[Array]:
    """Return the columns of rows that have only numbers, which is fast; none for other rows."""
    if not any(map(str.strip, lines)):
        return []
    try:
        table = np.loadtxt(
            lines, np.float64, comments=None, delimiter=separator, quotechar='"', ndmin=2
        )
    except ValueError:
        return []
    return list(np.ascontiguousarray(table.T))


def _texts(
    path: Path,
    lines: list[str],
    separator: str,
    skipped: int,
    of_texts: list[Collection[str] | None],
) -> list[Array]:
    """Return the columns of any rows, without blank lines, and without empty rows at the end.

    of_texts : as `texts` of `read_delimited`, for each column of the header; None for others
    """
    rows, numbers = [], [skipped]
    reader = csv.reader([*lines, END], delimiter=separator, skipinitialspace=True)
    for row in reader:
        if "".join(row).strip() or len(row) > 1:
            rows.append(row)
            numbers.append(reader.line_num + skipped)
    if rows.pop() != [END]:
        raise csv.Error(f"a quote without its end in line {numbers[-2] + 1} or later")
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
    for number, row in zip(numbers[1:], rows, strict=False):
        if len(row) != width:
            rule = f"{counted(width, 'cell')} in line {number}, as in most rows"
            raise file_error(path, rule, str(len(row)), REMEDY)
    while rows and not "".join(rows[-1]).strip():
        rows.pop()
    if width == len(of_texts) + 1 and any(row[-1].strip() for row in rows):
        of_texts = [None, *of_texts]  # names of rows, which the header does not name
    of_texts = (of_texts + [None] * width)[:width]
    columns = []
    # no rows, no columns
    for cells, known in zip(zip(*rows, strict=True), of_texts, strict=False):
        absent = MISSING.difference(map(str.lower, known or ()))
        columns.append(as_column(cells, absent, known is not None))
    return columns


def _named(path: Path, names: list[str], columns: list[Array]) -> dict[str, Array]:
    if len(names) + 1 == len(columns):
        if missing(columns[-1]).all():  # each row ends with a separator
            names = [*names, ""]
        elif len(set(columns[0].tolist())) == len(columns[0]):  # names of rows, written by R
            names = ["", *names]
    if len(names) != len(columns):
        rule = f"{counted(len(names), 'cell')} in each row, as in the header"
        raise file_error(path, rule, str(len(columns)), REMEDY)
    # spreadsheets write columns without names and values
    named = [(n, c) for n, c in zip(names, columns, strict=True) if n or not missing(c).all()]
    names = [name for name, _ in named]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        found = f"{sorted(twice)[0]!r} twice"
        raise file_error(path, "different names of columns", found, "Rename one of them.")
    for name, column in named:
        if column.dtype.kind != "f":
            _refuse_decimal_commas(path, name, column)
    return dict(named)


def _refuse_decimal_commas(path: Path, name: str, texts: Array) -> None:
    distinct = set(texts[~missing(texts)])
    with_comma = [text for text in distinct if COMMA.fullmatch(text)]
    others = distinct.difference(with_comma)
    if with_comma and all(number_of(text) is not None for text in others):
        rule = f"numbers with a decimal point in column {name!r}"
        remedy = "Write 3.5, not 3,5, and 1000, not 1,000."
        raise file_error(path, rule, repr(min(with_comma)), remedy)
