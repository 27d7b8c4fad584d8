"""Reads and makes safetensors files: named arrays, and texts about them."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fastmlp.arrays import Array
from fastmlp.system.reading import opened

LARGEST_FILE = 8 << 30


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Array]]:
    """Return the metadata and the tensors of a file, or of a pipe, which is read once.

    Raises OSError, and on nonsense nearly anything: SafetensorError, ValueError, KeyError, ...
    """
    from safetensors import safe_open
    from safetensors.numpy import load

    with opened(path) as file:
        if file.seek(0, os.SEEK_END) > LARGEST_FILE:
            raise OSError(errno.EFBIG, "larger than 8 GiB", str(path))
        if isinstance(file, io.BytesIO):
            data = file.getvalue()
            tensors = load(data)
            described = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
            return described.get("__metadata__", {}), tensors
    with safe_open(path, framework="numpy") as whole:
        names = whole.keys()
        return whole.metadata() or {}, {name: whole.get_tensor(name) for name in names}


def tensor_bytes(tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> bytes:
    """Return the safetensors file of some arrays and the texts about them."""
    from safetensors.numpy import save

    whole = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    data: bytes = save(whole, dict(metadata))
    return data
