"""The table of the estimators' parameters: default, rule and meaning of each.

Names, order, defaults and meanings are those of `sklearn.neural_network`; the last ones
are added: `threads`, `dropout`, `callbacks` and, of classifiers, `class_weight`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import Parameter, Signature, cleandoc
from numbers import Integral, Real
from reprlib import repr as short
from typing import Any

import numpy as np

from fastmlp.errors import CallError, checked_call, refuse
from fastmlp.estimator.callbacks import are_callbacks
from fastmlp.functions import HIDDEN

# The estimators' names of activations, where they differ from those of fastmlp
OWN_NAMES = {"logistic": "sigmoid"}
# and those of activations that only outputs have
OUTPUT_NAMES = {**OWN_NAMES, "exp": "exponential"}
LBFGS = (
    "solver",
    "must train in minibatches",
    "'lbfgs', which needs the whole data for each step and is not part of fastmlp",
    'Pass solver="adam" or "sgd", or use sklearn.neural_network for this one.',
)


# Larger numbers are none of NumPy's
MOST: dict[Any, float] = {Integral: 2**63 - 1, Real: sys.float_info.max}


@dataclass(frozen=True)
class Row:
    """A parameter: its name, its default, what is allowed, and what it does."""

    name: str
    default: Any
    rule: str
    holds: Callable[[Any], bool]
    meaning: str


def _number(
    least: float, below: float = np.inf, kind: Any = Real, open_at: bool = False
) -> Callable[[Any], bool]:
    """Return a check: a number of that kind, least <= number < below; or, open, least < number."""

    def holds(value: Any) -> bool:
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, kind):
            return False
        number: Any = value.item() if isinstance(value, np.generic) else value
        is_small = number < below and number <= MOST[kind]
        return bool((number > least if open_at else number >= least) and is_small)

    return holds


def _one_of(*names: str) -> tuple[str, Callable[[Any], bool]]:
    return f"must be one of {', '.join(names)}", lambda v: isinstance(v, str) and v in names


def _is_flag(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_))


def _is_random_state(value: Any) -> bool:
    return value is None or isinstance(value, np.random.RandomState) or _whole(value)


def _are_sizes(value: Any) -> bool:
    try:
        sizes = np.atleast_1d(np.asarray(value, object))
        return sizes.ndim == 1 and all(map(_count, sizes))
    except Exception:  # another package's __array__ can raise anything
        return False


_whole, _count = _number(0, 2**32, Integral), _number(1, kind=Integral)
_share, _size, _above = _number(0, 1), _number(0), _number(0, open_at=True)
FLAG, COUNT = "must be True or False", "must be a whole number of at least 1"
SIZE, ABOVE = "must be a number of at least 0", "must be a number above 0"
SHARE = "must be a number of at least 0 and below 1"

# fmt: off
LOSS = Row(
    "loss", "squared_error", *_one_of("squared_error", "poisson"),
    "half of the squared error, the mean over samples and outputs; or half of the Poisson "
    "deviance, y log(y / a) - y + a, its sum over outputs, with outputs a = e^z",
)
CLASS_WEIGHT = Row(
    "class_weight", None, "must be None, 'balanced' or a dictionary of labels and weights",
    lambda v: v is None or isinstance(v, dict) or (isinstance(v, str) and v == "balanced"),
    "factors on the weights of samples, by class; 'balanced' is samples / (classes * samples of "
    "the class). Labels that a dictionary lacks have 1",
)
SHARED = (
    Row("hidden_layer_sizes", (100,), "must be whole numbers of at least 1", _are_sizes,
        "the neurons of each hidden layer"),
    Row("activation", "relu", *_one_of(*OWN_NAMES, *HIDDEN), "of the hidden layers"),
    Row("solver", "adam", *_one_of("adam", "sgd"), "the optimiser"),
    Row("alpha", 0.0001, SIZE, _size,
        "strength of the L2 term: alpha / 2 |w|^2 / samples of a minibatch"),
    Row("batch_size", "auto", "must be 'auto', or a whole number of at least 1",
        lambda v: _count(v) or (isinstance(v, str) and v == "auto"),
        "samples of a minibatch; 'auto' is min(200, samples)"),
    Row("learning_rate", "constant", *_one_of("constant", "invscaling", "adaptive"),
        "of sgd: constant; learning_rate_init / t^power_t after t samples; or divided by 5 "
        "whenever the loss stops falling"),
    Row("learning_rate_init", 0.001, ABOVE, _above, "the learning rate at first"),
    Row("power_t", 0.5, SIZE, _size, "the exponent of 'invscaling'"),
    Row("max_iter", 200, COUNT, _count, "the most epochs"),
    Row("shuffle", True, FLAG, _is_flag, "whether each epoch has another order of samples"),
    Row("random_state", None, "must be None, a whole number or a RandomState", _is_random_state,
        "draws the initial parameters, the validation data and the orders"),
    Row("tol", 1e-4, SIZE, _size, "an epoch that improves by less is no improvement"),
    Row("verbose", False, "must be a flag or a whole number",
        lambda v: _is_flag(v) or _whole(v), "whether to print the loss of each epoch"),
    Row("warm_start", False, FLAG, _is_flag, "whether `fit` goes on from the last parameters"),
    Row("momentum", 0.9, "must be a number from 0 to 1",
        lambda v: _size(v) and v <= 1, "of sgd"),
    Row("nesterovs_momentum", True, FLAG, _is_flag, "whether sgd's momentum is Nesterov's"),
    Row("early_stopping", False, FLAG, _is_flag,
        "whether to stop by the score of held-out data, and to return to the best parameters"),
    Row("validation_fraction", 0.1, SHARE, _share, "the share of the data that is held out"),
    Row("beta_1", 0.9, SHARE, _share, "of adam"),
    Row("beta_2", 0.999, SHARE, _share, "of adam"),
    Row("epsilon", 1e-8, ABOVE, _above, "of adam"),
    Row("n_iter_no_change", 10, "must be a whole number of at least 1, or infinity",
        lambda v: _count(v) or v == np.inf, "training stops after more epochs without improvement"),
    Row("max_fun", 15000, COUNT, _count, "has no effect; it is of scikit-learn's lbfgs"),
    Row("threads", None, "must be None, or a whole number of at least 1",
        lambda v: v is None or _count(v),
        "the most threads; None: all, but no more than OMP_NUM_THREADS and NUMBA_NUM_THREADS, "
        "and 1 outside of the main thread"),
    Row("dropout", 0.0, SHARE, _share,
        "the share of the outputs of each hidden layer that is 0 in a step (Srivastava et al., "
        "2014)"),
    Row("callbacks", None, "must be None, or one or several callbacks of fastmlp.train, but not "
        "EarlyStopping: pass early_stopping=True",
        are_callbacks,
        "of `fit`, not of `partial_fit`: functions of Progress, called after each epoch, or "
        "objects with some of on_train_begin, on_epoch_begin, on_epoch_end, on_train_end. One that "
        "returns True ends the fit. `clone` copies them"),
)
# fmt: on
POSITIONAL = ("loss", "hidden_layer_sizes", "activation")


def check_parameters(estimator: Any, *names: str) -> None:
    """Raise ArgumentError, a ValueError, for the first parameter that breaks its rule.

    names : those to check; by default all
    """
    if not names and isinstance(estimator.solver, str) and estimator.solver == "lbfgs":
        raise refuse(*LBFGS)
    for row in (row for row in estimator._parameters if not names or row.name in names):
        value = getattr(estimator, row.name)
        if not row.holds(value):
            raise refuse(row.name, row.rule, short(value), f"The default is {row.default!r}.")


@contextmanager
def documented_errors(argument: str) -> Iterator[None]:
    """Raise ArgumentError for what is no ValueError, such as no array at all.

    In place of a TypeError it is a CallError, which is one.
    """
    try:
        yield
    except (ValueError, MemoryError):
        raise
    except TypeError as error:
        rule = "must be numbers, or for labels all of one kind"
        remedy = "Convert them, and remove missing values."
        raise refuse(argument, rule, str(error).rstrip("."), remedy, CallError) from None
    except Exception as error:  # another package's __array__ can raise anything
        said = str(error).rstrip(".")
        raise refuse(argument, "must be an array", said, "Pass a NumPy array.") from None


def documented(*rows: Row) -> Callable[[type], type]:
    """Return a class decorator: `__init__` takes these rows' parameters, the docstring lists them.

    `__init__` stores each under its name, unchanged and unchecked, as scikit-learn demands.
    """

    def decorate(cls: Any) -> type:
        signature = Signature(list(_arguments(rows)))

        def __init__(self: Any, *positional: Any, **named: Any) -> None:
            bound = signature.bind(self, *positional, **named)
            bound.apply_defaults()
            for row in rows:
                setattr(self, row.name, bound.arguments[row.name])

        __init__.__qualname__ = f"{cls.__name__}.__init__"
        __init__.__signature__ = signature  # type: ignore[attr-defined]
        cls.__init__ = checked_call(__init__)
        cls._parameters = rows
        for row in rows:  # a pickle of an earlier version lacks parameters
            setattr(cls, row.name, row.default)
        lines = (f"{row.name} : {row.meaning}; {row.rule}; default {row.default!r}" for row in rows)
        own = cleandoc(cls.__doc__ or "")  # python -OO leaves no docstrings
        cls.__doc__ = "\n".join((own, "", "Parameters, as in scikit-learn:", "", *lines, ""))
        return cls

    return decorate


def _arguments(rows: Iterable[Row]) -> Iterable[Parameter]:
    """Return the arguments of `__init__`: few of them may be given by position."""
    yield Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)
    for row in rows:
        is_first = row.name in POSITIONAL
        kind = Parameter.POSITIONAL_OR_KEYWORD if is_first else Parameter.KEYWORD_ONLY
        yield Parameter(row.name, kind, default=row.default)
