"""Read and create safetensors files: named arrays, and metadata as texts."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fastmlp.arrays import Array
from fastmlp.system.reading import open_file

LARGEST_FILE = 8 << 30
# Of types of numbers, by the first letter with which files name them
NAMES = {"F": "float", "I": "int", "U": "uint", "B": "bool"}


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Array]]:
    """Return the metadata and the tensors of a file or a pipe.

    Raises OSError; a damaged file can raise nearly any other exception.
    """
    from safetensors import safe_open
    from safetensors.numpy import load

    with open_file(path) as file:
        if file.seek(0, os.SEEK_END) > LARGEST_FILE:
            raise OSError(errno.EFBIG, "larger than 8 GiB", str(path))
        if isinstance(file, io.BytesIO):
            data = file.getvalue()
            tensors = load(data)
            described = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
            return described.get("__metadata__", {}), tensors
    with safe_open(path, framework="numpy") as whole:
        names = whole.keys()
        for name in names:
            kind = whole.get_slice(name).get_dtype()
            if not hasattr(np, NAMES.get(kind[0], "") + kind[1:]):
                raise ValueError(f"{name} is of type {kind}, which NumPy does not have")
        return whole.metadata() or {}, {name: whole.get_tensor(name) for name in names}


def tensor_bytes(tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of a safetensors file with these arrays and metadata: always the same."""
    from safetensors.numpy import save

    whole = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    data: bytes = save(whole)
    end = 8 + int.from_bytes(data[:8], "little")
    # save writes several metadata in a random order
    described = {"__metadata__": dict(metadata), **json.loads(data[8:end])}
    header = json.dumps(described, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return b"".join((len(header).to_bytes(8, "little"), header, memoryview(data)[end:]))
