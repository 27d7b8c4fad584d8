"""Arrays of images or rows and their labels as a data set, whatever file they come from."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from fastmlp.arrays import Array, as_numbers, shape_of
from fastmlp.datasets.columns import BRIGHT, EXACT, are_pixels
from fastmlp.datasets.dataset import Dataset, Split
from fastmlp.datasets.dividing import divide
from fastmlp.datasets.idx import file_error, pair
from fastmlp.datasets.labels import are_quantities, as_vector, encode_labels
from fastmlp.datasets.options import Options
from fastmlp.datasets.written import number_of


@dataclass(frozen=True)
class Part:
    """The training or test part: images `(N, …)`, labels `(N, …)`, and the files of both."""

    images: Array
    labels: Array
    images_path: Path
    labels_path: Path


def assemble(
    path: Path, train: Part, test: Part | None, options: Options, notes: tuple[str, ...] = ()
) -> Dataset:
    """Return the data set of these parts; without a test part, rows of the other are drawn for it.

    Raises DataError if they do not belong together, or are no images or labels.
    """
    parts = [train] if test is None else [train, test]
    images = [as_images(part.images_path, part.images) for part in parts]
    shape = images[0].shape[1:]
    if images[-1].shape[1:] != shape:
        rule = f"test images of {shape}, as in training"
        raise file_error(
            parts[-1].images_path, rule, str(images[-1].shape[1:]), "Take both from one data set."
        )
    if len({array.dtype for array in images}) > 1:
        images = [array.astype(np.result_type(*images, np.float32)) for array in images]
    labels = [_labels(part) for part in parts]
    counts = [len(array) for array in labels]
    together = np.concatenate(labels)
    names: tuple[str, ...] = ()
    if options.task == "regression" or (options.task is None and are_quantities(together)):
        together = _quantities(path, together)
    else:
        together, names = encode_labels(together)
        if len(names) < 2 and options.columns is None and not options.whole:
            found, remedy = f"only {names[0]!r}", "Add samples of another class."
            raise file_error(path, "two classes or more", found, remedy)
    labels = np.split(together, np.cumsum(counts)[:-1])
    splits = [
        pair(x, y, part.images_path, part.labels_path, missing=True)
        for x, y, part in zip(images, labels, parts, strict=True)
    ]
    new = sorted(set(splits[-1].labels) - set(splits[0].labels)) if names else []
    if new:
        notes = (*notes, f"no training sample of {', '.join(names[code] for code in new[:8])}")
    if test is None:
        (whole,) = splits
        rows, note = divide(path, whole.labels, options.seed, options.whole)
        splits = [Split(whole.images[part], whole.labels[part]) for part in rows]
        notes = (*notes, *note)
    return Dataset(
        name=path.resolve().name or "data",
        train=splits[0],
        test=splits[1],
        class_names=names,
        image_shape=image_shape(images[0]),
        source=str(path),
        notes=notes,
    )


def as_images(path: Path, images: Array) -> Array:
    """Return images `(N, …)` as uint8 if they are pixels, else as float32 or float64.

    Integers from 0 to 255 are pixels in arrays of three or four dimensions, and in rows if they
    are as many as an image has and one is bright. Bytes stay bytes.
    """
    if images.dtype.kind not in "iufb" or not 2 <= images.ndim <= 4:
        rule = "images of uint8, float32 or float64, of shape (N, H, W), (N, H, W, C) or (N, I)"
        found = f"{images.dtype} of shape {images.shape}"
        raise file_error(path, rule, found, "Save plain numeric arrays.")
    if images.dtype.kind in "bf":
        return np.asarray(as_numbers(images, "images"), np.float64 if images.itemsize > 4 else "f4")
    values, shaped = int(np.prod(images.shape[1:])), images.ndim > 2
    is_image = shaped or shape_of(values)[0] > 1
    if images.dtype == np.uint8 or (
        is_image and are_pixels(images) and (shaped or images.max() >= BRIGHT)
    ):
        return images.astype(np.uint8, copy=False)
    return images.astype(np.float32 if np.abs(images).max() <= EXACT else np.float64)


def image_shape(images: Array) -> tuple[int, ...]:
    """Return the shape of one image of `(N, …)`; (1, I) for rows that are no square of pixels.

    Pixels in rows are uint8, or whole numbers from 0 to 255, or numbers from 0 to 1.
    """
    shape = images.shape
    if len(shape) > 2:
        return tuple(side for side in shape[1:] if side > 1 or len(shape) == 3)
    square = shape_of(shape[1])
    is_image = square[0] > 1 and (
        images.dtype == np.uint8
        or are_pixels(images)
        or bool((images >= 0).all() and (images <= 1).all())
    )
    return square if is_image else (1, shape[1])


def _labels(part: Part) -> Array:
    labels, rule = as_vector(part.labels), "one label for each image"
    if labels is None or labels.dtype.kind not in "iufbUS":
        found = f"{part.labels.dtype} of shape {part.labels.shape}"
        remedy = "Several labels of one sample are for train(network, (images, targets))."
        raise file_error(part.labels_path, rule, found, remedy)
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        found = f"NaN or infinity in row {int(np.argmin(np.isfinite(labels)))}"
        raise file_error(part.labels_path, rule, found, "Remove these rows.")
    return labels


def _quantities(path: Path, labels: Array) -> Array:
    """Return targets of a regression, which may be texts of numbers, as float64."""
    if labels.dtype.kind not in "US":
        return labels.astype(np.float64)
    texts = np.char.decode(labels, "utf-8", "replace") if labels.dtype.kind == "S" else labels
    numbers = [number_of(text.strip()) for text in texts.tolist()]
    wrong = [text for text, n in zip(texts, numbers, strict=True) if n is None or not isfinite(n)]
    if wrong:
        found = f"texts such as {str(wrong[0])!r}"
        raise file_error(path, "numbers as targets", found, "Leave out the task.")
    return np.array(numbers, np.float64)
