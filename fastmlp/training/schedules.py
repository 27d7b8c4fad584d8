"""Learning-rate schedules: functions from the progress of training to a factor of the rate.

Progress is 0 before the first step and 1 after the last. Each step uses the progress at its middle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass, field
from math import cos, inf, pi
from typing import Any

import numpy as np

from fastmlp.arrays import Array, check_at_least
from fastmlp.errors import checked_class, refuse
from fastmlp.training.history import History
from fastmlp.training.monitor import PLATEAU_MONITORS, check_monitor

Schedule = Callable[[float], float]
# The rate of each step `(steps,)` of an epoch, counted from 0
Rates = Callable[[int], Array]

WARM_UP = 0.1


def constant(progress: float) -> float:
    """Return 1."""
    return 1.0


def linear(progress: float) -> float:
    """Rise from 0 to 1 over the first tenth, then fall to 0 at the end."""
    if progress < WARM_UP:
        return progress / WARM_UP
    return (1 - progress) / (1 - WARM_UP)


def cosine(progress: float) -> float:
    """Fall from 1 to 0 along half a cosine (Loshchilov and Hutter, 2017)."""
    return (1 + cos(pi * progress)) / 2


def step(progress: float) -> float:
    """Return 1 in the first half, then 0.1, and 0.01 in the last quarter."""
    return 1.0 if progress < 0.5 else 0.1 if progress < 0.75 else 0.01


def one_cycle(progress: float) -> float:
    """Rise from 1/25 to 1 over the first 30 %, then fall to 1/250,000 (Smith and Topin, 2018)."""
    start, end, peak = 1 / 25, 1 / 250_000, 0.3
    if progress < peak:
        return 1 + (start - 1) * cosine(progress / peak)
    return end + (1 - end) * cosine((progress - peak) / (1 - peak))


@checked_class
@dataclass(frozen=True)
class Exponential:
    """Fall from 1 to `final`, by the same factor in each step: final ** progress."""

    final: float = 0.01

    def __post_init__(self) -> None:
        _check_inside("final", self.final, 0, 1)

    def __call__(self, progress: float) -> float:
        """Return the factor at that progress."""
        return float(self.final**progress)


@checked_class
@dataclass(frozen=True)
class Polynomial:
    """Fall from 1 to `final`: final + (1 - final) (1 - progress) ** power."""

    power: float = 2.0
    final: float = 0.0

    def __post_init__(self) -> None:
        check_at_least("power", self.power, 0, float)
        check_at_least("final", self.final, 0, float)

    def __call__(self, progress: float) -> float:
        """Return the factor at that progress."""
        return float(self.final + (1 - self.final) * (1 - progress) ** self.power)


@checked_class
@dataclass(frozen=True)
class CosineRestarts:
    """Fall from 1 to 0 along half a cosine, several times (Loshchilov and Hutter, 2017).

    cycles : how many times; growth : the length of a cycle divided by that of the one before
    """

    cycles: int = 3
    growth: float = 2.0

    def __post_init__(self) -> None:
        check_at_least("cycles", self.cycles, 1)
        check_at_least("growth", self.growth, 1, float)

    def __call__(self, progress: float) -> float:
        """Return the factor at that progress."""
        lengths = [self.growth**cycle for cycle in range(self.cycles)]
        left = progress * sum(lengths)
        for length in lengths[:-1]:
            if left < length:
                return cosine(left / length)
            left -= length
        return cosine(left / lengths[-1])


@checked_class
@dataclass
class Halving:
    """Start with a high rate, and halve it whenever an epoch does not lower the cost.

    `fastmlp.training.halving` trains with it, and changes the factor between epochs.
    factor : the factor of the learning rate
    lowest : the lowest cost after an epoch so far; infinite before the first
    """

    factor: float = 1.0
    lowest: float = inf

    def __post_init__(self) -> None:
        check_at_least("factor", self.factor, 0, float)
        check_at_least("lowest", self.lowest, -inf, float)

    def __call__(self, progress: float) -> float:
        """Return the current factor."""
        return self.factor


@checked_class
@dataclass
class Plateau:
    """Multiply the rate by `factor` when the cost has not fallen for `patience` epochs.

    monitor : "validation_cost" or "train_cost", without validation data the training cost; or a
        metric of the task on the validation data, such as "accuracy" or "r2", that has to improve
    min_delta : by how much a cost must be below the lowest so far to count as lower
    minimum : the lowest factor of the rate
    now : the current factor; lowest : the lowest cost so far; waited : epochs since then
    """

    factor: float = 0.5
    patience: int = 3
    min_delta: float = 0.0
    minimum: float = 0.001
    monitor: str = "validation_cost"
    now: float = field(default=1.0, init=False)
    lowest: float = field(default=inf, init=False)
    waited: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        _check_inside("factor", self.factor, 0, 1)
        check_at_least("patience", self.patience, 1)
        check_at_least("min_delta", self.min_delta, 0, float)
        check_at_least("minimum", self.minimum, 0, float)
        check_monitor(self.monitor, PLATEAU_MONITORS)

    def __call__(self, progress: float) -> float:
        """Return the current factor."""
        return self.now

    def watch(self, history: History) -> None:
        """Take the costs of the last epoch into account."""
        cost = history.train_cost[-1]
        if self.monitor != "train_cost":
            judged = history.loss(self.monitor.removeprefix("validation_"))
            cost = cost if judged is None else judged
        if cost < self.lowest - self.min_delta:
            self.lowest, self.waited = cost, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.now, self.waited = max(self.now * self.factor, self.minimum), 0


# Schedules that depend on results: a run changes a copy, and saves it in its checkpoints
Adaptive = Halving | Plateau

SCHEDULES: dict[str, Callable[[], Schedule]] = {
    "constant": lambda: constant,
    "halving": Halving,
    "plateau": Plateau,
    "step": lambda: step,
    "exponential": Exponential,
    "polynomial": Polynomial,
    "cosine": lambda: cosine,
    "cosine_restarts": CosineRestarts,
    "one_cycle": lambda: one_cycle,
    "linear": lambda: linear,
}


def schedule_named(schedule: str | Schedule) -> Schedule:
    """Return the schedule of that name, the callable itself, or a copy of an adaptive one."""
    if isinstance(schedule, Adaptive):
        return copy(schedule)
    if callable(schedule):
        return schedule
    if not isinstance(schedule, str) or schedule not in SCHEDULES:
        raise refuse(
            "schedule",
            "must name a schedule, or be a callable from progress (0 to 1) to a factor",
            repr(schedule),
            f"Choose from {', '.join(SCHEDULES)}.",
        )
    return SCHEDULES[schedule]()


def warmup_share(warmup: Any, epochs: int) -> float:
    """Return the share of a run that a warm-up takes.

    warmup : below 1 it is that share, and from 1 on a number of epochs
    """
    check_at_least("warmup", warmup, 0, float)
    share = float(warmup) / max(epochs, 1) if warmup >= 1 else float(warmup)
    if share > 1:
        rule = f"must not be longer than the run of {epochs} epochs"
        raise refuse("warmup", rule, warmup, "Pass 0.1, for example, for a tenth of the run.")
    return share


def step_rates(
    schedule: Schedule, rate: float, epoch: int, epochs: int, steps: int, warmup: float = 0.0
) -> Array:
    """Return the rate of each step of an epoch, float64 `(steps,)`; epochs count from 0.

    It is the rate at the middle of the step: a single step has the progress 1/2. In the warm-up,
    a share of the run, the factors of the schedule are multiplied by progress / warmup.
    """

    def factor(step: int) -> float:
        progress = (epoch * steps + step + 0.5) / (epochs * steps)
        return schedule(progress) * (progress / warmup if progress < warmup else 1.0)

    rates = rate * as_factors(map(factor, range(steps)), steps)
    if not (np.isfinite(rates).all() and (rates >= 0).all()):
        raise refuse(
            "schedule",
            "must return finite factors of at least 0",
            f"learning rates from {rates.min()} to {rates.max()}",
            "Check the callable for progress from 0 to 1.",
        )
    return rates


def as_factors(values: Iterable[float], count: int) -> Array:
    """Return what a schedule returned for `count` steps, float64 `(count,)`.

    Raises ArgumentError for anything that is no number.
    """
    try:
        return np.fromiter(values, np.float64, count)
    except (TypeError, ValueError, OverflowError) as error:
        remedy = "Return a float for each progress from 0 to 1."
        raise refuse("schedule", "must return a number", error, remedy) from error


def _check_inside(argument: str, value: Any, low: float, high: float) -> None:
    check_at_least(argument, value, low, float)
    if not low < value < high:
        rule = f"must lie between {low:g} and {high:g}, without these"
        raise refuse(argument, rule, value, f"Pass {argument}=0.1, for example.")
