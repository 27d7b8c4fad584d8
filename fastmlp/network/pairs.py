"""The images and labels in what users pass: apart, as a pair, a Split or a Dataset."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.errors import refuse


class Parts(NamedTuple):
    """Images and labels, not yet checked; names of their columns and classes, if a Split has them.

    With names of classes, labels are their numbers.
    """

    images: Any
    labels: Any
    features: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None


def as_parts(data: Any, labels: Any, argument: str, part: str = "") -> Parts:
    """Return the parts of what a user passes.

    data : a Split, a pair (images, labels), or a Dataset, of which `part` is used; or images alone
    labels : of those images; None for all others
    part : "train" or "test"; empty if a Dataset is not allowed

    Raises ArgumentError, which names `argument`, for anything else.
    """
    if labels is not None:
        return Parts(data, labels)
    if part and hasattr(data, "train") and hasattr(data, "test"):
        data = getattr(data, part)
    if hasattr(data, "images") and hasattr(data, "labels"):
        names = (getattr(data, name, None) for name in ("feature_names", "class_names"))
        return Parts(data.images, data.labels, *names)
    if isinstance(data, (tuple, list)) and len(data) == 2:
        return Parts(*data)
    of_set = ", a Dataset" * bool(part)
    rule = f"must be images and their labels: a Split{of_set}, or a pair"
    raise refuse(argument, rule, describe(data), "Pass (images, labels), for example.")


def describe(value: Any) -> str:
    """Return the kind of a value, with its size if it has one."""
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, np.ndarray):
        return f"one {value.dtype} array of shape {value.shape}"
    return "None" if value is None else f"{type(value).__name__}"
