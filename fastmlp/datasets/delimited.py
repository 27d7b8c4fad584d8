"""Read CSV, TSV and similar text files, packed or not, into columns of numbers or texts."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastmlp.arrays import Array
from fastmlp.datasets.idx import file_error
from fastmlp.datasets.unpacking import read_lines
from fastmlp.datasets.written import MISSING, as_column, decimal_of, missing, with_points
from fastmlp.errors import counted

SEPARATORS = ("\t", ";", "|", ",")  # in this order, as a comma may be a decimal one
SAMPLE = 100  # rows, from which separator and header are found
# Numbers that rise by 1 name columns if they are so high, or so many: rows of data rarely are
YEAR, COUNTED = 1000, 8
ALONE = "\x1f"  # the separator where there is a single column
END = "\x1a"  # a last row, which an open quote would take into its cell
# From a quote at the beginning of a cell to the one at its end, perhaps lines below; or to one in
# its line, as cells are separated by spaces or have more behind the quote
QUOTED = re.compile(
    r'''(?<![^\t;|,\n]) *"[^"]*(?:""[^"]*)*"(?= *(?:[\t;|,\n]|\Z))|(?<![^\t;|, \n])"[^"\n]*"'''
)
REMEDY = (
    "Quote cells that contain separators, and write numbers with a point, not a comma; leave out "
    "lines that are no rows."
)


@dataclass(frozen=True)
class Table:
    """The columns of a file by name; without a header, the names are "0", "1", …

    A column is float64 `(N,)`, NaN where a value is missing, or text: objects `(N,)` of type str,
    Missing where one is missing.
    bools : the columns of 0 and 1 that had bools
    spelled : returns a column of numbers, by its name, as the texts `(N,)` that were read; None if
        there were none
    decimal_commas : whether numbers had such
    """

    columns: dict[str, Array]
    has_header: bool
    bools: tuple[str, ...] = ()
    spelled: Callable[[str], Array | None] = lambda _: None
    decimal_commas: bool = False

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def read_delimited(
    path: Path,
    known: Collection[str] | None = None,
    texts: Mapping[str, Collection[str]] | None = None,
    decimal_commas: bool = False,
    is_read: Callable[[str], bool] = lambda name: True,
) -> Table:
    """Return the table in a text file. Separator and header are found from its first rows.

    known : names of the columns of a trained network; a first row that has all of them is the
        header. Without names there was none, and only 0, 1, 2, ... are one. A single column, or
        row, is enough then
    texts : the columns that become texts whatever they contain, and those that are not missing
    decimal_commas : whether commas in numbers are known to be such
    is_read : whether a column of a name is used; of others, numbers need not be well written

    Raises DataError with the file, what was expected and what was found.
    """
    lines = read_lines(path, least=2 if known is None else 1)
    try:
        is_text = decimal_commas or bool(set(known or ()) & set(texts or ()))
        separator = _find_separator(path, lines, known, is_text)
        if not lines:
            raise file_error(path, "rows of a table", "none", "Check the file.")
        if separator == " ":
            lines = [line.strip(" \r\n") + "\n" for line in lines]
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
        first = [cell.strip() for cell in next(reader)]
        begin = reader.line_num
        sample = [row for row, _ in zip(reader, range(SAMPLE), strict=False) if any(row)]
        has_header = _has_header(first, sample, known)
        body = lines[begin:] if has_header else lines
        columns = [] if texts else _numbers(body, separator)
        rows: list[list[str]] = []
        if not columns:
            of_texts = [(texts or {}).get(name) for name in first] if has_header else []
            rows = _rows(path, body, separator, len(lines) - len(body))
            columns = _texts(rows, of_texts)
    except csv.Error as error:
        raise file_error(path, "a table of text", str(error), "Check its quotes.") from None
    if not columns:
        raise file_error(path, "rows below the header", "none", "Check the file.")
    names = first if has_header else [str(n) for n in range(len(columns))]
    places = _places(path, names, columns)
    named = {name: columns[place] for name, place in places.items()}
    numbers = {name: cells for name, cells in named.items() if name not in (texts or ())}

    def spelled(name: str) -> Array:
        place, count = places[name], len(columns)
        quoted = not rows and any('"' in line for line in body)  # with line ends, perhaps
        read = _rows(path, body, separator, len(lines) - len(body)) if quoted else rows
        cells = [row[place] for row in read] or _split(body, separator, place, count)
        return as_column(cells, MISSING, as_texts=True)

    decimal = with_points(path, numbers, spelled, separator, decimal_commas, is_read)
    is_named = has_header and (known is None or bool(known))
    return Table(named | decimal, is_named, (), spelled, bool(decimal))


def _cell(text: str) -> float | None:
    """Return a cell of a file as a number, NaN if it is missing, None if it is anything else."""
    return np.nan if text.lower() in MISSING else decimal_of(text)


def _find_separator(
    path: Path, lines: list[str], known: Collection[str] | None, is_text: bool
) -> str:
    """Return the separator of a header of the known names, or the first one that divides the first
    rows into equally many cells.

    If there is none, the one that divides most of them into the most cells. A comma comes before
    one that leaves texts with commas, and before one that the header has not.
    is_text : whether a single column of a known name may have separators in its cells
    """
    if said := re.fullmatch(r"sep=(.)\s*", lines[0]):  # written by spreadsheets
        del lines[0]
        return said[1]
    for separator in (*SEPARATORS, " ", ALONE) if known else ():
        header, below = (next(csv.reader([lines[k]], delimiter=separator)) for k in (0, -1))
        width, names = len(header), {cell.strip() for cell in header}
        divides = width > 1 or (is_text and separator == ALONE)
        if divides and len(below) in (width, width + 1) and names >= set(known or ()):
            return separator
    # what is between quotes does not count
    text = "\n".join(line.strip(" \r\n") for line in lines[:SAMPLE])
    sample = [line for line in QUOTED.sub('""', text).split("\n") if line]
    usual, even = {}, {}
    for separator in (*SEPARATORS, " "):
        rows = csv.reader(sample, delimiter=separator, skipinitialspace=True)
        counts = [len(row) for row in rows]
        width = usual[separator] = sorted(counts)[len(counts) // 2]
        # R writes one name less than there are columns, as the names of rows have none; the last
        # row of the sample may be cut
        is_even = set(counts[1:-1]) <= {width} and counts[0] in (width, width - 1)
        if is_even and width > 1 and (counts[-1] == width or len(lines) > SAMPLE):
            even[separator] = counts[0] == width
    if even:
        first = next((s for s in even if even[s]), next(iter(even)))
        takes_comma = first in ";|" and even.get(",") and usual[","] > usual[first]
        return "," if takes_comma and not _has_decimals(sample[1:], first) else first
    least = 2 if known is None else 1
    best = max(reversed(SEPARATORS), key=usual.__getitem__)
    if usual[best] < least:
        remedy = "Separate columns by commas, semicolons or tabs."
        raise file_error(path, "at least two columns", "one", remedy)
    return best


def _has_decimals(lines: list[str], separator: str) -> bool:
    """Return whether all cells with a comma, but those of prose, are decimal numbers."""
    cells = (cell for line in lines for cell in line.split(separator) if re.search(",(?! )", cell))
    return all(_cell(cell.strip()) is not None for cell in cells)


def _has_header(first: list[str], rows: list[list[str]], known: Collection[str] | None) -> bool:
    """Return whether the first row is a header; known : as in `read_delimited`."""
    if known is None or not set(known) <= set(first):
        return _is_header(first, rows)
    is_counted = first == [*map(str, range(len(first)))]
    # a few whole numbers could be a row of data, and two cells below them are no evidence
    cells = [cell for row in rows for cell in row]
    is_likely = len(first) >= COUNTED or (len(cells) > 2 and any("." in cell for cell in cells))
    return bool(known) or (is_counted and is_likely and _is_header(first, rows))


def _is_header(first: list[str], rows: list[list[str]]) -> bool:
    """Return whether the first row has names: a text above numbers, or texts that do not recur."""
    columns = [[cell.strip() for cell in column] for column in zip(*rows, strict=False)]
    offset = 1 if rows and len(rows[0]) == len(first) + 1 else 0
    pairs = [
        (_cell(name), name, column)
        for name, column in zip(first, columns[offset:], strict=False)
        if name or any(column)  # spreadsheets write columns without names and values
    ]
    for number, _, column in pairs:
        below = [_cell(cell) for cell in column]
        if number is None and None not in below and any(n == n for n in below):
            return True
    numbers = [number for number, _, _ in pairs if number is not None and number == number]
    if numbers and (len(numbers) < 2 or set(np.diff(numbers)) != {1.0}):
        return False
    # 0, 1, … are the names that columns have without a header, too; 1, 2, 3 may be data
    begins = (0,) if len(numbers) == len(pairs) else (0, 1)
    if numbers and len(numbers) < COUNTED and numbers[0] < YEAR and numbers[0] not in begins:
        return False
    absent = [name for number, name, _ in pairs if number is not None and number != number]
    return len(set(absent)) == len(absent) and not any(name in col for _, name, col in pairs)


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


def _split(lines: list[str], separator: str, place: int, count: int) -> list[str]:
    """Return the cells of a column in rows of `count` numbers without quotes."""
    rows = [line for line in lines if line.strip()]
    if 2 * place < count:  # from the nearer end
        return [line.split(separator, place + 1)[place] for line in rows]
    return [line.rsplit(separator, count - place)[place - count] for line in rows]


def _rows(path: Path, lines: list[str], separator: str, skipped: int) -> list[list[str]]:
    """Return any rows, without blank lines, and without empty rows at the end."""
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
    return rows


def _texts(rows: list[list[str]], of_texts: list[Collection[str] | None]) -> list[Array]:
    """Return the columns of rows of as many cells each.

    of_texts : as `texts` of `read_delimited`, for each column of the header; None for others
    """
    width = len(rows[0]) if rows else 0
    if width == len(of_texts) + 1 and any(row[-1].strip() for row in rows):
        of_texts = [None, *of_texts]  # names of rows, which the header does not name
    of_texts = (of_texts + [None] * width)[:width]
    columns = []
    # no rows, no columns
    for cells, known in zip(zip(*rows, strict=True), of_texts, strict=False):
        absent = MISSING.difference(map(str.lower, known or ()))
        columns.append(as_column(cells, absent, known is not None))
    return columns


def _places(path: Path, names: list[str], columns: list[Array]) -> dict[str, int]:
    """Return which column has each name."""
    if len(names) + 1 == len(columns):
        if missing(columns[-1]).all():  # each row ends with a separator
            names = [*names, ""]
        elif len(set(columns[0].tolist())) == len(columns[0]):  # names of rows, written by R
            names = ["", *names]
    if len(names) != len(columns):
        rule = f"{counted(len(names), 'cell')} in each row, as in the header"
        raise file_error(path, rule, str(len(columns)), REMEDY)
    # spreadsheets write columns without names and values
    kept = [n for n, name in enumerate(names) if name or not missing(columns[n]).all()]
    twice, count = Counter(names[n] for n in kept).most_common(1)[0] if kept else ("", 0)
    if count > 1:
        found = f"{twice!r} twice"
        raise file_error(path, "different names of columns", found, "Rename one of them.")
    return {names[n]: n for n in kept}
