"""The history of a training run, and the result of one epoch."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np

from fastmlp.errors import nearest, refuse
from fastmlp.functions import METRICS, metrics_of
from fastmlp.system.plain import to_json
from fastmlp.training.rows import Columns


class Done(NamedTuple):
    """The result of an epoch: means over its samples, and the learning rate of the last step.

    accuracy : None unless the task is classification
    Where samples have weights, the means are weighted by them.
    whole : whether all steps were taken; False if a callback ended the run
    """

    cost: float
    accuracy: float | None
    rate: float
    whole: bool = True


NOTHING = Done(np.nan, np.nan, np.nan)


@dataclass
class History:
    """The results of a training run. Each list has one entry for each epoch.

    train_cost, train_accuracy : means over the samples of the epoch, computed before each step
    validation_cost, validation_accuracy : after the epoch; None without validation data
    task : "classification"; or "labels" or "regression", whose accuracies are None
    validation_metrics : of other tasks than classification, lists of the metrics by their names
    learning_rate : of the last step of the epoch
    epoch_seconds : of training only, without compilation and evaluation
    samples_per_second : in training
    members : how many threads shared the steps, on average; None if it is not known. Their number
        follows what pays: it falls beside a busy process
    compile_seconds : the time to compile or load the kernels before the first epoch
    backend : as passed; threads : the most that could work
    plan : how threads share a step: "by columns", "columns, then rows", "by samples", "by inputs"
    first_members : how many threads began, by the plan's model or as given; None if not known
    scaling : how inputs are scaled: "30 columns, standardised"
    inputs : how the first layer read the images: "sparse, 19.1% of the values are not zero"
    stopped : why training ended: "all 6 epochs done", "target accuracy 0.98 reached", "validation
        cost has not fallen since epoch 4", "a callback asked for it", "time limit of 60 s",
        "interrupted" (Ctrl-C), "terminated" (SIGTERM), "diverged in epoch 2", "an exception in a
        callback: KeyError"
    restored_epoch : the epoch, from 1, whose parameters early stopping restored
    warnings : texts that say what is wrong with the result: that the network has not learnt, and
        the likely cause; usually none
    resumed_epoch : the number of epochs in the checkpoint from which the run was resumed
    """

    train_cost: list[float] = field(default_factory=list)
    train_accuracy: list[float | None] = field(default_factory=list)
    validation_cost: list[float | None] = field(default_factory=list)
    validation_accuracy: list[float | None] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    epoch_seconds: list[float] = field(default_factory=list)
    samples_per_second: list[float] = field(default_factory=list)
    members: list[float | None] = field(default_factory=list)
    compile_seconds: float = 0.0
    backend: str = ""
    threads: int | None = None
    plan: str = ""
    first_members: int | None = None
    inputs: str = ""
    stopped: str = ""
    restored_epoch: int | None = None
    resumed_epoch: int | None = None
    task: str = "classification"
    validation_metrics: dict[str, list[float | None]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    scaling: str = ""

    def __post_init__(self) -> None:
        if self.task != "classification" and not self.validation_metrics:
            self.validation_metrics = {row.name: [] for row in metrics_of(self.task)}

    def validated(self, name: str) -> list[float | None]:
        """Return the list of a metric of the validation data, or of "cost".

        Raises ArgumentError for the name of another.
        """
        metrics = self.validation_metrics or {"accuracy": self.validation_accuracy}
        lists = {"cost": self.validation_cost, **metrics}
        if name not in lists:
            rule = f"must name a cost or a metric of the task {self.task!r}"
            raise refuse("name", rule, repr(name), nearest(name, lists))
        return lists[name]

    def loss(self, name: str) -> float | None:
        """Return the last entry of `validated`, negative if higher is better; or None."""
        value = next(reversed(self.validated(name)), None)
        return -value if value is not None and name in METRICS and METRICS[name].rises else value

    def record(
        self, engine: Any, epochs: Sequence[Done], seconds: float, samples: int, **judged: Any
    ) -> None:
        """Add epochs of an engine, each of so many seconds and samples.

        judged : what the lists of `validated` get, by their names; None for the others
        """
        count = len(epochs)
        self.inputs, self.plan = engine.inputs, engine.plan_name
        self.first_members = engine.first_members
        self.members += [engine.members()] * count
        self.train_cost += [done.cost for done in epochs]
        self.train_accuracy += [done.accuracy for done in epochs]
        self.learning_rate += [done.rate for done in epochs]
        self.epoch_seconds += [seconds] * count
        self.samples_per_second += [samples / seconds] * count
        self.validation_cost += [judged.get("cost")] * count
        self.validation_accuracy += [judged.get("accuracy")] * count
        for name, values in self.validation_metrics.items():
            values += [judged.get(name)] * count

    @property
    def train_seconds(self) -> float:
        """The sum of the seconds of all epochs."""
        return sum(self.epoch_seconds)

    def __len__(self) -> int:
        return len(self.train_cost)

    def _lists(self) -> dict[str, list[Any]]:
        """Return the lists for logs: those of accuracies only if the task is classification."""
        lists = {name: getattr(self, name) for name in LISTS}
        if self.validation_metrics:
            del lists["train_accuracy"], lists["validation_accuracy"]
        return lists | {f"validation_{name}": v for name, v in self.validation_metrics.items()}

    def names(self) -> tuple[str, ...]:
        """Return the names of the entries in `row`."""
        return "epoch", *self._lists()

    def row(self, epoch: int) -> dict[str, Any]:
        """Return the number of an epoch, from 1, and its entries; `epoch` counts from 0.

        Raises ArgumentError for an epoch that the history does not have.
        """
        if not 0 <= epoch < len(self):
            rule = f"must be at least 0 and below the number of epochs, {len(self)}"
            raise refuse("epoch", rule, epoch, "Pass 0 for the first.")
        return {"epoch": epoch + 1} | {name: v[epoch] for name, v in self._lists().items()}

    def snapshot(self) -> History:
        """Return a copy with lists of its own. It is fast, as a run takes one after each epoch."""
        copied = copy(self)
        for name in LISTS:
            setattr(copied, name, list(getattr(self, name)))
        metrics = self.validation_metrics.items()
        copied.validation_metrics = {name: list(values) for name, values in metrics}
        return copied

    def to_json(self, indent: int | None = None) -> str:
        """Return all fields as one JSON object; a number that is not finite becomes null."""
        return to_json(self, indent)

    def table(self) -> str:
        """Return a table as plain text, with one line for each epoch."""
        columns = Columns(self)
        return "\n".join([columns.heading(), *map(columns.epoch, range(len(self)))])


# The fields with an entry for each epoch
LISTS = tuple(field.name for field in fields(History) if str(field.type).startswith("list"))
