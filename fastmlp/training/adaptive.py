"""Schedules that depend on results: a run changes a copy, and saves it in its checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from fastmlp.arrays import check_at_least, check_between
from fastmlp.errors import checked_class
from fastmlp.functions import Setting
from fastmlp.training.history import History
from fastmlp.training.monitor import PLATEAU_MONITORS, check_monitor


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
        Setting(1.0).check("factor", self.factor)
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
        check_between("factor", self.factor, 0, 1)
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
            lower = max(self.now * self.factor, self.minimum)
            self.now, self.waited = min(self.now, lower), 0


Adaptive = Halving | Plateau
