"""The IDX file format of MNIST, plain or gzip: read and checked, or refused in one line.

A file is 00 00, a type code, the number of dimensions, the dimensions as big-endian uint32, then
the items. Memory is never allocated as the header declares, but as the bytes of a packed file
arrive, or as many as a plain file has, and reading stops one byte after the declared size. So a
wrong header or a gzip bomb cannot use more memory.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Array
from fastmlp.datasets.dataset import Split
from fastmlp.errors import DataError, checked_call, in_one_line, refuse
from fastmlp.system.files import as_path
from fastmlp.system.reading import open_file

DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
CODES = {dtype.newbyteorder("="): code for code, dtype in DTYPES.items()}

GZIP_MAGIC = b"\x1f\x8b"
GZIP_RATIO = 1032  # deflate packs no more than this many bytes into one
CHUNK = 1 << 20
MOST_CLASSES = 10_000  # a file with larger numbers does not contain labels

REMEDY = "Replace it with a good copy."


def file_error(path: Path, expected: str, found: str, remedy: str = REMEDY) -> DataError:
    """Return the error for a file with the wrong content, in one line."""
    return DataError(f"{path}: expected {expected}; found {found}. {remedy}")


@contextmanager
def decoding(path: Path, expected: str, remedy: str = REMEDY) -> Iterator[None]:
    """Turn what a decoder raises for a damaged file, nearly anything, into DataError."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        said = getattr(error, "strerror", None) or in_one_line(error)
        raise file_error(path, expected, said, remedy) from error


def header(array: Array) -> bytes:
    """Return the IDX header of this array."""
    code = CODES[array.dtype.newbyteorder("=")]
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)


def content_sha256(images_or_labels: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of the plain IDX file of this uint8 array."""
    digest = hashlib.sha256(header(images_or_labels))
    digest.update(np.ascontiguousarray(images_or_labels).data)
    return digest.hexdigest()


def is_gzip(path: Path) -> bool:
    """Return whether a file is gzip, by its first bytes: a proxy may have unpacked a .gz file."""
    with suppress(OSError), open_file(path) as file:
        return file.read(2) == GZIP_MAGIC
    return False


@checked_call
def read_idx(
    path: Path,
    *,
    ndim: tuple[int, ...] = (),
    shape: tuple[int, ...] | None = None,
    source: IO[bytes] | None = None,
) -> Array:
    """Return the array in an IDX file, plain or gzip, in native byte order.

    ndim   : the allowed numbers of dimensions; any if empty
    shape  : the required shape; any if None
    source : the file, if it is already open, at any position

    Raises DataError with the file, what was expected and what was found, and ArgumentError.
    """
    path = as_path(path, "path")
    if not all(hasattr(source, name) for name in ("read", "seek") if source is not None):
        remedy = "Pass what open returns, or leave it out."
        raise refuse("source", "must be an open file", type(source).__name__, remedy)
    for name, sizes in (("ndim", ndim), ("shape", () if shape is None else shape)):
        if not isinstance(sizes, (tuple, list)) or any(type(size) is not int for size in sizes):
            raise refuse(name, "must be a tuple of whole numbers", repr(sizes), "Leave it out.")
    try:
        if source is None and path.exists() and not path.is_file():
            raise file_error(path, "an IDX file", "not a regular file", "Pass the path of a file.")
        with nullcontext(source) if source else open_file(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            zipped = file.read(2) == GZIP_MAGIC
            file.seek(0)
            with gzip.open(file) if zipped else nullcontext(file) as unpacked:
                stream = cast(IO[bytes], unpacked)
                dtype, found = _read_header(path, stream, ndim, shape)
                most = size * GZIP_RATIO if zipped else size
                body = _read_body(path, stream, dtype, found, most)
    except (OSError, EOFError, zlib.error) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise file_error(path, "a readable, complete file", said) from error
    return body.view(dtype).reshape(found).astype(dtype.newbyteorder("="), copy=False)


def _read_header(
    path: Path, stream: IO[bytes], ndim: tuple[int, ...], shape: tuple[int, ...] | None
) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = stream.read(4)
    if not magic:
        raise file_error(path, "an IDX file", "an empty file")
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES or not 1 <= magic[3] <= 8:
        rule = "an IDX magic number (00 00, a type code 08 to 0e, 1 to 8 dimensions)"
        raise file_error(path, rule, f"{magic.hex(' ')} ({magic!r})")
    if ndim and magic[3] not in ndim:
        counts = " or ".join(map(str, ndim))
        remedy = "Check that images and labels are not exchanged."
        raise file_error(path, f"{counts} dimension(s)", str(magic[3]), remedy)
    packed = stream.read(4 * magic[3])
    if len(packed) < 4 * magic[3]:
        raise file_error(path, f"a header of {4 + 4 * magic[3]} bytes", f"{4 + len(packed)} bytes")
    found = struct.unpack(f">{magic[3]}I", packed)
    if 0 in found:
        raise file_error(path, "at least one item in every dimension", f"dimensions {found}")
    if shape is not None and found != shape:
        raise file_error(path, f"dimensions {shape}", str(found))
    return DTYPES[magic[2]], found


def _read_body(
    path: Path, stream: Any, dtype: np.dtype[Any], shape: tuple[int, ...], most: int
) -> NDArray[np.uint8]:
    declared = math.prod(shape) * dtype.itemsize
    rule = f"{declared:,} bytes of items, as its header says ({dtype.name} {shape})"
    if declared > most:
        raise file_error(path, rule, f"a file that contains {most:,} at most")
    if isinstance(stream, gzip.GzipFile):  # which can be far shorter than its header says
        found = bytearray()
        while chunk := stream.read(min(CHUNK, declared + 1 - len(found))):
            found += chunk
        # a copy: NumPy puts large arrays on large pages, and random access to samples is faster
        body = np.frombuffer(found, np.uint8).copy()
    else:
        body = np.empty(declared + 1, np.uint8)
        body = body[: stream.readinto(body)]
    if len(body) != declared:
        raise file_error(path, rule, "more" if len(body) > declared else f"{len(body):,}")
    return body


def read_images(path: Path, *, source: IO[bytes] | None = None) -> Array:
    """Return the images of an IDX file: `(N, H, W)` or `(N, I)`, uint8, float32 or float64."""
    images = read_idx(path, ndim=(2, 3), source=source)
    if images.dtype not in (np.uint8, np.float32, np.float64):
        raise file_error(path, "pixels of uint8, float32 or float64", images.dtype.name)
    return images


def read_labels(path: Path, *, shape: tuple[int, ...] | None = None) -> Array:
    """Return the labels of an IDX file: `(N,)`, any integer dtype."""
    labels = read_idx(path, ndim=(1,), shape=shape)
    if labels.dtype.kind not in "iu":
        raise file_error(path, "labels of an integer dtype", labels.dtype.name)
    return labels


def pair(
    images: Array,
    labels: Array,
    images_name: Path,
    labels_name: Path,
    classes: int = MOST_CLASSES,
    missing: bool = False,
) -> Split:
    """Return images `(N, …)` and labels `(N,)` as a Split. Raises DataError for the wrong file.

    labels : integers below `classes`, or float targets
    missing : whether images may have NaN, which training fills or refuses
    """
    if len(images) != len(labels):
        rule = f"{len(images):,} labels, one for each image of {images_name.name}"
        raise file_error(labels_name, rule, f"{len(labels):,}", "Take both from one split.")
    low, high = labels.min(), labels.max()
    if labels.dtype.kind != "f" and not (low >= 0 and high < classes):
        raise file_error(labels_name, f"labels from 0 to {classes - 1}", f"{low} to {high}")
    if images.dtype.kind == "f" and missing and np.isinf(images).any():
        raise file_error(images_name, "finite numbers", "infinity", "Correct these rows.")
    if images.dtype.kind == "f" and not missing and not np.isfinite(images).all():
        raise file_error(images_name, "finite pixels", "NaN or infinity")
    return Split(np.ascontiguousarray(images).reshape(len(images), -1), labels)


def read_split(images_path: Path, labels_path: Path, classes: int = MOST_CLASSES) -> Split:
    """Return the Split of a file of images and a file of labels; labels are below `classes`."""
    images, labels = read_images(images_path), read_labels(labels_path)
    return pair(images, labels, images_path, labels_path, classes)
