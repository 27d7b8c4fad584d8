"""Load a data set from an .npz file, without pickle, and with a check of the declared sizes."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.folder import image_shape
from fastmlp.datasets.idx import GZIP_RATIO, file_error, pair
from fastmlp.errors import DataError
from fastmlp.system.reading import open_file

SPELLINGS = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
)
READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def load_npz(path: Path) -> Dataset:
    """Return the data set in an .npz file of the arrays `x_train`, `y_train`, `x_test`, `y_test`.

    The names `train_images`, `train_labels`, `test_images`, `test_labels` are accepted too.
    Images are uint8, float32 or float64, `(N, H, W)` or `(N, I)`; labels integers `(N,)`.
    """
    try:
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            arrays = [_read(path, archive, name) for name in _names(path, archive)]
    except DataError:
        raise
    except Exception as error:  # for a damaged file, the parsers raise nearly anything
        said = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise file_error(path, "a readable .npz file", said or type(error).__name__) from error
    train_images, train_labels, test_images, test_labels = arrays
    _check_images(path, train_images)
    _check_images(path, test_images)
    if train_images.shape[1:] != test_images.shape[1:]:
        rule = f"test images of {train_images.shape[1:]}, as in training"
        raise file_error(path, rule, str(test_images.shape[1:]), "Take both from one data set.")
    train = pair(train_images, _labels(path, train_labels), path, path)
    test = pair(test_images, _labels(path, test_labels), path, path)
    classes = 1 + max(int(train.labels.max()), int(test.labels.max()))
    return Dataset(
        name=path.stem,
        train=train,
        test=test,
        class_names=tuple(map(str, range(classes))),
        image_shape=image_shape(train_images.shape),
        source=str(path),
    )


def _names(path: Path, archive: zipfile.ZipFile) -> tuple[str, ...]:
    held = {name.removesuffix(".npy") for name in archive.namelist()}
    for names in SPELLINGS:
        if held.issuperset(names):
            return names
    expected = " or ".join(", ".join(names) for names in SPELLINGS)
    found = ", ".join(sorted(held)[:8]) or "no array"
    raise file_error(
        path, f"the arrays {expected}", found, "Save them with numpy.savez_compressed."
    )


def _read(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """Return one array, if its header, the directory of the archive and the packed size agree."""
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        remedy = "Save it with numpy.savez_compressed."
        raise file_error(path, f"{name} stored or deflated", "another compression", remedy)
    if info.file_size > info.compress_size * GZIP_RATIO + 1024:
        rule = f"{name} packed into {info.file_size // GZIP_RATIO:,} bytes or more"
        raise file_error(path, rule, f"{info.compress_size:,}")
    with archive.open(info) as member:
        shape, fortran, dtype = _header(path, member, name)
        declared = math.prod(shape) * dtype.itemsize
        if declared != info.file_size - member.tell():
            rule = f"{declared:,} bytes of {name}, as its header says ({dtype.name} {shape})"
            raise file_error(path, rule, f"{info.file_size - member.tell():,}")
        body = bytearray(member.read())
    array = np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), order="C", copy=False)


def _header(
    path: Path, member: IO[bytes], name: str
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(member)
    if version not in READERS:
        raise file_error(path, f"{name} in .npy format 1.0 or 2.0", ".".join(map(str, version)))
    shape, fortran, dtype = READERS[version](member)
    if dtype.kind not in "iuf":
        raise file_error(path, f"{name} of numbers", str(dtype), "Save plain numeric arrays.")
    if not shape or 0 in shape:
        raise file_error(path, f"{name} with at least one item", f"shape {shape}")
    return shape, fortran, dtype


def _check_images(path: Path, images: NDArray[Any]) -> None:
    known = images.dtype in (np.uint8, np.float32, np.float64)
    if not known or images.ndim not in (2, 3):
        rule = "images of uint8, float32 or float64, of shape (N, H, W) or (N, I)"
        raise file_error(
            path, rule, f"{images.dtype} of shape {images.shape}", "Convert them first."
        )


def _labels(path: Path, labels: NDArray[Any]) -> NDArray[Any]:
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        found = f"{labels.dtype} of shape {labels.shape}"
        raise file_error(path, "integer labels of shape (N,)", found, "Convert them first.")
    return labels
