"""Find IDX files in a folder, under the usual spellings of their names, and load them."""

from __future__ import annotations

from pathlib import Path

from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.idx import file_error, pair, read_images, read_labels

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def find_file(folder: Path, name: str) -> Path | None:
    """Return the file of that published name, or None; plain before gzip, `-idx` or `.idx`."""
    for spelling in (name, name.replace("-idx", ".idx")):
        for path in (folder / spelling, folder / f"{spelling}.gz"):
            if path.exists():
                return path
    return None


def find_files(folder: Path, names: tuple[str, ...] = NAMES) -> tuple[Path, ...] | None:
    """Return the path of each name; None if the folder has none, DataError if only some."""
    found = [find_file(folder, name) for name in names]
    if not any(found):
        return None
    for name, path in zip(names, found, strict=True):
        if path is None:
            remedy = "Put all four files of a data set into one folder."
            raise file_error(folder, f"{name} or {name}.gz", "other files of the set only", remedy)
    return tuple(path for path in found if path)


def image_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (height, width) of images `(N, H, W)`; of `(N, I)`, a square if possible or (1, I)."""
    if len(shape) == 3:
        return shape[1], shape[2]
    side = round(shape[1] ** 0.5)
    return (side, side) if side * side == shape[1] else (1, shape[1])


def load_folder(folder: Path) -> Dataset:
    """Return the data set in a folder of four IDX files with MNIST's names, classes 0, 1, 2, …"""
    paths = find_files(folder)
    if paths is None:
        expected = f"{NAMES[0]} (or {NAMES[0]}.gz) and the three other files"
        raise file_error(folder, expected, "none of them", "Use MNIST's file names.")
    train_images, test_images = read_images(paths[0]), read_images(paths[2])
    if train_images.shape[1:] != test_images.shape[1:]:
        rule = f"images of {train_images.shape[1:]}, as in {paths[0].name}"
        raise file_error(paths[2], rule, str(test_images.shape[1:]), "Take both from one data set.")
    train = pair(train_images, read_labels(paths[1]), paths[0], paths[1])
    test = pair(test_images, read_labels(paths[3]), paths[2], paths[3])
    classes = 1 + max(int(train.labels.max()), int(test.labels.max()))
    return Dataset(
        name=folder.resolve().name,
        train=train,
        test=test,
        class_names=tuple(map(str, range(classes))),
        image_shape=image_shape(train_images.shape),
        source=str(folder),
    )
