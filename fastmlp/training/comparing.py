"""Convert the settings of a run to plain values, to compare them with those of a checkpoint.

Equal settings become equal values: 16 and np.int64(16), 3 and EarlyStopping(3), "cosine" and the
function of that name, two functions that return the same rates.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.errors import ArgumentError, refuse
from fastmlp.system.plain import plain, to_json
from fastmlp.training.callbacks import EarlyStopping
from fastmlp.training.choosing import choose_optimizer
from fastmlp.training.schedules import SCHEDULES, Schedule, as_factors, schedule_named

# Schedules are compared at this many evenly spaced steps, or at all steps if there are fewer
POINTS = 1000


def make_comparable(settings: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """Return the settings of a run of `steps` steps as plain values.

    Raises ArgumentError for a schedule that cannot be compared.
    """
    return {
        **{name: plain(value) for name, value in settings.items()},
        "schedule": _schedule(settings["schedule"], steps),
        "seed": _seed(settings["seed"]),
        "early_stopping": _stopping(settings["early_stopping"]),
    }


def upgrade_identity(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the identity of a checkpoint of any version.

    In earlier ones early stopping can be only its patience, the arguments of SGD are not yet a
    choice, the target is one of accuracy, and there is no warm-up, dropout or smoothing of labels.
    """
    stopping = _stopping(identity.get("early_stopping"))
    later = {"warmup": 0.0, "dropout": 0.0, "input_dropout": 0.0, "label_smoothing": 0.0}
    known = {**later, **identity, "early_stopping": stopping}
    known.setdefault("target", known.pop("target_accuracy", None))
    if "optimizer" not in known:
        own = ("learning_rate", "momentum", "nesterov", "weight_decay")
        given = {name: known.pop(name) for name in own if name in known}
        known |= vars(choose_optimizer(**given))
    return known


def may_grow(identity: Mapping[str, Any], done: int) -> bool:
    """Return whether a run with `done` epochs can go on with the epochs of an identity.

    It can if these are at least as many, and no rate depends on their number: with the schedules
    constant, halving and plateau, after a warm-up that was given in epochs, or without one.
    """
    schedule, warmup = identity["schedule"], identity["warmup"]
    name = schedule if isinstance(schedule, str) else next(iter(schedule))
    is_warm = warmup == 0 or 1 <= warmup <= done
    return name in ("constant", "halving", "plateau") and is_warm and identity["epochs"] >= done


def _stopping(value: Any) -> str | None:
    if isinstance(value, (int, np.integer)):
        value = EarlyStopping(int(value))
    if isinstance(value, EarlyStopping):
        patience, best = int(value.patience), bool(value.restore_best)
        # without the default monitor, as earlier versions had no other
        other = "" if value.monitor == "cost" else f", monitor={value.monitor!r}"
        return f"EarlyStopping(patience={patience}, restore_best={best}{other})"
    return None if value is None else str(value)


def _seed(seed: Any) -> Any:
    """Return a whole number unchanged; for any other seed, a digest of the generator's state."""
    if seed is None or isinstance(seed, (int, np.integer)):
        return plain(seed)
    return "generator " + _digest(to_json(np.random.default_rng(seed).bit_generator.state))


def _schedule(schedule: Any, steps: int) -> Any:
    """Return the name of a schedule, with its settings if they are not the defaults.

    Of any other callable, a digest of its values is returned.

    Raises ArgumentError for a callable that is not a function of progress alone: its values differ
    in a second call, its attributes change, or it cannot be copied for this test.
    """
    if isinstance(schedule, str):
        schedule = schedule_named(schedule)
    for name, make in SCHEDULES.items():
        default: Any = make()
        if type(default) is type(schedule) and default == schedule:
            return name
        if is_dataclass(default) and type(default) is type(schedule):
            return {name: plain(vars(schedule))}
    trial = _copied(schedule)
    count = min(steps, POINTS)
    points = [(k + 0.5) / count for k in range(count)]
    before = _attributes(trial)
    values = _values(trial, points)
    again = _values(trial, points[::-1])[::-1]
    if not np.array_equal(values, again, equal_nan=True):
        raise _incomparable("one that returns other values when it is called again")
    if _attributes(trial) != before:
        raise _incomparable("one that changes while it is called")
    return "values " + _digest(values.tobytes().hex())


def _copied(schedule: Schedule) -> Schedule:
    try:
        return copy.deepcopy(schedule)
    except Exception as error:  # an object's own __deepcopy__ can raise anything
        raise _incomparable(f"one that cannot be copied ({error})") from None


def _values(schedule: Schedule, points: list[float]) -> Array:
    return as_factors(map(schedule, points), len(points))


def _attributes(schedule: Any) -> str:
    """Return the state of a callable as text: its attributes and the values of its closure."""
    owner = getattr(schedule, "__self__", schedule)
    enclosed = [cell.cell_contents for cell in getattr(schedule, "__closure__", None) or ()]
    return repr((vars(owner) if hasattr(owner, "__dict__") else None, enclosed))


def _incomparable(got: str) -> ArgumentError:
    return refuse(
        "schedule",
        "must be a function of progress alone where checkpoint= is given",
        got,
        "Pass such a function or a name, or leave out checkpoint.",
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
