"""Load data sets: by name, found on this machine or downloaded; from files; or generated."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, cast

from fastmlp.arrays.frames import is_frame
from fastmlp.datasets.catalogue import FAMILIES
from fastmlp.datasets.dataset import Dataset, Split
from fastmlp.datasets.digits import generate_digits
from fastmlp.datasets.download import Progress
from fastmlp.datasets.families import load_family
from fastmlp.datasets.folder import listed
from fastmlp.datasets.idx import read_idx, read_images, read_labels, read_split
from fastmlp.datasets.labels import encode_labels
from fastmlp.datasets.options import Options
from fastmlp.datasets.own import load_own
from fastmlp.datasets.table import read_inputs
from fastmlp.errors import checked_call, refuse, similar
from fastmlp.system.files import as_path

__all__ = [
    "Dataset",
    "Split",
    "load_dataset",
    "generate_digits",
    "encode_labels",
    "read_inputs",
    "read_idx",
    "read_images",
    "read_labels",
    "read_split",
    "DATASET_NAMES",
    "Progress",
]

DATASET_NAMES = (*FAMILIES, "digits")


@checked_call
def load_dataset(
    name: Any,
    *,
    folder: str | Path | None = None,
    download: bool = True,
    mirrors: Sequence[str] | None = None,
    progress: Progress | None = None,
    target_column: str | int | None = None,
    drop_columns: str | Sequence[str] = (),
    impute: str | None = None,
    task: str | None = None,
    image_size: tuple[int, int] | int | None = None,
    columns: Mapping[str, Any] | None = None,
    seed: int = 0,
    whole: bool | None = None,
    unknown: str = "refuse",
) -> Dataset:
    """Return a data set.

    name     : "mnist", "fashion-mnist", "kmnist", "digits", or the path of one's own data, or a
        DataFrame:

        a DataFrame of pandas or polars, or a table of pyarrow, read as a table in a file
        a CSV or TSV file, also packed (.gz, .bz2, .xz, .zip), or a Parquet file: rows of a
            table, whose texts become 0 and 1 for each category. In a file of text, empty cells,
            ?, NA, N/A, NaN, null and none are missing; elsewhere they are texts
        an .npz file, or .npy files in a folder: x_train, y_train, x_test, y_test, or X, y; inputs
            that are NaN stay so, and `train` fills them with its own `impute`
        a folder of IDX files with MNIST's names
        a folder with a folder of pictures for each class, divided into train and test or not

    folder   : where the files of a named set are; by default FASTMLP_DATA, then the user's cache
    download : whether a named set that is not found may be downloaded into the user's cache
    mirrors  : https addresses to try in this order, instead of the published ones
    progress : called while downloading as progress(file name, bytes so far, bytes in all or None)

    The others are for one's own data. Labels of any kind become 0 … K - 1, with `class_names`.
    Columns of a table that number the rows are left out: whole numbers or texts that all differ in
    one called id, index or rownames, or without name, and 1, 2, 3, … in one such as row_id. Under
    other names they are kept.

    target_column : of a table, the name of the column to predict, or its number from 0; by default
        label, class, target, y, species or a similar name, or the last column. A number counts
        all columns of the file, also those that are left out
    drop_columns : names of columns to leave out
    impute   : "median" replaces missing values by the median of the training rows, or by the most
        frequent text; by default they are an error
    task     : "classification" or "regression"; by default, targets are those of a regression if
        they are numbers with fractions, or many different numbers
    image_size : (width, height) of pictures, or one number for both; by default their most common
        size, at most 64 x 64
    columns  : `network.columns`: encode the data as those that a network was trained on; the table
        or the pictures of its training are divided as they were then, and all rows or pictures of
        others test. For data without columns, it has no effect
    seed     : without a test part, it draws 20 % of the rows of each class for the test
    whole    : without a test part, train and test are both all rows; False divides data that are
        not those of the training, too
    unknown  : what to do with texts that these `columns` do not have: "refuse" them, or "ignore"
        them: they become zeros

    Raises ArgumentError, DataError (a file has the wrong content) or DataUnavailableError.
    """
    framed = is_frame(name)
    if not framed and (not isinstance(name, (str, PathLike)) or not str(name)):
        remedy = 'Pass "mnist" or "table.csv", for example; train takes arrays.'
        raise refuse("name", "must be a name, a path or a DataFrame", repr(name), remedy)
    dropped, size = cast(Any, drop_columns), cast(Any, image_size)
    chosen = target_column, dropped, impute, task, size, columns, seed, whole, unknown
    options = Options(*chosen)
    if framed or str(name) not in FAMILIES:
        title = "a DataFrame" if framed else str(name)
        for argument, value in (("folder", folder), ("mirrors", mirrors)):
            if value is not None:
                rule = f"is for {', '.join(FAMILIES)} and not for {title}"
                raise refuse(argument, rule, value, "Leave it out.")
    if framed:
        return load_own(name, options)
    path = Path(os.path.expanduser(as_path(name, "name")))  # of an unknown user it stays
    for option in options.given() if name in DATASET_NAMES else ():
        rule, got = "is for data of one's own", repr(getattr(options, option))
        raise refuse(option, rule, f"{got} for {name}", "Leave it out.")
    if str(name) in FAMILIES:
        return load_family(
            FAMILIES[str(name)],
            folder=None if folder is None else as_path(folder, "folder"),
            download=download,
            mirrors=mirrors,
            progress=progress,
        )
    if name == "digits":
        return generate_digits()
    if not os.path.exists(path):  # also False where it must not be read
        rule = f"must be one of {', '.join(DATASET_NAMES)}, a folder or a file"
        near = similar(str(name), DATASET_NAMES)
        remedy = f"Check the spelling or the path; its folder has {listed(path.parent)}."
        remedy = f"Did you mean {near}?" if near else remedy
        raise refuse("name", rule, repr(str(name)), remedy)
    return load_own(path, options)
