"""What users assign to the attributes of a network: checked when it is assigned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastmlp.arrays import Array, as_label_values, check_flag, check_names
from fastmlp.errors import refuse
from fastmlp.functions import activation_named, cost_named, cost_row
from fastmlp.network.building import check_dtype, check_hidden, check_layer_sizes
from fastmlp.network.known import Knowing
from fastmlp.network.pairs import describe
from fastmlp.network.scaling import Scaling


class Assigned(Knowing):
    """A network whose attributes in CHECKS raise ArgumentError when a wrong value is assigned.

    Those in DERIVED are computed from others when they are used, and dropped when one is assigned:
    they must not be assigned themselves. Copies have their own.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in DERIVED}

    def __setattr__(self, name: str, value: Any) -> None:
        check = CHECKS.get(name)
        if name in DERIVED:
            remedy = "Assign hidden, output or cost."
            raise refuse(name, "must not be assigned: it is computed", repr(value), remedy)
        for derived in DERIVED:
            vars(self).pop(derived, None)
        if name == "scaling" and value is None and vars(self).get("scaling") is not None:
            # the next training decides them anew, too
            vars(self).update(columns=None, class_names=None)
        if check is not None and (value is not None or name in NEEDED):
            value = check(self, value)
        super().__setattr__(name, value)


def _class_names(network: Assigned, names: Any) -> tuple[str, ...] | None:
    if isinstance(names, tuple) and not names:  # of the data set of a regression
        return None
    return check_names("class_names", names, max(2, network.sizes[-1]), "class")


def _classes(network: Assigned, labels: Any) -> Array:
    values, count = as_label_values(labels, "classes"), max(2, network.sizes[-1])
    if len(values) != count or len(np.unique(values)) != count:
        rule, got = f"must be {count} different labels, one for each class", repr(labels)
        raise refuse("classes", rule, got, "Pass None for the numbers from 0 on.")
    return values


def _cost(network: Assigned, cost: Any) -> str:
    # whether the output has it is checked when it is used, as both may be assigned in turn
    return cost_row(cost).text if isinstance(cost, str) else cost_named(cost, "").text


def _scaling(network: Assigned, scaling: Any) -> Scaling:
    if not isinstance(scaling, Scaling):
        remedy = "Pass None to decide anew, and train(..., scaling=) to choose."
        raise refuse("scaling", "must be that of a network, or None", repr(scaling), remedy)
    return scaling


def _columns(network: Assigned, columns: Any) -> Mapping[str, Any]:
    if not isinstance(columns, Mapping):
        remedy = "Pass the columns of a Dataset."
        raise refuse("columns", "must be a mapping, or None", describe(columns), remedy)
    return columns


def _several_labels(network: Assigned, several: Any) -> bool:
    check_flag("several_labels", several)
    return bool(several)


DERIVED = ("activations", "predictors", "task")
CHECKS: dict[str, Callable[[Any, Any], Any]] = {
    "class_names": _class_names,
    "classes": _classes,
    "columns": _columns,
    "cost": _cost,
    "dtype": lambda _, dtype: check_dtype(dtype),
    "feature_names": lambda of, names: check_names("feature_names", names, of.sizes[0], "input"),
    "hidden": lambda of, names: check_hidden(names, len(of.sizes) - 2),
    "output": lambda _, output: activation_named(output, "output").name,
    "scaling": _scaling,
    "several_labels": _several_labels,
    "sizes": lambda _, sizes: check_layer_sizes(sizes),
}
NEEDED = ("cost", "dtype", "hidden", "output", "sizes")  # never None
