"""The answers of a network for many rows or pictures, as CSV and as a JSON document."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.functions.metrics import classes_of
from fastmlp.report.text import class_names

if TYPE_CHECKING:
    from pathlib import Path

    from fastmlp.arrays import Array
    from fastmlp.network import Network

Rows = list[dict[str, Any]]


def answer_rows(
    network: Network, outputs: Array, probabilities: bool, files: Sequence[str] = ()
) -> Rows:
    """Return a row for each row of outputs `(N, O)`: its values by their headings.

    probabilities : whether to add the output of each class; files : a name for each row, or none
    """
    rows: Rows = [{"file": name} for name in files] or [{} for _ in outputs]
    if network.task == "regression" and network.class_names is None:
        for row, values in zip(rows, outputs.tolist(), strict=True):
            names = [f"prediction {n}" for n in range(len(values))] if len(values) > 1 else PLAIN
            row |= dict(zip(names, values, strict=True))
        return rows
    answers, outputs = by_class(outputs)
    names = list(class_names(network.class_names, outputs.shape[1]))
    for row, answer, values in zip(rows, answers.tolist(), outputs.tolist(), strict=True):
        row["prediction"] = names[answer]
        if network.several_labels:
            row["labels"] = [
                name for name, value in zip(names, values, strict=True) if value >= 0.5
            ]
        if probabilities:
            row |= {f"probability of {n}": value for n, value in zip(names, values, strict=True)}
    return rows


def by_class(outputs: Array) -> tuple[Array, Array]:
    """Return the class of each row of outputs `(N, O)`, and outputs `(N, K)` of all classes."""
    if outputs.shape[1] > 1:
        return classes_of(outputs), outputs
    return classes_of(outputs), np.hstack([1 - outputs, outputs])  # the output is of class 1


def answers_csv(rows: Rows, dtype: np.dtype[Any]) -> str:
    """Return the rows as CSV, with a header, and ";" between labels.

    Numbers have as many digits as give the same number of a dtype again, and no more.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow(_cell(value, dtype) for value in row.values())
    return text.getvalue()


def _cell(value: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(value, list):
        return ";".join(value)
    return str(dtype.type(value)) if isinstance(value, float) else value


def answers_document(rows: Rows, first: int, model: Path, path: Path) -> dict[str, Any]:
    """Return the answers, with the indices of the rows in their file."""
    answers = [{"index": first + number, **row} for number, row in enumerate(rows)]
    return {"model": str(model), "file": str(path), "predictions": answers}


PLAIN = ("prediction",)
