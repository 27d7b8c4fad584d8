"""The confusion matrix of a network, and the accuracy of each class, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from fastmlp.errors import refuse
from fastmlp.report.text import metrics
from fastmlp.training.rows import number, percent

if TYPE_CHECKING:
    from fastmlp.network import Evaluation

Counts = NDArray[np.int64]

# Columns of a screen; longer names are in several lines if the screen is narrow
LONGEST_NAME = 13
MOST_CONFUSIONS = 10


def confusion_matrix(answers: ArrayLike, labels: ArrayLike, classes: int) -> Counts:
    """Return how often each label (row) got each predicted class (column): `(classes, classes)`.

    answers, labels : integers `(N,)` in 0 … classes - 1; otherwise ArgumentError
    """
    found = {"answers": np.asarray(answers), "labels": np.asarray(labels)}
    for name, array in found.items():
        whole = array.ndim == 1 and array.dtype.kind in "iu"
        if not whole or (array.size and not 0 <= array.min() <= array.max() < classes):
            raise refuse(
                name,
                f"must be integers of shape (N,), from 0 to {classes - 1}",
                f"{array.dtype} of shape {array.shape}",
                "Pass class numbers.",
            )
    if found["answers"].shape != found["labels"].shape:
        shapes = f"{found['answers'].shape} for {found['labels'].shape} labels"
        raise refuse("answers", "must be as many as the labels", shapes, "Pass one for each.")
    # in int64, as a uint8 label times the number of classes would overflow
    cells = found["labels"].astype(np.int64) * classes + found["answers"].astype(np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def class_accuracies(matrix: Counts) -> NDArray[np.float64]:
    """Return the accuracy of each class `(classes,)`; NaN for a class without images."""
    images = matrix.sum(axis=1)
    shares = np.full(len(matrix), np.nan)
    np.divide(matrix.diagonal(), images, out=shares, where=images > 0)
    return shares


def confusion_tables(matrix: Counts, names: Sequence[str], width: int) -> list[Table]:
    """Return the class accuracies and the matrix in one table if it fits into `width` columns.

    Otherwise return a table of the accuracies, and one of the most frequent confusions.
    """
    cell = max(len(str(int(matrix.max()))), len(str(len(names) - 1)))
    label = min(LONGEST_NAME, max(map(cell_len, _row_names(names))))
    if label + len(" accuracy ") + len(names) * (cell + 1) <= width:
        return [_matrix_table(matrix, names)]
    return [_class_table(matrix, names), _most_confused(matrix, names)]


def _row_names(names: Sequence[str]) -> list[str]:
    numbers = [str(number) for number in range(len(names))]
    if numbers == list(names):
        return ["label", *numbers]
    wide = len(numbers[-1])
    return ["label", *(f"{n:>{wide}} {name}" for n, name in zip(numbers, names, strict=True))]


def _add_names(table: Table, heading: str, names: Sequence[str]) -> None:
    """Add a column of names, which folds them where the screen is narrow."""
    longest = max(map(cell_len, (heading, *names)))
    table.add_column(heading, overflow="fold", min_width=min(LONGEST_NAME, longest))


def _matrix_table(matrix: Counts, names: Sequence[str]) -> Table:
    heading, *rows = _row_names(names)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    _add_names(table, heading, rows)
    table.add_column("accuracy", justify="right", no_wrap=True)
    for answer in range(len(names)):
        table.add_column(str(answer), justify="right", no_wrap=True)
    for label, (row, share) in enumerate(zip(rows, class_accuracies(matrix), strict=True)):
        cells = [_cell(int(n), label == answer) for answer, n in enumerate(matrix[label])]
        table.add_row(Text(row, "bold"), _share(share), *cells)
    return table


def _cell(count: int, right: bool) -> Text:
    if count == 0:
        return Text(".", "dim")
    return Text(str(count), "green" if right else "red")


def _share(share: float) -> str:
    return "-" if np.isnan(share) else percent(share)


def _class_table(matrix: Counts, names: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    heading, *rows = _row_names(names)
    _add_names(table, heading, rows)
    for heading in ("images", "right", "accuracy"):
        table.add_column(heading, justify="right")
    for label, (row, share) in enumerate(zip(rows, class_accuracies(matrix), strict=True)):
        counts = (f"{matrix[label].sum():,}", f"{matrix[label, label]:,}")
        table.add_row(Text(row, "bold"), *counts, _share(share))
    return table


def _most_confused(matrix: Counts, names: Sequence[str]) -> Table:
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for heading in ("most often confused", "taken for"):
        _add_names(table, heading, names)
    table.add_column("images", justify="right")
    for cell in np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]:
        label, answer = divmod(int(cell), len(names))
        if wrong[label, answer]:
            row = (Text(names[label]), Text(names[answer]), f"{wrong[label, answer]:,}")
            table.add_row(*row)
    return table


def evaluation_line(result: Evaluation, matrix: Counts | None) -> str:
    """Return metrics and cost in one line; with a matrix, also how many classes are right."""
    right = ""
    if matrix is not None:
        right = f" ({int(matrix.trace()):,} of {int(matrix.sum()):,} right)"
    return f"test {metrics(result.metrics)}{right}, cost {number(result.cost)}"
