"""The data of a run: what users pass, as engines need it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import Array, Rows
from fastmlp.datasets.dataset import Dataset, Split
from fastmlp.errors import refuse
from fastmlp.functions import classes_of
from fastmlp.network import Network
from fastmlp.network.adapting import fitted, introduced, prepared_rows
from fastmlp.network.pairs import as_parts
from fastmlp.training.validation import hold_out

# To train on; images `(N, I)` alone, if their labels are passed beside them
Data = Split | Dataset | tuple[Any, Any] | ArrayLike


def check_data(
    network: Network,
    data: Data,
    argument: str,
    labels: ArrayLike | None = None,
    part: str = "train",
) -> tuple[Rows, Array]:
    """Return images, and labels or targets, as engines need them; ArgumentError names `argument`.

    Labels and targets are copied, so that later changes to them have no effect.
    labels, part : as in `as_parts`
    """
    images, labels, names = as_parts(data, labels, argument, part)
    rows, _ = prepared_rows(network, images, f"{argument} images", names)
    return rows, network.as_targets(labels, len(rows), f"{argument} labels").copy()


def first_data(
    network: Network,
    data: Data,
    scaling: str | None = None,
    impute: str | None = None,
    labels: ArrayLike | None = None,
    share: float | None = None,
    seed: Any = 0,
) -> tuple[Network, Rows, Array, tuple[Array, Array] | None]:
    """Return (copy, images, y, parts): a copy of the network that knows the training data.

    images, y : as `check_data` returns them; parts : what `hold_out` does with a share, else None
    scaling, impute : as of `train`
    """
    check_network(network)
    images, labels, names = as_parts(data, labels, "split", "train")
    twin, rows = introduced(network, images, labels, "split images", names)
    if isinstance(data, Dataset):
        _learn_names(twin, data)
    y = twin.as_targets(labels, len(rows), "split labels").copy()
    parts = None if share is None else hold_out(_classes(twin, y), share, seed)
    training = slice(None) if parts is None else parts[0]
    rows = fitted(twin, images, rows, "split images", scaling, impute, training)
    return twin, rows, y, parts


def _learn_names(network: Network, data: Dataset) -> None:
    """Let a network know the columns of a data set, and the names of its classes."""
    network.columns = network.columns or data.columns
    fits = len(data.class_names) == max(2, network.sizes[-1])
    if network.class_names is None and network.classes is None and fits:
        network.class_names = data.class_names


def check_network(network: object) -> None:
    """Refuse what is no Network."""
    if not isinstance(network, Network):
        remedy = "Pass fastmlp.Network(784, 128, 10), for example."
        raise refuse("network", "must be a Network", repr(network), remedy)


def _classes(network: Network, y: Array) -> Array:
    """Return the class of each sample `(N,)`, by which a share is held out; 0 if it has none."""
    if network.task_for(y) != "classification":
        return np.zeros(len(y), np.int64)
    return y if y.ndim == 1 else classes_of(y)
