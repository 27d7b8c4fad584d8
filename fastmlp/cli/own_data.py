"""Data of one's own on the command line: how it is read, the defaults that suit it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp.errors import TrainingWarning, refuse

if TYPE_CHECKING:
    from fastmlp.datasets import Dataset
    from fastmlp.network import Network

Given = Mapping[str, Any]

# The default number of steps of small data sets, and the most epochs that may take
STEPS, MOST_EPOCHS = 3000, 100
# Answers may be so far apart, in deviations of the targets
LARGEST_STEP = 0.01
# Activations f with f(s z) = s f(z) for any s > 0, so that a layer can change its units
HOMOGENEOUS = ("identity", "relu", "leaky_relu")


def reading_options(given: Given) -> dict[str, Any]:
    """Return the arguments of `load_dataset` that were given.

    Missing values are filled where a table is read; of other data, in training.
    """
    from fastmlp.datasets.options import KINDS
    from fastmlp.datasets.own import kind_of

    names = [name for name in KINDS if name != "seed"]  # --seed is that of the training
    found = {name: given[name] for name in names if given.get(name) not in (None, ())}
    kind = kind_of(Path(given["dataset"] or ""))
    if kind is None or "impute" not in kind.options:
        found.pop("impute", None)
    return found


def read_data(
    network: Network | None, given: dict[str, Any], read: Callable[[dict[str, Any]], Dataset]
) -> Dataset:
    """Return the data that `read` finds by the arguments, encoded as those of a saved network.

    Whole numbers are classes. If the network has one output, a quantity, and knows no classes, they
    are quantities, unless they are 0, 1, 2, …, which are equal to the numbers of their classes.
    """
    data = read(_known_to(network, given))
    if network is None or network.columns or network.class_names or not data.class_names:
        return data
    are_numbers = all(name.lstrip("-").isdecimal() for name in data.class_names)
    are_codes = data.class_names == tuple(map(str, range(len(data.class_names))))
    is_quantity = network.task == "regression" and network.sizes[-1] == 1
    if is_quantity and are_numbers and not are_codes:
        return read({**given, "task": "regression"})
    return data


def _known_to(network: Network | None, given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments, with what a network knows of the columns or pictures of its data."""
    if network is None or network.columns is None or not Path(given["dataset"] or "").exists():
        return given
    task = "regression" if network.task == "regression" else "classification"
    pictures = network.columns.get("pictures", {})
    size = pictures.get("width"), pictures.get("height")
    known: dict[str, Any] = {"task": task, "drop_columns": None, "image_size": size}
    for option, own in known.items():
        if given.get(option) not in (None, (), own):
            rule, remedy = "is known to the saved network", "Leave it out."
            raise refuse(option, rule, given[option], remedy)
    return {**given, "columns": network.columns, "whole": given.get("whole", False)}


def complete(given: Given, data: Dataset) -> dict[str, Any]:
    """Return the arguments with defaults that suit the data, for those that are None.

    Tables, rows of numbers, pictures of one's own and regressions use adam, small data more steps.
    """
    regression, n = data.task == "regression", len(data.train)
    is_image = not data.columns and data.image_shape[0] > 1
    plain = given.get("momentum") or given.get("nesterov")
    batch_size = given["batch_size"] or min(32, max(4, n // 32))
    defaults = {
        "output": "identity" if regression else "softmax",
        "cost": "squared_error" if regression else "cross_entropy",
        "optimizer": "sgd" if plain or (is_image and not regression) else "adam",
        "batch_size": batch_size,
        "epochs": min(MOST_EPOCHS, max(6, STEPS * batch_size // n)),
    }
    return {**given, **{key: value for key, value in defaults.items() if given.get(key) is None}}


def default_dataset(model: Path, network: Network) -> str:
    """Return the data set to test a model on: the one with the name of its file, or "mnist"."""
    from fastmlp.datasets import DATASET_NAMES

    if network.columns is not None:
        rule = "must name the data, as this model was trained on a file or folder"
        raise refuse("dataset", rule, "none", "Pass --dataset and its path.")
    return model.stem if model.stem in DATASET_NAMES else "mnist"


@contextmanager
def standardised_targets(
    network: Network, data: Dataset, say: Callable[..., object]
) -> Iterator[Dataset]:
    """Yield the data to train on: targets of a regression are y' = (y - mean) / deviation.

    Then the last layer changes, so that its outputs a become a deviation + mean. Of a network that
    was trained before, they become (a - mean) / deviation at first. For outputs in HOMOGENEOUS that
    are no identity, the mean is taken as 0; for all others, targets stay.
    """
    import numpy as np

    if data.task != "regression" or network.output not in HOMOGENEOUS:
        yield data
        return
    y = data.train.labels
    vary = bool((y != y[0]).any())
    mean = float(y.mean()) if network.output == "identity" else 0.0
    deviation = vary * float(np.sqrt(np.square(y - mean).mean())) or 1.0
    step = abs(mean) * float(np.finfo(network.dtype).eps)
    if vary and step > LARGEST_STEP * deviation:
        text = (
            f"The targets, {mean:.6g} with a deviation of {deviation:.6g}, are too far from 0: "
            f"answers of {network.dtype} are about {step:.2g} apart. "
            "Subtract a number from them, or pass --dtype float64."
        )
        warnings.warn(text, TrainingWarning, stacklevel=2)
    centred = f"(target - {mean:.6g})" if mean else "target"
    say(f"trained on {centred} / {deviation:.6g}: its costs are in these units")
    if network.scaling is not None:
        network.weights[-1] /= network.dtype.type(deviation)
        network.biases[-1][...] = (network.biases[-1] - mean) / deviation
    yield replace(data, train=replace(data.train, labels=(y - mean) / deviation))
    network.weights[-1] *= network.dtype.type(deviation)
    network.biases[-1][...] = network.biases[-1] * deviation + mean
