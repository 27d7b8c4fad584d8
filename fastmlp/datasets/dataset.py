"""The records `Split` and `Dataset`, which every loader returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import as_array
from fastmlp.errors import checked_class, refuse


@checked_class
@dataclass(frozen=True)
class Split:
    """Images and their labels.

    images : uint8 (pixels), float32 or float64, `(N, I)`
    labels : any integer dtype, `(N,)`, each at least 0

    Lists, tables and other things that NumPy converts become arrays.
    Raises ArgumentError if a shape or dtype is wrong, or the counts differ.
    """

    images: NDArray[Any]
    labels: NDArray[Any]

    def __post_init__(self) -> None:
        for name in ("images", "labels"):
            object.__setattr__(self, name, as_array(getattr(self, name), name))
        if self.images.ndim != 2 or self.images.dtype not in (np.uint8, np.float32, np.float64):
            remedy = "Flatten each image into one row: images.reshape(len(images), -1)."
            if self.images.ndim == 2:
                remedy = 'Convert them: images.astype("uint8") if they are pixels, else "float32".'
            rule = "must be uint8, float32 or float64 of shape (N, I)"
            raise refuse(
                "images", rule, f"{self.images.dtype} of shape {self.images.shape}", remedy
            )
        if self.labels.ndim != 1 or self.labels.dtype.kind not in "iu":
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


@checked_class
@dataclass(frozen=True)
class Dataset:
    """A data set: training and test images, and how to show them.

    name        : the name to print, "mnist" for example
    train, test : the two splits, with the same number of values I for each image
    class_names : the names of the labels 0, 1, 2, …
    image_shape : (height, width) with height * width == I
    source      : the origin of the data: a folder, a URL, or "generated, seed 0"
    """

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...]
    image_shape: tuple[int, int]
    source: str
