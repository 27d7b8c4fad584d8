"""A folder of pictures by class: all resized to one size, in grey or in colour."""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.datasets.assembling import Part, assemble
from fastmlp.datasets.cells import other_data
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.idx import decoding, file_error
from fastmlp.datasets.options import LARGEST, Options
from fastmlp.datasets.raster import LARGEST_FILE, open_picture
from fastmlp.errors import DataError, MissingExtraError, counted
from fastmlp.system.reading import read_whole

SUFFIXES = ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"
OTHERS = (".heic", ".heif", ".avif", ".jp2", ".jxl", ".svg", ".dng", ".cr2", ".nef", ".arw")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
TRAIN, TEST = ("train", "training"), ("test", "testing", "val", "valid", "validation")
SMALL = 64  # pixels: by default, no side becomes longer than this
Files = dict[str, list[Path]]  # pictures of each class by its name
LOOKED_AT = 50  # pictures, to see whether all are grey, and what is white in those of 16 bits
WHITES = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16))
LIGHT = 128  # ink of which all is at least so light is on black paper where there is transparency


@dataclass(frozen=True)
class Form:
    """What pictures become: `height` x `width` pixels, each of 1 value (grey) or 3 (colour).

    white : the value of white in pictures of 16 bits, which may use fewer: 2^k - 1
    """

    height: int
    width: int
    channels: int
    white: int = 65535

    def to_plain(self) -> dict[str, Any]:
        """Return the form in types of JSON, as earlier versions did where it can be."""
        known = {key: value for key, value in vars(self).items() if value != WHITES[-1]}
        return {"pictures": known}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Form:
        """Return the form that `to_plain` described. Raises DataError for anything else."""
        try:
            form = cls(**plain["pictures"])
            sides = (form.height, form.width)
            if any(type(n) is not int or not 1 <= n <= LARGEST for n in sides):
                raise ValueError(f"sizes are {sides}")
            if form.white not in WHITES:
                raise ValueError(f"white is {form.white}")
            if form.channels not in (1, 3):
                raise ValueError(f"channels are {form.channels}")
            if type(plain.get("seed", 0)) is not int or plain.get("seed", 0) < 0:
                raise ValueError(f"seed is {plain['seed']}")
        except (TypeError, ValueError, LookupError) as error:
            if isinstance(plain, Mapping) and "inputs" in plain:
                raise other_data("a table", "pictures") from None
            raise DataError(f"columns must describe pictures; got damaged ones: {error}") from None
        return form


def load_picture_folder(folder: Path, options: Options) -> Dataset | None:
    """Return the data set of a folder with a folder for each class, or None if it has none.

    They may be divided into `train` and `test`, or be in a folder of the folder. Raises DataError
    for a damaged picture, and MissingExtraError without Pillow.
    """
    parts, notes = _parts(folder)
    if not parts:
        return None
    every = [path for files in parts for paths in files.values() for path in paths]
    known: Mapping[str, Any] = options.columns or {}
    if known:
        form = Form.from_plain(known)
    else:
        form, said = _choose_form(every, options.image_size)
        notes = [*said, *notes]
    train, *tests = (
        Part(
            read_pictures([path for paths in files.values() for path in paths], form),
            np.array([name for name, paths in files.items() for _ in paths]),
            folder,
            folder,
        )
        for files in parts
    )
    notes += _not_read(folder)
    described = {**form.to_plain(), "seed": options.seed, "sha256": _sha256(train)}
    if "sha256" in known:  # models of earlier versions have none
        options = replace(options, seed=known.get("seed", 0))
        if not tests and options.whole is None and described["sha256"] != known["sha256"]:
            options = replace(options, whole=True)
            notes.append("other pictures than those of the training: all test")
    data = assemble(folder, train, tests[0] if tests else None, options, tuple(notes))
    return replace(data, columns=known or described)


def _sha256(part: Part) -> str:
    """Return a digest of pictures and their classes, by which they are known again."""
    digest = hashlib.sha256(part.images.data)
    digest.update("/".join(part.labels).encode(errors="surrogateescape"))
    return digest.hexdigest()


def _parts(folder: Path) -> tuple[list[Files], list[str]]:
    """Return the pictures to train and, if they are divided, to test; and lines on folders left."""
    subfolders = {path.name.lower(): path for path in _folders(folder)}
    found = {name: _classes(path) for name, path in subfolders.items() if name in TRAIN + TEST}
    train, test = ([name for name in names if found.get(name)] for names in (TRAIN, TEST))
    if not train:
        files = _classes(folder)
        if len(files) == 1:  # perhaps the only folder of an archive that was unpacked
            parts, notes = _parts(folder / next(iter(files)))
            if parts and len(parts[0]) > 1:
                return parts, notes
        return [files] if files else [], []
    read = [names[0] for names in (train, test) if names]
    left = sorted(path.name for name, path in subfolders.items() if name not in read)
    notes = [f"not read: {', '.join(left[:8])}"] if left else []
    return [found[name] for name in read], notes


def _not_read(folder: Path) -> list[str]:
    """Return a line on pictures of formats that are not read, if there are any."""
    left = sorted(one.name for one in folder.rglob("*") if one.suffix.lower() in OTHERS)
    return [f"not read: {counted(len(left), 'picture')} such as {left[0]}"] if left else []


def picture_files(path: Path) -> list[Path]:
    """Return the pictures in a folder and all folders below it, sorted by name; or the file."""
    if not path.is_dir():
        return [path]
    files = _in_order(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES)
    parts = ((one, one.relative_to(path).parts) for one in files)
    return [one for one, names in parts if not any(map(_is_hidden, names)) and not one.is_dir()]


def read_pictures(files: Sequence[Path], form: Form) -> NDArray[np.uint8]:
    """Return pictures in that form, `(N, H, W)` in grey or `(N, H, W, 3)`, with 0 for black."""
    x = np.empty((len(files), form.height, form.width, form.channels), np.uint8)
    for place, path in zip(x, files, strict=True):
        picture = _open(path, form.white)
        picture = picture.convert("L" if form.channels == 1 else "RGB")
        if picture.size != (form.width, form.height):
            picture = picture.resize((form.width, form.height), _pillow().Resampling.BOX)
        place[...] = np.asarray(picture).reshape(place.shape)
    return x[..., 0] if form.channels == 1 else x


def _folders(folder: Path) -> list[Path]:
    return _in_order(p for p in folder.iterdir() if p.is_dir() and not _is_hidden(p.name))


def _in_order(paths: Iterable[Path]) -> list[Path]:
    """Return paths in the same order everywhere: on Windows, they compare without case."""
    return sorted(paths, key=lambda path: path.parts)


def _is_hidden(name: str) -> bool:
    """Return whether a file or folder is of a program, as .git and __MACOSX are."""
    return name.startswith((".", "__"))


def _classes(folder: Path) -> Files:
    """Return the pictures of each class by its name; classes without pictures are left out."""
    found = {path.name: picture_files(path) for path in _folders(folder)}
    return {name: files for name, files in found.items() if files}


def _choose_form(files: list[Path], wanted: tuple[int, int] | None) -> tuple[Form, list[str]]:
    """Return the form for pictures, and lines on it.

    wanted : width and height; None for the most common size, reduced to sides of 64 at most
    """
    looked = [_open(path, None) for path in files[:: -(-len(files) // LOOKED_AT)]]
    channels = 1 if all(map(_is_grey, looked)) else 3
    sizes = Counter(picture.size for picture in looked)
    common = sizes.most_common(1)[0][0]
    shrink = max(1.0, max(common) / SMALL)
    width, height = wanted or tuple(max(1, round(side / shrink)) for side in common)
    deep = [np.asarray(picture).max() for picture in looked if picture.mode.startswith("I")]
    white = next(white for white in WHITES if white >= max(deep, default=WHITES[-1]))
    kind = "grey" if channels == 1 else "colour"
    notes = [f"{len(files):,} pictures in {kind}"]
    if set(sizes) != {(width, height)}:
        notes = [f"{notes[0]}, resized to {width} x {height}; image_size sets another size"]
    return Form(height, width, channels, white), notes


def _is_grey(picture: Any) -> bool:
    if picture.mode in ("1", "L", "LA") or picture.mode.startswith("I"):
        return True
    colours = np.asarray(picture.convert("RGB"))
    return bool((colours == colours[..., :1]).all())


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtraError("a folder of pictures", "Pillow", "image") from None
    return Image


def _open(path: Path, white: int | None) -> Any:
    """Return a picture as Pillow's, upright, of 8 bits, and on paper.

    white : what becomes 255 in a picture of 16 bits; None leaves its 16 bits
    """
    _pillow()
    from PIL import ImageOps

    with decoding(path, "a readable picture"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = BytesIO(read_whole(path, LARGEST_FILE))
        picture = ImageOps.exif_transpose(open_picture(path, data, FORMATS))
        if picture.mode == "F":
            rule, remedy = "pixels that are whole numbers", "Save it with 8 bits."
            raise file_error(path, rule, "floating-point numbers", remedy)
        if picture.mode.startswith("I"):  # 16 bits; Pillow would clip them to 8
            low, high = int(np.min(picture)), int(np.max(picture))
            if low < 0 or high > WHITES[-1]:
                found, remedy = f"{low} to {high}", "Save it with 8 or 16 bits."
                raise file_error(path, f"pixels from 0 to {WHITES[-1]}", found, remedy)
            return picture if white is None else _of_8_bits(picture, white)
        return _on_paper(picture)


def _of_8_bits(picture: Any, white: int) -> Any:
    levels = np.asarray(picture) * (255 / white)
    return _pillow().fromarray(levels.clip(0, 255).astype(np.uint8))


def _on_paper(picture: Any) -> Any:
    """Return a picture without transparency: on white, or if all its ink is light on black."""
    if "A" not in picture.mode and "transparency" not in picture.info:
        return picture
    ink = picture.convert("RGBA")
    pixels = np.asarray(ink)
    visible = pixels[pixels[..., 3] >= 128, :3]
    sees_through = len(visible) < pixels[..., 3].size
    paper = "black" if sees_through and visible.min(initial=255) >= LIGHT else "white"
    return _pillow().alpha_composite(_pillow().new("RGBA", ink.size, paper), ink)
