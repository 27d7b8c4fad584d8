"""The data of a run: what users pass, as engines need it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import Array, Rows
from fastmlp.arrays.images import LEAST_SQUARE
from fastmlp.datasets.dataset import Dataset, Split
from fastmlp.errors import counted, refuse
from fastmlp.functions import classes_of
from fastmlp.network import Network
from fastmlp.network.adapting import fitted, introduced, prepared_rows
from fastmlp.network.classes import by_name, names_for
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
    parts = as_parts(data, labels, argument, part)
    rows, _ = prepared_rows(network, parts.images, f"{argument} images", parts.features)
    labels = by_name(network, parts.labels, parts.classes, f"{argument} labels")
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
    is_regression = isinstance(data, Dataset) and data.task == "regression"
    if is_regression and (network.task != "regression" or network.sizes[-1] > 1):
        outputs = counted(network.sizes[-1], "output")
        got = f"{outputs}, output={network.output!r}, cost={network.cost!r}"
        remedy = 'Build it with one output, output="identity" and cost="squared_error".'
        raise refuse("network", "must be one of a regression, as the data are", got, remedy)
    images, labels, names, classes = as_parts(data, labels, "split", "train")
    labels = by_name(network, labels, classes, "split labels")
    twin, rows = introduced(network, images, labels, "split images", names)
    if isinstance(data, Dataset):
        twin.columns = twin.columns or data.columns
    if classes and network.class_names is None and twin.classes is None:
        twin.class_names = names_for(network, classes) or twin.class_names
    y = twin.as_targets(labels, len(rows), "split labels").copy()
    parts = None if share is None else hold_out(_classes(twin, y), share, seed)
    training = slice(None) if parts is None else parts[0]
    few = isinstance(data, Dataset) and data.image_shape[0] == 1 and rows.shape[1] < LEAST_SQUARE
    rows = fitted(twin, images, rows, "split images", scaling, impute, training, few)
    return twin, rows, y, parts


def check_network(network: object) -> None:
    """Refuse what is no Network, and one whose output and cost do not go together."""
    if not isinstance(network, Network):
        remedy = "Pass fastmlp.Network(784, 128, 10), for example."
        raise refuse("network", "must be a Network", repr(network), remedy)
    network.check_cost()


def _classes(network: Network, y: Array) -> Array:
    """Return the class of each sample `(N,)`, by which a share is held out; 0 if it has none."""
    if network.task_for(y) != "classification":
        return np.zeros(len(y), np.int64)
    return y if y.ndim == 1 else classes_of(y)
