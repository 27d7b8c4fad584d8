"""The records `Split` and `Dataset`, which every loader returns."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from fastmlp.arrays import (
    as_array,
    as_label_values,
    as_numbers,
    check_names,
    column_names,
    is_sparse_matrix,
)
from fastmlp.arrays.frames import has_texts
from fastmlp.errors import checked_class, refuse


@checked_class
@dataclass(frozen=True, repr=False, eq=False)
class Split:
    """Images, or rows of a table, and their labels.

    images : numbers `(N, I)`, or `(N, H, W)`, which becomes that: an array, list, DataFrame or
        tensor, converted to an array; or a sparse matrix of SciPy, converted to CSR
    labels : whole numbers or texts `(N,)` or `(N, 1)`, converted to int64 or texts `(N,)`; or
        floats, the targets of a regression
    feature_names : of the columns; by default those of a DataFrame
    class_names : of the labels 0, 1, 2, …; a Dataset gives its parts its own

    Raises ArgumentError if a shape or dtype is wrong, or the counts differ.
    """

    images: Any
    labels: Any
    feature_names: tuple[str, ...] | None = None
    class_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        names = column_names(self.images) if self.feature_names is None else self.feature_names
        if has_texts(self.images):
            remedy = "Pass it to train(network, frame, labels), or to load_dataset."
            raise refuse("images", "must be numbers", "a DataFrame with texts", remedy)
        is_sparse = is_sparse_matrix(self.images) and self.images.ndim == 2
        images = self.images.tocsr() if is_sparse else as_numbers(self.images, "images")
        if is_sparse:
            as_numbers(images.data, "images")  # refuses what are no numbers
        if images.ndim < 2 or 0 in images.shape:
            raise refuse(
                "images",
                "must be numbers of shape (N, I)",
                f"{images.dtype} of shape {images.shape}",
                "Flatten each image into one row: images.reshape(len(images), -1).",
            )
        labels = as_array(self.labels, "labels")
        if labels.ndim != 1 or labels.dtype.kind not in "iuf":
            labels = as_label_values(labels, "labels")
        if images.shape[0] != len(labels):
            raise refuse(
                "labels",
                "must be as many as the images",
                f"{len(labels)} labels for {images.shape[0]} images",
                "Check that both come from the same split.",
            )
        rows = images if images.ndim == 2 else images.reshape(len(images), -1)
        if names is not None:
            names = check_names("feature_names", names, rows.shape[1], "column")
        classes: Any = self.class_names
        if classes is not None:
            classes = _check_classes(classes)
        checked = {"images": rows, "labels": labels, "feature_names": names, "class_names": classes}
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        images, labels = self.images, self.labels
        return f"Split({len(self)} rows of {images.shape[1]} {images.dtype}, {labels.dtype} labels)"


@checked_class
@dataclass(frozen=True, repr=False, eq=False)
class Dataset:
    """A data set: training and test images, and how to show them.

    name        : the name to print, "mnist" for example
    train, test : the two splits, with the same number of values I for each image
    class_names : the names of the labels 0, 1, 2, …; none in a regression
    image_shape : (height, width) or (height, width, channels), I values in all
    source      : the origin of the data: a folder, a URL, or "generated, seed 0"
    columns     : what the inputs are, in types of JSON: the columns of a table with the categories
        of texts, or the size of pictures. With `network.columns = data.columns`, a saved network
        reads files of the same kind
    notes       : lines on what was done to the data

    Raises ArgumentError for parts that are no Splits or have different widths, and wrong names.
    """

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...]
    source: str
    columns: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names: Any = self.class_names
        names = () if names is None else _check_classes(names)
        object.__setattr__(self, "class_names", names)
        for part in ("train", "test"):
            split = getattr(self, part)
            if not isinstance(split, Split):
                got, remedy = type(split).__name__, "Pass Split(images, labels), for example."
                raise refuse(part, "must be a Split", got, remedy)
            split = copy(split)
            object.__setattr__(split, "class_names", names or None)
            object.__setattr__(self, part, split)
        widths = self.train.images.shape[1], self.test.images.shape[1]
        if widths[0] != widths[1]:
            rule, remedy = f"must have {widths[0]} values each, as train has", "Take both from one."
            raise refuse("test", rule, widths[1], remedy)

    def __repr__(self) -> str:
        what = "regression" if self.task == "regression" else f"{len(self.class_names)} classes"
        return f"Dataset({self.name!r}, train={self.train}, test={self.test}, {what})"

    @property
    def task(self) -> str:
        """What the labels are: "classification" or "regression"."""
        return "regression" if self.train.labels.dtype.kind == "f" else "classification"


def _check_classes(names: Any) -> tuple[str, ...]:
    found = check_names("class_names", names, None, "class")
    if len(set(found)) < len(found):
        rule, remedy = "must differ from each other", "Give each class a name of its own."
        raise refuse("class_names", rule, repr(names), remedy)
    return found
