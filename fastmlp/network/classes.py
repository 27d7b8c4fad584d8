"""The classes of a network: what labels of any kind mean, and the names of answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.arrays import Array, as_array, as_label_values, encode_labels
from fastmlp.errors import ArgumentError, counted, refuse
from fastmlp.functions import as_targets
from fastmlp.network.known import Knowing

# The most labels that an error names
NAMED = 8
# The remedy for data of other classes
LEFT_OUT = "Leave out these samples, or train anew."


def learn_classes(network: Knowing, labels: Any, argument: str) -> None:
    """Set `network.classes` by the labels of training data, if they are not 0 … K - 1 or targets.

    Targets set `network.several_labels`, if the task is "labels".

    Raises ArgumentError if there are not as many classes as the network has outputs.
    """
    network.several_labels = False
    if not are_labels(network, as_array(labels, argument)):
        network.several_labels = network.task == "labels"
        return
    count = max(2, network.sizes[-1])
    values = as_label_values(labels, argument)
    if _are_codes(values, count):
        if network.task == "regression":  # then `predict` returns classes
            network.class_names = network.class_names or tuple(map(str, range(count)))
        return
    if _are_known(network.class_names, values):
        network.classes = np.array(network.class_names)
        return
    codes, names = encode_labels(labels, argument)
    used = np.unique(codes)
    if len(names) != count == len(used):
        names = names[used]
    if len(names) != count:
        if values.dtype.kind == "i" and len(names) > 1:
            rule = (
                f"must lie in 0 … {count - 1} for {network.sizes[-1]} outputs, or be {count} others"
            )
            got = f"labels from {names.min()} to {names.max()}, {len(names)} of them"
        else:
            rule = f"must be of {count} classes for {network.sizes[-1]} outputs"
            got = f"{len(names)} class{'es' * (len(names) > 1)}: {_listed(names)}"
        remedy = f"Build a network with {len(names)} outputs."
        if len(names) < 2:
            remedy = "Pass samples of other classes too."
        raise refuse(argument, rule, got, remedy)
    network.classes, network.class_names = names, tuple(map(str, names))


def targets_of(network: Knowing, labels: Any, count: int, argument: str) -> Array:
    """Return labels as int64 `(N,)`, or targets `(N, O)`, as engines need them.

    labels : classes `(N,)` or `(N, 1)`, as in training; numbers 0 … K - 1 if they were such; names
        in `class_names`; or targets `(N, O)`, or `(N,)` in a regression with one output

    Raises ArgumentError for a wrong count, for unknown labels, and for targets that the cost does
    not allow.
    """
    array = as_array(labels, argument)
    if are_labels(network, array) and len(array) == count:
        array = codes_of(network, labels, argument)
    outputs, dtype = network.sizes[-1], network.dtype
    return as_targets(array, count, outputs, dtype, network.cost, argument, network.task)


def are_labels(network: Knowing, array: Array) -> bool:
    """Return whether an array has labels, one for each sample, and not targets.

    A column is one of labels if there are several outputs, and for one output if it has texts or
    integers and the task is classification.
    """
    outputs = network.sizes[-1]
    if array.ndim == 1:
        return outputs > 1 or network.task == "classification"
    if array.ndim != 2 or array.shape[1] != 1:
        return False
    return outputs > 1 or (network.task == "classification" and array.dtype.kind not in "fc")


def codes_of(network: Knowing, labels: Any, argument: str, remedy: str = LEFT_OUT) -> Array:
    """Return the classes of labels as int64 `(N,)`. Raises ArgumentError, naming unknown ones."""
    values = as_label_values(labels, argument)
    names = network.classes
    if names is None:
        if values.dtype.kind != "U":
            return values
        if network.class_names is None:
            rule = f"must be the numbers 0 … {max(2, network.sizes[-1]) - 1} of classes"
            remedy = "Train the network on texts first, or set network.class_names."
            raise refuse(argument, rule, f"texts, {str(values[0])!r} for example", remedy)
        names = np.array(network.class_names)
    if (names.dtype.kind == "U") != (values.dtype.kind == "U"):
        raise _unknown(np.unique(values), names, argument, remedy)
    order = np.argsort(names, kind="stable")
    places = np.minimum(np.searchsorted(names[order], values), len(names) - 1)
    codes = order[places]
    wrong = names[codes] != values
    if wrong.any():
        raise _unknown(np.unique(values[wrong]), names, argument, remedy)
    return np.asarray(codes, np.int64)


def names_of(network: Knowing) -> Array:
    """Return the names of the classes, texts `(K,)`, their numbers if they have none.

    Raises ArgumentError, which names `names`, if answers are not one class each.
    """
    if network.several_labels or (network.task == "regression" and network.class_names is None):
        rule, remedy = "is for answers that are one class each", "Leave it out."
        raise refuse("names", rule, "several labels or quantities", remedy)
    count = max(2, network.sizes[-1])
    known = range(count) if network.classes is None else network.classes
    return np.array(network.class_names or [*map(str, known)])


def names_for(network: Knowing, names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the names of a network's classes, for data with classes of these names.

    In its first training, outputs without a class have numbers for names. None if there are fewer
    outputs than classes, or if the network was trained on other classes.
    """
    spare = max(2, network.sizes[-1]) - len(names)
    if spare < 0 or (spare and network.scaling is not None):
        return None
    codes = map(str, range(len(names), 2 * len(names) + spare))
    return (*names, *[code for code in codes if code not in names][:spare])


def by_name(network: Knowing, labels: Any, names: tuple[str, ...] | None, argument: str) -> Any:
    """Return the labels of a data set, which has these names for them, as those of the network.

    They are returned unchanged if they are no numbers of names, and if names cannot be compared:
    network or data set has none, or one has the numbers 0 … K - 1 and the other has words.

    Raises ArgumentError if a trained network does not have a class, and for classes in a regression
    that would learn their numbers as quantities.
    """
    _check_no_quantities(network, names or (), argument)
    own, values = network.class_names, labels
    if network.classes is not None:
        own = tuple(map(str, network.classes))
    if not names or own is None:
        return labels
    is_same = names == own or _are_unnamed(names, own) or _are_unnamed(own, names)
    if (is_same and network.classes is None) or not _are_codes(values, len(names)):
        return labels
    known, found = _values(own), _values(names)
    if set(names) <= set(own) or known is None or found is None:
        known, found = own, names  # else "007" is 7, and "TRUE" is "True"
    places = np.array([known.index(name) if name in known else -1 for name in found])
    codes = places[values]
    if (codes < 0).any():
        if network.scaling is None:  # the names that a user has set are others
            return labels
        raise _unknown(np.array(names)[np.unique(values[codes < 0])], np.array(own), argument)
    return codes if network.classes is None else network.classes[codes]


def said_of_order(network: Knowing, names: tuple[str, ...]) -> str:
    """Return a line on classes that are compared by their order; "" if they are by their names.

    names : of the classes of a data set
    """
    own = network.class_names or tuple(map(str, range(max(2, network.sizes[-1]))))
    numbers, words = (names, own) if _are_unnamed(names, own) else (own, names)
    if not names or network.classes is not None or not _are_unnamed(numbers, words):
        return ""
    pairs = np.array([*zip(numbers, words, strict=False)])
    return f"classes {_listed(pairs[:, 0])} are taken as {_listed(pairs[:, 1])}, in this order"


def by_code(network: Knowing, of_labels: Any, argument: str) -> Any:
    """Return a mapping of labels to values as one of the numbers of classes, if labels have names.

    What is no mapping is returned unchanged.
    """
    if not isinstance(of_labels, Mapping):
        return of_labels
    texts = any(isinstance(label, str) for label in of_labels)
    if network.classes is None and not (texts and network.class_names):
        return of_labels
    remedy = "Correct the keys."
    codes = codes_of(network, list(of_labels), argument, remedy).tolist()
    return dict(zip(codes, of_labels.values(), strict=True))


def _check_no_quantities(network: Knowing, names: tuple[str, ...], argument: str) -> None:
    """Refuse named classes if outputs are quantities: one of more than two classes, or counts.

    The numbers of classes 0, 1, 2, … are their values, so one output may learn them.
    """
    outputs, count = network.sizes[-1], len(names)
    are_values = names == tuple(map(str, range(count)))
    is_quantity = count > 2 and not are_values if outputs == 1 else network.cost == "poisson"
    if count and network.task == "regression" and is_quantity:
        rule = f"must be quantities for {counted(outputs, 'output')} and cost={network.cost!r}"
        remedy = 'Load them with task="regression", for a network of one output. '
        remedy += "Classes need one softmax output each."
        raise refuse(argument, rule, f"{count} classes, {_listed(np.array(names))}", remedy)


def _values(names: tuple[str, ...]) -> tuple[Any, ...] | None:
    """Return names that are digits as different numbers, bools in lower case; None for others."""
    values: tuple[Any, ...] = tuple(map(str.lower, names))
    if not set(values) <= {"false", "true"}:
        values = tuple(map(int, names)) if all(map(str.isdecimal, names)) else ()
    return values if 0 < len(values) == len(set(values)) else None


def _are_unnamed(names: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Return whether names are the numbers from 0 on, and the others are words."""
    numbers = names == tuple(map(str, range(len(names))))
    return numbers and not any(map(str.isdecimal, others))


def _are_codes(values: Array, count: int) -> bool:
    """Return whether labels are numbers of classes already."""
    return values.dtype.kind in "iu" and bool(((values >= 0) & (values < count)).all())


def _are_known(names: tuple[str, ...] | None, values: Array) -> bool:
    """Return whether labels are names that the network already has for its classes."""
    return values.dtype.kind == "U" and names is not None and set(values.tolist()) <= set(names)


def _unknown(found: Array, names: Array, argument: str, remedy: str = LEFT_OUT) -> ArgumentError:
    rule = f"must be of the classes of the training data, {_listed(names)}"
    return refuse(argument, rule, _listed(found), remedy)


def _listed(names: Array) -> str:
    text = ", ".join(repr(name) for name in names[:NAMED].tolist())
    return f"{text}, …" if len(names) > NAMED else text
