"""A table of columns as a data set: choose the target, encode the inputs, divide the rows."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.arrays import Array, shape_of
from fastmlp.arrays.frames import is_frame
from fastmlp.datasets.cells import shown
from fastmlp.datasets.choosing import choose_target, said_of, without_useless
from fastmlp.datasets.columns import Columns, describe_columns
from fastmlp.datasets.dataset import Dataset, Split
from fastmlp.datasets.delimited import Table, read_delimited
from fastmlp.datasets.dividing import Indices, divide
from fastmlp.datasets.frames import encode_frame, frame_table
from fastmlp.datasets.idx import file_error
from fastmlp.datasets.options import Options
from fastmlp.datasets.parquet import read_parquet
from fastmlp.datasets.target import TARGET_REMEDY, said_of_target, targets_of
from fastmlp.datasets.written import are_codes
from fastmlp.errors import checked_call, refuse
from fastmlp.system.files import as_path

Notes = tuple[str, ...]


def read_table(path: Path, columns: Columns | None = None, dropped: tuple[str, ...] = ()) -> Table:
    """Return the table in a file of text or Parquet.

    columns : those of a trained network; dropped : names of columns that need not be readable
    """
    if path.suffix.lower() in (".parquet", ".pq"):
        return read_parquet(path, **_frame_options(columns, dropped))
    if columns is None:
        return read_delimited(path, is_read=lambda name: name not in dropped)
    known, used = columns.names if columns.has_header else (), {*columns.names, columns.target}
    how = known, columns.of_texts, columns.decimal_commas
    finds_all = columns.has_header and columns.target  # others are found by their place, or later
    return read_delimited(path, *how, lambda name: not finds_all or name in used)


def _frame_options(columns: Columns | None, dropped: tuple[str, ...]) -> dict[str, Any]:
    """Return the options of `frame_table` for the columns of a trained network, or for none."""
    if columns is None:
        return {"dropped": dropped}
    target = (columns.target,) if columns.target else ()
    return {"wanted": (*columns.names, *target), "texts": columns.of_texts}


@checked_call
def read_inputs(path: Any, columns: Any, unknown: str = "refuse") -> Array:
    """Return the inputs `(N, I)` of a table for a network that was trained on these columns.

    path : of a file; or a DataFrame
    columns : `network.columns` or `dataset.columns`. The table has columns of the same names in
        any order; others are not read
    unknown : "refuse" texts that no training row had, or "ignore" them: they become zeros

    Raises DataError if a file has other columns or cells, and ArgumentError if a DataFrame has.
    """
    Options(unknown=unknown)  # refuses what is no choice
    if is_frame(path):
        return encode_frame(path, columns, "frame", unknown)
    path = as_path(path, "path")
    known = Columns.from_plain(columns)
    return known.encode(read_table(path, known), path, unknown)


def load_table(source: Any, options: Options) -> Dataset:
    """Return the data set in a file of text or Parquet, by its Path, or in a DataFrame.

    With the columns of a trained network, the rows are divided as in its training if the table is
    the same; in another table, all rows test. Raises DataError or ArgumentError.
    """
    known = None if options.columns is None else Columns.from_plain(options.columns)
    dropped, path = options.drop_columns, source
    if is_frame(source):
        path = Path("DataFrame")  # for errors, and for its name
        table = frame_table(source, "name", **_frame_options(known, dropped))
    else:
        table = read_table(path, known, dropped)
    if known is not None:
        return _load_known(path, table, known, options)
    wanted: Any = options.target_column
    if wanted is not None:  # a number counts all columns
        wanted, _ = choose_target(table, wanted)
    table, notes = without_useless(table, options.drop_columns, wanted)
    if not table.columns:
        raise file_error(path, "columns with values", "none", "Check the file.")
    target, said = choose_target(table, wanted)
    notes += [said] if said else []
    labels, names = targets_of(path, table, target, options.task)
    if len(names) == 1:
        rule, remedy = f"two classes or more in the target {target!r}", TARGET_REMEDY
        raise file_error(path, rule, names[0], remedy)
    if 1 < len(names) == len(labels) and not options.whole:
        rule, found = f"a class with two rows in the target {target!r}", "one row of each"
        are_texts = are_codes(np.array(names))
        why = "Its leading zeros make it texts" if are_texts else "Few whole numbers are classes"
        remedy = f'{why}: pass task="regression" if it is a quantity.'
        is_number = table.columns[target].dtype.kind == "f"
        raise file_error(path, rule, found, remedy if is_number else TARGET_REMEDY)
    rows, note = divide(path, labels, options.seed, options.whole)
    task, fill_from = "classification" if names else "regression", rows[0]
    columns = describe_columns(table, target, task, fill_from if options.impute else None, path)
    x = columns.encode(table, path)
    columns = replace(columns, seed=options.seed, sha256=_sha256(x, labels))
    for name in columns.names:
        notes += said_of(name, table.columns[name])
    notes += said_of_target(target, table, names)
    return _dataset(path, columns, x, labels, names, rows, (*notes, *note))


def _load_known(path: Path, table: Table, columns: Columns, options: Options) -> Dataset:
    # a DataFrame that a network was trained on has no target
    notes: Notes = ()
    wanted = options.target_column
    if wanted is not None:  # a number counts all columns
        target, _ = choose_target(table, wanted)
        if target in columns.names:
            rule, remedy = "must be no input of the network", f"These are {shown(columns.names)}."
            raise refuse("target_column", rule, repr(target), remedy)
        columns = replace(columns, target=target)
    if not columns.target:
        others = {n: cells for n, cells in table.columns.items() if n not in columns.names}
        if not others:
            found, remedy = shown(list(table.columns)), "Add it, or use predict."
            raise file_error(path, "a column to predict beside the inputs", found, remedy)
        target, said = choose_target(replace(table, columns=others), None)
        columns, notes = replace(columns, target=target), (said,) * bool(said)
    labels, names = targets_of(path, table, columns.target, columns.task)
    x = columns.encode(table, path, options.unknown)
    is_other = _sha256(x, labels) != columns.sha256
    whole = is_other if options.whole is None else options.whole
    rows, note = divide(path, labels, columns.seed, whole)
    if is_other and options.whole is None:
        note = ("another table than that of the training: all rows test",)
    return _dataset(path, columns, x, labels, names, rows, (*notes, *note))


def _dataset(
    path: Path,
    columns: Columns,
    x: Array,
    labels: Array,
    names: Notes,
    rows: tuple[Indices, Indices],
    notes: Notes,
) -> Dataset:
    train, test = (Split(x[part], labels[part], columns.expanded) for part in rows)
    return Dataset(
        name=path.name,
        train=train,
        test=test,
        class_names=names,
        image_shape=shape_of(x.shape[1]) if columns.pixels else (1, x.shape[1]),
        source=str(path),
        columns=columns.to_plain(),
        notes=notes,
    )


def _sha256(x: Array, labels: Array) -> str:
    """Return a digest of the rows of a table, by which it is known again."""
    digest = hashlib.sha256(np.ascontiguousarray(x).data)
    digest.update(np.ascontiguousarray(labels).data)
    return digest.hexdigest()
