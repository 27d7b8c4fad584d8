"""Train multi-layer perceptrons on a CPU as fast as the machine can.

>>> import fastmlp
>>> data = fastmlp.load_dataset("digits")
>>> network = fastmlp.Network((784, 128, 10))
>>> history = fastmlp.train(network, data.train, epochs=4, batch_size=32, learning_rate=0.5)
>>> network.accuracy(data.test.images, data.test.labels)

Importing this package loads none of its parts; each name imports its part when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import fastmlp.system.paths  # noqa: F401  stores the working folder
from fastmlp.system.forks import import_lock

if TYPE_CHECKING:
    from fastmlp.datasets import Dataset, Split, load_dataset
    from fastmlp.errors import (
        ArgumentError,
        CheckpointError,
        DataError,
        DataUnavailableError,
        DivergedError,
        FastMLPError,
        ModelError,
        TrainingWarning,
        UnwritableError,
    )
    from fastmlp.functions.augmentation import Augmentation
    from fastmlp.network import Evaluation, Network
    from fastmlp.training import (
        RECIPES,
        EarlyStopping,
        History,
        Progress,
        callbacks,
        find_learning_rate,
        gradients,
        rehearse,
        schedules,
        train,
    )

__version__ = "0.1.0"

__all__ = [
    "Network",
    "Evaluation",
    "train",
    "Augmentation",
    "History",
    "Progress",
    "EarlyStopping",
    "schedules",
    "callbacks",
    "gradients",
    "find_learning_rate",
    "rehearse",
    "RECIPES",
    "load_dataset",
    "Dataset",
    "Split",
    "FastMLPError",
    "ArgumentError",
    "CheckpointError",
    "DataError",
    "DataUnavailableError",
    "DivergedError",
    "ModelError",
    "UnwritableError",
    "TrainingWarning",
]

_MODULES = {
    "fastmlp.functions.augmentation": ("Augmentation",),
    "fastmlp.network": ("Network", "Evaluation"),
    "fastmlp.training": (
        "train",
        "History",
        "Progress",
        "EarlyStopping",
        "schedules",
        "callbacks",
        "gradients",
        "find_learning_rate",
        "rehearse",
        "RECIPES",
    ),
    "fastmlp.datasets": ("load_dataset", "Dataset", "Split"),
    "fastmlp.errors": (
        "FastMLPError",
        "ArgumentError",
        "CheckpointError",
        "DataError",
        "DataUnavailableError",
        "DivergedError",
        "ModelError",
        "UnwritableError",
        "TrainingWarning",
    ),
}


def __getattr__(name: str) -> Any:
    if name == "datasets":
        with import_lock:
            return import_module("fastmlp.datasets")
    for module, names in _MODULES.items():
        if name in names:
            with import_lock:
                found = globals()[name] = getattr(import_module(module), name)
            return found
    raise AttributeError(f"module 'fastmlp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
