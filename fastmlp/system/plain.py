"""Values in Python's own types, and standard JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

# Types of JSON's own values
PLAIN = frozenset((float, int, bool, str, type(None)))


def to_json(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON; NaN and infinity become null, as JSON has neither."""
    return json.dumps(_finite(plain(value)), indent=indent, allow_nan=False)


def plain(value: Any) -> Any:
    """Return a value in Python's own types, so that equal values compare equal.

    NumPy scalars and arrays, paths, tuples, dataclasses and subclasses of str are converted, also
    inside lists and mappings. Everything else is returned unchanged.
    """
    if type(value) in PLAIN:  # fast path: histories are long
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, np.floating):
        return float(value)
    if isinstance(value, (np.generic, np.ndarray)):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
