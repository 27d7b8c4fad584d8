"""The records `Split` and `Dataset`, which every loader returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.errors import refuse


@dataclass(frozen=True)
class Split:
    """Images, or rows of a table, and their labels.

    images : uint8 (pixels), float32 or float64, `(N, I)`
    labels : any integer dtype, `(N,)`, each at least 0; or floats, the targets of a regression

    Raises ArgumentError if a shape or dtype is wrong, or the counts differ.
    """

    images: NDArray[Any]
    labels: NDArray[Any]

    def __post_init__(self) -> None:
        if self.images.ndim != 2 or self.images.dtype not in (np.uint8, np.float32, np.float64):
            raise refuse(
                "images",
                "must be uint8, float32 or float64 of shape (N, I)",
                f"{self.images.dtype} of shape {self.images.shape}",
                "Flatten each image into one row: images.reshape(len(images), -1).",
            )
        if self.labels.ndim != 1 or self.labels.dtype.kind not in "iuf":
            raise refuse(
                "labels",
                "must be integers of shape (N,)",
                f"{self.labels.dtype} of shape {self.labels.shape}",
                "Pass the class number of each image: labels.astype(int).",
            )
        if len(self.images) != len(self.labels):
            raise refuse(
                "labels",
                "must be as many as the images",
                f"{len(self.labels)} labels for {len(self.images)} images",
                "Check that both come from the same split.",
            )

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """A data set: training and test images, and how to show them.

    name        : the name to print, "mnist" for example
    train, test : the two splits, with the same number of values I for each image
    class_names : the names of the labels 0, 1, 2, …
        none in a regression
    image_shape : (height, width) or (height, width, channels), I values in all
    source      : the origin of the data: a folder, a URL, or "generated, seed 0"
    columns     : what the inputs are, in types of JSON: the columns of a table with the categories
        of texts, or the size of pictures. With `network.columns = data.columns`, a saved network
        reads files of the same kind
    notes       : lines on what was done to the data
    """

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...]
    source: str
    columns: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()

    @property
    def task(self) -> str:
        """What the labels are: "classification" or "regression"."""
        return "regression" if self.train.labels.dtype.kind == "f" else "classification"
