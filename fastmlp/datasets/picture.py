"""Read images for prediction: IDX, .npy, PNG or JPEG, recognised by their first bytes.

A PNG or JPEG is converted to the form of MNIST: white ink on black. The ink is found against the
paper around it, and resized to the middle 20 x 20 of 28 x 28 pixels, centred by mass. A picture of
the network's own size, with strong ink on black or white without noise, is only inverted if needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from math import ceil, isqrt
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from fastmlp.arrays import Array
from fastmlp.datasets.doubts import find_doubts
from fastmlp.datasets.idx import GZIP_MAGIC, decoding, file_error, read_images
from fastmlp.datasets.ink import find_ink
from fastmlp.datasets.npz import READERS
from fastmlp.datasets.raster import read_grey, reduce, resize
from fastmlp.system.reading import open_file

BOX, FRAME = 20, 28  # MNIST's digits fill a box of 20 pixels in a frame of 28
INK = 0.2  # share of the brightest pixel above which a pixel is ink, to find the bounding box
CLEAN_INK = 200  # levels between ink and even paper, from which a picture needs no conversion
WORKED = 256  # pixels a side in which ink is found
# Formats that are not read, and what is within their first 16 bytes
OTHER_FORMATS = (
    ("HEIC", b"ftyphei"),
    ("HEIC", b"ftyphev"),
    ("HEIF", b"ftypmif1"),
    ("AVIF", b"ftypavif"),
    ("WebP", b"WEBP"),
    ("GIF", b"GIF8"),
    ("TIFF", b"II*\0"),
    ("TIFF", b"MM\0*"),
    ("PDF", b"%PDF"),
)
INVERTED = "inverted to white on black, because its ink is darker than its paper"


@dataclass(frozen=True)
class Pictures:
    """The images of a file, `(N, H, W)` or `(N, I)`, and notes on how they were converted.

    doubts : why a picture may contain no digit; only of PNG and JPEG of 28 x 28, or made so
    """

    images: Array
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def read_pictures(path: Path, inputs: int) -> Pictures:
    """Return the images in a file, for a network with `inputs` inputs.

    A .npy file contains one image `(H, W)` or `(I,)`, or many. Raises DataError if the file has
    another format or is damaged, and MissingExtraError for PNG and JPEG without Pillow.
    """
    try:
        with open_file(path) as file:
            return _read_by_type(path, file, inputs)
    except OSError as error:
        found = error.strerror or str(error)
        raise file_error(path, "an image to read", found, "Check the path.") from None


def _read_by_type(path: Path, file: IO[bytes], inputs: int) -> Pictures:
    start = file.read(16)
    file.seek(0)
    if start.startswith(b"\x93NUMPY"):
        return Pictures(_read_npy(path, file, inputs))
    if start.startswith((b"\x89PNG", b"\xff\xd8\xff")):
        return _read_picture(path, file, inputs)
    name = next((name for name, magic in OTHER_FORMATS if magic in start), None)
    if name is None and start.startswith((b"\0\0", GZIP_MAGIC)):
        return Pictures(_as_many(read_images(path, source=file), inputs))
    found = f"{start[:4].hex(' ')} ({start[:4]!r})" if name is None else f"a {name} file"
    remedy = "Convert the image: open it in an image viewer, and save it as PNG or JPEG."
    raise file_error(path, "a PNG, JPEG, .npy or IDX file", found, remedy)


def _read_npy(path: Path, file: Any, inputs: int) -> Array:
    with decoding(path, "a readable .npy file of numbers"):
        # both a map and a buffer refuse a header that declares more bytes than the file has
        shape, fortran, dtype = READERS[np.lib.format.read_magic(file)](file)
        if dtype.hasobject:
            raise ValueError("it contains Python objects")
        order: Literal["F", "C"] = "F" if fortran else "C"
        images: Array
        if isinstance(file, BytesIO):
            images = np.ndarray(shape, dtype, file.getvalue(), file.tell(), None, order)
        else:
            images = np.memmap(file, dtype, "r", file.tell(), shape, order)
    if images.dtype.kind not in "uifb" or not 1 <= images.ndim <= 3 or 0 in images.shape:
        rule = "numbers of shape (H, W), (N, H, W) or (N, I)"
        found = f"{images.dtype} of shape {images.shape}"
        raise file_error(path, rule, found, "Save plain images.")
    return _as_many(np.asarray(images), inputs)


def _as_many(images: Array, inputs: int) -> Array:
    """Return images with an axis for their number; `(H, W)` with H W == inputs is one image."""
    one = images.ndim == 1 or (
        images.ndim == 2 and images.size == inputs and images.shape[1] != inputs
    )
    return images[np.newaxis] if one else images


def _read_picture(path: Path, file: IO[bytes], inputs: int) -> Pictures:
    side = isqrt(inputs)
    if side * side != inputs:
        raise file_error(
            path,
            f"{inputs} values, one for each input of the network",
            "a picture, which is resized to a square",
            "Pass an IDX or .npy file.",
        )
    grey = read_grey(path, file)
    if grey.shape == (side, side):
        for image, light in ((grey, True), (255 - grey, False)):
            if (image == 0).mean() > 0.5 and image.max() >= CLEAN_INK:
                return _to_pictures(image, () if light else (INVERTED,))
    found = find_ink(reduce(grey, WORKED))
    if found is not None and max(grey.shape) > WORKED:
        part = _cut_out(grey, found.share)
        if part.shape != grey.shape:
            found = find_ink(reduce(part, WORKED)) or found
    if found is None:
        rule, remedy = "a picture with something on it", "Check the file."
        raise file_error(path, rule, "one even colour, or nothing but noise", remedy)
    height, width = grey.shape
    shape = f"{width} x {height} pixels centred and resized to {side} x {side}"
    return _to_pictures(_fit(found.share, side), (INVERTED, shape)[found.light :])


def _to_pictures(image: Array, notes: tuple[str, ...]) -> Pictures:
    levels = np.rint(image).clip(0, 255).astype(np.uint8)
    doubts = find_doubts(levels) if len(levels) == FRAME else ()
    return Pictures(levels[np.newaxis], notes, doubts)


def _cut_out(grey: Array, share: Array) -> Array:
    """Return the part of a picture around its ink, if that is small; otherwise the picture.

    share : of a picture of the same place, with fewer pixels
    """
    rows, columns = np.flatnonzero(share.any(axis=1)), np.flatnonzero(share.any(axis=0))
    scale = grey.shape[0] / share.shape[0]
    reach = max(np.ptp(rows), np.ptp(columns)) + 1
    if reach * 4 > max(share.shape):
        return grey
    top, left = (max(0, round((ink[0] - reach / 2) * scale)) for ink in (rows, columns))
    bottom, right = (round((ink[-1] + 1 + reach / 2) * scale) for ink in (rows, columns))
    return grey[top:bottom, left:right]


def _fit(grey: Array, side: int) -> Array:
    """Return ink on black `(H, W)` in the form of MNIST, `(side, side)`, with a maximum of 255."""
    peak = float(grey.max())
    ink = grey > INK * peak
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    cut = grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] * np.float32(255 / peak)
    box = max(1, round(side * BOX / FRAME))
    scale = box / max(cut.shape)
    height, width = (max(1, round(length * scale)) for length in cut.shape)
    small = resize(cut, (height, width)).clip(0, 255)
    small = small * np.float32(255 / max(float(small.max()), 1.0))
    # in MNIST the centre of mass is 0 to 1 pixel right of and below the middle
    top, left = (
        min(max(ceil(side / 2 - centre), 0), side - length)
        for centre, length in zip(_centre(small), small.shape, strict=True)
    )
    frame = np.zeros((side, side), np.float32)
    frame[top : top + height, left : left + width] = small
    return frame


def _centre(image: Array) -> tuple[float, float]:
    """Return the centre of mass, (row, column), in pixels from the corner of the image."""
    mass = float(image.sum())
    rows, columns = (np.arange(length) + 0.5 for length in image.shape)
    return float(image.sum(axis=1) @ rows) / mass, float(image.sum(axis=0) @ columns) / mass
