"""A network's answers: by predictors that are kept between calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import is_
from typing import Any

import numpy as np

from fastmlp.arrays import Array, Rows, SparseRows
from fastmlp.backends import Backend, Predictor, backend_named

# For this many images or fewer, a check of all parameters would take longer than the prediction
UNCHECKED_IMAGES = 64
# Kinds of predictors, by backend, scale and activations, that are kept
MOST_KINDS = 4


class Predictors:
    """A network's predictors that no call is using, by kind. Copies and pickles are empty.

    Each running call owns a predictor, so no lock is needed: another thread, or a signal handler,
    takes or makes another. A predictor serves as long as the arrays of the network are the same.
    """

    def __init__(self) -> None:
        self.idle: dict[Any, list[tuple[list[Array], Predictor]]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Predictors, ()

    def infer(
        self,
        parameters: tuple[Sequence[Array], Sequence[Array]],
        activations: tuple[str, ...],
        rows: Rows,
        what: str,
        backend: Backend,
        scale: float,
        *,
        check: Callable[[Any], object],
        threads: int | None = None,
    ) -> Array:
        """Return "outputs" `(N, O)` or "classes" `(N,)`, as `what` says, for rows `(N, I)`.

        parameters : weights and biases; check : a function of them that raises an error if they are
            wrong, which is called before a predictor of others is made
        """
        kind = backend, scale, activations
        try:
            # others may replace items of the lists meanwhile
            parameters = tuple(parameters[0]), tuple(parameters[1])
            arrays = [*parameters[0], *parameters[1]]
            kept, predictor = self.idle[kind].pop()
            fits = len(arrays) == len(kept) and all(map(is_, arrays, kept))
        except (LookupError, TypeError):  # none is idle; the parameters are no lists
            fits = False
        if not fits:
            check(parameters)
            predictor = backend.Predictor(*parameters, activations, scale)
            if kind not in self.idle and len(self.idle) >= MOST_KINDS:
                self.idle.clear()
        if len(rows) <= predictor.most and not isinstance(rows, SparseRows):
            found = predictor.few(rows, what).copy()
        else:
            last = parameters[1][-1]
            shape = (len(rows), len(last)) if what == "outputs" else (len(rows),)
            found = np.empty(shape, last.dtype if what == "outputs" else np.int64)
            predictor(rows, what, found, threads)
        # not reached after an exception, which may have left its buffers half written
        self.idle.setdefault(kind, []).append((arrays, predictor))
        return found


def answers(network: Any, rows: Rows, what: str, backend: str) -> Array:
    """Return "outputs" `(N, O)` or "classes" `(N,)` of rows as engines need them.

    Raises ArgumentError if an output is NaN.
    """
    found = infer(network, rows, what, backend, network.activations)
    if what == "outputs":
        # the sum of squares is NaN if one of them is; `a @ a` would warn of an overflow
        is_bad = np.isnan(np.vdot(found, found))
    else:
        is_bad = found[0] < 0 or (len(found) > 1 and found.min() < 0)
    if is_bad:
        network.refuse_nan()
    return found


def infer(network: Any, rows: Rows, what: str, backend: str, activations: tuple[str, ...]) -> Array:
    """Return what `Predictors.infer` does, for a network with other activations, perhaps."""
    if len(rows) > UNCHECKED_IMAGES:
        network.check_parameters()
    parameters, chosen = (network.weights, network.biases), backend_named(backend)
    check, scale = partial(network.check_parameters, False), network.scale_of(rows)
    kept: Predictors = network.predictors
    return kept.infer(parameters, activations, rows, what, chosen, scale, check=check)
