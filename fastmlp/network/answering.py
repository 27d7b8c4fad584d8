"""A network's answers: a few samples at a time by predictors that are kept between calls."""

from __future__ import annotations

from operator import is_
from typing import Any

import numpy as np

from fastmlp.arrays import Array, Rows, SparseRows
from fastmlp.backends import Backend, backend_named

# For this many images or fewer, a check of all parameters would take longer than the prediction
UNCHECKED_IMAGES = 64
# Kinds of predictors, by backend and scale, that a network keeps
MOST_KINDS = 4


class Kept:
    """A predictor, and the arrays that it reads."""

    def __init__(self, network: Any, backend: Backend, scale: float) -> None:
        weights, biases = map(tuple, network.check_parameters(False))
        self.arrays = [*weights, *biases]
        self.few = backend.Predictor(weights, biases, network.activations, scale).few


def answers(network: Any, rows: Rows, what: str, backend: str) -> Array:
    """Return "outputs" `(N, O)` or "classes" `(N,)` of rows as engines need them.

    Raises ArgumentError if an output is NaN.
    """
    chosen, scale = backend_named(backend), network.scale_of(rows)
    if len(rows) <= chosen.Predictor.most and not isinstance(rows, SparseRows):
        found = _answers_of_few(network, rows, what, chosen, scale)
    else:
        weights, biases = network.check_parameters(len(rows) > UNCHECKED_IMAGES)
        shape = (len(rows), network.sizes[-1]) if what == "outputs" else len(rows)
        found = np.empty(shape, network.dtype if what == "outputs" else np.int64)
        door = chosen.infer if what == "outputs" else chosen.classify
        door(weights, biases, network.activations, rows, found, scale)
    if what == "outputs":
        # the sum of squares is NaN if one of them is; `a @ a` would warn of an overflow
        is_bad = np.isnan(np.vdot(found, found))
    else:
        is_bad = found[0] < 0 or (len(found) > 1 and found.min() < 0)
    if is_bad:
        network.refuse_nan()
    return found


def _answers_of_few(network: Any, rows: Array, what: str, backend: Backend, scale: float) -> Array:
    """Return answers for a few rows.

    Each running call owns a predictor, so no lock is needed: another thread, or a signal handler,
    takes or makes another. All that depends on the parameters' values is computed anew.
    """
    kinds, key = network.idle, (backend, scale)
    try:
        kept = kinds[key].pop()
        arrays = [*network.weights, *network.biases]
        fits = len(arrays) == len(kept.arrays) and all(map(is_, arrays, kept.arrays))
    except (LookupError, TypeError):  # none is idle; the parameters are no lists
        fits = False
    if not fits:
        kept = Kept(network, backend, scale)
        if key not in kinds and len(kinds) >= MOST_KINDS:
            kinds.clear()
    found: Array = kept.few(rows, what).copy()
    # not reached after an exception, which may have left its buffers half written
    kinds.setdefault(key, []).append(kept)
    return found
