"""Loads MNIST and its likes: a named folder, FASTMLP_DATA, the user cache, else the mirrors."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fastmlp.datasets.catalogue import Family, IdxFile
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.decoded import read_decoded
from fastmlp.datasets.download import PATIENCE, Progress, fetch
from fastmlp.datasets.folder import find_file, find_files, image_shape
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

    folder   : look nowhere else
    mirrors  : addresses to download from instead of the published ones
    patience : seconds without data after which a mirror is given up

    Raises DataError if a file is there but is not what it should be, DataUnavailableError if the
    data set is nowhere.
    """
    places = _places(family.name, folder)
    names = tuple(entry.name for entry in family.files)
    for place in places:
        if paths := find_files(place, names):
            pairs = zip(paths, family.files, strict=True)
            arrays = [read_decoded(path, entry, as_published=False) for path, entry in pairs]
            return _assemble(family, arrays, paths, place)
    root = folder or cache_folder()
    if root is None:
        raise DataUnavailableError(
            f"{family.name}: there is no home folder to keep it in. Set FASTMLP_CACHE to a folder "
            f"that can be written, or FASTMLP_DATA to the folder that holds {family.name}/."
        )
    cache = root / family.name
    if folder is not None or (not download and not any(find_file(cache, name) for name in names)):
        looked = ", ".join(str(place) for place in (places if folder else [*places, cache]))
        raise DataUnavailableError(
            f"{family.name}: expected {names[0]}.gz and its three companions; found none of them "
            f"in {looked}. Put them there, set FASTMLP_DATA to the folder that holds "
            f"{family.name}/, or let them be downloaded."
        )
    get = _Cache(cache, mirrors or family.mirrors, download, progress, patience)
    found = [get.read(entry) for entry in family.files]
    return _assemble(family, [a for _, a in found], tuple(path for path, _ in found), cache)


class _Cache:
    """The folder of downloaded files. A file that is missing or damaged is fetched (again)."""

    def __init__(
        self,
        folder: Path,
        mirrors: Sequence[str],
        download: bool,
        progress: Progress | None,
        patience: float,
    ) -> None:
        self.folder, self.mirrors, self.download = folder, mirrors, download
        self.progress, self.patience = progress, patience

    def read(self, entry: IdxFile) -> tuple[Path, NDArray[Any]]:
        path = find_file(self.folder, entry.name)
        if path is not None:
            try:
                return path, read_decoded(path, entry, as_published=True)
            except DataError:
                if not self.download:
                    raise
                with suppress(OSError):  # a plain file would go on hiding the .gz to come
                    path.unlink()
        if not self.download:
            raise DataUnavailableError(
                f"{self.folder}: expected {entry.name}.gz; found no such file. "
                "Let it be downloaded, or put it there."
            )
        path = fetch(
            f"{entry.name}.gz",
            self.mirrors,
            self.folder,
            verify=lambda part: read_verified(part, entry, as_published=True),
            most=entry.most,
            progress=self.progress,
            patience=self.patience,
        )
        return path, read_decoded(path, entry, as_published=True)


def _places(name: str, folder: Path | None) -> list[Path]:
    """Return the folders to look into before the cache."""
    if folder is not None:
        if not folder.is_dir():
            raise DataUnavailableError(f"folder must be a folder; got {folder}. Check the path.")
        return [folder, folder / name]
    if not (data := os.environ.get("FASTMLP_DATA")):
        return []
    root = Path(data)
    if not root.is_dir():
        raise DataUnavailableError(
            f"FASTMLP_DATA must name a folder; got {data}. Check the path, or unset it."
        )
    # The folder of the files themselves will do too, but other sets' files bear the same names.
    own = name == "mnist" or root.resolve().name == name
    return [root / name, root] if own else [root / name]


def _assemble(
    family: Family, arrays: Sequence[NDArray[Any]], paths: Sequence[Path], place: Path
) -> Dataset:
    classes = len(family.class_names)
    return Dataset(
        name=family.name,
        train=pair(arrays[0], arrays[1], paths[0], paths[1], classes),
        test=pair(arrays[2], arrays[3], paths[2], paths[3], classes),
        class_names=family.class_names,
        image_shape=image_shape(arrays[0].shape),
        source=str(place),
    )
