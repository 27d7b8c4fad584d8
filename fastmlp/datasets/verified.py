"""Read a file of the catalogue, and check its SHA-256."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastmlp.datasets.catalogue import IdxFile
from fastmlp.datasets.idx import content_sha256, file_error, read_idx

REMEDY = "Replace it with the published file, or load its folder by path, as data of your own."


def read_verified(path: Path, entry: IdxFile, *, as_published: bool) -> NDArray[np.uint8]:
    """Return the uint8 array of a file of the catalogue. Raises DataError.

    as_published : compare the gzip bytes, if the catalogue has only their digest. A user's own
        copy may have been unpacked or packed again: then only its structure is checked.
    """
    array = read_idx(path, ndim=(len(entry.shape),), shape=entry.shape)
    if array.dtype != np.uint8:
        raise file_error(path, "items of uint8", array.dtype.name)
    if entry.of == "content":
        found = content_sha256(array)
    elif as_published:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    else:
        return array
    if found != entry.sha256:
        raise file_error(path, f"SHA-256 {entry.sha256} of the {entry.of}", found, REMEDY)
    return array
