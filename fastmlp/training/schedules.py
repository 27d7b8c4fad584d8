"""Learning-rate schedules: functions from the progress of training to a factor of the rate.

Progress is 0 before the first step and 1 after the last. Each step uses the progress at its middle.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from math import cos, pi

import numpy as np

from fastmlp.arrays import Array
from fastmlp.errors import refuse

Schedule = Callable[[float], float]

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


class Halving:
    """Start with a high rate, and halve it whenever an epoch does not lower the cost.

    `fastmlp.training.halving` trains with it, and changes the factor between epochs.
    factor : the factor of the learning rate
    lowest : the lowest cost after an epoch so far; infinite before the first
    """

    def __init__(self) -> None:
        self.factor, self.lowest = 1.0, np.inf

    def __call__(self, progress: float) -> float:
        """Return the current factor."""
        return self.factor


SCHEDULES: dict[str, Callable[[], Schedule]] = {
    "constant": lambda: constant,
    "halving": Halving,
    "step": lambda: step,
    "cosine": lambda: cosine,
    "one_cycle": lambda: one_cycle,
    "linear": lambda: linear,
}


def schedule_named(schedule: str | Schedule) -> Schedule:
    """Return the schedule of that name, the callable itself, or a copy of a Halving."""
    if isinstance(schedule, Halving):
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


def step_rates(schedule: Schedule, rate: float, epoch: int, epochs: int, steps: int) -> Array:
    """Return the rate of each step of an epoch, float64 `(steps,)`; epochs count from 0.

    It is the rate at the middle of the step: a single step has the progress 1/2.
    """
    total = epochs * steps
    factors = (schedule((epoch * steps + step + 0.5) / total) for step in range(steps))
    rates = rate * np.fromiter(factors, np.float64, steps)
    if not (np.isfinite(rates).all() and (rates >= 0).all()):
        raise refuse(
            "schedule",
            "must return finite factors of at least 0",
            f"learning rates from {rates.min()} to {rates.max()}",
            "Check the callable for progress from 0 to 1.",
        )
    return rates
