"""What a network knows of its data beside the parameters: scaling, classes, names of inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.network.scaling import Scaling

PIXEL_SCALE = 1 / 255


class Knowing:
    """A network: the attributes that say what its data must be, and how they are prepared.

    See `fastmlp.Network`; the last seven are decided by its first training, and are in its file.
    """

    sizes: tuple[int, ...]
    dtype: np.dtype[Any]
    cost: str
    scaling: Scaling | None
    pixel_scale: float
    classes: Array | None
    class_names: tuple[str, ...] | None
    feature_names: tuple[str, ...] | None
    columns: Mapping[str, Any] | None
    several_labels: bool

    @property
    def task(self) -> str:
        """What the targets are: see `Predicting`."""
        raise NotImplementedError


# The names of these seven
KNOWN = (
    *("scaling", "pixel_scale", "classes", "class_names", "feature_names", "columns"),
    "several_labels",
)


def known_of(network: Knowing) -> dict[str, Any]:
    """Return what a network knows of its data, by the names in KNOWN."""
    return {name: getattr(network, name) for name in KNOWN}


def know(network: Knowing, known: Mapping[str, Any]) -> None:
    """Let a network know what `known_of` returned; predictors that scale as before are dropped."""
    vars(network).update(known)
    vars(network).pop("predictors", None)
