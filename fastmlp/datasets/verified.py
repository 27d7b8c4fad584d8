"""Read a file of the catalogue, and check its SHA-256."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastmlp.datasets.catalogue import FAMILIES, IdxFile
from fastmlp.datasets.idx import content_sha256, file_error, is_gzip, read_idx

OWNERS = {entry.sha256: family.name for family in FAMILIES.values() for entry in family.files}
REMEDY = "Replace it with the published file, or load its folder by path, as data of your own."


def read_verified(path: Path, entry: IdxFile, *, as_published: bool) -> NDArray[np.uint8]:
    """Return the uint8 array of a file of the catalogue. Raises DataError.

    as_published : compare the gzip bytes, if the catalogue has only their digest. A user's own
        copy may have been unpacked or packed again: then only its structure is checked, and that
        it is not a file of another data set.
    """
    array = read_idx(path, ndim=(len(entry.shape),), shape=entry.shape)
    if array.dtype != np.uint8:
        raise file_error(path, "items of uint8", array.dtype.name)
    if entry.of == "gzip" and not as_published:
        digests = [content_sha256(array), *([_file_sha256(path)] if is_gzip(path) else [])]
        for owner in (OWNERS[one] for one in digests if OWNERS.get(one) and one != entry.sha256):
            remedy = f"Load it as {owner}, or replace it with the published file."
            raise file_error(path, f"the published {entry.name}", f"a file of {owner}", remedy)
        return array
    found = content_sha256(array) if entry.of == "content" else _file_sha256(path)
    if found != entry.sha256:
        raise file_error(path, f"SHA-256 {entry.sha256} of the {entry.of}", found, REMEDY)
    return array


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
