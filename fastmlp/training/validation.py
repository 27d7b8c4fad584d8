"""Validation data: given, or a share of the training data that is held out."""

from __future__ import annotations

import copy
from typing import Any, TypeGuard

import numpy as np

from fastmlp.arrays import Array, as_generator, check_at_least
from fastmlp.errors import refuse


def is_share(validation: Any) -> TypeGuard[float]:
    """Return whether validation data are given as a share of the training data."""
    return isinstance(validation, (int, float, np.number))


def hold_out(classes: Array, share: float, seed: Any) -> tuple[Array, Array]:
    """Return the rows to train on and the rows for validation, both in ascending order.

    classes : of the samples, `(N,)`: each has the same share in both parts, but for one sample; one
        that has a single sample is trained on, if others have enough
    seed : of the division; a Generator does not change

    There are round(share N) rows for validation. Raises ArgumentError unless that leaves at least
    one row in each part.
    """
    check_at_least("validation", share, 0, float)
    count = len(classes)
    held = round(float(share) * count) if share < 1 else count
    if not 0 < held < count:
        rule = f"must leave at least one of the {count:,} images in each part"
        raise refuse("validation", rule, share, "Pass 0.1, for example.")
    generator = copy.deepcopy(as_generator(seed))
    mixed = generator.permutation(count)
    several = mixed[np.bincount(classes)[classes[mixed]] > 1]
    if len(several) >= 2 * held:  # each keeps one
        mixed = several
    mixed = mixed[np.argsort(classes[mixed], kind="stable")]
    # evenly spaced along the sorted classes, from a random start, so that each row is as likely
    total = len(mixed)
    start = generator.integers(total) if classes[mixed[0]] != classes[mixed[-1]] else 0
    places = np.arange(total + 1) * held + start
    chosen = np.sort(mixed[np.diff(places // total) > 0])
    return np.setdiff1d(np.arange(count), chosen), chosen
