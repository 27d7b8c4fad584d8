"""Minibatch stochastic gradient descent: the epoch loop around a backend's engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastmlp.errors import refuse
from fastmlp.functions import Array
from fastmlp.inputs import check_at_least
from fastmlp.network import Network
from fastmlp.training.history import History
from fastmlp.training.run import Callback, Data, Run
from fastmlp.training.schedules import Halving, Schedule, schedule_named, step_rates


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when the validation cost has not fallen for `patience` epochs.

    With restore_best, the parameters of the epoch with the lowest validation cost come back.
    """

    patience: int = 3
    restore_best: bool = True

    def __post_init__(self) -> None:
        check_at_least("patience", self.patience, 1)


def train(
    network: Network,
    split: Data,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    schedule: str | Schedule = "constant",
    validation: Data | None = None,
    early_stopping: EarlyStopping | int | None = None,
    target_accuracy: float | None = None,
    seed: int | np.random.Generator = 0,
    threads: int | None = None,
    backend: str = "compiled",
    callbacks: Sequence[Callback] = (),
) -> History:
    """Train a network in place by minibatch SGD, and return the history.

    split : a Split, or (images `(N, I)`, labels `(N,)` or targets `(N, O)`)
    batch_size : 1 is pure stochastic gradient descent, N full batch; a short last batch counts
    schedule : a name, or a callable from progress (0 to 1) to a factor of learning_rate
    early_stopping : EarlyStopping(...), or just its patience; needs validation data
    target_accuracy : stop once validation (without it, training) accuracy reaches this, 0 to 1
    seed : of the order of the samples; the same seed gives the same run, to the bit
    callbacks : called with a Progress; one that returns True ends the run

    Raises ArgumentError for bad input, and DivergedError when the cost or a parameter becomes
    NaN or infinite; the network then holds the parameters of the last good epoch.
    """
    run = Run(network, split, validation, backend)
    _check_settings(epochs, batch_size, learning_rate, momentum, nesterov, weight_decay)
    if isinstance(early_stopping, int):
        early_stopping = EarlyStopping(early_stopping)
    if early_stopping and validation is None:
        raise refuse(
            "early_stopping", "needs validation data", "validation=None", "Pass validation=."
        )
    if threads is not None:
        check_at_least("threads", threads, 1)
    plan, generator = schedule_named(schedule), np.random.default_rng(seed)
    run.start(batch_size, momentum, nesterov, weight_decay, threads)
    history, steps = run.history, -(-len(run.images) // batch_size)
    watcher = _Watcher(run, early_stopping, target_accuracy)
    for epoch in range(epochs):
        rates = step_rates(plan, learning_rate, epoch, epochs, steps)
        order = generator.permutation(len(run.images))
        if run.epoch(epoch, epochs, order, rates, callbacks):
            history.stopped = "a callback asked for it"
            break
        if isinstance(plan, Halving):
            judged = history.validation_cost[-1]
            plan.watch(history.train_cost[-1] if judged is None else judged)
        if watcher.ends(epoch):
            break
    else:
        history.stopped = f"all {epochs} epochs done"
    watcher.restore()
    return history


class _Watcher:
    """Decides after each epoch whether to go on, and remembers the best parameters."""

    def __init__(
        self, run: Run, early_stopping: EarlyStopping | None, target_accuracy: float | None
    ) -> None:
        self.run, self.early_stopping, self.target = run, early_stopping, target_accuracy
        self.best: list[Array] = []
        self.best_epoch, self.lowest = 0, np.inf

    def ends(self, epoch: int) -> bool:
        history = self.run.history
        accuracy = history.validation_accuracy[-1]
        reached = history.train_accuracy[-1] if accuracy is None else accuracy
        if self.target is not None and reached >= self.target:
            history.stopped = f"target accuracy {self.target:g} reached"
            return True
        if self.early_stopping is None:
            return False
        cost = history.validation_cost[-1]
        if cost is not None and cost < self.lowest:
            network = self.run.network
            self.lowest, self.best_epoch = cost, epoch
            self.best = [array.copy() for array in (*network.weights, *network.biases)]
        if epoch - self.best_epoch >= self.early_stopping.patience:
            history.stopped = f"validation cost has not fallen since epoch {self.best_epoch + 1}"
            return True
        return False

    def restore(self) -> None:
        """Bring back the best parameters, where early stopping asks for that."""
        if self.early_stopping and self.early_stopping.restore_best and self.best:
            network = self.run.network
            own = (*network.weights, *network.biases)
            for target, parameter in zip(own, self.best, strict=True):
                np.copyto(target, parameter)
            self.run.history.restored_epoch = self.best_epoch + 1


def _check_settings(
    epochs: int,
    batch_size: int,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> None:
    check_at_least("epochs", epochs, 0)
    check_at_least("batch_size", batch_size, 1)
    for name, value in (
        ("learning_rate", learning_rate),
        ("momentum", momentum),
        ("weight_decay", weight_decay),
    ):
        check_at_least(name, value, 0, float)
        if not np.isfinite(value):
            raise refuse(name, "must be finite", value, "Pass an ordinary number.")
    if momentum >= 1:
        raise refuse("momentum", "must be below 1", momentum, "Pass 0.9, for example.")
    if nesterov and momentum == 0:
        raise refuse("nesterov", "needs a momentum", "momentum=0", "Pass momentum=0.9.")
