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


_ALIKE = {"schedule": "linear", "learning_rate": 0.4}
_SMOOTH = {**_ALIKE, "batch_size": 64, "label_smoothing": 0.1}
RECIPES = {
    "fast": Recipe(
        "98 % as soon as possible",
        (128,),
        {**_ALIKE, "batch_size": 32, "epochs": 5, "learning_rate": 0.5},
    ),
    "98.5": Recipe(
        "98.5 %",
        (256,),
        {**_ALIKE, "batch_size": 32, "epochs": 8, "augment": Augmentation(1, 8)},
    ),
    "99": Recipe(
        "99 %",
        (512, 256),
        {**_SMOOTH, "epochs": 20, "augment": Augmentation(1, 8)},
    ),
    "99.3": Recipe(
        "99.3 %",
        (512, 256),
        {**_SMOOTH, "epochs": 60, "augment": Augmentation(1, 12, 0.15, (34, 5))},
    ),
    "best": Recipe(
        "as far as it goes in a few minutes",
        (1024, 512),
        {**_SMOOTH, "epochs": 100, "augment": Augmentation(1, 12, 0.15, (34, 5))},
    ),
}
