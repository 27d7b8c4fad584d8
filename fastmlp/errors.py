"""Every exception that fastmlp raises on purpose, and the form of their messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

# Characters of a value in a message, and of one of several lines
LONGEST, OF_LINES = 400, 120
OF_OS = ("errno", "strerror", "filename")  # attributes of an OSError
# What other libraries call an argument, and what this one calls it
OTHER_NAMES = {
    "activation": "hidden",
    "alpha": "weight_decay",
    "cb": "callbacks",
    "clipvalue": "clip_value",
    "criterion": "cost",
    "eta": "learning_rate",
    "hidden_layer_sizes": "sizes",
    "l2": "weight_decay",
    "layers": "sizes",
    "loss": "cost",
    "loss_fn": "cost",
    "lr": "learning_rate",
    "lr_scheduler": "schedule",
    "max_iter": "epochs",
    "metric": "monitor",
    "n_epochs": "epochs",
    "n_iter_no_change": "early_stopping",
    "n_jobs": "threads",
    "num_epochs": "epochs",
    "num_workers": "threads",
    "patience": "early_stopping",
    "progress": "verbose",
    "random_state": "seed",
    "scheduler": "schedule",
    "solver": "optimizer",
    "timeout": "max_seconds",
    "val_data": "validation",
    "validation_data": "validation",
    "validation_fraction": "validation",
    "validation_split": "validation",
    "wd": "weight_decay",
    "x_val": "validation",
    "X_val": "validation",
}
# The same of activations and costs
OTHER_VALUES = {
    "bce": "cross_entropy",
    "binary_crossentropy": "cross_entropy",
    "categorical_crossentropy": "cross_entropy",
    "linear": "identity",
    "log_loss": "cross_entropy",
    "logistic": "sigmoid",
    "mae": "absolute_error",
    "mse": "squared_error",
    "sparse_categorical_crossentropy": "cross_entropy",
    "swish": "silu",
}


class FastMLPError(Exception):
    """Base class of all errors below."""


class ArgumentError(FastMLPError, ValueError):
    """An argument or an environment variable has a value that is not allowed.

    The message contains its name, the rule, the value and the remedy. `argument` is the name.
    """

    argument = ""


class CallError(ArgumentError, TypeError):
    """A function is called with an argument that it does not have, or without one that it needs."""


class DataError(FastMLPError, ValueError):
    """A data file has the wrong content. The message says what was expected and what was found."""


class DataUnavailableError(FastMLPError, OSError):
    """A data set is not on this machine and cannot be downloaded. The message says why."""


class ModelError(FastMLPError, ValueError):
    """A file is not a fastmlp model, or it is damaged."""


class UnwritableError(FastMLPError, OSError):
    """A file cannot be written. An older file of the same name is unchanged.

    The message contains the file, the reason and the remedy. errno, strerror and filename are
    those of the system's error; the reason may be put in other words.
    """

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> Any:  # OSError would forget all but the message
        return type(self), self.args, {**vars(self), **{key: getattr(self, key) for key in OF_OS}}

    def __setstate__(self, state: Any) -> None:
        for key, value in state.items():
            setattr(self, key, value)


class CheckpointError(FastMLPError, OSError):
    """A checkpoint cannot be written, or none can be resumed. The message says why."""


class DivergedError(FastMLPError, ArithmeticError):
    """A cost or parameter became NaN or infinite in training.

    The message says which parameters the network has now.
    """


class NotReadyError(FastMLPError, RuntimeError):
    """A signal handler or a destructor uses kernels whose import or compilation it interrupted."""

    def __init__(self) -> None:
        super().__init__(
            "the kernels are not ready: this call interrupts their import or compilation, as a "
            "signal handler can. Predict once before you install the handler."
        )


class TrainingWarning(UserWarning):
    """A run ended without having learnt. The message says the likely cause and the remedy."""


class MissingExtraError(FastMLPError, ImportError):
    """An optional package is not installed. The message names the extra that installs it."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs {package}, which is not installed. "
            f'Run: pip install "fastmlp[{extra}]"'
        )


def refuse(
    argument: str, rule: str, got: object, remedy: str, kind: type[ArgumentError] = ArgumentError
) -> ArgumentError:
    """Return the error for an argument: its rule, the value that was passed, and the remedy."""
    said, most = str(got), LONGEST
    if "\n" in said:  # an array or a table as text
        said, most = " ".join(said.split()), OF_LINES
    said = said[:most] + "…" * (len(said) > most)
    error = kind(f"{argument} {rule}; got {said}. {remedy}")
    error.argument = argument
    return error


def counted(number: int, what: str) -> str:
    """Return a number of things in words: "1 row", "2,000 rows"."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def in_one_line(error: BaseException) -> str:
    """Return the text of an error in one line, or the name of its type."""
    return " ".join(str(error).split()) or type(error).__name__


def nearest(name: object, names: Iterable[str]) -> str:
    """Return a remedy for an unknown name: the one that it resembles, or all there are."""
    near = similar(name, names) if isinstance(name, str) else ""
    return f"Did you mean {near}?" if near else f"Choose from {', '.join(names)}."


def similar(name: str, names: Iterable[str]) -> str:
    """Return the one of `names` that other libraries call so, or that is spelt like it, or ""."""
    from difflib import get_close_matches

    known, lower = [*names], name.lower()
    for others in (OTHER_NAMES, OTHER_VALUES):
        for own in (others.get(name), others.get(lower), lower):
            if own in known:
                return own
    near = get_close_matches(name, known, 1) or get_close_matches(lower, known, 1)
    return next(iter(near), "")


def checked_call(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function; a call that does not fit its signature raises CallError."""

    title = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]

    @wraps(function)
    def called(*arguments: P.args, **named: P.kwargs) -> R:
        try:
            return function(*arguments, **named)
        except TypeError:  # of the call, or of what the function did
            _check_call(function, title, arguments, named)
            raise

    return called


def checked_class(kind: type[T]) -> type[T]:
    """Return the class; a call that does not fit the signature of its `__init__` does the same."""
    init = kind.__init__

    @wraps(init)
    def called(self: T, *arguments: Any, **named: Any) -> None:
        _check_call(init, kind.__name__, (self, *arguments), named)
        init(self, *arguments, **named)

    kind.__init__ = called  # type: ignore[method-assign, assignment]
    return kind


def _check_call(
    function: Callable[..., Any], title: str, arguments: tuple[Any, ...], named: dict[str, Any]
) -> None:
    """Raise CallError, with the near name, unless the arguments fit the function's signature."""
    from reprlib import repr as short

    fits = _signature(function)
    own = [name for name in fits.parameters if name not in ("self", "cls")]
    takes_any = any(each.kind is each.VAR_KEYWORD for each in fits.parameters.values())
    for name, value in named.items():
        if name not in own and not takes_any:
            rule, got = f"must be an argument of {title}", f"{name}={short(value)}"
            raise refuse(name, rule, got, nearest(name, own), CallError) from None
    try:
        fits.bind(*arguments, **named)
    except TypeError as error:
        rule, remedy = "must fit its arguments", f"They are {', '.join(own)}."
        raise refuse(title, rule, error, remedy, CallError) from None


@cache
def _signature(function: Callable[..., Any]) -> Any:
    from inspect import signature

    return signature(function)
