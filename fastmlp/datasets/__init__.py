"""Load data sets: by name, found on this machine or downloaded; from files; or generated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastmlp.datasets.catalogue import FAMILIES
from fastmlp.datasets.dataset import Dataset, Split
from fastmlp.datasets.digits import generate_digits
from fastmlp.datasets.download import Progress
from fastmlp.datasets.families import load_family
from fastmlp.datasets.folder import load_folder
from fastmlp.datasets.idx import read_idx, read_images, read_labels, read_split
from fastmlp.datasets.npz import load_npz
from fastmlp.errors import checked_call, refuse
from fastmlp.system.files import as_path

__all__ = [
    "Dataset",
    "Split",
    "load_dataset",
    "generate_digits",
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
    name: str | Path,
    *,
    folder: str | Path | None = None,
    download: bool = True,
    mirrors: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Return a data set.

    name     : "mnist", "fashion-mnist", "kmnist", "digits", a folder of IDX files, or an .npz file
    folder   : where the files of a named set are; by default FASTMLP_DATA, then the user's cache
    download : whether a named set that is not found may be downloaded into the user's cache
    mirrors  : https addresses to try in this order, instead of the published ones
    progress : called while downloading as progress(file name, bytes so far, bytes in all or None)

    Raises ArgumentError, DataError (a file has the wrong content) or DataUnavailableError.
    """
    path = as_path(name, "name")
    if str(name) in FAMILIES:
        return load_family(
            FAMILIES[str(name)],
            folder=None if folder is None else as_path(folder, "folder"),
            download=download,
            mirrors=mirrors,
            progress=progress,
        )
    for argument, value in (("folder", folder), ("mirrors", mirrors)):
        if value is not None:
            known = ", ".join(FAMILIES)
            rule = f"is allowed for {known} only"
            raise refuse(argument, rule, f"it for {name}", "Leave it out.")
    if name == "digits":
        return generate_digits()
    if path.is_dir():
        return load_folder(path)
    if path.suffix == ".npz":
        return load_npz(path)
    rule = f"must be one of {', '.join(DATASET_NAMES)}, a folder of IDX files or an .npz file"
    raise refuse("name", rule, repr(str(name)), "Check the spelling or the path.")
