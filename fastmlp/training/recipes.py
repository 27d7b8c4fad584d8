"""Recipes: networks and settings that reach an accuracy on MNIST, found on held-out images.

The settings were chosen by their accuracy on the last 10,000 training images, after training on the
others; test images were not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastmlp.functions.augmentation import Augmentation


@dataclass(frozen=True)
class Recipe:
    """A network and how to train it on images of 28 x 28, or of another square.

    about : what it reaches; hidden : neurons of the hidden layers, of ReLU
    settings : the arguments of `train` by name: train(network, data, **recipe.settings)
    """

    about: str
    hidden: tuple[int, ...]
    settings: Mapping[str, Any]


_SGD = {"optimizer": "sgd", "schedule": "linear"}
_SMALL = {**_SGD, "batch_size": 32, "learning_rate": 0.8, "label_smoothing": 0.05}
_LARGE = {**_SGD, "batch_size": 64, "label_smoothing": 0.1}
RECIPES = {
    "fast": Recipe("98 % as soon as possible", (128,), {**_SMALL, "epochs": 3}),
    "98.5": Recipe("98.5 %", (256,), {**_SMALL, "epochs": 4, "augment": Augmentation(1)}),
    "99": Recipe(
        "99 %",
        (512, 256),
        {**_LARGE, "epochs": 10, "learning_rate": 0.7, "augment": Augmentation(1, 8)},
    ),
    "99.3": Recipe(
        "99.3 %",
        (512, 256),
        {
            **_LARGE,
            "epochs": 50,
            "learning_rate": 0.5,
            "augment": Augmentation(1, 12, 0.15, (34, 5)),
        },
    ),
    "best": Recipe(
        "as far as it goes in a few minutes",
        (1024, 512),
        {
            **_LARGE,
            "epochs": 250,
            "learning_rate": 0.7,
            "augment": Augmentation(1, 15, 0.2, (34, 5)),
        },
    ),
}
