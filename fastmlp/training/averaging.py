"""Averages of the parameters of a run: exponential, or of the ends of its last epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.errors import refuse
from fastmlp.training.adaptive import Halving
from fastmlp.training.schedules import Schedule

# An exponential average of decay d is updated after so many steps at most, and after SHARE of the
# 1 / (1 - d) steps that it averages over: reading parameters takes time
STEPS, SHARE = 64, 1 / 8
AVERAGES = {"ema": 0.999, "last": 5.0}
RULE = 'must be "ema", "ema:0.999", "last" or "last:5"'


class Average:
    """An average of the parameters of a run, weights first.

    name, setting : "ema" and its decay d for each step, from 0 to below 1; or "last" and the
        number of epochs n, at least 1

    "ema": after s steps, with parameters p and the sum of all powers so far, m,

        m <- d^s m + (1 - d^s),  average <- average + (1 - d^s) / m (p - average)

    so m divides out the start, as in Adam (Kingma and Ba, 2015). "last": the mean of p after the
    last n epochs, as in Szegedy et al. (2016) and Izmailov et al. (2018).
    """

    def __init__(self, name: str, setting: float) -> None:
        self.name, self.setting = name, setting
        averaged = 1 / (1 - setting) if name == "ema" else np.inf
        self.interval = max(1, int(min(STEPS, SHARE * averaged)))
        self.mass, self.points = 0.0, list[list[Array]]()

    @property
    def text(self) -> str:
        """The name with its setting, as `average_for` takes it."""
        return f"{self.name}:{self.setting:g}"

    def next_update(self, done: int) -> float:
        """Return the step of an epoch after which to call `add` next, at its end at the latest."""
        return done + self.interval - done % self.interval if self.name == "ema" else np.inf

    def add(self, parameters: Sequence[Array], steps: int) -> None:
        """Take the parameters after so many more steps into account."""
        if self.name == "last":
            self.points = [*self.points, [p.copy() for p in parameters]][-int(self.setting) :]
            return
        if not self.points:
            self.points = [[np.zeros_like(p) for p in parameters]]
        kept = self.setting**steps
        self.mass = kept * self.mass + (1 - kept)
        for average, p in zip(self.points[0], parameters, strict=True):
            average += (1 - kept) / self.mass * (p - average)

    def write(self, out: Sequence[Array]) -> None:
        """Write the average into arrays; nothing if there is none yet."""
        for arrays in zip(out, *self.points, strict=True):
            target, *points = arrays
            if points:
                np.copyto(target, points[0] if len(points) == 1 else np.mean(points, axis=0))

    def restart(self) -> None:
        """Forget everything: what follows has other parameters."""
        self.mass, self.points = 0.0, []


def average_for(plan: Schedule, text: Any) -> Average | None:
    """Return the average with that name and setting for a run; None for None.

    Raises ArgumentError for an unknown one, and with a schedule that undoes epochs.
    """
    if text is None:
        return None
    if isinstance(plan, Halving):
        rule, got = "is for schedules that undo no epochs", 'schedule="halving"'
        raise refuse("average", rule, got, "Leave out average, or use another schedule.")
    name, _, setting = str(text).partition(":")
    remedy = 'Pass average="ema", for example.'
    if not isinstance(text, str) or name not in AVERAGES:
        raise refuse("average", RULE, repr(text), remedy)
    try:
        value = float(setting) if setting else AVERAGES[name]
    except ValueError:
        raise refuse("average", RULE, repr(text), remedy) from None
    if name == "ema" and not 0 <= value < 1:
        raise refuse("average", "needs a decay from 0 to below 1", repr(text), remedy)
    if name == "last" and not (value >= 1 and value.is_integer()):
        raise refuse("average", "needs a whole number of epochs of at least 1", repr(text), remedy)
    return Average(name, value)
