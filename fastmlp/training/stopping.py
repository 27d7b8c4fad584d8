"""Check the arguments that end a run, before it begins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastmlp.arrays import check_at_least
from fastmlp.errors import refuse
from fastmlp.functions import METRICS, metrics_of
from fastmlp.training.adaptive import Plateau
from fastmlp.training.callbacks import EarlyStopping
from fastmlp.training.data import Data
from fastmlp.training.monitor import MONITORS, PLATEAU_MONITORS, check_monitor
from fastmlp.training.progress import Callback


def check_stopping(
    callbacks: list[Callback], early_stopping: EarlyStopping | int | None, validation: Data | None
) -> tuple[list[Callback], EarlyStopping | None]:
    """Return the callbacks without an EarlyStopping, and the one to use."""
    others = [callback for callback in callbacks if not isinstance(callback, EarlyStopping)]
    for callback in callbacks:
        if isinstance(callback, EarlyStopping):
            if early_stopping is not None:
                rule, remedy = "must be given once", "Leave out early_stopping or the callback."
                raise refuse("early_stopping", rule, f"{early_stopping} and {callback}", remedy)
            early_stopping = callback
    given: object = early_stopping
    known = isinstance(given, (EarlyStopping, int, np.integer, type(None)))
    if not known or isinstance(given, bool):
        rule, got = "must be EarlyStopping or its patience, a number of epochs", repr(given)
        raise refuse("early_stopping", rule, got, "Pass early_stopping=3.")
    if early_stopping is None:
        return others, None
    if not isinstance(early_stopping, EarlyStopping):
        early_stopping = EarlyStopping(early_stopping)
    if validation is None:
        raise refuse(
            "early_stopping", "needs validation data", "validation=None", "Pass validation=."
        )
    return others, early_stopping


def check_target(target: float | None, target_accuracy: float | None) -> float | None:
    """Return one of both, as `target_accuracy` is another name for the target."""
    if target is not None and target_accuracy is not None:
        got = f"{target!r} and target_accuracy={target_accuracy!r}"
        raise refuse("target", "must be given once", got, "Leave out target_accuracy.")
    name = "target" if target_accuracy is None else "target_accuracy"
    target = target if target_accuracy is None else target_accuracy
    if target is not None:
        least = 0 if name == "target_accuracy" else -np.inf
        check_at_least(name, target, least, float)
        if target > 1:
            remedy = f"Pass {target / 100:g} for {target:g} %."
            raise refuse(name, "must be at most 1, the best that a metric can be", target, remedy)
    return target


def check_task(
    task: str,
    early_stopping: EarlyStopping | None,
    plan: Callable[[float], float],
    target: float | None,
    target_accuracy: float | None,
    validation: Data | None,
) -> None:
    """Refuse metrics of another task, and those that need validation data where there are none.

    target : as `check_target` returns it; target_accuracy : as it was given, for the error
    """
    if early_stopping is not None:
        check_monitor(early_stopping.monitor, MONITORS, task)
    needs = []
    if isinstance(plan, Plateau):
        what = "the schedule's monitor"
        check_monitor(plan.monitor, PLATEAU_MONITORS, task, what)
        needs = [what] if plan.monitor in METRICS else []
    if target is not None and task != "classification":
        needs += ["target" if target_accuracy is None else "target_accuracy"]
    if needs and validation is None:
        rule = f"needs validation data, to compute {metrics_of(task)[0].name!r}, for example"
        raise refuse(needs[0], rule, "validation=None", "Pass validation=.")
