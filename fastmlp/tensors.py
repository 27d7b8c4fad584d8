"""Reads safetensors files: named arrays, and texts about them."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path

from fastmlp.files import opened
from fastmlp.functions import Array

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
