"""Writes IDX files, for the tests that read them, and compares what was read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.folder import NAMES
from fastmlp.datasets.idx import header

Arrays = dict[str, np.ndarray[Any, Any]]


def idx_bytes(array: np.ndarray[Any, Any]) -> bytes:
    return header(array) + array.astype(array.dtype.newbyteorder(">")).tobytes()


def check(dataset: Dataset, arrays: Arrays) -> None:
    splits = (dataset.train, dataset.test)
    for split, images, labels in zip(splits, NAMES[::2], NAMES[1::2], strict=True):
        np.testing.assert_array_equal(split.images, arrays[images].reshape(len(split), -1))
        np.testing.assert_array_equal(split.labels, arrays[labels])
    assert dataset.image_shape == (28, 20)


def left_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
