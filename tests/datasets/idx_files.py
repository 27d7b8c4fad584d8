"""Writes IDX files, for the tests that read them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.datasets.idx import header


def idx_bytes(array: np.ndarray[Any, Any]) -> bytes:
    return header(array) + array.astype(array.dtype.newbyteorder(">")).tobytes()
