"""The target of a table: classes by their names, or quantities."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from fastmlp.arrays import Array
from fastmlp.datasets.cells import BOOLS, shown
from fastmlp.datasets.delimited import Table
from fastmlp.datasets.idx import file_error
from fastmlp.datasets.labels import are_quantities, encode_labels, text_of
from fastmlp.datasets.written import CODE, are_codes, decimal_of, missing, words_for_nothing

TARGET_REMEDY = "Name another column with target_column."
EXACT = 1 << 53  # larger whole numbers are not exact in float64


def targets_of(
    path: Path, table: Table, target: str, task: str | None
) -> tuple[Array, tuple[str, ...]]:
    """Return codes and names of classes, or float64 targets of a regression and no names.

    Whole numbers of which one has a leading zero are texts, unless the task is regression.
    Raises DataError.
    """
    if target not in table.columns:
        remedy = "Add it, or use predict."
        raise file_error(path, f"the target {target!r}", shown(list(table.columns)), remedy)
    cells = table.columns[target]
    count = int(missing(cells).sum())
    if count:
        rule = f"no missing values in the target {target!r}"
        words = words_for_nothing(cells)
        found = f"{count}, of them {words}" if words else str(count)
        raise file_error(path, rule, found, "Remove these rows, or fill them.")
    if task != "regression":
        cells = _as_spelled(table, target)
    is_number = cells.dtype.kind == "f"
    are_texts = table.columns[target].dtype.kind != "f" and target not in table.bools
    if are_texts and (task == "regression" or (task is None and _are_mostly_numbers(cells))):
        texts = [text for text in cells if decimal_of(str(text)) is None]
        found = f"texts such as {text_of((texts or cells)[0])!r}"
        remedy = "Correct or remove them, or name another target."
        if task is None:
            remedy = f'{remedy} With task="classification", each text is a class.'
        raise file_error(path, f"numbers in the target {target!r}", found, remedy)
    if is_number and not np.isfinite(cells).all():
        rule = f"finite numbers in the target {target!r}"
        found = f"infinity in row {int(np.argmin(np.isfinite(cells))) + 1}"
        raise file_error(path, rule, found, "Correct it, or remove this row.")
    if task == "regression" or (task is None and is_number and are_quantities(cells)):
        return cells, ()
    if is_number and np.abs(cells).max() >= EXACT:
        rule = f"classes below 2^53 in the target {target!r}"
        largest = cells[np.abs(cells).argmax()]
        remedy = "Larger numbers are not exact: put a letter before."
        raise file_error(path, rule, f"{largest:.17g}", remedy)
    return encode_labels(cells)


def said_of_target(target: str, table: Table, names: tuple[str, ...]) -> Iterator[str]:
    """Yield lines on classes that may not be what a user takes them for."""
    if names and table.columns[target].dtype.kind == "f" and are_codes(np.array(names)):
        code = next(filter(CODE.fullmatch, names))
        yield f"the target has texts such as {code!r}, not numbers, because of leading zeros"
    alike = sorted(names, key=lambda name: (name.lower(), name))
    for one, other in pairwise(alike):
        if one.lower() == other.lower():
            yield f"the classes {one!r} and {other!r} differ in upper and lower case only"
            return


def _are_mostly_numbers(cells: Array) -> bool:
    """Return whether texts are those of a quantity, of which some were mistyped."""
    distinct = set(map(str, cells))
    are_numbers = sum(decimal_of(text) is not None for text in distinct)
    return 2 * are_numbers > len(distinct) and 2 * len(distinct) > len(cells)


def _as_spelled(table: Table, target: str) -> Array:
    """Return the target, as texts if these say more than numbers; bools as "False" and "True".

    Texts that are bools in several spellings become these too.
    """
    cells = table.columns[target]
    if target in table.bools:
        return np.array(["True" if cell else "False" for cell in cells], object)
    if cells.dtype.kind == "f":
        texts = table.spelled(target) if (cells == np.floor(cells)).all() else None
        return cells if texts is None or not are_codes(texts) else texts
    spellings = set(cells)
    words = set(map(str.lower, spellings))
    if words <= BOOLS.keys() and len(words) < len(spellings):
        return np.array([text.capitalize() for text in cells], object)
    return cells
