"""Learning-rate schedules: functions from the progress of training to a factor of the rate.

Progress is 0 before the first step and 1 after the last. Each step uses the progress at its middle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass, fields, is_dataclass
from math import cos, log, pi
from typing import Any

import numpy as np

from fastmlp.arrays import Array, check_at_least, check_between
from fastmlp.errors import ArgumentError, checked_class, nearest, refuse
from fastmlp.functions import Setting
from fastmlp.training.adaptive import Adaptive
from fastmlp.training.adaptive import Halving as Halving
from fastmlp.training.adaptive import Plateau as Plateau

Schedule = Callable[[float], float]
# The rate of each step, float64, of an epoch, counted from 0, or of so many from that on
Rates = Callable[..., Array]

WARM_UP = 0.1
# Logarithm of the length of a cycle in units of the first; float64 ends at 709
LONGEST = 690


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
        check_between("final", self.final, 0, 1)

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
        Setting(0.0).check("final", self.final)

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
        if not (self.cycles - 1) * log(self.growth) < LONGEST:
            rule = f"must give cycles of finite length, growth ** {self.cycles - 1} for the last"
            raise refuse("growth", rule, self.growth, "Pass less growth, or fewer cycles.")

    def __call__(self, progress: float) -> float:
        """Return the factor at that progress."""
        lengths = [self.growth**cycle for cycle in range(self.cycles)]
        left = progress * sum(lengths)
        for length in lengths[:-1]:
            if left < length:
                return cosine(left / length)
            left -= length
        return cosine(left / lengths[-1])


SCHEDULES: dict[str, Callable[..., Schedule]] = {
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
    """Return the schedule of that name, the callable itself, or a copy of an adaptive one.

    A name can have settings behind it: "plateau:factor=0.5,patience=3". Raises ArgumentError.
    """
    if isinstance(schedule, Adaptive):
        return copy(schedule)
    if callable(schedule):
        return schedule
    name, colon, text = str(schedule).partition(":")
    if not isinstance(schedule, str) or name not in SCHEDULES:
        raise refuse(
            "schedule",
            "must name a schedule, or be a callable from progress (0 to 1) to a factor",
            repr(schedule),
            nearest(name if isinstance(schedule, str) else schedule, SCHEDULES),
        )
    make = SCHEDULES[name]
    settings = _settings(schedule, text, make) if colon else {}
    try:
        return make(**settings)
    except ArgumentError as error:
        raise refuse("schedule", "needs other settings", repr(schedule), str(error)) from None


def _settings(schedule: str, text: str, make: Any) -> dict[str, Any]:
    """Return the settings in a text "factor=0.5,patience=3", each of the type of its default."""
    known = {}
    if is_dataclass(make):
        known = {one.name: one.default for one in fields(make) if one.init}
    found: dict[str, Any] = {}
    for part in text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        try:
            kind: Any = type(known[name])
            found[name] = kind(value)
        except (KeyError, ValueError):
            rule = "needs settings such as factor=0.5 behind its name and a colon"
            own = ", ".join(f"{name}={default}" for name, default in known.items())
            remedy = f"It has {own}." if own else "This one has no settings."
            raise refuse("schedule", rule, repr(schedule), remedy) from None
    return found


def warmup_epochs(warmup: Any, epochs: int) -> float:
    """Return the number of epochs that a warm-up takes.

    warmup : below 1 the share of a run, and from 1 on that number
    """
    check_at_least("warmup", warmup, 0, float)
    warm = float(warmup) if warmup >= 1 else float(warmup) * epochs
    if warm > max(epochs, 1):
        rule = f"must not be longer than the run of {epochs} epochs"
        raise refuse("warmup", rule, warmup, "Pass 0.1, for example, for a tenth of the run.")
    return warm


def step_rates(
    schedule: Schedule,
    rate: float,
    epoch: int,
    epochs: int,
    steps: int,
    warmup: float = 0.0,
    several: int = 1,
) -> Array:
    """Return the rate of each step of an epoch, float64 `(steps,)`; epochs count from 0.

    several : how many epochs to return rates of, from that one on

    It is the rate at the middle of the step: a single step has the progress 1/2. In the warm-up, of
    so many epochs, the factors of the schedule are multiplied by the share of it that is over. That
    does not depend on `epochs`, so that a run can get more of them.
    """
    if schedule is constant and epoch >= warmup:  # fast path: small networks take many epochs
        return np.full(several * steps, float(rate))

    warm = warmup * steps

    def factor(step: int) -> float:
        done = epoch * steps + step + 0.5
        return schedule(done / (epochs * steps)) * (done / warm if done < warm else 1.0)

    rates = rate * as_factors(map(factor, range(several * steps)), several * steps)
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
