"""A network's answers: by predictors that are kept between calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import is_
from typing import Any, NamedTuple

import numpy as np

from fastmlp.arrays import Array, Rows, sum_of_squares
from fastmlp.backends import Backend, Predictor, backend_named
from fastmlp.errors import counted, refuse
from fastmlp.network.adapting import is_steady, limit_of, prepared_rows, scaled

# For this many images or fewer, a check of all parameters would take longer than the prediction
UNCHECKED_IMAGES = 64
# Kinds of predictors, by backend, scale and activations, that are kept
MOST_KINDS = 4
# Kinds of single images, by dtype, shape and backend, whose answering is kept
MOST_SINGLES = 8


class Single(NamedTuple):
    """What answers one image of a dtype and shape, while the arrays of the network are the same.

    ids : of these arrays, which the predictor keeps alive
    limit : of the sum of squares of images that are not scaled; None if none are
    image : the array that `infer` reads; classes : what it writes, `(1,)`
    take : functions that return copies of its "classes" and "outputs", without an axis for one
    """

    ids: tuple[int, ...]
    predictor: Predictor
    limit: float | None
    image: Array
    infer: Callable[[], object]
    classes: Array
    take: Mapping[str, Callable[[], Any]]


class Predictors:
    """A network's predictors that no call is using, by kind. Copies and pickles are empty.

    Each running call owns a predictor, so no lock is needed: another thread, or a signal handler,
    takes or makes another. A predictor serves as long as the arrays of the network are the same,
    of the same shapes and dtypes, which can change in place.
    """

    def __init__(self) -> None:
        self.idle: dict[Any, list[tuple[list[Array], list[Any], Predictor]]] = {}
        self.singles: dict[Any, list[Single]] = {}

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

        Raises ArgumentError for rows of another width.
        """
        kind = backend, scale, activations
        try:
            # others may replace items of the lists meanwhile
            parameters = tuple(parameters[0]), tuple(parameters[1])
            arrays = [*parameters[0], *parameters[1]]
            kept, forms, predictor = self.idle[kind].pop()
            fits = len(arrays) == len(kept) and all(map(is_, arrays, kept))
            fits = fits and forms == [(array.shape, array.dtype) for array in arrays]
        except (LookupError, TypeError):  # none is idle; the parameters are no lists
            fits = False
        if not fits:
            check(parameters)
            predictor = backend.Predictor(*parameters, activations, scale)
            forms = [(array.shape, array.dtype) for array in arrays]
            if kind not in self.idle and len(self.idle) >= MOST_KINDS:
                self.idle.clear()
        if rows.shape[1] != (inputs := len(parameters[0][0])):  # kernels would read beyond them
            rule, remedy = f"must have {counted(inputs, 'column')}", "Pass those of the training."
            raise refuse("rows", rule, rows.shape[1], remedy)
        last = parameters[1][-1]
        shape = (len(rows), len(last)) if what == "outputs" else (len(rows),)
        found = np.empty(shape, last.dtype if what == "outputs" else np.int64)
        predictor(rows, what, found, threads)
        # not reached after an exception, which may have left its buffers half written
        self.idle.setdefault(kind, []).append((arrays, forms, predictor))
        return found


def answers(network: Any, images: Any, what: str, backend: str) -> Any:
    """Return "outputs" `(N, O)` or "classes" `(N,)` of images as users pass them; of one, its own.

    Raises ArgumentError if an output is NaN.
    """
    singles, key, single = network.predictors.singles, None, None
    if type(images) is np.ndarray and type(backend) is str:
        key = images.dtype, images.shape, backend
        idle = singles.get(key)
        try:
            single = idle.pop() if idle else None  # no other call has it meanwhile
        except IndexError:  # another call was faster
            single = None
    if single is None or single.ids != (*map(id, network.weights), *map(id, network.biases)):
        rows, is_one = prepared_rows(network, images)
        if key is None or len(rows) > 1 or not is_steady(network, images.dtype):
            found = infer(network, rows, what, backend, network.activations)
            if np.isnan(sum_of_squares(found)) if what == "outputs" else found.min() < 0:
                network.refuse_nan()
            return found[0] if is_one else found
        single = _single_of(network, images, rows, is_one, backend)
    limit = single.limit
    if limit is None or (limit >= 0 and np.vdot(images, images) <= limit):
        single.image[...] = images
    else:
        image: Any = scaled(network, images.reshape(1, -1), "images")
        single.image[...] = image.reshape(single.image.shape)
    try:
        single.infer()
    except (ValueError, TypeError):  # of NumPy, for arrays that were reshaped in place
        network.check_parameters(False)
        raise
    if single.classes.item() < 0:
        network.refuse_nan()
    found = single.take[what]()
    if key not in singles and len(singles) >= MOST_SINGLES:
        singles.clear()
    # not reached after an exception, which may have left its buffers half written
    singles.setdefault(key, []).append(single)
    return found


def _single_of(network: Any, images: Array, rows: Any, is_one: bool, backend: str) -> Single:
    """Return what answers one image of the shape and dtype of `images`, which are rows prepared."""
    network.check_parameters(False)
    weights, biases = parameters = tuple(network.weights), tuple(network.biases)
    network.check_parameters(False, parameters)  # others may have replaced some
    scale = network.scale_of(rows)
    predictor = backend_named(backend).Predictor(weights, biases, network.activations, scale)
    image, run, found = predictor.single(rows.dtype)
    image = image[0].reshape(images.shape)
    limit = limit_of(network, images.dtype)
    outputs, classes = found["outputs"], found["classes"]
    take = {"outputs": outputs.copy, "classes": classes.copy}
    if is_one:
        take = {"outputs": outputs[0].copy, "classes": partial(classes.__getitem__, 0)}
    ids = tuple(map(id, (*weights, *biases)))
    return Single(ids, predictor, limit, image, run, classes, take)


def infer(network: Any, rows: Rows, what: str, backend: str, activations: tuple[str, ...]) -> Array:
    """Return what `Predictors.infer` does for a network, with its activations or others."""
    if len(rows) > UNCHECKED_IMAGES:
        network.check_parameters()
    parameters, chosen = (network.weights, network.biases), backend_named(backend)
    check, scale = partial(network.check_parameters, False), network.scale_of(rows)
    kept: Predictors = network.predictors
    return kept.infer(parameters, activations, rows, what, chosen, scale, check=check)
