"""Load a data set from .npz and .npy files, without pickle, and with a check of declared sizes."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.datasets.assembling import Part, as_images, assemble
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.idx import GZIP_RATIO, decoding, file_error
from fastmlp.datasets.options import Options
from fastmlp.system.reading import open_file

# Images and labels to train, and to test; case does not matter. Further names are not read
SPELLINGS = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("train_x", "train_y", "test_x", "test_y"),
    ("train_data", "train_labels", "test_data", "test_labels"),
    ("x_train", "y_train"),
    ("train_images", "train_labels"),
    ("x", "y"),
    ("images", "labels"),
    ("data", "labels"),
    ("data", "target"),
    ("data", "targets"),
    ("images", "targets"),
    ("features", "labels"),
    ("features", "targets"),
    ("inputs", "targets"),
    ("arr_0", "arr_1"),  # of numpy.savez without names
)
Notes = tuple[str, ...]
READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def load_npz(path: Path, options: Options) -> Dataset:
    """Return the data set in an .npz file: its arrays have the names of a row of `SPELLINGS`.

    Images are numbers `(N, H, W)`, `(N, H, W, C)` or `(N, I)`; labels are numbers or texts `(N,)`
    or `(N, 1)`. Raises DataError.
    """
    with _opened(path) as archive:
        held = {name.removesuffix(".npy"): name for name in archive.namelist()}
        names = _choose(path, held)
        arrays = [_read_member(path, archive, held[name], name) for name in names]
    return _assembled(path, arrays, [path] * len(arrays), options, _left_out(held, names))


def read_npz_images(path: Path) -> Array:
    """Return the images to test in an .npz file, or those to train, or its only array.

    Their names are those of `SPELLINGS`. Raises DataError.
    """
    known = [row[2] for row in SPELLINGS if len(row) > 2] + [row[0] for row in SPELLINGS]
    with _opened(path) as archive:
        held = {name.removesuffix(".npy").lower(): name for name in archive.namelist()}
        names = [name for name in known if name in held] or list(held)[: len(held) == 1]
        if not names:
            found = ", ".join(sorted(held)[:8]) or "no array"
            remedy = "Save the images under one of these names."
            raise file_error(path, f"one of the arrays {', '.join(known)}", found, remedy)
        return as_images(path, _read_member(path, archive, held[names[0]], names[0]))


def load_npy(path: Path, options: Options) -> Dataset:
    """Return the data set in the .npy files of a folder, or in one of them and those beside it.

    Their names are those of a row of `SPELLINGS`. Raises DataError.
    """
    folder = path if path.is_dir() else path.parent
    held = {one.stem: one for one in sorted(folder.glob("*.npy"))}
    names = _choose(path, held, None if path.is_dir() else path.stem)
    arrays = [_read_file(held[name]) for name in names]
    return _assembled(path, arrays, [held[name] for name in names], options, _left_out(held, names))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    readable = decoding(path, f"a readable {path.suffix} file")
    with readable, open_file(path) as file, zipfile.ZipFile(file) as archive:
        yield archive


def _assembled(
    path: Path, arrays: list[Array], paths: list[Path], options: Options, notes: Notes
) -> Dataset:
    parts = [
        Part(arrays[n], arrays[n + 1], paths[n], paths[n + 1]) for n in range(0, len(arrays), 2)
    ]
    return assemble(path, parts[0], parts[1] if len(parts) > 1 else None, options, notes)


def _choose(path: Path, held: Iterable[str], needed: str | None = None) -> tuple[str, ...]:
    """Return the names to read, in the order of the first row of SPELLINGS that has all names."""
    known = {name.lower(): name for name in held}
    for row in SPELLINGS:
        if known.keys() >= set(row) and (needed is None or needed.lower() in row):
            return tuple(known[name] for name in row)
    rows = (SPELLINGS[0], SPELLINGS[1], ("x", "y"))
    expected = " or ".join(", ".join(row) for row in rows)
    found = ", ".join(sorted(known.values())[:8]) or "no array"
    remedy = "Save them under these names, with numpy.savez_compressed for example."
    raise file_error(path, f"the arrays {expected}", found, remedy)


def _left_out(held: Iterable[str], names: Iterable[str]) -> Notes:
    rest = sorted(set(held).difference(names))
    return (f"not read: {', '.join(rest[:8])}",) if rest else ()


def _read_member(path: Path, archive: zipfile.ZipFile, member: str, name: str) -> Array:
    """Return one array, if its header, the directory of the archive and the packed size agree."""
    info = archive.getinfo(member)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        remedy = "Save it with numpy.savez_compressed."
        raise file_error(path, f"{name} stored or deflated", "another compression", remedy)
    if info.file_size > info.compress_size * GZIP_RATIO + 1024:
        rule = f"{name} packed into {info.file_size // GZIP_RATIO:,} bytes or more"
        raise file_error(path, rule, f"{info.compress_size:,}")
    with archive.open(info) as file:
        return _read(path, file, info.file_size, name)


def _read_file(path: Path) -> Array:
    with decoding(path, f"a readable {path.suffix} file"), open_file(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        return _read(path, file, size, path.stem)


def _read(path: Path, file: IO[bytes], size: int, name: str) -> Array:
    """Return the array in an open .npy file of that size."""
    shape, fortran, dtype = _header(path, file, name)
    declared = math.prod(shape) * dtype.itemsize
    if declared != size - file.tell():
        rule = f"{declared:,} bytes of {name}, as its header says ({dtype.name} {shape})"
        raise file_error(path, rule, f"{size - file.tell():,}")
    body = bytearray(file.read())
    array = np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), order="C", copy=False)


def _header(
    path: Path, member: IO[bytes], name: str
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(member)
    if version not in READERS:
        raise file_error(path, f"{name} in .npy format 1.0 or 2.0", ".".join(map(str, version)))
    shape, fortran, dtype = READERS[version](member)
    if dtype.kind not in "iufbUS":
        rule, remedy = f"{name} of numbers or text", "Save plain arrays, without objects."
        raise file_error(path, rule, str(dtype), remedy)
    if not shape or 0 in shape:
        raise file_error(path, f"{name} with at least one item", f"shape {shape}")
    return shape, fortran, dtype
