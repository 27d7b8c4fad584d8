"""A folder of pictures by class: all resized to one size, in grey or in colour."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.datasets.assembling import Part, assemble
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.idx import file_error
from fastmlp.datasets.options import LARGEST, Options
from fastmlp.errors import DataError, MissingExtraError
from fastmlp.system.reading import read_whole

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"),
)
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
TRAIN, TEST = ("train", "training"), ("test", "testing", "val", "valid", "validation")
LARGEST_FILE, LARGEST_PICTURE = 1 << 26, 1 << 26  # bytes, pixels
SMALL = 64  # pixels: by default, no side becomes longer than this
LOOKED_AT = 50  # pictures, to see whether all are grey


@dataclass(frozen=True)
class Form:
    """What pictures become: `height` x `width` pixels, each of 1 value (grey) or 3 (colour)."""

    height: int
    width: int
    channels: int

    def to_plain(self) -> dict[str, Any]:
        """Return the form in types of JSON."""
        return {"pictures": vars(self)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Form:
        """Return the form that `to_plain` described. Raises DataError for anything else."""
        try:
            form = cls(**plain["pictures"])
            sides = (form.height, form.width)
            if any(type(n) is not int or not 1 <= n <= LARGEST for n in sides):
                raise ValueError(f"sizes are {sides}")
            if form.channels not in (1, 3):
                raise ValueError(f"channels are {form.channels}")
        except (TypeError, ValueError, KeyError) as error:
            raise DataError(f"columns must describe pictures; got: {error}") from None
        return form


def load_picture_folder(folder: Path, options: Options) -> Dataset | None:
    """Return the data set of a folder with a folder for each class, or None if it has none.

    They may be divided into `train` and `test`. Raises DataError for a damaged picture, and
    MissingExtraError without Pillow.
    """
    subfolders = {path.name.lower(): path for path in _folders(folder)}
    halves = [
        next((subfolders[name] for name in names if name in subfolders), None)
        for names in (TRAIN, TEST)
    ]
    classes = [_classes(half) if half else {} for half in halves]
    if not classes[0]:
        classes = [_classes(folder), {}]
    parts = [files for files in classes if files]
    if not parts:
        return None
    every = [path for files in parts for paths in files.values() for path in paths]
    if options.columns is not None:
        form, notes = Form.from_plain(options.columns), list[str]()
    else:
        form, notes = _choose_form(every, options.image_size)
    train, *tests = (
        Part(
            read_pictures([path for paths in files.values() for path in paths], form),
            np.array([name for name, paths in files.items() for _ in paths]),
            folder,
            folder,
        )
        for files in parts
    )
    data = assemble(folder, train, tests[0] if tests else None, options, tuple(notes))
    return Dataset(**{**vars(data), "columns": form.to_plain()})


def picture_files(path: Path) -> list[Path]:
    """Return the pictures in a folder and all folders below it, sorted by name; or the file."""
    if not path.is_dir():
        return [path]
    files = sorted(path.rglob("*"))
    return [one for one in files if one.suffix.lower() in SUFFIXES and one.name[0] != "."]


def read_pictures(files: Sequence[Path], form: Form) -> NDArray[np.uint8]:
    """Return pictures in that form, `(N, H, W)` in grey or `(N, H, W, 3)`, with 0 for black."""
    x = np.empty((len(files), form.height, form.width, form.channels), np.uint8)
    for place, path in zip(x, files, strict=True):
        picture = _open(path)
        picture = picture.convert("L" if form.channels == 1 else "RGB")
        if picture.size != (form.width, form.height):
            picture = picture.resize((form.width, form.height), _pillow().Resampling.BOX)
        place[...] = np.asarray(picture).reshape(place.shape)
    return x[..., 0] if form.channels == 1 else x


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._")


def _classes(folder: Path) -> dict[str, list[Path]]:
    """Return the pictures of each class by its name; classes without pictures are left out."""
    found = {path.name: picture_files(path) for path in _folders(folder)}
    return {name: files for name, files in found.items() if files}


def _choose_form(files: list[Path], wanted: tuple[int, int] | None) -> tuple[Form, list[str]]:
    """Return the form for pictures, and lines on it.

    wanted : width and height; None for the most common size, reduced to sides of 64 at most
    """
    looked = [_open(path) for path in files[:: -(-len(files) // LOOKED_AT)]]
    channels = 1 if all(map(_is_grey, looked)) else 3
    sizes = Counter(picture.size for picture in looked)
    common = sizes.most_common(1)[0][0]
    shrink = max(1.0, max(common) / SMALL)
    width, height = wanted or tuple(max(1, round(side / shrink)) for side in common)
    kind = "grey" if channels == 1 else "colour"
    notes = [f"{len(files):,} pictures in {kind}"]
    if set(sizes) != {(width, height)}:
        notes = [f"{notes[0]}, resized to {width} x {height}; --image-size sets another size"]
    return Form(height, width, channels), notes


def _is_grey(picture: Any) -> bool:
    if picture.mode in ("1", "L", "LA"):
        return True
    colours = np.asarray(picture.convert("RGB"))
    return bool((colours == colours[..., :1]).all())


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtraError("a folder of pictures", "Pillow", "image") from None
    return Image


def _open(path: Path) -> Any:
    """Return a picture as Pillow's, upright, of 8 bits, and on white paper."""
    image = _pillow()
    from PIL import ImageOps

    try:
        data = BytesIO(read_whole(path, LARGEST_FILE))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = image.open(data, formats=FORMATS)
            if picture.width * picture.height > LARGEST_PICTURE:
                rule = f"a picture of at most {LARGEST_PICTURE:,} pixels"
                found = f"{picture.width} x {picture.height}"
                raise file_error(path, rule, found, "Make it smaller.")
            picture = ImageOps.exif_transpose(picture)
            if picture.mode.startswith("I"):  # 16 bits; Pillow would clip them to 8
                return image.fromarray((np.asarray(picture) / 257).clip(0, 255).astype(np.uint8))
            if "A" in picture.mode or "transparency" in picture.info:
                ink = picture.convert("RGBA")
                return image.alpha_composite(image.new("RGBA", ink.size, "white"), ink)
            return picture
    except DataError:
        raise
    except Exception as error:  # for a damaged file, image decoders raise nearly anything
        said = " ".join(str(error).split()) or type(error).__name__
        raise file_error(path, "a readable picture", said) from error
