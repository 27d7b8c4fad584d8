"""Load MNIST and similar sets from a folder, FASTMLP_DATA, the user's cache, or the mirrors."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from fastmlp.arrays import Array
from fastmlp.datasets.assembling import image_shape
from fastmlp.datasets.catalogue import Family, IdxFile
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.decoded import read_decoded
from fastmlp.datasets.download import PATIENCE, Progress, fetch
from fastmlp.datasets.folder import find_file, find_files, listed, places
from fastmlp.datasets.idx import pair
from fastmlp.datasets.verified import read_verified
from fastmlp.errors import DataError, DataUnavailableError
from fastmlp.system.paths import cache_folder


def load_family(
    family: Family,
    *,
    folder: Path | None = None,
    download: bool = True,
    mirrors: Sequence[str] | None = None,
    progress: Progress | None = None,
    patience: float = PATIENCE,
) -> Dataset:
    """Return the data set, from the first folder that has it.

    folder   : the only folder to search
    mirrors  : addresses to download from, instead of the published ones
    patience : seconds without data, after which the next mirror is tried

    Raises DataError if a file has the wrong content, DataUnavailableError if no folder has the
    data set and it cannot be downloaded.
    """
    folders = _list_folders(family.name, folder)
    names = tuple(entry.name for entry in family.files)
    for candidate in folders:
        if paths := find_files(candidate, names):
            pairs = zip(paths, family.files, strict=True)
            arrays = [read_decoded(path, entry, as_published=False) for path, entry in pairs]
            return _assemble(family, arrays, paths, candidate)
    root = folder or cache_folder()
    if root is None:
        raise DataUnavailableError(
            f"{family.name}: there is no home folder for the cache. Set FASTMLP_CACHE to a folder "
            f"that can be written, or FASTMLP_DATA to the folder that contains {family.name}/."
        )
    cache = root / family.name
    if folder is not None or (not download and not any(find_file(cache, name) for name in names)):
        looked = ", ".join(str(path) for path in (folders if folder else [*folders, cache]))
        there = f", which has {listed(folder)}" if folder else ""
        raise DataUnavailableError(
            f"{family.name}: expected {names[0]}.gz and the three other files; found none of them "
            f"in {looked}{there}. Put them there, set FASTMLP_DATA to the folder that contains "
            f"{family.name}/, or allow the download."
        )
    get = partial(fetch, mirrors=mirrors or family.mirrors, progress=progress, patience=patience)
    found = [_read_cached(cache, entry, get if download else None) for entry in family.files]
    return _assemble(family, [a for _, a in found], tuple(path for path, _ in found), cache)


def _read_cached(
    folder: Path, entry: IdxFile, get: Callable[..., Path] | None
) -> tuple[Path, Array]:
    """Return a file of the cache; if it is missing or damaged, `get` downloads it (again)."""
    path = find_file(folder, entry.name)
    if path is not None:
        try:
            return path, read_decoded(path, entry, as_published=True)
        except DataError:
            if get is None:
                raise
            with suppress(OSError):  # otherwise a plain file would be found before the new .gz
                path.unlink()
    if get is None:
        raise DataUnavailableError(
            f"{folder}: expected {entry.name}.gz; found no such file. "
            "Allow the download, or put it there."
        )
    path = get(
        f"{entry.name}.gz",
        folder=folder,
        verify=lambda part: read_verified(part, entry, as_published=True),
        most=entry.most,
    )
    return path, read_decoded(path, entry, as_published=True)


def _list_folders(name: str, folder: Path | None) -> list[Path]:
    """Return the folders to search before the cache."""
    if folder is not None:
        if not os.path.isdir(folder):
            raise DataUnavailableError(f"folder={folder} is not a folder. Check the path.")
        return [folder, *places(folder, name)]
    if not (data := os.environ.get("FASTMLP_DATA")):
        return []
    root = Path(data)
    if not os.path.isdir(root):
        raise DataUnavailableError(
            f"FASTMLP_DATA must name a folder; got {data}. Check the path, or unset it."
        )
    # the files may be in root itself, if root is for this set: all sets use the same file names
    own = name == "mnist" or root.resolve().name == name
    below = places(root, name)
    return [*below[:1], root, *below[1:]] if own else below[:-1]


def _assemble(
    family: Family, arrays: Sequence[Array], paths: Sequence[Path], folder: Path
) -> Dataset:
    classes = len(family.class_names)
    return Dataset(
        name=family.name,
        train=pair(arrays[0], arrays[1], paths[0], paths[1], classes),
        test=pair(arrays[2], arrays[3], paths[2], paths[3], classes),
        class_names=family.class_names,
        image_shape=image_shape(arrays[0]),
        source=str(folder),
    )
