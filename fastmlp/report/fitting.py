"""Tables for narrow screens: their words wrap, and no number is cut."""

from __future__ import annotations

from copy import copy
from itertools import accumulate, pairwise

from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table

# Wider than every table
WIDE = 10_000


def fitted(console: Console, table: Table) -> tuple[Table, int]:
    """Return a table that fits into the width of the console, and the width that it needs.

    Columns are narrower as far as their words allow, in proportion to what they can spare; if that
    is not enough, the table is wider than the console.
    """
    natural = Measurement.get(console, console.options.update(width=WIDE), table).maximum
    if natural <= console.width:
        return table, console.width
    sizes = [_sizes(console, column) for column in table.columns]
    spare = [most - least for least, most in sizes]
    missing = min(natural - console.width, sum(spare))
    narrow = copy(table)
    narrow.columns = [copy(column) for column in table.columns]
    # so that rounded parts have the right sum
    ends = [missing * end // max(1, sum(spare)) for end in accumulate(spare, initial=0)]
    for column, (_, most), (start, end) in zip(narrow.columns, sizes, pairwise(ends), strict=True):
        column.width = most - (end - start)
    return narrow, natural - missing


def _sizes(console: Console, column: Column) -> tuple[int, int]:
    """Return the least and the natural width of a column, without its padding.

    The least is `min_width`, if it has one, as in a column that folds long words.
    """
    wide, cells = console.options.update(width=WIDE), [column.header, *column.cells]
    sizes = [Measurement.get(console, wide, cell) for cell in cells]
    most = max(size.maximum for size in sizes)
    is_fixed = [isinstance(c, Table) or getattr(c, "no_wrap", False) for c in cells]
    if column.no_wrap or any(is_fixed):
        return most, most
    return column.min_width or max(size.minimum for size in sizes), most
