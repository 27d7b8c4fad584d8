"""Callbacks: what they receive, and how a run calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.errors import refuse
from fastmlp.training.history import History

# A function of Progress, or an object with some of these methods, which receive a Progress too
Callback = Any
HOOKS = ("on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end")
# The hook of functions: several times a second, and after each epoch
FUNCTION = "__call__"


@dataclass(frozen=True)
class Progress:
    """The progress of a run, as callbacks receive it.

    epoch : counted from 1; in `on_train_begin` and `on_train_end`, how many are done
    step : counted in the epoch; 0 before its first
    cost, accuracy : means over the epoch so far; NaN in `on_train_begin`, `on_epoch_begin` and
        `on_train_end`. The accuracy is None unless the task is classification
    epoch_ended : True once in each epoch, when `history` has its new entry

    The arrays of the network have the parameters after that step.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    cost: float
    accuracy: float | None
    samples_per_second: float
    epoch_ended: bool
    history: History


def as_callbacks(callbacks: Callback | Iterable[Callback] | None) -> list[Callback]:
    """Return one callback, or several, as a list; None is none."""
    if callbacks is None:
        return []
    is_one = isinstance(callbacks, (str, np.ndarray)) or hooked([callbacks], *HOOKS, FUNCTION)
    with suppress(Exception):  # not all that has __iter__ can be iterated
        return [callbacks] if is_one else list(callbacks)
    return [callbacks]


def check_callbacks(callbacks: Sequence[Callback]) -> None:
    """Refuse what is neither a function nor has a hook."""
    for callback in callbacks:
        if not is_callback(callback):
            rule = f"must be functions, or objects with some of {', '.join(HOOKS)}"
            remedy = "Pass callbacks=[lambda progress: None], for example."
            raise refuse("callbacks", rule, repr(callback), remedy)


def is_callback(value: object) -> bool:
    """Return whether a value is a function or has a hook; a class is none, but its objects are."""
    return not isinstance(value, type) and bool(hooked([value], *HOOKS, FUNCTION))


def hooked(callbacks: Sequence[Callback], *hooks: str) -> list[tuple[Callback, Any]]:
    """Return the callbacks that have some of the hooks, each with its bound method."""
    return [
        (each, getattr(each, hook)) for each in callbacks for hook in hooks if hasattr(each, hook)
    ]


def call_hooks(
    callbacks: Sequence[Callback],
    hooks: Sequence[str],
    progress: Progress,
    after: Callable[[], object] = lambda: None,
) -> str:
    """Call these hooks of all callbacks; return why one of them ends the run, or "".

    after : called after each of them that returns, but for those of fastmlp

    A callback ends the run if it returns True. Its attribute `reason`, if it has one, says why.
    Raises ArgumentError for a result that is neither True, False nor None.
    """
    why = ""
    for callback, method in hooked(callbacks, *hooks):
        stops = _is_stop(method(progress))
        if not type(callback).__module__.startswith("fastmlp."):
            after()
        if stops and not why:
            why = str(getattr(callback, "reason", "a callback asked for it"))
    return why


def _is_stop(result: object) -> bool:
    """Return whether a callback's result ends the run. Raises ArgumentError for other results."""
    if isinstance(result, (bool, np.bool_)):
        return bool(result)
    if result is None or (isinstance(result, int) and result == 0):
        return False
    raise refuse(
        "callbacks",
        "must return True to end the run, and None or False to continue",
        f"{result!r} from one of them",
        "Return True, or nothing.",
    )
