"""Labels of any kind as numbers of classes; labels, targets and weights as engines need them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from fastmlp.arrays.checks import Array
from fastmlp.arrays.given import as_array, as_numbers, converted, is_missing
from fastmlp.arrays.magnitudes import check_magnitudes
from fastmlp.arrays.names import plain_label
from fastmlp.errors import counted, refuse


def encode_labels(values: Any, argument: str = "labels") -> tuple[Array, Array]:
    """Return (codes, names): the class of each label, int64 `(N,)`, and the names of the classes.

    values : `(N,)` or `(N, 1)`: texts, whole numbers of any type, bools, or categories of pandas
    names : `(K,)`, texts or int64, sorted; values are names[codes]. Texts that are all numbers are
        sorted as numbers; of categories all, in their own order, also those that do not occur

    Raises ArgumentError for missing labels, fractions, and other kinds of values.
    """
    categories = getattr(getattr(values, "cat", values), "categories", None)
    labels = as_label_values(values, argument)
    if categories is not None:
        names = as_label_values(categories, argument)
        order = np.argsort(names, kind="stable")
        return order[np.searchsorted(names[order], labels)], names
    names, codes = np.unique(labels, return_inverse=True)
    if names.dtype.kind == "U":
        with suppress(ValueError):  # not all are numbers
            order = np.argsort(names.astype(np.float64), kind="stable")
            names, codes = names[order], np.argsort(order)[codes]
    return codes.astype(np.int64), names


def as_label_values(values: Any, argument: str = "labels") -> Array:
    """Return labels as texts or int64 `(N,)`. Raises ArgumentError, as `encode_labels`."""
    array = as_array(values, argument)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    rule = "must be one label for each sample: whole numbers or texts"
    if array.ndim != 1:
        remedy = "Pass labels of shape (N,); train(network, images, targets) takes targets (N, O)."
        raise refuse(argument, rule, f"shape {array.shape}", remedy)
    if array.dtype.kind in "OT":
        missing = np.array([is_missing(label) for label in array], bool)
        check_present(missing, argument)
        labels = list(map(plain_label, array.tolist()))
        texts = [isinstance(label, str) for label in labels]
        array = np.array(labels, str) if all(texts) else array
        if any(texts) and not all(texts):
            raise refuse(argument, rule, "texts and numbers", "Convert all of them to texts.")
    if array.dtype.kind == "U":
        return array
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8", "replace")
    numbers = as_numbers(array, argument)
    if numbers.dtype.kind in "bi":
        return numbers.astype(np.int64)
    is_float = numbers.dtype.kind == "f"
    check_present(np.isnan(numbers), argument)
    fraction = numbers != np.round(numbers)
    # larger floats are not exact, larger integers none of int64
    large = np.abs(numbers) > 2**53 if is_float else numbers > np.uint64(2**63 - 1)
    of_one = "A network with one output, cost='squared_error', output='identity' takes any numbers"
    for wrong, remedy in (
        (fraction, f"{of_one}; for O outputs, targets are (N, O)."),
        (large, "Number the classes from 0 on, or pass texts."),
    ):
        if wrong.any():
            row = int(wrong.argmax())
            raise refuse(argument, rule, f"{numbers[row]:g} in row {row}", remedy)
    return numbers.astype(np.int64)


def check_present(missing: Array, argument: str) -> None:
    """Raise ArgumentError if a label is missing; missing : bool `(N,)`."""
    if missing.any():
        got = f"{int(missing.sum())} missing, the first of them in row {int(missing.argmax())}"
        raise refuse(argument, "must all be known", got, "Remove these samples.")


def as_labels_or_targets(labels: Any, count: int, outputs: int, dtype: Any, argument: str) -> Array:
    """Return labels as int64 `(N,)`, or targets as floats `(N, outputs)`.

    With a single output, the labels 0 and 1 become targets `(N, 1)`. Raises ArgumentError for a
    wrong count, shape or type, for labels outside 0 … outputs - 1, and for targets that
    `check_magnitudes` refuses.
    """
    array = as_array(labels, argument)
    if array.shape == (count, outputs):
        targets = converted(as_numbers(array, argument), dtype)
        check_magnitudes(targets, dtype, argument)
        return targets
    if array.ndim != 1 or array.dtype.kind not in "iub" or len(array) != count:
        rule = f"must be {counted(count, 'whole number')}, or targets of shape ({count}, {outputs})"
        got = f"{'texts' if array.dtype.kind in 'US' else array.dtype} of shape {array.shape}"
        if array.ndim and len(array) != count:
            rule, got = f"must be one for each of {counted(count, 'image')}", f"{len(array):,}"
        remedy = "Pass one label or one row of targets for each image."
        raise refuse(argument, rule, got, remedy)
    classes = max(outputs, 2)
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= classes:
        raise refuse(
            argument,
            f"must lie in 0 … {classes - 1} for {outputs} outputs",
            f"labels from {low} to {high}",
            "Relabel the classes, or give the network more outputs.",
        )
    if outputs == 1:
        return np.ascontiguousarray(array.reshape(-1, 1), dtype)
    return np.ascontiguousarray(array, np.int64)


def as_sample_weight(values: Any, count: int, argument: str = "sample_weight") -> Array | None:
    """Return a copy of the weights of samples, float64 `(count,)`; None for None.

    They are rounded to multiples of a power of two, about 2^-52 of their sum: sums of them are then
    exact, so they are the same for every division of a run into calls.

    argument : what errors name: that of which the values are

    Raises ArgumentError unless they are that many finite numbers of at least 0, not all of them 0,
    with a finite sum.
    """
    if values is None:
        return None
    array = as_array(values, argument)
    remedy = f"Pass one weight for each {argument.partition('_')[0]}."
    if array.shape != (count,) or array.dtype.kind not in "uifbO":
        rule, got = f"must be {count} numbers", f"{array.dtype} of shape {array.shape}"
        raise refuse(argument, rule, got, remedy)
    weights = np.array(as_numbers(array, argument), np.float64)
    with np.errstate(all="ignore"):
        is_sound = weights.min() >= 0 and 0 < weights.sum() < np.inf
    if not is_sound:
        rule = "must be finite, at least 0, and not all zero"
        raise refuse(argument, rule, f"{weights.min()} to {weights.max()}", remedy)
    shift = 52 - int(np.frexp(weights.sum())[1])
    return np.asarray(np.ldexp(np.round(np.ldexp(weights, shift)), -shift))
