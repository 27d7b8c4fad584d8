"""Data of one's own: what kind of file or folder a path is, and who loads it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastmlp.arrays.frames import is_frame
from fastmlp.datasets.catalogue import NAMES
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.folder import listed, load_idx
from fastmlp.datasets.idx import file_error
from fastmlp.datasets.npz import load_npy, load_npz
from fastmlp.datasets.options import Options
from fastmlp.datasets.picture_folder import SUFFIXES, load_picture_folder
from fastmlp.datasets.table import load_table
from fastmlp.datasets.unpacking import name_inside
from fastmlp.errors import refuse


@dataclass(frozen=True)
class Kind:
    """One kind of files.

    suffixes : in lower case; those of PACKED behind them are left out where `packed`
    options : the arguments that are only for some kinds, this one among them
    """

    title: str
    suffixes: tuple[str, ...]
    load: Callable[[Path, Options], Dataset]
    options: tuple[str, ...]
    packed: bool = False


PACKED = (".gz", ".bz2", ".xz", ".zip")
OF_TABLES = ("target_column", "drop_columns", "impute", "task", "unknown")
KINDS = (
    Kind("CSV or TSV", (".csv", ".tsv", ".tab", ".txt", ".data"), load_table, OF_TABLES, True),
    Kind("Parquet", (".parquet", ".pq"), load_table, OF_TABLES),
    Kind("NumPy", (".npz",), load_npz, ("task",)),
    Kind("NumPy", (".npy",), load_npy, ("task",)),
)
OF_FOLDERS = ("image_size", "task")


def load_own(path: Any, options: Options) -> Dataset:
    """Return the data set in a file, folder or DataFrame. Raises DataError or ArgumentError."""
    if is_frame(path):
        _check_options(options, OF_TABLES, "a DataFrame")
        return load_table(path, options)
    if path.is_dir():
        _check_options(options, OF_FOLDERS, "a folder")
        return _load_folder(path, options)
    kind = kind_of(path)
    if kind is None:
        remedy = "Rename, unpack or convert it; of IDX files and pictures, pass their folder."
        raise file_error(path, EXPECTED, f"a file called {path.name!r}", remedy)
    _check_options(options, kind.options, kind.title)
    return replace(kind.load(path, options), name=_name_of(path, kind))


def is_read(source: Path, file: Path) -> bool:
    """Return whether `load_own(source)` may read an existing file: itself, or one of a folder.

    Of a folder, and beside a .npy file, these are arrays, IDX files and pictures.
    """
    if not os.path.isfile(file):
        return False
    if os.path.isfile(source) and os.path.samefile(source, file):
        return True
    folder = (source.parent if source.suffix.lower() == ".npy" else source).resolve()
    names = file.parent.resolve() / file.name, file.resolve()  # a link, and what it points to
    return folder.is_dir() and any(
        folder in one.parents and (one.suffix.lower() in (".npy", *SUFFIXES) or "ubyte" in one.name)
        for one in names
    )


def kind_of(path: Path) -> Kind | None:
    """Return the kind of a file by its name, or of the only one in a .zip by its name, or None.

    Raises DataError for a .zip of several files.
    """
    kind = _kind_named(path)
    if kind is None and path.suffix.lower() == ".zip":
        inside = _kind_named(Path(name_inside(path)))
        return inside if inside and inside.packed else None
    return kind


def _name_of(path: Path, kind: Kind) -> str:
    """Return the name of a file without its endings: "sales.2023" of sales.2023.csv.gz."""
    while kind.packed and path.suffix.lower() in PACKED:
        path = path.with_suffix("")
    name = path.stem if path.suffix.lower() in kind.suffixes else path.name
    return name.lstrip(".") or "data"


def _kind_named(path: Path) -> Kind | None:
    endings = [suffix.lower() for suffix in path.suffixes]
    for kind in KINDS:
        left = [one for one in endings if one not in PACKED] if kind.packed else endings
        if left and left[-1] in kind.suffixes:
            return kind
    return None


def _load_folder(folder: Path, options: Options) -> Dataset:
    """Return the first of: IDX files, pictures in folders of their classes, .npy files."""
    of_arrays, title = OF_FOLDERS[1:], "a folder of IDX or .npy files"
    if (found := load_idx(folder, options)) is not None:
        _check_options(options, of_arrays, title)
        return found
    if (found := load_picture_folder(folder, options)) is not None:
        return found
    if any(folder.glob("*.npy")):
        _check_options(options, of_arrays, title)
        return load_npy(folder, options)
    expected = (
        f"{NAMES[0]} (or {NAMES[0]}.gz) and the three other files, X.npy and y.npy, "
        f"or a folder of pictures for each class ({' '.join(SUFFIXES)})"
    )
    raise file_error(folder, expected, f"none of them, but {listed(folder)}", REMEDY)


def _check_options(options: Options, allowed: tuple[str, ...], title: str) -> None:
    for name in options.given():
        if name not in (*allowed, "seed", "whole"):
            raise refuse(name, f"is not for {title}", repr(getattr(options, name)), "Leave it out.")


EXPECTED = "a file of " + ", ".join(
    f"{kind.title} ({' '.join(kind.suffixes)}{', packed too' * kind.packed})" for kind in KINDS
)
REMEDY = "Use MNIST's file names, or pass a file of the folder."
