"""Find IDX files in a folder, under the usual spellings of their names, and load them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from fastmlp.datasets.assembling import Part, assemble
from fastmlp.datasets.catalogue import NAMES
from fastmlp.datasets.cells import shown
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.idx import file_error, read_idx, read_images
from fastmlp.datasets.options import Options

ENDINGS = ("", ".gz", ".gz.gz")


def find_file(folder: Path, name: str) -> Path | None:
    """Return the file of that published name, or None; plain before gzip, `-idx` or `.idx`.

    The test files may be called `test-…`. The file may be in a folder that has its name, and have
    something before its name: `emnist-digits-train-images-idx3-ubyte`.
    """
    spellings = [name, name.replace("-idx", ".idx")]
    spellings += [spelling.replace("t10k-", "test-") for spelling in spellings[:2]]
    held: set[str] = set()
    with suppress(OSError):
        held = {one for one in os.listdir(folder) if "ubyte" in one}
    for full in (f"{one}{end}" for one in dict.fromkeys(spellings) for end in ENDINGS):
        path = folder / full
        if full in held and path.is_dir():
            inside = find_file(path, name)
            if inside is not None:
                return inside
        elif full in held and path.exists():
            return path
        longer = [one for one in held - {full} if one.endswith(full)]
        if len(longer) == 1 and (folder / longer[0]).is_file():
            return folder / longer[0]
    return None


def places(root: Path, name: str | None = None) -> list[Path]:
    """Return the folders below `root` that may have the files of a data set, as they are kept.

    name : of the data set; None for any. torchvision keeps `fashion-mnist` in `FashionMNIST/raw`
    """
    found = [root / name] if name else []
    with suppress(OSError):
        for path in sorted(root.iterdir()):
            if path.is_dir() and (name is None or path.name.lower() == name.replace("-", "")):
                found += [path, path / "raw"]
    return list(dict.fromkeys([*found, root / "raw"]))


def find_files(folder: Path, names: tuple[str, ...] = NAMES) -> tuple[Path, ...] | None:
    """Return the path of each name; None if the folder has none, DataError if only some."""
    found = [find_file(folder, name) for name in names]
    if not any(found):
        return None
    for name, path in zip(names, found, strict=True):
        if path is None:
            remedy = "Put all four files of a data set into one folder."
            raise file_error(folder, f"{name} or {name}.gz", listed(folder), remedy)
    return tuple(path for path in found if path)


def listed(folder: Path) -> str:
    """Return the first names in a folder for a message."""
    if not os.path.isdir(folder):
        return "no files, as there is no such folder"
    try:
        names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    except OSError as error:
        return error.strerror or str(error)
    return shown(names) if names else "nothing"


def load_idx(folder: Path, options: Options) -> Dataset | None:
    """Return the data set in four IDX files with MNIST's names, or None if there are none.

    They are in the folder, or in one below it. Raises DataError, also for files of several sets.
    """
    own = find_files(folder)
    below = [] if own else places(folder)
    sets = {place: paths for place in below if (paths := find_files(place))}
    if len(sets) > 1:
        found = ", ".join(str(place.relative_to(folder)) for place in sets)
        raise file_error(folder, "one data set", found, "Pass one of these folders.")
    paths = own or next(iter(sets.values()), None)
    if paths is None:
        return None
    train, test = (
        Part(read_images(images), read_idx(labels, ndim=(1, 2)), images, labels)
        for images, labels in (paths[:2], paths[2:])
    )
    return assemble(folder, train, test, options)
