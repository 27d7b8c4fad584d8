"""Names of classes and columns, and texts as labels, as users pass them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np

from fastmlp.errors import counted, refuse

NO_NAMES = (str, bytes, bytearray, memoryview)


def check_names(argument: str, names: Any, count: int | None, what: str) -> tuple[str, ...]:
    """Return names, one for each class for example, as texts.

    names : a sequence, index or array of texts or numbers; count : how many, None for any number

    Raises ArgumentError.
    """
    given = names.tolist() if hasattr(names, "tolist") else names
    several = isinstance(given, Sequence) and not isinstance(given, NO_NAMES)
    found = [plain_label(name) for name in given] if several else []
    wrong = any(not isinstance(name, (str, int, float, np.number)) for name in found)
    if not several or wrong or count not in (None, len(found)):
        how_many = "names" if count is None else counted(count, "name")
        rule = f"must be {how_many}, one for each {what}, or None"
        raise refuse(argument, rule, repr(names), "Pass None for none.")
    return tuple(map(str, found))


def plain_label(label: Any) -> Any:
    """Return a label that is a text as str: also bytes and members of an Enum, by their names.

    Members that are texts themselves become these texts; what is no text is returned unchanged.
    """
    if isinstance(label, str):
        return str.__str__(label)  # an Enum can have another str()
    if isinstance(label, bytes):
        return label.decode("utf-8", "replace")
    if isinstance(label, Enum) and not isinstance(label, (int, float)):
        return str(label.name)
    return label
