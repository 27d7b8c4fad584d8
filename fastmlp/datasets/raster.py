"""Decode PNG and JPEG to greys, and resize them, with Pillow."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from io import BytesIO
from os import SEEK_END
from pathlib import Path
from typing import IO, Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.datasets.idx import decoding, file_error
from fastmlp.errors import MissingExtraError

LARGEST_PICTURE = 1 << 26  # pixels
LARGEST_FILE = 1 << 26  # bytes
LONGEST = 1024  # pixels; a longer side is reduced at once


def read_grey(path: Path, file: IO[bytes]) -> Array:
    """Return a PNG or JPEG as greys, float32 `(H, W)`, upright and with at most 1024 pixels a side.

    Greys are from 0 to 255; those of 16 bits have a maximum of 255. Transparent pixels are paper:
    white under dark ink, black under light ink. Raises DataError and MissingExtraError.
    """
    try:
        from PIL import ImageOps
    except ImportError:
        raise MissingExtraError(f"{path}: reading PNG and JPEG", "Pillow", "image") from None
    with decoding(path, "a readable picture"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters is refused
        size = file.seek(0, SEEK_END)
        file.seek(0)
        if size > LARGEST_FILE:
            rule = f"at most {LARGEST_FILE:,} bytes"
            raise file_error(path, rule, f"{size:,}", "Make it smaller.")
        # from memory: with a file, Pillow allocates as many bytes as a damaged header declares
        data = BytesIO(file.read())
        with open_picture(path, data, ("PNG", "JPEG")) as image:
            if image.mode in ("L", "RGB"):
                image.draft("L", (LONGEST, LONGEST))  # a JPEG is decoded at a half, quarter, …
            return _to_grey(ImageOps.exif_transpose(image))


def open_picture(path: Path, data: BytesIO, formats: Sequence[str]) -> Any:
    """Return a picture of Pillow. Raises DataError for other formats, and for too many pixels."""
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(data, formats=formats)
    except UnidentifiedImageError:
        raise file_error(path, "a readable picture", "none of a known format") from None
    width, height = picture.size
    if width * height > LARGEST_PICTURE:
        rule = f"a picture of at most {LARGEST_PICTURE:,} pixels"
        raise file_error(path, rule, f"{width} x {height}", "Make it smaller.")
    return picture


def _to_grey(picture: Any) -> Array:
    from PIL import Image

    if picture.mode.startswith("I"):  # 16 bits; Pillow would clip them to 8
        levels = np.asarray(picture, np.float32)
        picture = Image.fromarray(levels * np.float32(255 / max(float(levels.max()), 1.0)))
    elif "A" in picture.mode or "transparency" in picture.info:
        ink = picture.convert("RGBA")
        grey, alpha = np.asarray(ink.convert("L")), np.asarray(ink.getchannel("A"), np.float32)
        light = float((grey * alpha).sum()) > 127.5 * float(alpha.sum())
        paper = Image.new("RGBA", ink.size, "black" if light else "white")
        picture = Image.alpha_composite(paper, ink).convert("L")
    else:
        picture = picture.convert("L")
    factor = -(-max(picture.size) // LONGEST)
    return np.asarray(picture.reduce(factor) if factor > 1 else picture, np.float32)


def resize(picture: Array, shape: tuple[int, int]) -> Array:
    """Return a picture `(H, W)` resized to a shape by Lanczos, float32, not below 0."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(picture, np.float32))
    return np.asarray(image.resize(shape[::-1], Image.Resampling.LANCZOS)).clip(0)


def reduce(picture: Array, longest: int) -> Array:
    """Return means of squares of pixels, so that no side is longer than `longest`; float32."""
    from PIL import Image

    factor = -(-max(picture.shape) // longest)
    image = Image.fromarray(np.ascontiguousarray(picture, np.float32))
    return np.asarray(image.reduce(factor))
